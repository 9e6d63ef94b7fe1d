package format

import (
	"bytes"

	"towpath.dev/internal/lang/syntax"
)

// comment is one comment and how it stood in the source.
type comment struct {
	start, end int
	text       string
	ownLine    bool // nothing but blanks stands before it on its line
}

// formatter makes a document of a tree. It takes the comments in order of
// place: each is printed at the first place after it where a line may break.
type formatter struct {
	src      []byte
	comments []comment
	next     int // comments before this one are printed
	holes    int // string holes around, where nothing may break
	last     int // offset at which the thing printed last ended, for blank lines
}

func newFormatter(file *syntax.File) *formatter {
	f := &formatter{src: file.Source.Text}
	for _, c := range file.Comments {
		start := c.Span.Start
		i := start
		for i > 0 && (f.src[i-1] == ' ' || f.src[i-1] == '\t' || f.src[i-1] == '\r') {
			i--
		}
		f.comments = append(f.comments, comment{start, c.Span.End, c.Text, i == 0 || f.src[i-1] == '\n'})
	}
	return f
}

// pending reports whether a comment before offset waits to be printed. In a
// string nothing may break, so there it waits on.
func (f *formatter) pending(offset int) bool {
	return f.holes == 0 && f.next < len(f.comments) && f.comments[f.next].start < offset
}

// trailing takes the comments before offset that stand on the line of what was
// printed last. They go to the end of the line, and the line must break.
func (f *formatter) trailing(offset int) *doc {
	var kids []*doc
	for f.pending(offset) && !f.comments[f.next].ownLine {
		kids = append(kids, suffix(f.comments[f.next].text), mustBreak)
		f.last = max(f.last, f.comments[f.next].end)
		f.next++
	}
	return concat(kids...)
}

// own takes the other comments before offset. Each stands on a line of its
// own, after which the line breaks.
func (f *formatter) own(offset int) *doc {
	var kids []*doc
	for f.pending(offset) {
		kids = append(kids, text(f.comments[f.next].text), hardline)
		f.last = max(f.last, f.comments[f.next].end)
		f.next++
	}
	return concat(kids...)
}

// breakAt is a place where a line may break before what begins at offset.
func (f *formatter) breakAt(offset int, d *doc) *doc {
	if !f.pending(offset) {
		return d
	}
	tail := f.trailing(offset)
	return concat(tail, d, f.own(offset))
}

// gap reports whether an empty line stands in the source between what was
// printed last and offset.
func (f *formatter) gap(offset int) bool {
	if offset <= f.last {
		return false
	}
	return bytes.Count(f.src[f.last:offset], []byte{'\n'}) > 1
}

// lines joins things that stand on lines of their own with the comments
// between them, which go before each and, at end, after the last. Single
// empty lines are kept.
type lines struct {
	f     *formatter
	kids  []*doc
	apart *doc // if set, goes before the next thing instead of the source's empty line
}

// add appends a thing that spans [start, end) of the source; make is called
// when the comments before it have been taken.
func (l *lines) add(start, end int, make func() *doc) {
	l.comments(start)
	l.separate(start)
	l.f.last = start
	l.kids = append(l.kids, make())
	l.f.last = end
}

// comments appends what comments stand before offset.
func (l *lines) comments(offset int) {
	f := l.f
	if f.pending(offset) {
		l.kids = append(l.kids, f.trailing(offset))
	}
	for f.pending(offset) {
		c := f.comments[f.next]
		f.next++
		l.separate(c.start)
		l.kids = append(l.kids, text(c.text))
		f.last = max(f.last, c.end)
	}
}

// separate breaks the line before a thing, except the first.
func (l *lines) separate(offset int) {
	if l.empty() {
		return
	}
	switch {
	case l.apart != nil:
		l.kids = append(l.kids, l.apart)
		if l.f.gap(offset) {
			*l.apart = *emptyLine
		}
		l.apart = nil
	case l.f.gap(offset):
		l.kids = append(l.kids, emptyLine)
	}
	l.kids = append(l.kids, hardline)
}

// empty reports whether nothing was printed but comments at line ends.
func (l *lines) empty() bool {
	for _, k := range l.kids {
		if k.kind != concatDoc || hasText(k) {
			return false
		}
	}
	return true
}

func hasText(d *doc) bool {
	if d.kind == textDoc {
		return true
	}
	for _, k := range d.kids {
		if hasText(k) {
			return true
		}
	}
	return false
}

// braces puts lines between braces, where end is the offset of the closing
// one. Without any it is `{}`.
func (f *formatter) braces(end int, fill func(l *lines)) *doc {
	l := &lines{f: f}
	fill(l)
	l.comments(end)
	if len(l.kids) == 0 {
		return text("{}")
	}
	body := concat(l.kids...)
	if l.empty() {
		return concat(text("{"), body, hardline, text("}"))
	}
	return concat(text("{"), f.openTail(l), nest(concat(hardline, body)), hardline, text("}"))
}

// openTail moves a comment that stood right behind the opening brace there.
func (f *formatter) openTail(l *lines) *doc {
	if first := l.kids[0]; first.kind == concatDoc && len(first.kids) > 0 && !hasText(first) {
		l.kids[0] = nothing
		return first
	}
	return nothing
}

// elements are what stands between two brackets.
type elements struct {
	open, close string
	n           int
	at          func(i int) int  // where element i begins
	make        func(i int) *doc // called in order
	closing     int              // offset of the closing bracket
	hug         bool             // the last may open on the line of the bracket
	fields      bool             // blanks inside the brackets, no commas when broken
}

// list prints elements on one line, or one a line with a comma behind each.
func (f *formatter) list(e elements) *doc {
	if e.n == 0 && !f.pending(e.closing) {
		return text(e.open + e.close)
	}
	edge, between, last := softline, text(","), trailingComma
	if e.fields {
		edge, between, last = line, flatComma, nothing
	}
	inner := make([]*doc, 0, 4*e.n+4)
	elems := make([]*doc, e.n)
	before := f.next
	for i := range e.n {
		start := e.at(i)
		if i == 0 {
			inner = append(inner, f.breakAt(start, edge))
		} else {
			inner = append(inner, between, f.breakAt(start, line))
		}
		if i == e.n-1 {
			e.hug = e.hug && f.next == before
		}
		elems[i] = e.make(i)
		inner = append(inner, elems[i])
	}
	if e.n > 0 {
		inner = append(inner, last)
	}
	if f.pending(e.closing) {
		e.hug = false
		inner = append(inner, f.trailing(e.closing), mustBreak)
		for f.pending(e.closing) {
			inner = append(inner, hardline, text(f.comments[f.next].text))
			f.last = f.comments[f.next].end
			f.next++
		}
	}
	whole := group(text(e.open), nest(inner...), edge, text(e.close))
	if !e.hug {
		return whole
	}
	return hug(e, elems, whole)
}

// hug prints the brackets tight around the last element, which breaks inside.
func hug(e elements, elems []*doc, whole *doc) *doc {
	kids := []*doc{text(e.open)}
	for _, d := range elems[:len(elems)-1] {
		if d.broken {
			return whole
		}
		kids = append(kids, d, text(", "))
	}
	final := elems[len(elems)-1]
	tight := concat(append(kids, breakLast(final), text(e.close))...)
	if final.broken {
		return choice(tight, whole)
	}
	flat := group(concat(append(kids[:len(kids):len(kids)], final, text(e.close))...))
	return choice(flat, choice(tight, whole))
}
