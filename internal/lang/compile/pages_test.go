package compile_test

import (
	"strings"
	"testing"
	"testing/fstest"

	"towpath.dev/internal/lang/compile"
	"towpath.dev/internal/lang/diag"
)

// TestPages compiles the examples of this package's own codes.
func TestPages(t *testing.T) {
	for _, code := range []diag.Code{"TW0213", "TW0590"} {
		e, err := diag.Explain(code)
		if err != nil {
			t.Error(err)
			continue
		}
		for want, texts := range map[string][]string{string(code): e.Bad, "": e.Good} {
			for _, text := range texts {
				var got []string
				for _, d := range compiled(t, example(text)).Diags.All {
					got = append(got, string(d.Code))
				}
				if strings.Join(got, " ") != want {
					t.Errorf("an example of %s gives %q, want %q:\n%s", code, got, want, text)
				}
			}
		}
	}
}

// example parts an example of a page into its files.
func example(text string) fstest.MapFS {
	files := fstest.MapFS{}
	name, body := "main.tow", ""
	for line := range strings.Lines(text) {
		if next, ok := strings.CutPrefix(strings.TrimSpace(line), "-- "); ok {
			name, body = strings.TrimSuffix(next, " --"), ""
			continue
		}
		body += line
		files[name] = &fstest.MapFile{Data: []byte(body)}
	}
	return files
}

func compiled(t *testing.T, files fstest.MapFS) *compile.Result {
	t.Helper()
	res, err := compile.Build(files, compile.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// TestModuleNames says which files cannot be modules, and leaves them out.
func TestModuleNames(t *testing.T) {
	for name, want := range map[string]string{
		"a.tow": "", "a1_B.tow": "", "_hidden.tow": "", "deep/down/here.tow": "",
		"A.tow":          "`A` cannot name a module: a name is made of letters, digits and `_`, and begins with a small letter",
		"best-offer.tow": "`best-offer` cannot name a module: a name is made of letters, digits and `_`, and begins with a small letter",
		"1.tow":          "`1` cannot name a module: a name is made of letters, digits and `_`, and begins with a small letter",
		"match.tow":      "`match` cannot name a module: `match` is a keyword",
		"if/a.tow":       "`if` cannot name a module: `if` is a keyword",
		"std/a.tow":      "the folder `std` is the standard library's",
		"std/list.tow":   "the folder `std` is the standard library's",
	} {
		all := compiled(t, fstest.MapFS{name: {Data: []byte("pub fn f() -> Int { 1 }\n")}}).Diags.All
		switch {
		case want == "" && len(all) > 0:
			t.Errorf("%s gives %v", name, all)
		case want != "" && (len(all) != 1 || all[0].Message != want):
			t.Errorf("%s gives %v, want %s", name, all, want)
		}
	}
}

// TestEndlessDefault refuses a default whose evaluation does not end.
func TestEndlessDefault(t *testing.T) {
	all := compiled(t, fstest.MapFS{"a.tow": {Data: []byte("fn spin(n: Int) -> Int { spin(n) }\nview v(x: Int = spin(0)) -> Int { x }\n")}}).Diags.All
	if len(all) != 1 || all[0].Code != "TW0590" || !strings.Contains(all[0].Message, "out of gas") {
		t.Errorf("it gives %v", all)
	}
}
