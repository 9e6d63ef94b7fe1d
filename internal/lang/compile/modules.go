// What a module may be called.

package compile

import (
	"fmt"
	"path"
	"strings"

	"towpath.dev/internal/lang/diag"
	"towpath.dev/internal/lang/syntax"
)

const (
	codeModuleName diag.Code = "TW0213"
	// codeBound is for what only the later stages find: a default without a
	// value, a program that needs more than the compiler can do.
	codeBound diag.Code = "TW0590"
)

// named reports whether a file has a name that an import can say, and if not,
// what is wrong with it.
func named(file *syntax.File, name string, d *diag.List) bool {
	module := strings.TrimSuffix(name, ".tow")
	if first, _, _ := strings.Cut(module, "/"); first == "std" {
		d.Errorf(codeModuleName, file.Source.Span(0, 0), "the folder `std` is the standard library's").
			Note(file.Source.Span(0, 0), "move %s to a folder of another name", name)
		return false
	}
	for part := range strings.SplitSeq(module, "/") {
		why := ""
		switch _, keyword := syntax.Keyword(part); {
		case keyword:
			why = fmt.Sprintf("`%s` is a keyword", part)
		case !lowerName(part):
			why = "a name is made of letters, digits and `_`, and begins with a small letter"
		default:
			continue
		}
		what := "file"
		if part != path.Base(module) {
			what = "folder"
		}
		d.Errorf(codeModuleName, file.Source.Span(0, 0), "`%s` cannot name a module: %s", part, why).
			Note(file.Source.Span(0, 0), "rename the %s", what)
		return false
	}
	return true
}

// lowerName reports whether a word is what the specification calls so.
func lowerName(word string) bool {
	for i, r := range word {
		letter := 'a' <= r && r <= 'z' || r == '_'
		if !letter && (i == 0 || !('A' <= r && r <= 'Z' || '0' <= r && r <= '9')) {
			return false
		}
	}
	return word != "" && word != "_"
}
