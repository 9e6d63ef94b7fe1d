package diag

import (
	"encoding/json"
	"strings"
	"testing"

	"towpath.dev/internal/lang/span"
)

func example() (*span.File, *Diagnostic) {
	f := span.NewFile("shop/pricing.tow", []byte("fn f() {\n\tif a = b { 1 }\n}\n"))
	d := &Diagnostic{Code: "TW0122", At: f.Span(15, 16), Message: "`=` gives a name to a value"}
	d.Expect("`==`", "`=`").Note(f.Span(10, 12), "the condition").Note(span.Span{}, "first\nsecond").
		FixWith("write `==`", f.Span(15, 16), "==")
	return f, d
}

func TestText(t *testing.T) {
	_, d := example()
	want := "error[TW0122]: `=` gives a name to a value\n" +
		" --> shop/pricing.tow:2:7\n" +
		"  |\n" +
		"2 |     if a = b { 1 }\n" +
		"  |          ^\n" +
		"  = expected `==`, found `=`\n" +
		"  = note: the condition\n" +
		" --> shop/pricing.tow:2:2\n" +
		"  |\n" +
		"2 |     if a = b { 1 }\n" +
		"  |     --\n" +
		"  = note: first\n" +
		"    second\n" +
		"  = fix: write `==`\n"
	if got := d.String(); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

func TestTextShowsPlaces(t *testing.T) {
	long := strings.Repeat("x", 500)
	for _, test := range []struct {
		name, text string
		start, end int
		want       string // the source line and its marks
	}{
		{"end of line", "let a =\nb", 7, 7, "1 | let a =\n  |        ^\n"},
		{"end of file", "a", 1, 1, "1 | a\n  |  ^\n"},
		{"empty file", "", 0, 0, "1 | \n  | ^\n"},
		{"several lines", "ab\ncd", 1, 5, "1 | ab\n  |  ^\n"},
		{"wide characters", "日本 x", 7, 8, "1 | 日本 x\n  |      ^\n"},
		{"invisible characters", "a\u202eb", 4, 5, "1 | a<U+202E>b\n  |          ^\n"},
		{"escape character", "a\x1b[1mb", 0, 1, "1 | a␛[1mb\n  | ^\n"},
		{"long line", long + "y" + long, 500, 501, "1 | …" + long[:80] + "y" + long[:80] + "…\n  | " +
			strings.Repeat(" ", 81) + "^\n"},
		{"carriage return", "ab\r\ncd", 2, 2, "1 | ab\n  |   ^\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := span.NewFile("a.tow", []byte(test.text))
			got := (&Diagnostic{Code: "TW0000", At: f.Span(test.start, test.end)}).String()
			if !strings.HasSuffix(got, "  |\n"+test.want) {
				t.Errorf("got\n%swant at its end\n%s", got, test.want)
			}
		})
	}
}

func TestTextLimitAndColor(t *testing.T) {
	_, d := example()
	var b strings.Builder
	if err := Text(&b, []*Diagnostic{d, d, d}, Options{Limit: 1, Color: true}); err != nil {
		t.Fatal(err)
	}
	if got := b.String(); strings.Count(got, "TW0122") != 1 || !strings.HasSuffix(got, "… and 2 more\n") ||
		!strings.Contains(got, "\x1b[1;31merror[TW0122]\x1b[0m") {
		t.Errorf("got %q", got)
	}
}

func TestJSON(t *testing.T) {
	_, d := example()
	d.At = d.At.File.Span(10, 27)
	var b strings.Builder
	if err := JSON(&b, []*Diagnostic{d, d}, 1); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(b.String()), "\n")
	if len(lines) != 2 || lines[1] != `{"more":1}` {
		t.Fatalf("got %q", lines)
	}
	want := "{\"code\":\"TW0122\",\"severity\":\"error\",\"file\":\"shop/pricing.tow\"," +
		"\"line\":2,\"column\":2,\"endLine\":4,\"endColumn\":1,\"message\":\"`=` gives a name to a value\"," +
		"\"expected\":\"`==`\",\"found\":\"`=`\",\"notes\":[{\"text\":\"the condition\",\"file\":\"shop/pricing.tow\"," +
		"\"line\":2,\"column\":2,\"endLine\":2,\"endColumn\":4},{\"text\":\"first\\nsecond\"}]," +
		"\"fix\":{\"title\":\"write `==`\",\"edits\":[{\"startLine\":2,\"startColumn\":7,\"endLine\":2,\"endColumn\":8,\"new\":\"==\"}]}}"
	if lines[0] != want {
		t.Errorf("got\n%s\nwant\n%s", lines[0], want)
	}
	if !json.Valid([]byte(lines[0])) {
		t.Error("this is no JSON")
	}
}
