package syntax

import (
	"strings"
	"testing"

	"towpath.dev/internal/lang/diag"
	"towpath.dev/internal/lang/span"
)

// TestHostileSources parses long and deep texts. They must end, in time that
// grows with their length, with a bounded number of diagnostics.
func TestHostileSources(t *testing.T) {
	const size = 1 << 16
	for _, piece := range []string{
		"(", ")", "[", "{", "}", "\"", "\"{", "{\"", "'", "\\", "-", "!", "a", "a.", "a?", "a(", "a[", "a+", "a??", "a|>",
		"a=>", "(a)=>", "a else ", "a within ", "optional ", "if a {", "if a {1} else ", "match a {", "match a {_->",
		"fn f(", "fn f()->", "fn f()->fn()->", "type A<", "type A=", "A|", "let ", "let a=", "a\n", ";", ",", "//\n", "///\n",
		"/*", "@a ", "@a(", "pub ", "import a/", "test \"\" {", "given ", "expect ", "0", "1 USD ", "1h", "\x00", "\xff", "\u202e",
		"é", "\n", "\r", "#", "a<b ", "_", "..", "Some(", "A{a:", "{..", "service A {", "fn a() batch ",
	} {
		for _, frame := range []string{"", "fn f() -> Int {\n", "const a = ", "const a = match b { ", "fn f(a: "} {
			text := frame + strings.Repeat(piece, size/len(piece))
			var d diag.List
			Parse(span.NewFile("a.tow", []byte(text)), &d)
			if len(d.All) > maxReports {
				t.Errorf("%q after %q: %d diagnostics", piece, frame, len(d.All))
			}
		}
	}
}

func TestLimits(t *testing.T) {
	for _, test := range []struct {
		name, text string
		want       diag.Code
	}{
		{"size", strings.Repeat("\n", MaxFileSize+1), codeTooLarge},
		{"brackets", "const a = " + strings.Repeat("(", 300) + "1" + strings.Repeat(")", 300), codeTooDeep},
		{"unary", "const a = " + strings.Repeat("-", 300) + "1", codeTooDeep},
		{"strings", "const a = " + strings.Repeat("\"{", 300) + "1" + strings.Repeat("}\"", 300), codeTooDeep},
		{"types", "const a: " + strings.Repeat("List<", 300) + "Int" + strings.Repeat(">", 300) + " = 1", codeTooDeep},
		{"operators", "const a = 1" + strings.Repeat(" + 1", 1001), codeTooDeep},
		{"pipes", "const a = 1" + strings.Repeat(" |> f", 1001), codeTooDeep},
		{"else", "const a = " + strings.Repeat("if b { 1 } else ", 300) + "{ 2 }", codeTooDeep},
		{"UTF-8", "const a = \"\xff\"", codeBadText},
		{"NUL", "const a = \"\x00\"", codeBadText},
		{"byte order mark", "\uFEFFconst a = 1", codeBadText},
		{"bidi", "// \u202e\nconst a = 1", codeBadText},
		{"control", "const a = \"\x07\"", codeBadText},
	} {
		t.Run(test.name, func(t *testing.T) {
			var d diag.List
			Parse(span.NewFile("a.tow", []byte(test.text)), &d)
			if len(d.All) != 1 || d.All[0].Code != test.want {
				t.Errorf("got %d diagnostics, want one %s", len(d.All), test.want)
				for _, x := range d.All[:min(3, len(d.All))] {
					t.Log(x.Error())
				}
			}
		})
	}
}
