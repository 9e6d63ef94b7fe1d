package syntax

import (
	"fmt"
	"sort"
	"strings"

	"towpath.dev/internal/lang/diag"
	"towpath.dev/internal/lang/span"
)

// Parse reads one file. It always gives a tree; what it could not read stands
// in it as Bad nodes, and each mistake is reported once in d.
func Parse(f *span.File, d *diag.List) *File {
	src := string(f.Text)
	s := scan(f, src, d)
	p := &parser{file: f, src: src, diags: d, toks: s.toks, comments: s.comments, mute: len(s.toks), base: s.base}
	if s.stopped {
		p.mute = max(0, len(s.toks)-4) // the scanner said why the text ends here
	}
	p.load()
	return p.parseFile()
}

// parser is a recursive descent over the scanner's tokens.
//
// A mistake is either reported and stepped over (report), or fails: then the
// parser is lost, says nothing more, and unwinds to the nearest list, which
// skips to its next separator and goes on.
type parser struct {
	file     *span.File
	src      string
	diags    *diag.List
	toks     []tok
	comments []Comment

	i     int
	kind  Token    // of toks[i]
	flags tokFlags // of toks[i]

	elem  int // the token at which the innermost list's element begins
	quiet int // brackets around that were never closed, which is reported
	base  int // diagnostics that were there before this file

	lost  bool
	mute  int  // failures at this token or later were reported by the scanner
	depth int  // of nesting
	deep  bool // the limit was reported

	idents slab[Ident]
	fields slab[FieldExpr]
	calls  slab[CallExpr]
	named  slab[NamedType]

	head  bool // in the head of if or match, where `Name {` is no record
	guard bool // in the guard of a match arm, which ends at its arrow
}

// slab makes the nodes that there are most of, many at a time.
type slab[T any] struct{ free []T }

func (s *slab[T]) make() *T {
	if len(s.free) == 0 {
		s.free = make([]T, 64)
	}
	n := &s.free[0]
	s.free = s.free[1:]
	return n
}

func (p *parser) load() {
	p.kind = p.toks[p.i].kind
	p.flags = p.toks[p.i].flags
}

func (p *parser) next() {
	if p.i < len(p.toks)-3 {
		p.i++
		p.load()
	}
}

func (p *parser) jump(i int) {
	p.i = i
	p.load()
}

// peek is the token n places ahead, an EOF beyond the end.
func (p *parser) peek(n int) *tok {
	return &p.toks[min(p.i+n, len(p.toks)-1)]
}

func (p *parser) text() string {
	t := &p.toks[p.i]
	return p.src[t.start:t.end]
}

// start is the offset at which the current token begins.
func (p *parser) start() int { return int(p.toks[p.i].start) }

// end is the offset at which the token before ended.
func (p *parser) end() int {
	if p.i == 0 {
		return 0
	}
	return int(p.toks[p.i-1].end)
}

// from makes the place of a node that began at start and ends before the
// current token.
func (p *parser) from(start int) At {
	return At{span.Span{File: p.file, Start: start, End: max(start, p.end())}}
}

func (p *parser) span(start, end int) span.Span {
	return span.Span{File: p.file, Start: start, End: end}
}

func (p *parser) tokSpan() span.Span {
	t := &p.toks[p.i]
	return p.span(int(t.start), int(t.end))
}

// lineOver reports whether the current token begins a line and what is read
// began on one before.
func (p *parser) lineOver() bool {
	return p.i > 0 && p.flags&lineStart != 0 && p.i != p.elem || p.kind == EOF
}

// element notes that an element of a list begins here and gives its token.
func (p *parser) element() int {
	p.elem = p.i
	return p.i
}

// here is where something is missing: the current token, or the end of the
// line before it when it begins a new one.
func (p *parser) here() span.Span {
	if p.lineOver() {
		return p.span(p.end(), p.end())
	}
	return p.tokSpan()
}

