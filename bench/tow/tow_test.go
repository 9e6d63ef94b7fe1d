package tow_test

import (
	"errors"
	"io/fs"
	"path"
	"strings"
	"testing"

	"towpath.dev/bench/tow"
	"towpath.dev/bench/workload"
	"towpath.dev/internal/lang/diag"
	"towpath.dev/internal/lang/format"
	"towpath.dev/internal/lang/span"
	"towpath.dev/internal/lang/stdlib"
	"towpath.dev/internal/lang/syntax"
	"towpath.dev/internal/lang/types"
)

var projects = []string{"w1", "w1d", "w2", "w3", "w4"}

func TestProjectsCheck(t *testing.T) {
	for _, name := range projects {
		t.Run(name, func(t *testing.T) {
			var diags diag.List
			var modules []types.Source
			for _, std := range stdlib.Sources() {
				file := span.NewFile(std.Path+".tow", []byte(std.Text))
				modules = append(modules, types.Source{Path: std.Path, File: syntax.Parse(file, &diags)})
			}
			for _, file := range sources(t, name) {
				module := strings.TrimSuffix(file.Path, ".tow")
				modules = append(modules, types.Source{Path: module, File: syntax.Parse(file, &diags)})
			}
			types.Check(modules, &diags)
			for _, d := range diags.All {
				t.Error(d)
			}
		})
	}
}

func TestProjectsAreFormatted(t *testing.T) {
	for _, name := range projects {
		for _, file := range sources(t, name) {
			text, diags := format.Source(file)
			if diags.HasErrors() {
				t.Error(diags.All[0])
			} else if string(text) != string(file.Text) {
				t.Errorf("%s/%s should be\n%s", name, file.Path, text)
			}
		}
	}
}

// sources are the modules of a project.
func sources(t *testing.T, name string) []*span.File {
	t.Helper()
	project, err := tow.Project(name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fs.Stat(project, "tow.toml"); err != nil {
		t.Error(err)
	}
	paths, err := fs.Glob(project, "*.tow")
	if err != nil || len(paths) == 0 {
		t.Fatalf("%s has no modules: %v", name, err)
	}
	var files []*span.File
	for _, p := range paths {
		text, err := fs.ReadFile(project, p)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, span.NewFile(path.Clean(p), text))
	}
	return files
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
