package syntax

import (
	"fmt"
	"unicode"
	"unicode/utf8"

	"towpath.dev/internal/lang/diag"
	"towpath.dev/internal/lang/span"
)

// Limits of one source file. A program beyond them is refused with a
// diagnostic, so that every later stage may recurse over the tree.
const (
	MaxFileSize = 4 << 20 // bytes
	MaxNesting  = 256     // brackets, blocks, types and patterns inside each other
	MaxChain    = 1000    // operators or calls in one row
	maxReports  = 1000    // diagnostics of one file
)

// tok is one token. The scanner leaves the brackets balanced: an unclosed one
// is reported and closed by a virtual token, a stray one is reported and left
// out. So the parser never has to guess where a bracket ends.
type tok struct {
	kind       Token
	flags      tokFlags
	start, end int32 // byte offsets
	match      int32 // of an opening bracket: the index of its closing token
}

type tokFlags uint8

const (
	lineStart tokFlags = 1 << iota // first on its line
	endsExpr                       // a newline before it ends the expression before it
	virtual                        // made up by the scanner
	escaped                        // a string piece with a backslash in it
	docBefore                      // a doc comment stands right before it
	spaced                         // a blank stands before it on its line
)

// open is a bracket that waits for its closing one.
type open struct {
	index   int32 // of the token
	kind    Token // LParen, LBrace, LBracket or StringHead
	service bool  // the braces of a service, where `fn` may begin a line
}

// scanner cuts one file into tokens.
type scanner struct {
	file     *span.File
	src      string
	diags    *diag.List
	pos      int
	toks     []tok
	comments []Comment
	stack    []open
	holes    int // string holes on the stack
	newline  bool
	blank    bool
	doc      bool
	stopped  bool
	base     int       // diagnostics that were there before
	slanted  span.Span // the innermost brace whose closing one stands too far left
}

func (s *scanner) span(start, end int) span.Span {
	return span.Span{File: s.file, Start: start, End: end}
}

func (s *scanner) errorf(code diag.Code, start, end int, format string, args ...any) *diag.Diagnostic {
	d := &diag.Diagnostic{Code: code, At: s.span(start, end)}
	if len(s.diags.All) < s.base+maxReports {
		d.Message = fmt.Sprintf(format, args...)
		s.diags.Add(d)
	}
	return d
}

// scan fills toks and comments. Two EOF tokens end toks, so that the parser
// may look two ahead.
func scan(f *span.File, src string, d *diag.List) *scanner {
	s := &scanner{file: f, src: src, diags: d, base: len(d.All), newline: true}
	s.toks = make([]tok, 0, len(src)/3+8)
	s.checkText()
	for !s.stopped {
		s.skipBlank()
		if s.pos >= len(s.src) {
			break
		}
		s.next()
	}
	s.pos = len(s.src)
	s.closeDownTo(0, s.pos)
	s.newline = true
	for range 3 {
		s.toks = append(s.toks, tok{kind: EOF, flags: lineStart | endsExpr, start: int32(s.pos), end: int32(s.pos)})
	}
	return s
}

