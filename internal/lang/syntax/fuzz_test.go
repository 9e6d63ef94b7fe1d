package syntax

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"towpath.dev/internal/lang/diag"
	"towpath.dev/internal/lang/span"
	"towpath.dev/internal/testkit/txtar"
)

func seed(f *testing.F) {
	f.Add([]byte(rich))
	f.Add([]byte("\"{\"{\"{a}\"}\"}\" {(}])"))
	f.Add([]byte("fn f(\nlet x = [\nfn g() { 1 within 2 else"))
	paths, _ := filepath.Glob("../../../testdata/lang/syntax/*.txtar")
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range txtar.Parse(string(data)).Files {
			if strings.HasSuffix(file.Name, ".tow") {
				f.Add([]byte(file.Text))
			}
		}
	}
}

// FuzzScan holds the scanner to what the parser rests on: tokens in order of
// place, and brackets in balance.
func FuzzScan(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, text []byte) {
		var d diag.List
		s := scan(span.NewFile("a.tow", text), string(text), &d)
		end := int32(0)
		var open []int
		for i, tok := range s.toks {
			if tok.start < end || tok.end < tok.start || int(tok.end) > len(text) {
				t.Fatalf("token %d %v lies at %d to %d, the one before ends at %d", i, tok.kind, tok.start, tok.end, end)
			}
			end = tok.end
			if tok.kind.closer() != EOF {
				open = append(open, i)
			}
			if tok.kind.closes() || tok.kind == StringTail {
				if len(open) == 0 {
					t.Fatalf("token %d %v closes nothing", i, tok.kind)
				}
				o := s.toks[open[len(open)-1]]
				open = open[:len(open)-1]
				if o.kind.closer() != tok.kind || int(o.match) != i {
					t.Fatalf("token %d %v closes %v, whose match is %d", i, tok.kind, o.kind, o.match)
				}
			}
		}
		if len(open) > 0 {
			t.Fatalf("%d brackets stay open", len(open))
		}
	})
}

// FuzzParse parses anything: it ends, all nodes lie in the file, and a tree
// with Bad nodes comes with a diagnostic.
func FuzzParse(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, text []byte) {
		var d diag.List
		file := span.NewFile("a.tow", text)
		tree := Parse(file, &d)
		c := treeChecker{t: t, file: file}
		c.walk(reflect.ValueOf(tree), "file")
		if c.bad != "" && len(d.All) == 0 {
			t.Fatalf("the tree has a %s, but nothing was reported", c.bad)
		}
		for _, x := range d.All {
			if x.Message == "" || x.Code == "" || x.At.File != file || x.At.End > len(text) || x.At.Start > x.At.End {
				t.Fatalf("a diagnostic is incomplete: %+v", x)
			}
		}
	})
}

// treeChecker walks a tree by reflection.
type treeChecker struct {
	t    *testing.T
	file *span.File
	bad  string
}

func (c *treeChecker) walk(v reflect.Value, path string) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() || v.Type() == reflect.TypeFor[*span.File]() {
			return
		}
		c.walk(v.Elem(), path)
	case reflect.Slice:
		for i := range v.Len() {
			c.walk(v.Index(i), path)
		}
	case reflect.Struct:
		name := v.Type().Name()
		if strings.HasPrefix(name, "Bad") {
			c.bad = name
		}
		if at, ok := v.Interface().(span.Span); ok {
			if at.File != nil && (at.File != c.file || at.Start > at.End || at.End > len(c.file.Text) || at.Start < 0) {
				c.t.Fatalf("%s lies at %d to %d of %d bytes", path, at.Start, at.End, len(c.file.Text))
			}
			return
		}
		for i := range v.NumField() {
			c.walk(v.Field(i), path+"."+v.Type().Field(i).Name)
		}
	}
}
