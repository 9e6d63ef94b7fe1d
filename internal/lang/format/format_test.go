package format

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"sort"
	"strings"
	"testing"

	"towpath.dev/internal/lang/diag"
	"towpath.dev/internal/lang/span"
	"towpath.dev/internal/lang/syntax"
	"towpath.dev/internal/testkit/txtar"
)

var update = flag.Bool("update", false, "rewrite the golden archives")

// TestGolden formats in.tow of each archive. The result must be out.tow and
// must be a fixed point.
func TestGolden(t *testing.T) {
	paths, err := filepath.Glob("../../../testdata/lang/format/*.txtar")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no archives: %v", err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			a := txtar.Parse(string(data))
			in, _ := a.Get("in.tow")
			want, _ := a.Get("out.tow")
			got, problems := Source(span.NewFile("in.tow", []byte(in)))
			if problems.HasErrors() {
				t.Fatalf("refused: %v", problems.All[0])
			}
			if *update {
				a.Set("out.tow", string(got))
				if err := os.WriteFile(path, []byte(a.String()), 0o644); err != nil {
					t.Fatal(err)
				}
			} else if string(got) != want {
				t.Errorf("formatted:\n%s\nwant:\n%s", got, want)
			}
			if why := check([]byte(in)); why != "" {
				t.Error(why)
			}
		})
	}
}

// check formats a source and says what is wrong with the result, or "".
func check(source []byte) string {
	var problems diag.List
	before := syntax.Parse(span.NewFile("in.tow", source), &problems)
	if problems.HasErrors() {
		return ""
	}
	once := File(before)
	var more diag.List
	after := syntax.Parse(span.NewFile("out.tow", once), &more)
	if more.HasErrors() {
		return fmt.Sprintf("the formatted source has errors: %v\n%s", more.All[0], once)
	}
	twice := File(after)
	for _, f := range []*syntax.File{before, after} {
		sort.SliceStable(f.Imports, func(i, j int) bool { return f.Imports[i].ModulePath() < f.Imports[j].ModulePath() })
		for _, im := range f.Imports {
			sort.SliceStable(im.Members, func(i, j int) bool { return im.Members[i].Name.Text < im.Members[j].Name.Text })
		}
	}
	if why := differ("file", reflect.ValueOf(before), reflect.ValueOf(after)); why != "" {
		return fmt.Sprintf("formatting changed the tree: %s\n%s\nbecame\n%s", why, source, once)
	}
	if why := sameComments(before, after); why != "" {
		return fmt.Sprintf("%s\n%s\nbecame\n%s", why, source, once)
	}
	if !bytes.Equal(once, twice) {
		return fmt.Sprintf("formatting twice differs:\n%s\nbecame\n%s", once, twice)
	}
	return ""
}

// sameComments compares the comments' characters but blanks, in any order: an
// import takes its comments along, and two may come to stand on one line.
func sameComments(a, b *syntax.File) string {
	letters := func(f *syntax.File) string {
		var all []byte
		for _, c := range f.Comments {
			all = append(all, strings.ReplaceAll(c.Text, " ", "")...)
		}
		slices.Sort(all)
		return string(all)
	}
	if letters(a) != letters(b) {
		return "the comments changed"
	}
	return ""
}

// differ compares two trees but for places, documentation and the forms that
// the formatter chooses.
func differ(path string, a, b reflect.Value) string {
	if a.Kind() != b.Kind() {
		return path
	}
	switch a.Kind() {
	case reflect.Pointer, reflect.Interface:
		if a.IsNil() || b.IsNil() {
			if a.IsNil() != b.IsNil() {
				return path
			}
			return ""
		}
		if a.Elem().Type() != b.Elem().Type() {
			return fmt.Sprintf("%s: %s, then %s", path, a.Elem().Type(), b.Elem().Type())
		}
		return differ(path, a.Elem(), b.Elem())
	case reflect.Slice:
		if a.Len() != b.Len() {
			return fmt.Sprintf("%s: %d, then %d", path, a.Len(), b.Len())
		}
		for i := range a.Len() {
			if why := differ(fmt.Sprintf("%s[%d]", path, i), a.Index(i), b.Index(i)); why != "" {
				return why
			}
		}
	case reflect.Struct:
		for i := range a.NumField() {
			name := a.Type().Field(i).Name
			switch a.Type().Field(i).Type {
			case reflect.TypeFor[span.Span](), reflect.TypeFor[syntax.At](), reflect.TypeFor[*span.File](), reflect.TypeFor[[]*syntax.Comment]():
				continue
			}
			if name == "Doc" || name == "Parens" && a.Type() == reflect.TypeFor[syntax.LambdaExpr]() {
				continue
			}
			if why := differ(path+"."+name, a.Field(i), b.Field(i)); why != "" {
				return why
			}
		}
	default:
		if !a.Equal(b) {
			return fmt.Sprintf("%s: %v, then %v", path, a, b)
		}
	}
	return ""
}

func FuzzFormatRoundTrip(f *testing.F) {
	paths, _ := filepath.Glob("../../../testdata/lang/format/*.txtar")
	for _, path := range paths {
		data, _ := os.ReadFile(path)
		in, _ := txtar.Parse(string(data)).Get("in.tow")
		f.Add([]byte(in))
	}
	f.Add([]byte("fn f() -> Int { a? ?? -b // c\n |> d }"))
	f.Fuzz(func(t *testing.T, source []byte) {
		if why := check(source); why != "" {
			t.Error(why)
		}
	})
}

func BenchmarkFormat(b *testing.B) {
	data, err := os.ReadFile("../../../testdata/lang/format/tour.txtar")
	if err != nil {
		b.Fatal(err)
	}
	in, _ := txtar.Parse(string(data)).Get("in.tow")
	file := span.NewFile("in.tow", []byte(in))
	b.SetBytes(int64(len(in)))
	for b.Loop() {
		if _, problems := Source(file); problems.HasErrors() {
			b.Fatal(problems.All[0])
		}
	}
}