// checkText refuses text that editors and readers see differently from the
// compiler. The scan goes on over what is left where that makes sense.
func (s *scanner) checkText() {
	if len(s.src) > MaxFileSize {
		s.errorf(codeTooLarge, 0, 0, "this file has %d bytes; a source file has at most %d", len(s.src), MaxFileSize)
		s.stopped = true
		return
	}
	for i := 0; i < len(s.src); {
		if plain[s.src[i]] {
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(s.src[i:])
		if bad := badRune(r, n); bad != "" {
			d := s.errorf(codeBadText, i, i+n, "the source holds %s", bad)
			if n > 1 || r < utf8.RuneSelf {
				d.FixWith("remove it", s.span(i, i+n), "")
			}
			if r == utf8.RuneError && n == 1 {
				s.stopped = true // one report: the file is in another encoding
				return
			}
		}
		i += n
	}
}

// plain marks the bytes that may stand anywhere: printable ASCII and blanks.
var plain = func() (p [256]bool) {
	for c := ' '; c <= '~'; c++ {
		p[c] = true
	}
	p['\t'], p['\n'], p['\r'] = true, true, true
	return p
}()

// badRune says what is wrong with a character anywhere in a source, or "".
func badRune(r rune, size int) string {
	switch {
	case r == utf8.RuneError && size == 1:
		return "bytes that are not UTF-8"
	case r == 0:
		return "a NUL character"
	case r < ' ' && r != '\t' && r != '\n' && r != '\r', 0x7F <= r && r < 0xA0, r == 0x2028, r == 0x2029:
		return fmt.Sprintf("a control character (U+%04X)", r)
	case r == 0xFEFF:
		return "a byte order mark (U+FEFF)"
	case 0x202A <= r && r <= 0x202E, 0x2066 <= r && r <= 0x2069, r == 0x200E, r == 0x200F, r == 0x061C:
		return fmt.Sprintf("an invisible character that reorders text (U+%04X)", r)
	}
	return ""
}

// skipBlank skips spaces, line breaks and comments.
func (s *scanner) skipBlank() {
	for s.pos < len(s.src) {
		switch c := s.src[s.pos]; {
		case c == ' ' || c == '\t' || c == '\r':
			s.blank = true
			s.pos++
		case c == '\n':
			if s.holes > 0 {
				s.endHoles()
			}
			s.newline = true
			s.pos++
		case c == '/' && s.pos+1 < len(s.src) && s.src[s.pos+1] == '/':
			s.comment()
		case !plain[c] && c < utf8.RuneSelf: // reported by checkText
			s.pos++
		case c == 0xEF && len(s.src)-s.pos >= 3 && s.src[s.pos:s.pos+3] == "\uFEFF":
			s.pos += 3
		default:
			return
		}
	}
}

func (s *scanner) lineEnd(from int) int {
	for i := from; i < len(s.src); i++ {
		if s.src[i] == '\n' {
			if i > from && s.src[i-1] == '\r' {
				return i - 1
			}
			return i
		}
	}
	return len(s.src)
}

func (s *scanner) comment() {
	start, end := s.pos, s.lineEnd(s.pos)
	for end > start && (s.src[end-1] == ' ' || s.src[end-1] == '\t' || s.src[end-1] == '\r') {
		end--
	}
	text := s.src[start:end]
	doc := len(text) >= 3 && text[2] == '/' && (len(text) == 3 || text[3] != '/')
	s.comments = append(s.comments, Comment{At: At{s.span(start, end)}, Text: text, Doc: doc})
	s.doc = s.doc || doc
	s.pos = end
}

// add appends the token that ends at s.pos.
func (s *scanner) add(kind Token, start int) {
	var flags tokFlags
	if s.newline {
		flags |= lineStart
		if !continuesLine(kind) && (len(s.stack) == 0 || s.stack[len(s.stack)-1].kind == LBrace) {
			flags |= endsExpr
		}
	}
	if s.doc {
		flags |= docBefore
	}
	if s.blank {
		flags |= spaced
	}
	s.newline, s.doc, s.blank = false, false, false
	s.toks = append(s.toks, tok{kind: kind, flags: flags, start: int32(start), end: int32(s.pos)})
}

// continuesLine says which tokens at the start of a line go on with the
// expression of the line before. None of them can begin one.
func continuesLine(t Token) bool {
	switch t {
	case PipeOp, Dot, KwElse, KwWithin, KwIs, Coalesce, OrOr, AndAnd, Eq, Ne, Lt, Le, Gt, Ge,
		Plus, Star, Slash, Percent, Bar:
		return true
	}
	return false
}

func isLower(c byte) bool { return 'a' <= c && c <= 'z' || c == '_' }
func isUpper(c byte) bool { return 'A' <= c && c <= 'Z' }
func isDigit(c byte) bool { return '0' <= c && c <= '9' }
func isIdent(c byte) bool { return isLower(c) || isUpper(c) || isDigit(c) }

// at is the byte n places ahead, 0 beyond the end.
func (s *scanner) at(n int) byte {
	if s.pos+n < len(s.src) {
		return s.src[s.pos+n]
	}
	return 0
}

// next scans one token.
func (s *scanner) next() {
	start := s.pos
	c := s.src[start]
	switch {
	case isLower(c):
		for s.pos < len(s.src) && isIdent(s.src[s.pos]) {
			s.pos++
		}
		word := s.src[start:s.pos]
		kind := keyword(word)
		if word == "_" {
			kind = Underscore
		}
		if s.newline && len(s.stack) > 0 {
			s.closeAtStarter(kind, word, start)
		}
		s.add(kind, start)
	case isUpper(c):
		for s.pos < len(s.src) && isIdent(s.src[s.pos]) {
			s.pos++
		}
		s.add(UpperName, start)
	case isDigit(c):
		s.number()
	case c == '"':
		s.pos++
		s.stringPiece(start, String, StringHead)
	default:
		s.punctuation(c)
	}
}

func (s *scanner) punctuation(c byte) {
	start := s.pos
	one := func(kind Token) { s.pos++; s.add(kind, start) }
	two := func(second byte, with, without Token) {
		s.pos++
		if s.pos < len(s.src) && s.src[s.pos] == second {
			s.pos++
			without = with
		}
		s.add(without, start)
	}
	switch c {
	case '(':
		s.open(LParen)
	case '[':
		s.open(LBracket)
	case '{':
		s.open(LBrace)
	case ')':
		s.close(RParen)
	case ']':
		s.close(RBracket)
	case '}':
		s.close(RBrace)
	case ',':
		one(Comma)
	case ';':
		one(Semicolon)
	case '@':
		one(At_)
	case '.':
		two('.', DotDot, Dot)
	case '?':
		two('?', Coalesce, Question)
	case '-':
		two('>', Arrow, Minus)
	case '>':
		two('=', Ge, Gt)
	case '*':
		one(Star)
	case '%':
		one(Percent)
	case '+':
		one(Plus)
	case '/':
		if s.at(1) == '*' {
			s.blockComment()
			return
		}
		one(Slash)
	case ':':
		if s.at(1) == '=' {
			s.pos += 2
			s.errorf(codeMutation, start, s.pos, "a value is bound with `let name = value`, not with `:=`").
				FixWith("write `=`", s.span(start, s.pos), "=")
			s.add(Assign, start)
			return
		}
		one(Colon)
	case '=', '!', '<', '|', '&':
		s.operator(c)
	case '\'':
		s.singleQuotes()
	default:
		s.unknown()
	}
}

// operator scans the operators that other languages spell differently.
func (s *scanner) operator(c byte) {
	start, next := s.pos, s.at(1)
	emit := func(n int, kind Token) { s.pos += n; s.add(kind, start) }
	foreign := func(n int, kind Token) {
		s.errorf(codeForeignOperator, start, start+n, "Tow has no operator `%s`", s.src[start:start+n]).
			FixWith(fmt.Sprintf("write `%s`", kind), s.span(start, start+n), kind.String())
		emit(n, kind)
	}
	switch {
	case c == '=' && next == '=' && s.at(2) == '=':
		foreign(3, Eq)
	case c == '=' && next == '=':
		emit(2, Eq)
	case c == '=' && next == '>':
		emit(2, FatArrow)
	case c == '=':
		emit(1, Assign)
	case c == '!' && next == '=' && s.at(2) == '=':
		foreign(3, Ne)
	case c == '!' && next == '=':
		emit(2, Ne)
	case c == '!':
		emit(1, Bang)
	case c == '<' && next == '=':
		emit(2, Le)
	case c == '<' && next == '>':
		foreign(2, Ne)
	case c == '<':
		emit(1, Lt)
	case c == '|' && next == '|':
		emit(2, OrOr)
	case c == '|' && next == '>':
		emit(2, PipeOp)
	case c == '|':
		emit(1, Bar)
	case c == '&' && next == '&':
		emit(2, AndAnd)
	default:
		foreign(1, AndAnd)
	}
}

func (s *scanner) blockComment() {
	start := s.pos
	for s.pos += 2; s.pos < len(s.src); s.pos++ {
		if s.src[s.pos] == '*' && s.at(1) == '/' {
			s.pos += 2
			break
		}
	}
	s.errorf(codeComment, start, start+2, "a comment is written `// …`, to the end of its line")
}

func (s *scanner) singleQuotes() {
	start := s.pos
	for i := start + 1; i < len(s.src) && s.src[i] != '\n'; i++ {
		if s.src[i] != '\'' {
			continue
		}
		s.pos = i + 1
		s.errorf(codeSingleQuotes, start, s.pos, "a string is written between double quotes").
			FixWith("use double quotes", s.span(start, s.pos), `"`+s.src[start+1:i]+`"`)
		s.add(String, start)
		return
	}
	s.unknown()
}

func (s *scanner) unknown() {
	start := s.pos
	r, n := utf8.DecodeRuneInString(s.src[s.pos:])
	s.pos += n
	switch {
	case badRune(r, n) != "": // reported by checkText
	case r == '#':
		s.errorf(codeComment, start, s.pos, "a comment begins with `//`").
			FixWith("write `//`", s.span(start, s.pos), "//")
		s.pos = s.lineEnd(start)
		return
	case r == '“' || r == '”' || r == '„':
		s.errorf(codeBadCharacter, start, s.pos, "strings stand between straight quotes `\"`, this is `%c`", r).
			FixWith("write `\"`", s.span(start, s.pos), `"`)
	case unicode.IsLetter(r):
		for s.pos < len(s.src) {
			r, n := utf8.DecodeRuneInString(s.src[s.pos:])
			if !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '_' {
				break
			}
			s.pos += n
		}
		s.errorf(codeBadCharacter, start, s.pos, "names are made of the letters a to z, digits and `_`").
			Expect("a letter from a to z", fmt.Sprintf("`%s`", s.src[start:s.pos]))
	case r == '`':
		s.errorf(codeBadCharacter, start, s.pos, "a backquote means nothing in Tow; strings stand between `\"`")
	case unicode.IsPrint(r):
		s.errorf(codeBadCharacter, start, s.pos, "`%c` means nothing in Tow", r)
	default:
		s.errorf(codeBadCharacter, start, s.pos, "the character U+%04X means nothing in Tow", r)
	}
	if len(s.toks) > 0 && s.toks[len(s.toks)-1].kind == Illegal && !s.newline {
		return // one token for a run of them
	}
	s.add(Illegal, start)
}
