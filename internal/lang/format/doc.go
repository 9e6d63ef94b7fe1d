package format

import (
	"strings"
	"unicode/utf8"
)

// A doc is a document in the algebra of Wadler's "A prettier printer" (2003):
// texts, places where a line may break, and groups that break as a whole when
// they do not fit. Comments at the end of a line are suffixes: they are held
// back until the line breaks.
type doc struct {
	kind   docKind
	text   string
	kids   []*doc
	broken bool // holds a hardline that its group cannot avoid
}

type docKind uint8

const (
	textDoc   docKind = iota
	lineDoc           // a blank, or a line break when the group breaks
	softDoc           // nothing, or a line break
	hardDoc           // always a line break
	emptyDoc          // a blank line: a line break more
	concatDoc         // kids in a row
	nestDoc           // kids, two columns further to the right
	groupDoc          // kids, flat if they fit
	whenDoc           // text, only where the group is broken
	unlessDoc         // text, only where the group is flat
	suffixDoc         // text at the end of the line
	choiceDoc         // kids[0] if its first line fits, else kids[1]
)

const (
	width = 100 // characters of a line
	step  = 2   // characters of an indentation
)

var (
	nothing  = &doc{kind: concatDoc}
	blank    = &doc{kind: textDoc, text: " "}
	line     = &doc{kind: lineDoc}
	softline = &doc{kind: softDoc}
	hardline = &doc{kind: hardDoc, broken: true}
	// emptyLine leaves one line empty; a hardline must follow it.
	emptyLine = &doc{kind: emptyDoc, broken: true}
	// mustBreak breaks the groups around it and prints nothing.
	mustBreak     = &doc{kind: concatDoc, broken: true}
	trailingComma = &doc{kind: whenDoc, text: ","}
	flatComma     = &doc{kind: unlessDoc, text: ","}
)

func text(s string) *doc { return &doc{kind: textDoc, text: s} }

func suffix(s string) *doc { return &doc{kind: suffixDoc, text: s} }

func concat(kids ...*doc) *doc { return compose(concatDoc, kids) }
func nest(kids ...*doc) *doc   { return compose(nestDoc, kids) }
func group(kids ...*doc) *doc  { return compose(groupDoc, kids) }

func compose(kind docKind, kids []*doc) *doc {
	d := &doc{kind: kind, kids: kids}
	for _, k := range kids {
		d.broken = d.broken || k.broken
	}
	return d
}

// choice prefers a where its first line fits.
func choice(a, b *doc) *doc {
	return &doc{kind: choiceDoc, kids: []*doc{a, b}, broken: a.broken && b.broken}
}

// breakLast is d with the last group in it broken.
func breakLast(d *doc) *doc {
	switch {
	case d.kind == groupDoc:
		return &doc{kind: groupDoc, kids: d.kids, broken: true}
	case d.kind == concatDoc && len(d.kids) > 0:
		kids := append([]*doc(nil), d.kids...)
		kids[len(kids)-1] = breakLast(kids[len(kids)-1])
		return concat(kids...)
	}
	return d
}

// flatText is d on one line.
func flatText(d *doc) string {
	p := &printer{stack: []item{{d: d, flat: true}}}
	for len(p.stack) > 0 {
		top := p.stack[len(p.stack)-1]
		p.stack = p.stack[:len(p.stack)-1]
		p.print(top)
	}
	return string(p.out)
}

// item is a doc that waits to be laid out.
type item struct {
	d      *doc
	indent int
	flat   bool
}

// printer lays a doc out.
type printer struct {
	out      []byte
	column   int
	stack    []item // top last
	suffixes []string
	probe    []item // scratch of fits
}

// layout prints a document with lines of at most width characters where that
// can be. Every line ends without blanks, the last with a line break.
func layout(d *doc) []byte {
	p := &printer{stack: []item{{d: d}}}
	for len(p.stack) > 0 {
		top := p.stack[len(p.stack)-1]
		p.stack = p.stack[:len(p.stack)-1]
		p.print(top)
	}
	p.newline(0)
	return p.out
}

func (p *printer) print(it item) {
	d := it.d
	switch d.kind {
	case textDoc:
		p.write(d.text)
	case whenDoc:
		if !it.flat {
			p.write(d.text)
		}
	case unlessDoc:
		if it.flat {
			p.write(d.text)
		}
	case suffixDoc:
		p.suffixes = append(p.suffixes, d.text)
	case lineDoc, softDoc:
		if !it.flat {
			p.newline(it.indent)
		} else if d.kind == lineDoc {
			p.write(" ")
		}
	case hardDoc:
		p.newline(it.indent)
	case emptyDoc:
		p.newline(0)
	case concatDoc:
		p.push(d.kids, it.indent, it.flat)
	case nestDoc:
		p.push(d.kids, it.indent+step, it.flat)
	case groupDoc:
		flat := it.flat || !d.broken && p.fits(item{d, it.indent, true})
		p.push(d.kids, it.indent, flat)
	case choiceDoc:
		pick := d.kids[1]
		if it.flat || p.fits(item{d.kids[0], it.indent, false}) {
			pick = d.kids[0]
		}
		p.stack = append(p.stack, item{pick, it.indent, it.flat})
	}
}

func (p *printer) push(kids []*doc, indent int, flat bool) {
	for i := len(kids) - 1; i >= 0; i-- {
		p.stack = append(p.stack, item{kids[i], indent, flat})
	}
}

func (p *printer) write(s string) {
	p.out = append(p.out, s...)
	p.column += columns(s)
}

func columns(s string) int {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return utf8.RuneCountInString(s)
		}
	}
	return len(s)
}

func (p *printer) newline(indent int) {
	for _, s := range p.suffixes {
		if n := len(p.out); n > 0 && p.out[n-1] != ' ' && p.out[n-1] != '\n' {
			p.out = append(p.out, ' ')
		}
		p.out = append(p.out, s...)
	}
	p.suffixes = p.suffixes[:0]
	n := len(p.out)
	for n > 0 && p.out[n-1] == ' ' {
		n--
	}
	p.out = append(p.out[:n], '\n')
	p.out = append(p.out, strings.Repeat(" ", indent)...)
	p.column = indent
}

// fits reports whether what comes up to the next line break has room. Groups
// inside a broken one are tried flat.
func (p *printer) fits(first item) bool {
	room := width - p.column
	rest := len(p.stack)
	probe := append(p.probe[:0], first)
	defer func() { p.probe = probe[:0] }()
	for room >= 0 {
		if len(probe) == 0 {
			if rest == 0 {
				return true
			}
			rest--
			probe = append(probe, p.stack[rest])
		}
		it := probe[len(probe)-1]
		probe = probe[:len(probe)-1]
		switch it.d.kind {
		case textDoc:
			room -= columns(it.d.text)
		case whenDoc:
			if !it.flat {
				room -= columns(it.d.text)
			}
		case unlessDoc:
			if it.flat {
				room -= columns(it.d.text)
			}
		case lineDoc, softDoc:
			if !it.flat {
				return true
			}
			if it.d.kind == lineDoc {
				room--
			}
		case hardDoc, emptyDoc:
			return true
		case groupDoc:
			flat := it.flat || !it.d.broken
			for i := len(it.d.kids) - 1; i >= 0; i-- {
				probe = append(probe, item{it.d.kids[i], 0, flat})
			}
		case concatDoc, nestDoc:
			for i := len(it.d.kids) - 1; i >= 0; i-- {
				probe = append(probe, item{it.d.kids[i], 0, it.flat})
			}
		case choiceDoc:
			probe = append(probe, item{it.d.kids[0], 0, it.flat})
		}
	}
	return false
}
