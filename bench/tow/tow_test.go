package tow_test

import (
	"errors"
	"io/fs"
	"path"
	"testing"

	"towpath.dev/bench/tow"
	"towpath.dev/bench/workload"
	"towpath.dev/internal/lang/diag"
	"towpath.dev/internal/lang/span"
	"towpath.dev/internal/lang/syntax"
)

func TestProjectsParse(t *testing.T) {
	for _, name := range []string{"w1", "w1d", "w2", "w3", "w4"} {
		project, err := tow.Project(name)
		if err != nil {
			t.Fatal(err)
		}
		files, err := fs.Glob(project, "*.tow")
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: no modules: %v", name, err)
		}
		if _, err := fs.Stat(project, "tow.toml"); err != nil {
			t.Error(err)
		}
		for _, file := range files {
			text, err := fs.ReadFile(project, file)
			if err != nil {
				t.Fatal(err)
			}
			var diags diag.List
			syntax.Parse(span.NewFile(path.Join(name, file), text), &diags)
			for _, d := range diags.All {
				t.Error(d)
			}
		}
	}
}

func TestWithoutAnEngineTheSideIsUnavailable(t *testing.T) {
	side, err := tow.New(workload.W2())
	if err == nil {
		side.Close()
		return
	}
	if !errors.Is(err, workload.ErrUnavailable) {
		t.Error(err)
	}
}