// found describes the current token as the user sees it.
func (p *parser) found() string {
	switch {
	case p.kind == EOF:
		return "the end of the file"
	case p.lineOver():
		return "the end of the line"
	}
	return p.describe()
}

func (p *parser) describe() string {
	switch p.kind {
	case EOF:
		return "the end of the file"
	case LowerName, UpperName:
		return "the name `" + p.text() + "`"
	case String, StringHead:
		return "a string"
	case StringMid, StringTail:
		return "`}`"
	case Number, Money, Duration, Instant, Date:
		return "`" + p.text() + "`"
	}
	if p.kind.IsKeyword() {
		return "the keyword `" + p.text() + "`"
	}
	return "`" + p.text() + "`"
}

// report adds a mistake that the parser can step over.
func (p *parser) report(code diag.Code, at span.Span, format string, args ...any) *diag.Diagnostic {
	d := &diag.Diagnostic{Code: code, At: at}
	if !p.lost && p.quiet == 0 && p.i < p.mute && len(p.diags.All) < p.base+maxReports {
		d.Message = fmt.Sprintf(format, args...)
		p.diags.Add(d)
	}
	return d
}

// fail reports a mistake at the current token and gives up on the construct.
func (p *parser) fail(code diag.Code, format string, args ...any) *diag.Diagnostic {
	d := &diag.Diagnostic{Code: code}
	if !p.lost && p.quiet == 0 && p.i < p.mute && p.kind != Illegal && p.flags&virtual == 0 &&
		len(p.diags.All) < p.base+maxReports {
		d.At, d.Message, d.Found = p.here(), fmt.Sprintf(format, args...), p.found()
		p.diags.Add(d)
	}
	p.lost = true
	return d
}

func (p *parser) accept(kind Token) bool {
	if p.kind == kind {
		p.next()
		return true
	}
	return false
}

// expect consumes a token or fails, saying what was being read.
func (p *parser) expect(kind Token, reading string) bool {
	if p.kind == kind {
		p.next()
		return true
	}
	p.fail(codeWantToken, "%s needs `%s` here", reading, kind).Expected = "`" + kind.String() + "`"
	return false
}

// enter counts a level of nesting; leave ends it. Without room enter fails.
func (p *parser) enter() bool {
	p.depth++
	if p.depth <= MaxNesting {
		return true
	}
	if !p.deep {
		p.deep = true
		p.fail(codeTooDeep, "the program nests more than %d deep here", MaxNesting)
	}
	p.lost = true
	return false
}

func (p *parser) leave() { p.depth-- }

// chain counts the links of an operator chain.
func (p *parser) chain(n *int) bool {
	*n++
	if *n <= MaxChain {
		return true
	}
	if *n == MaxChain+1 {
		p.fail(codeTooDeep, "more than %d operators follow each other here", MaxChain)
	}
	p.lost = true
	return false
}

// bracket is the state of a bracketed list while it is read.
type bracket struct {
	closer      int
	head, guard bool
	open        bool // never closed: what is wrong inside may come from that
	broken      bool // something was wrong inside
}

// begin enters the bracket at the current token.
func (p *parser) begin() bracket {
	b := bracket{closer: int(p.toks[p.i].match), head: p.head, guard: p.guard}
	p.head, p.guard = false, false
	if p.kind != LBrace && p.toks[b.closer].flags&virtual != 0 {
		b.open = true
		p.quiet++
	}
	p.next()
	return b
}

// finish leaves the bracket; reading names what did not end where it should.
func (p *parser) finish(b *bracket, reading string) {
	if p.i != b.closer {
		b.broken = true
		if !p.lost {
			kind := p.toks[b.closer].kind
			p.fail(codeWantToken, "%s ends with `%s`", reading, kind).Expected = "`" + kind.String() + "`"
		}
		p.jump(b.closer)
		p.lost = false
	}
	p.next()
	p.head, p.guard = b.head, b.guard
	if b.open {
		p.quiet--
		p.lost = p.lost || b.broken
	}
}

