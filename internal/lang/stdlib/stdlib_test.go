package stdlib_test

import (
	"testing"

	"towpath.dev/internal/lang/diag"
	"towpath.dev/internal/lang/span"
	"towpath.dev/internal/lang/stdlib"
	"towpath.dev/internal/lang/syntax"
)

func TestSourcesParse(t *testing.T) {
	for _, f := range stdlib.Sources() {
		var diags diag.List
		syntax.Parse(span.NewFile(f.Path+".tow", []byte(f.Text)), &diags)
		for _, d := range diags.All {
			t.Error(d.String())
		}
	}
}
