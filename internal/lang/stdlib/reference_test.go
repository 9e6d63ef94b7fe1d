package stdlib_test

import (
	"flag"
	"fmt"
	"os"
	"path"
	"strings"
	"testing"

	"towpath.dev/internal/lang/diag"
	"towpath.dev/internal/lang/span"
	"towpath.dev/internal/lang/stdlib"
	"towpath.dev/internal/lang/syntax"
)

var update = flag.Bool("update", false, "write docs/stdlib.md anew")

const referencePath = "../../../docs/stdlib.md"

// TestReference keeps docs/stdlib.md equal to what the doc comments say.
func TestReference(t *testing.T) {
	want := reference(t)
	if *update {
		if err := os.WriteFile(referencePath, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, err := os.ReadFile(referencePath)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Error("docs/stdlib.md is not what the sources say; run go test ./internal/lang/stdlib -update")
	}
}

// reference is the whole page.
func reference(t *testing.T) string {
	var b, contents strings.Builder
	b.WriteString(`# The standard library

Every type here, every constructor and every module's name is in scope everywhere:
write ` + "`list.take(offers, 3)`" + `, or ` + "`offers |> take(3)`" + `, which looks the function up in the
module of the value's type. Each line of the examples is true; the tests run them.

Written from the sources' doc comments by ` + "`go test ./internal/lang/stdlib -update`" + `.

`)
	var body strings.Builder
	anchors := map[string]int{}
	for _, file := range parseSources(t) {
		name := path.Base(file.Source.Path)
		name = strings.TrimSuffix(name, ".tow")
		fmt.Fprintf(&contents, "- [%s](#%s):", name, name)
		fmt.Fprintf(&body, "## %s\n\n%s\n\n", name, strings.TrimSpace(file.Doc))
		for i, d := range publicDecls(file) {
			head := declHead(d)
			if i > 0 {
				contents.WriteByte(',')
			}
			fmt.Fprintf(&contents, " [%s](#%s)", head.Name.Text, anchor(anchors, name+head.Name.Text))
			fmt.Fprintf(&body, "### %s.%s\n\n```tow\n%s\n```\n\n%s\n\n", name, head.Name.Text, signature(d), strings.TrimSpace(head.Doc))
		}
		contents.WriteByte('\n')
	}
	b.WriteString(contents.String())
	b.WriteByte('\n')
	b.WriteString(strings.TrimRight(body.String(), "\n"))
	b.WriteByte('\n')
	return b.String()
}

// anchor is the link to a heading, as GitHub makes it: the second of equal
// ones ends in -1.
func anchor(seen map[string]int, heading string) string {
	link := strings.ToLower(heading)
	seen[link]++
	if n := seen[link]; n > 1 {
		return fmt.Sprintf("%s-%d", link, n-1)
	}
	return link
}

func parseSources(t *testing.T) []*syntax.File {
	t.Helper()
	var files []*syntax.File
	for _, f := range stdlib.Sources() {
		var diags diag.List
		files = append(files, syntax.Parse(span.NewFile(f.Path+".tow", []byte(f.Text)), &diags))
		for _, d := range diags.All {
			t.Error(d.String())
		}
	}
	return files
}

func publicDecls(file *syntax.File) []syntax.Decl {
	var public []syntax.Decl
	for _, d := range file.Decls {
		if head := declHead(d); head != nil && head.Pub {
			public = append(public, d)
		}
	}
	return public
}

// declHead is nil for what the standard library does not declare.
func declHead(d syntax.Decl) *syntax.Head {
	switch d := d.(type) {
	case *syntax.FnDecl:
		return &d.Head
	case *syntax.TypeDecl:
		return &d.Head
	case *syntax.ConstDecl:
		return &d.Head
	}
	return nil
}

// signature is the declaration as written, without attributes, a function's
// body and what is private.
func signature(d syntax.Decl) string {
	head := declHead(d)
	text := string(head.Span.File.Text[head.Span.Start:head.Span.End])
	switch d := d.(type) {
	case *syntax.FnDecl:
		if d.Body != nil {
			text = text[:d.Body.Span.Start-head.Span.Start]
		}
	case *syntax.TypeDecl:
		if d.Form == syntax.WrapperForm {
			text, _, _ = strings.Cut(text, "(")
		}
	}
	if i := strings.Index(text, "pub "); i >= 0 {
		text = text[i:]
	}
	return strings.TrimSpace(text)
}
