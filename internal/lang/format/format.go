// Package format prints programs in the one style that Tow has.
//
// The style has no options and keeps nothing of the source's layout but
// comments and single empty lines: two blanks of indentation, lines of at most
// 100 characters where that can be, lists on one line or one element a line.
// Formatting twice is formatting once, and never changes the tree.
//
//	text, problems := format.Source(span.NewFile("shop.tow", source))
package format

import (
	"sort"
	"strings"

	"towpath.dev/internal/lang/diag"
	"towpath.dev/internal/lang/span"
	"towpath.dev/internal/lang/syntax"
)

// Source formats a file's text. A text with syntax errors is refused with its
// diagnostics; then the result is nil.
func Source(f *span.File) ([]byte, *diag.List) {
	problems := &diag.List{}
	file := syntax.Parse(f, problems)
	if problems.HasErrors() {
		return nil, problems
	}
	return File(file), problems
}

// File formats a tree that was parsed without errors.
func File(file *syntax.File) []byte {
	f := newFormatter(file)
	l := &lines{f: f}
	f.imports(l, file)
	var last *doc
	for i, d := range file.Decls {
		gap := &doc{kind: concatDoc}
		if i > 0 || len(file.Imports) > 0 {
			l.apart = gap
		}
		l.add(d.Pos().Start, d.Pos().End, func() *doc { return f.decl(d) })
		printed := l.kids[len(l.kids)-1]
		if i == 0 || !neighbours(file.Decls[i-1], d) || !oneLine(last) || !oneLine(printed) {
			*gap = *emptyLine
		}
		last = printed
	}
	l.apart = nil
	l.comments(len(f.src) + 1)
	if len(l.kids) == 0 {
		return []byte{}
	}
	return layout(concat(l.kids...))
}

// oneLine reports whether a declaration's document takes one line.
func oneLine(d *doc) bool { return !d.broken && columns(flatText(d)) <= width }

// neighbours reports whether two declarations of one line each may stand
// without an empty line between them.
func neighbours(a, b syntax.Decl) bool {
	switch a := a.(type) {
	case *syntax.ConstDecl:
		_, ok := b.(*syntax.ConstDecl)
		return ok
	case *syntax.TypeDecl:
		b, ok := b.(*syntax.TypeDecl)
		return ok && a.Form != syntax.RecordForm && b.Form != syntax.RecordForm
	}
	return false
}

// imports prints the imports as one sorted group below the file's header. A
// comment above an import moves with it.
func (f *formatter) imports(l *lines, file *syntax.File) {
	if len(file.Imports) == 0 {
		return
	}
	f.header(l, file.Imports[0].Span.Start)
	type entry struct {
		key string
		doc *doc
	}
	entries := make([]entry, len(file.Imports))
	limit := len(f.src) + 1
	if len(file.Decls) > 0 {
		limit = file.Decls[0].Pos().Start
	}
	for i, im := range file.Imports {
		lead := f.own(im.Span.Start)
		body := f.importDecl(im)
		end := limit
		if i+1 < len(file.Imports) {
			end = file.Imports[i+1].Span.Start
		}
		f.last = im.Span.End
		entries[i] = entry{im.ModulePath(), concat(lead, body, f.trailing(end))}
	}
	sort.SliceStable(entries, func(i, j int) bool { return entries[i].key < entries[j].key })
	for i, e := range entries {
		if i > 0 {
			l.kids = append(l.kids, hardline)
		}
		l.kids = append(l.kids, e.doc)
	}
}

// header prints the comments that open the file, up to the last empty line
// above the first import or the end of the module's documentation.
func (f *formatter) header(l *lines, first int) {
	end, module := 0, true // module: still in the lines of documentation that open the file
	for i, c := range f.comments {
		if c.start >= first {
			break
		}
		next := first
		if i+1 < len(f.comments) {
			next = min(first, f.comments[i+1].start)
		}
		f.last = c.end
		module = module && strings.HasPrefix(c.text, "////")
		if f.gap(next) || module {
			end = c.end
		}
		module = module && !f.gap(next)
	}
	f.last = 0
	if end == 0 {
		return
	}
	l.comments(end)
	l.kids = append(l.kids, emptyLine, hardline)
}

func (f *formatter) importDecl(im *syntax.Import) *doc {
	kids := []*doc{text("import " + im.ModulePath())}
	if im.Braces {
		members := im.Members
		if !f.pending(im.MembersAt.End) {
			members = append([]syntax.ImportMember(nil), members...)
			sort.SliceStable(members, func(i, j int) bool { return members[i].Name.Text < members[j].Name.Text })
		}
		kids = append(kids, text("."), f.list(elements{
			open: "{", close: "}", n: len(members), closing: im.MembersAt.End - 1,
			at: func(i int) int { return members[i].Name.Span.Start },
			make: func(i int) *doc {
				if as := members[i].As; as != nil {
					return text(members[i].Name.Text + " as " + as.Text)
				}
				return text(members[i].Name.Text)
			},
		}))
	}
	if im.As != nil {
		kids = append(kids, text(" as "+im.As.Text))
	}
	return concat(kids...)
}