// skip passes one token, or a whole bracket.
func (p *parser) skip() {
	if p.kind.closer() != EOF && p.toks[p.i].match > int32(p.i) {
		p.jump(int(p.toks[p.i].match))
	}
	p.next()
}

// comma ends an element of a list that began at token before. A missing
// comma is reported where the next token could begin an element.
func (p *parser) comma(b *bracket, before int, what string, starts func(Token) bool) {
	if !p.lost && p.i < b.closer && p.kind != Comma {
		if p.i > before && starts(p.kind) && p.flags&virtual == 0 {
			at := p.span(p.end(), p.end())
			p.report(codeWantComma, at, "a comma is missing between two %ss", what).
				Expect("`,`", p.describe()).FixWith("insert `,`", at, ",")
			return
		}
		p.fail(codeWantToken, "this %s ends with `,` or `%s`", what, p.toks[b.closer].kind).Expected =
			"`,` or `" + p.toks[b.closer].kind.String() + "`"
	}
	if p.lost {
		b.broken = true
		for p.i < b.closer && p.kind != Comma {
			p.skip()
		}
		p.lost = false
	}
	if p.kind == Semicolon && p.i < b.closer {
		p.next()
	}
	p.accept(Comma)
}

// line ends an element of a list whose elements stand on lines of their own
// or are parted by commas.
func (p *parser) line(b *bracket, before int, what string) {
	if p.kind == Semicolon && !p.lost {
		p.semicolon()
	}
	if !p.lost && p.i < b.closer && p.kind != Comma && p.flags&lineStart == 0 {
		p.fail(codeWantComma, "two %ss on one line are parted by a comma", what).Expected = "`,` or the end of the line"
	}
	if p.lost {
		for p.i < b.closer && p.kind != Comma && (p.flags&endsExpr == 0 || p.i == before) {
			p.skip()
		}
		p.lost = false
	}
	p.accept(Comma)
}

func (p *parser) semicolon() {
	at := p.tokSpan()
	p.report(codeSemicolon, at, "lines need no `;`").FixWith("remove it", at, "")
	for p.kind == Semicolon {
		p.next()
	}
}

// doc is the text of the `///` lines right before the current token.
func (p *parser) doc() string {
	if p.flags&docBefore == 0 {
		return ""
	}
	start, end := p.start(), p.end()
	last := sort.Search(len(p.comments), func(i int) bool { return p.comments[i].Span.Start >= start }) - 1
	for last >= 0 && !p.comments[last].Doc {
		last--
	}
	first := last
	for first > 0 && p.comments[first-1].Doc && p.comments[first-1].Span.Start >= end &&
		strings.Count(p.src[p.comments[first-1].Span.End:p.comments[first].Span.Start], "\n") == 1 {
		first--
	}
	if last < 0 {
		return ""
	}
	return docText(p.comments[first:last+1], 3)
}

// docText strips the slashes and one blank from each line.
func docText(comments []Comment, slashes int) string {
	if len(comments) == 1 {
		return strings.TrimPrefix(comments[0].Text[slashes:], " ")
	}
	var b strings.Builder
	for i := range comments {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(strings.TrimPrefix(comments[i].Text[slashes:], " "))
	}
	return b.String()
}

// moduleDoc is the text of the `////` lines that open the file.
func (p *parser) moduleDoc() string {
	n := 0
	for n < len(p.comments) && strings.HasPrefix(p.comments[n].Text, "////") &&
		p.comments[n].Span.Start < int(p.toks[0].start) &&
		(n == 0 || strings.Count(p.src[p.comments[n-1].Span.End:p.comments[n].Span.Start], "\n") == 1) {
		n++
	}
	if n == 0 {
		return ""
	}
	return docText(p.comments[:n], 4)
}
