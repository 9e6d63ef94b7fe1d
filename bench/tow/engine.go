package tow

import (
	"context"
	"fmt"
	"io/fs"

	"towpath.dev/bench/workload"
	"towpath.dev/internal/lang/compile"
	"towpath.dev/internal/run/engine"
)

// compiled is the engine that this build has. Pass needs the engine's own
// Rehearse, which the public package does not show.
type compiled struct{}

func (compiled) Load(project fs.FS, sources Sources) (Program, error) {
	built, err := compile.Build(project, compile.Options{Name: "bench"})
	if err != nil {
		return nil, err
	}
	if built.Diags.HasErrors() {
		return nil, built.Diags.All[0]
	}
	var opts engine.Options
	if sources != nil {
		opts.Source = engine.SourceFunc(func(ctx context.Context, b *engine.Batch) { answer(ctx, sources, b) })
	}
	p, err := engine.Load(context.Background(), built.Artifact, opts)
	if err != nil {
		return nil, err
	}
	return &program{p: p}, nil
}

// answer asks the in-memory sources for a whole batch at once.
func answer(ctx context.Context, sources Sources, b *engine.Batch) {
	args, answers := make([][]byte, b.Len()), make([][]byte, b.Len())
	for i := range args {
		args[i] = b.Args(i)
	}
	err := sources(ctx, b.Operation.Service+"."+b.Operation.Name, args, answers)
	for i := range args {
		if err != nil {
			b.Fail(i, err)
			continue
		}
		b.Answer(i, answers[i])
	}
}

type program struct {
	p    *engine.Program
	name string
	view *engine.View // the one last asked for
}

func (p *program) find(name string) (*engine.View, error) {
	if name == p.name {
		return p.view, nil
	}
	v, err := p.p.View(name)
	if err != nil {
		return nil, fmt.Errorf("finding %s: %w", name, err)
	}
	p.name, p.view = name, v
	return v, nil
}

func (p *program) AppendCall(ctx context.Context, dst []byte, view string, input []byte) ([]byte, error) {
	v, err := p.find(view)
	if err != nil {
		return dst, err
	}
	return v.AppendCall(ctx, dst, input)
}

func (p *program) Pass(ctx context.Context, view string, input []byte) (workload.Loop, error) {
	v, err := p.find(view)
	if err != nil {
		return nil, err
	}
	h, err := v.Rehearse(ctx, input)
	if err != nil {
		return nil, err
	}
	return h.Run, nil
}

func (p *program) Close() error { return p.p.Close(context.Background()) }
