package project

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func TestParse(t *testing.T) {
	for _, c := range []struct{ text, name, err string }{
		{"name = \"shop\"\n", "shop", ""},
		{"# ours\nname = 'best-offer2'\n", "best-offer2", ""},
		{"", "", "tow.toml:1:1: the project has no name"},
		{"name = \"shop\"\nnmae = 1\n", "", "tow.toml:2:1: there is no setting `nmae`"},
		{"name = \"shop\"\n[build]\nfast = true\n", "", "tow.toml:2:2: there is no setting `build`"},
		{"name = 3\n", "", "tow.toml:1:8: `name` is a text in quotes, as in `name = \"shop\"`"},
		{"name = \"shop\n", "", ""},
		{"name = \"a\"\nname = \"b\"\n", "", "tow.toml:2:1: key name is already defined"},
		{"name = \"My Shop\"\n", "", "tow.toml:1:9: `My Shop` cannot name a project: a name has small letters, digits and hyphens, and begins with a letter"},
		{"name = \"\"\n", "", "tow.toml:1:1: the project's name is empty"},
	} {
		name, err := parse([]byte(c.text))
		if name != c.name {
			t.Errorf("%q: name %q, want %q", c.text, name, c.name)
		}
		var invalid *Invalid
		if (err != nil) != (c.name == "") || err != nil && !errors.As(err, &invalid) {
			t.Errorf("%q: error %v", c.text, err)
		}
		if err != nil && c.err != "" && err.Error() != c.err {
			t.Errorf("%q: error\n%v, want\n%v", c.text, err, c.err)
		}
	}
}

func TestFind(t *testing.T) {
	root := t.TempDir()
	inner := filepath.Join(root, "market", "deep")
	if err := os.MkdirAll(inner, 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := Find(inner); !errors.Is(err, ErrNone) {
		t.Errorf("without a tow.toml: %v", err)
	}
	if err := os.WriteFile(filepath.Join(root, File), []byte("name = \"shop\""), 0o644); err != nil {
		t.Fatal(err)
	}
	p, err := Find(inner)
	if err != nil {
		t.Fatal(err)
	}
	if p.Name != "shop" || p.Root != root {
		t.Errorf("found %+v, want shop in %s", p, root)
	}
	if _, err := Find(filepath.Join(root, File)); err == nil {
		t.Error("a file is no project")
	}
}
