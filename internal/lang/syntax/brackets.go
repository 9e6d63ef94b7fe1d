package syntax

import (
	"strings"

	"towpath.dev/internal/lang/span"
)

// Brackets are matched while scanning, with the layout as witness: a
// declaration that begins at the left margin closes all that is still open.

func (s *scanner) open(kind Token) {
	start := s.pos
	s.pos++
	if len(s.stack) >= MaxNesting {
		s.errorf(codeTooDeep, start, s.pos, "brackets nest more than %d deep here", MaxNesting)
		s.stopped = true
		return
	}
	s.add(kind, start)
	s.push(kind)
}

func (s *scanner) push(kind Token) {
	i := len(s.toks) - 1
	o := open{index: int32(i), kind: kind}
	if kind == LBrace && i >= 2 && s.toks[i-2].kind == KwService {
		o.service = true
	}
	s.stack = append(s.stack, o)
	if kind == StringHead {
		s.holes++
	}
}

// pop closes the innermost bracket with the token added last.
func (s *scanner) pop() {
	top := s.stack[len(s.stack)-1]
	s.stack = s.stack[:len(s.stack)-1]
	s.toks[top.index].match = int32(len(s.toks) - 1)
	if top.kind == StringHead {
		s.holes--
	}
}

// close handles a closing bracket: it closes its own kind, after what was
// left open inside; where nothing like it is open it is stray.
func (s *scanner) close(kind Token) {
	start := s.pos
	at := len(s.stack) - 1
	for at >= 0 {
		k := s.stack[at].kind
		if k.closer() == kind || k == StringHead {
			break
		}
		at--
	}
	inHole := at >= 0 && s.stack[at].kind == StringHead
	if at < 0 || inHole && kind != RBrace {
		s.pos++
		s.errorf(codeStray, start, s.pos, "nothing is open that this `%s` could close", kind).
			FixWith("remove it", s.span(start, s.pos), "")
		return
	}
	s.closeDownTo(at+1, start)
	if kind == RBrace && s.newline {
		s.checkSlant(start)
	}
	s.pos++
	if inHole {
		s.stringPiece(start, StringTail, StringMid)
		return
	}
	s.addCloser(kind, start)
}

func (s *scanner) addCloser(kind Token, start int) {
	// The line break before a closing bracket separates nothing.
	s.add(kind, start)
	s.pop()
}

// closeDownTo reports what is open above depth n of the stack and closes it
// with virtual tokens at offset, or right after the token before.
func (s *scanner) closeDownTo(n, offset int) {
	if len(s.stack) <= n {
		return
	}
	newline, doc, blank := s.newline, s.doc, s.blank
	for len(s.stack) > n {
		top := s.stack[len(s.stack)-1]
		t := s.toks[top.index]
		end := int(s.toks[len(s.toks)-1].end)
		if top.kind != StringHead && !s.stopped {
			d := s.errorf(codeUnclosed, int(t.start), int(t.end), "this `%s` is never closed", top.kind)
			d.Expect("`"+top.kind.closer().String()+"`", s.describeAt(offset))
			if offset < len(s.src) {
				d.Note(s.span(offset, s.tokenEnd(offset)), "it should have been closed before this")
			}
			if s.slanted.IsValid() && top.kind == LBrace {
				d.Note(s.slanted, "the `}` that closes this one stands further left, so perhaps one is missing here")
				s.slanted = span.Span{}
			}
		}
		s.newline, s.doc, s.blank = false, false, false
		s.toks = append(s.toks, tok{kind: top.kind.closer(), flags: virtual, start: int32(end), end: int32(end)})
		s.pop()
	}
	s.newline, s.doc, s.blank = newline, doc, blank
}

// checkSlant remembers the first closing brace of a declaration that begins
// its line further left than the line of its opening one: if a brace is found
// missing later, it probably belongs there.
func (s *scanner) checkSlant(start int) {
	top := s.stack[len(s.stack)-1]
	opened := int(s.toks[top.index].start)
	if !s.slanted.IsValid() && s.indent(start) < s.indent(opened) {
		s.slanted = s.span(opened, opened+1)
	}
	if len(s.stack) == 1 {
		s.slanted = span.Span{}
	}
}

// indent counts the blanks before the first token of the line of an offset.
func (s *scanner) indent(offset int) int {
	begin := strings.LastIndexByte(s.src[:offset], '\n') + 1
	end := begin
	for end < offset && (s.src[end] == ' ' || s.src[end] == '\t') {
		end++
	}
	return end - begin
}

func (s *scanner) tokenEnd(offset int) int {
	end := offset
	for end < len(s.src) && isIdent(s.src[end]) {
		end++
	}
	return max(end, min(offset+1, len(s.src)))
}

func (s *scanner) describeAt(offset int) string {
	if offset >= len(s.src) {
		return "the end of the file"
	}
	return "`" + s.src[offset:s.tokenEnd(offset)] + "`"
}

// closeAtStarter closes what a word at the start of a line shows to be
// forgotten: a declaration's at the left margin, a `let` inside parentheses.
func (s *scanner) closeAtStarter(kind Token, word string, start int) {
	if kind == KwLet {
		n := len(s.stack)
		for n > 0 && (s.stack[n-1].kind == LParen || s.stack[n-1].kind == LBracket) {
			n--
		}
		s.closeDownTo(n, start)
		return
	}
	if start > 0 && s.src[start-1] != '\n' || !s.startsDecl(kind, word) {
		return
	}
	n := 0
	if kind == KwFn {
		for i, o := range s.stack {
			if o.service {
				n = i + 1
			}
		}
	}
	s.closeDownTo(n, start)
}

// startsDecl looks at the text after a word for what makes it a declaration.
func (s *scanner) startsDecl(kind Token, word string) bool {
	next := s.pos
	for next < len(s.src) && s.src[next] == ' ' {
		next++
	}
	c := byte(0)
	if next < len(s.src) {
		c = s.src[next]
	}
	switch kind {
	case KwImport, KwPub, KwConst, KwType, KwView, KwService:
		return isLower(c) || isUpper(c)
	case KwFn:
		return isLower(c) && next > s.pos
	case LowerName:
		return c == '"' && (word == "test" || word == "prop")
	}
	return false
}
