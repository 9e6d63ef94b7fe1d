package tow

import (
	"context"
	"fmt"
	"io/fs"
	"sync"

	"towpath.dev/bench/workload"
	"towpath.dev/internal/artifact"
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
	names := map[*artifact.Operation]string{}
	if sources != nil {
		opts.Source = engine.SourceFunc(func(ctx context.Context, b *engine.Batch) { answer(ctx, sources, names, b) })
	}
	p, err := engine.Load(context.Background(), built.Artifact, opts)
	if err != nil {
		return nil, err
	}
	for i := range p.Manifest().Operations {
		op := &p.Manifest().Operations[i]
		names[op] = op.Service + "." + op.Name
	}
	return &program{p: p}, nil
}

// scratch is memory that batches use again.
var scratch = sync.Pool{New: func() any { return new([2][][]byte) }}

// answer asks the in-memory sources for a whole batch at once.
func answer(ctx context.Context, sources Sources, names map[*artifact.Operation]string, b *engine.Batch) {
	buf := scratch.Get().(*[2][][]byte)
	defer scratch.Put(buf)
	args, answers := buf[0][:0], buf[1][:0]
	for i := range b.Len() {
		args, answers = append(args, b.Args(i)), append(answers, nil)
	}
	buf[0], buf[1] = args, answers
	err := sources(ctx, names[b.Operation], args, answers)
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
