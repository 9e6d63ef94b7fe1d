package types

import (
	"os"
	"path/filepath"
	"testing"

	"towpath.dev/internal/testkit/txtar"
)

// FuzzCheck checks that any text can be checked, and that what is accepted
// without errors is a tree as package core promises it.
func FuzzCheck(f *testing.F) {
	paths, err := filepath.Glob("../../../testdata/lang/*/*.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range txtar.Parse(string(text)).Files {
			if filepath.Ext(file.Name) == ".tow" {
				f.Add(file.Text)
			}
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		_, info, _ := check(t, testModule{"main", text})
		for _, mi := range info.modules {
			if mi.Module.Path != "main" {
				continue
			}
			for i := 0; i < len(text); i += 1 + len(text)/8 {
				mi.DefinitionAt(i)
				mi.TypeAt(i)
				mi.NamesAt(i)
			}
		}
	})
}
