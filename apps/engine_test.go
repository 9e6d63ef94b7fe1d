package apps_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"testing"

	"towpath.dev/internal/artifact"
	"towpath.dev/internal/lang/core"
	"towpath.dev/internal/lang/emit"
	"towpath.dev/internal/lang/interp"
	"towpath.dev/internal/lang/lower"
	"towpath.dev/internal/run/engine"
)

// compiled is the program's artifact.
func compiled(t *testing.T, program *core.Program) []byte {
	t.Helper()
	oracle := interp.New(program, interp.Options{})
	module, manifest, err := lower.Program(program, lower.Options{JSON: func(e core.Expr) (string, error) {
		v, err := oracle.Eval(e, oracle.NewEnv())
		if err != nil {
			return "", err
		}
		text, err := oracle.AppendJSON(nil, e.TypeOf(), v)
		return string(text), err
	}})
	if err != nil {
		t.Fatal(err)
	}
	binary, err := emit.Module(module)
	if err != nil {
		t.Fatal(err)
	}
	data, err := artifact.Encode(binary, manifest)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// serve answers batches from the recording, as Ask does.
func (r *recording) serve(_ context.Context, b *engine.Batch) {
	for i := range b.Len() {
		if answer, ok := r.find(b.Operation.QualifiedName(), b.Args(i)); ok {
			b.Answer(i, answer)
		} else {
			b.Fail(i, errors.New("not recorded"))
		}
	}
}

// playCompiled is play on the engine.
func playCompiled(t *testing.T, artifact []byte, view, input, answers string) []byte {
	t.Helper()
	var world recording
	readJSON(t, answers, &world)
	program, err := engine.Load(t.Context(), artifact, engine.Options{
		Source: engine.SourceFunc(world.serve),
		Seed:   func() int64 { return world.Seed },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = program.Close(t.Context()) }()
	body, err := os.ReadFile(input)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := program.AppendCall(t.Context(), nil, view, body)
	if err != nil {
		t.Fatal(err)
	}
	return indented(t, answer)
}

func indented(t *testing.T, text []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := json.Indent(&out, text, "", "  "); err != nil {
		t.Fatal(err)
	}
	out.WriteByte('\n')
	return out.Bytes()
}
