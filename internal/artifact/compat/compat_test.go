package compat_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"towpath.dev/internal/artifact"
	"towpath.dev/internal/artifact/compat"
	"towpath.dev/internal/lang/compile"
	"towpath.dev/internal/testkit/txtar"
)

var update = flag.Bool("update", false, "write the reports into the archives")

// build compiles the files of an archive whose names begin with a prefix.
func build(t testing.TB, name, prefix string, a *txtar.Archive) *artifact.Manifest {
	t.Helper()
	files := fstest.MapFS{}
	for _, f := range a.Files {
		if path, ok := strings.CutPrefix(f.Name, prefix); ok {
			files[path] = &fstest.MapFile{Data: []byte(f.Text)}
		}
	}
	if len(files) == 0 {
		return nil
	}
	res, err := compile.Build(files, compile.Options{Name: name})
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range res.Diags.All {
		t.Logf("%s%s: %s", prefix, d.At, d.Message)
	}
	if res.Manifest == nil {
		t.Fatalf("%s does not compile", prefix)
	}
	return res.Manifest
}

// TestReports checks the archives of testdata: two versions of a program, those who call it,
// and the report that people see.
//
//	old/*.tow, new/*.tow     the versions
//	callers/PROGRAM/*.tow    programs that call it, where there are some
//	callers.txt              PROGRAM OPERATION VIEW, a line each
//	report                   what is told; written anew with -update
func TestReports(t *testing.T) {
	paths, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(paths) == 0 {
		t.Fatal("no archives", err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			a := txtar.Parse(string(text))
			old, new := build(t, "shop", "old/", a), build(t, "shop", "new/", a)
			report := compat.Compare(old, new)
			if callers := readCallers(t, a); callers != nil {
				report.Against(callers)
			}
			want, _ := a.Get("report")
			got := report.String()
			if got == want {
				return
			}
			if !*update {
				t.Fatalf("the report is\n%s\nwant\n%s", got, want)
			}
			a.Set("report", got)
			if err := os.WriteFile(path, []byte(a.String()), 0o644); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func readCallers(t *testing.T, a *txtar.Archive) map[string]compat.Caller {
	t.Helper()
	list, ok := a.Get("callers.txt")
	if !ok {
		return nil
	}
	callers := map[string]compat.Caller{}
	for line := range strings.Lines(list) {
		f := strings.Fields(line)
		c, known := callers[f[0]]
		if !known {
			c = compat.Caller{Manifest: build(t, f[0], "callers/"+f[0]+"/", a), Views: map[string]string{}}
		}
		c.Views[f[1]] = f[2]
		callers[f[0]] = c
	}
	return callers
}
