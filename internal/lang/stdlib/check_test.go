package stdlib_test

import (
	"strings"
	"testing"

	"towpath.dev/internal/lang/diag"
	"towpath.dev/internal/lang/syntax"
	"towpath.dev/internal/lang/types"
)

// stdSources are the library's modules as the checker takes them.
func stdSources(t *testing.T) []types.Source {
	t.Helper()
	var mods []types.Source
	for _, file := range parseSources(t) {
		mods = append(mods, types.Source{Path: strings.TrimSuffix(file.Source.Path, ".tow"), File: file})
	}
	return mods
}

func TestSourcesCheck(t *testing.T) {
	var diags diag.List
	types.Check(stdSources(t), &diags)
	for _, d := range diags.All {
		t.Error(d.String())
	}
}

// TestDocumented sees to it that whatever is public says what it does, and
// that functions and constants show it.
func TestDocumented(t *testing.T) {
	for _, file := range parseSources(t) {
		if file.Doc == "" {
			t.Errorf("%s has no `////` comment", file.Source.Path)
		}
		for _, d := range publicDecls(file) {
			head := declHead(d)
			if strings.TrimSpace(head.Doc) == "" {
				t.Errorf("%s: %s has no `///` comment", head.Name.Span, head.Name.Text)
			}
			if _, isType := d.(*syntax.TypeDecl); !isType && !strings.Contains(head.Doc, "```tow\n") {
				t.Errorf("%s: %s has no example", head.Name.Span, head.Name.Text)
			}
		}
	}
}
