// Package apps_test checks the applications in this folder and plays their
// recorded requests.
package apps_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"towpath.dev/internal/abi"
	"towpath.dev/internal/lang/core"
	"towpath.dev/internal/lang/diag"
	"towpath.dev/internal/lang/interp"
	"towpath.dev/internal/lang/span"
	"towpath.dev/internal/lang/stdlib"
	"towpath.dev/internal/lang/syntax"
	"towpath.dev/internal/lang/types"
	"towpath.dev/internal/tester"
)

var update = flag.Bool("update", false, "write the expected answers anew")

// checked is an application's program; mistakes fail the test.
func checked(t *testing.T, app string) *core.Program {
	t.Helper()
	var diags diag.List
	var mods []types.Source
	for _, f := range stdlib.Sources() {
		mods = append(mods, types.Source{Path: f.Path, File: syntax.Parse(span.NewFile(f.Path+".tow", []byte(f.Text)), &diags)})
	}
	folder := os.DirFS(app)
	err := fs.WalkDir(folder, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || path.Ext(name) != ".tow" {
			return err
		}
		text, err := fs.ReadFile(folder, name)
		mods = append(mods, types.Source{Path: strings.TrimSuffix(name, ".tow"), File: syntax.Parse(span.NewFile(name, text), &diags)})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	program, _ := types.Check(mods, &diags)
	for _, d := range diags.All {
		t.Error(d.String())
	}
	if t.Failed() {
		t.FailNow()
	}
	return program
}

// TestTests runs the tests and props that the applications hold.
func TestTests(t *testing.T) {
	for _, app := range []string{"featured-offer"} {
		summary := tester.Run(checked(t, app), tester.Options{}, func(r *tester.Result) {
			if !r.Passed() {
				t.Errorf("%s: %s fails:", r.At, r.Title)
			}
			for _, f := range r.Failures {
				t.Errorf("  %s: %s: %s %v", f.At, f.Kind, f.Message, f.Values)
			}
		})
		if summary.Passed == 0 {
			t.Errorf("%s has no tests", app)
		}
		t.Logf("%s: %d tests, %d props", app, summary.Tests, summary.Props)
	}
}

// recording is a file of recorded answers.
type recording struct {
	Now     time.Time `json:"now"`
	Seed    int64     `json:"seed"`
	Answers []struct {
		Operation string          `json:"operation"`
		Args      json.RawMessage `json:"args"`
		Answer    json.RawMessage `json:"answer"`
	} `json:"answers"`
}

// find looks an answer up by its operation and the call's compact arguments.
func (r *recording) find(operation string, args []byte) (answer []byte, ok bool) {
	for _, a := range r.Answers {
		var recorded bytes.Buffer
		if err := json.Compact(&recorded, a.Args); err != nil {
			return nil, false
		}
		if a.Operation == operation && bytes.Equal(recorded.Bytes(), args) {
			return a.Answer, true
		}
	}
	return nil, false
}

// Ask answers from the recording; a call that is not there fails.
func (r *recording) Ask(c *interp.Call) (interp.Answer, error) {
	answer, ok := r.find(c.Op.QualifiedName(), c.Canonical)
	if !ok {
		return interp.Answer{}, errors.New("not recorded")
	}
	return interp.Answer{JSON: answer}, nil
}

// Verdict lets every scope live.
func (r *recording) Verdict(core.Site, uint64, int64, bool) abi.Verdict { return abi.Live }

// TestFeaturedOffer plays each recording in answers against the one input,
// interpreted and compiled, and compares with the file of the same name in
// expected.
func TestFeaturedOffer(t *testing.T) {
	const app = "featured-offer"
	program := checked(t, app)
	view := viewOf(t, program, "featured", "explain")
	artifact := compiled(t, program)
	input := filepath.Join(app, "input.json")
	files, err := filepath.Glob(filepath.Join(app, "answers", "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no recordings: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			got := play(t, program, view, input, file)
			expected := filepath.Join(app, "expected", filepath.Base(file))
			if *update {
				if err := os.WriteFile(expected, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(expected)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("got %s\nwant %s", got, want)
			}
			if got := playCompiled(t, artifact, "featured.explain", input, file); !bytes.Equal(got, want) {
				t.Errorf("compiled: got %s\nwant %s", got, want)
			}
		})
	}
}

func viewOf(t *testing.T, program *core.Program, module, name string) *core.Func {
	t.Helper()
	for _, m := range program.Modules {
		for _, f := range m.Funcs {
			if m.Path == module && f.Name == name && f.Kind == core.View {
				return f
			}
		}
	}
	t.Fatalf("there is no view %s.%s", module, name)
	return nil
}

// play runs a view once and gives its answer as indented JSON.
func play(t *testing.T, program *core.Program, view *core.Func, input, answers string) []byte {
	t.Helper()
	var world recording
	readJSON(t, answers, &world)
	var fields map[string]json.RawMessage
	readJSON(t, input, &fields)
	m := interp.New(program, interp.Options{Now: world.Now.UnixNano(), Seed: world.Seed, World: &world})
	var args []interp.Value
	for _, p := range view.Params {
		v, err := m.DecodeJSON(p.Type, fields[p.Name])
		if err != nil {
			t.Fatalf("%s: %s: %v", input, p.Name, err)
		}
		args = append(args, v)
	}
	v, err := m.Run(view, args)
	if err != nil {
		t.Fatal(err)
	}
	text, err := m.AppendJSON(nil, view.Result, v)
	if err != nil {
		t.Fatal(err)
	}
	return indented(t, text)
}

func readJSON(t *testing.T, file string, into any) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, into); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}
