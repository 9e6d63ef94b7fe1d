package diag_test

import (
	"strings"
	"testing"

	"towpath.dev/internal/lang/diag"
	"towpath.dev/internal/lang/span"
	"towpath.dev/internal/lang/syntax"
)

// TestPagesHaveTheirForm reads every page into its parts.
func TestPagesHaveTheirForm(t *testing.T) {
	codes := diag.Codes()
	if len(codes) == 0 {
		t.Fatal("no pages")
	}
	for _, code := range codes {
		if _, err := diag.Explain(code); err != nil {
			t.Error(err)
		}
	}
}

// TestSyntaxPagesCompile reports each code of the hundred 01 exactly where its
// page says so.
func TestSyntaxPagesCompile(t *testing.T) {
	for _, code := range diag.Codes() {
		if !strings.HasPrefix(string(code), "TW01") {
			continue
		}
		t.Run(string(code), func(t *testing.T) {
			e, err := diag.Explain(code)
			if err != nil {
				t.Fatal(err)
			}
			for _, bad := range e.Bad {
				if code == "TW0102" {
					continue // the example is shortened
				}
				var d diag.List
				syntax.Parse(span.NewFile("bad.tow", []byte(bad)), &d)
				if len(d.All) != 1 || d.All[0].Code != code {
					t.Errorf("the example that fails gives %d diagnostics:\n%v", len(d.All), d.All)
				}
			}
			for _, good := range e.Good {
				var d diag.List
				syntax.Parse(span.NewFile("good.tow", []byte(good)), &d)
				for _, x := range d.All {
					t.Errorf("the good example gives\n%v", x)
				}
			}
		})
	}
}
