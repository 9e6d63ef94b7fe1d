package sqlquery

import (
	"fmt"
	"strings"
)

// dialect is what differs between the databases' texts.
type dialect struct {
	name     string
	postgres bool
}

var (
	postgreSQL = dialect{name: "PostgreSQL", postgres: true}
	sqlite     = dialect{name: "SQLite"}
)

// statement is a statement's text and what it asks of the calls.
type statement struct {
	text      string // without a semicolon at its end
	refs      []ref  // the parameters that it names, :product
	columns   []ref  // the columns of calls that it names, calls.product
	calls     bool   // whether it reads the relation calls
	first     string // its first word, in small letters
	with      int    // where its first common table expression begins; 0 without
	recursive bool   // of with
}

// ref is a name in a statement.
type ref struct {
	path       string
	start, end int
	line       int // of the statement, from 1
}

// scanner reads a statement once, token by token. It knows as much of the syntax
// as it takes not to look for names in texts, quoted names and comments.
type scanner struct {
	dialect
	text string
	pos  int
	out  statement

	prev    string   // the token before: a word in small letters, or a sign
	clause  string   // of the query that is read: "from" where relations stand
	outer   []string // the clauses around the open parentheses
	ended   bool     // a semicolon was read
	endedAt int
}

// scan reads a statement. The error says what is wrong with it, and where.
func scan(text string, d dialect) (*statement, error) {
	s := &scanner{dialect: d, text: text}
	for {
		if err := s.space(); err != nil {
			return nil, err
		}
		if s.pos == len(s.text) {
			break
		}
		if s.ended {
			return nil, s.errorf(s.pos, "a second statement begins; expected one statement")
		}
		if err := s.token(); err != nil {
			return nil, err
		}
	}
	if s.out.first == "" {
		return nil, fmt.Errorf("it holds no statement")
	}
	s.out.text = text
	if s.ended {
		s.out.text = text[:s.endedAt]
	}
	return &s.out, nil
}

func (s *scanner) errorf(at int, format string, args ...any) error {
	return fmt.Errorf("line %d: %s", s.line(at), fmt.Sprintf(format, args...))
}

func (s *scanner) line(at int) int { return 1 + strings.Count(s.text[:at], "\n") }

// space skips white space and comments.
func (s *scanner) space() error {
	for s.pos < len(s.text) {
		rest := s.text[s.pos:]
		switch {
		case strings.ContainsRune(" \t\r\n\f\v", rune(rest[0])):
			s.pos++
		case strings.HasPrefix(rest, "--"):
			if n := strings.IndexByte(rest, '\n'); n >= 0 {
				s.pos += n + 1
			} else {
				s.pos = len(s.text)
			}
		case strings.HasPrefix(rest, "/*"):
			if err := s.comment(); err != nil {
				return err
			}
		default:
			return nil
		}
	}
	return nil
}

// comment skips a comment in slashes and asterisks. PostgreSQL's nest.
func (s *scanner) comment() error {
	start, depth := s.pos, 0
	for s.pos < len(s.text) {
		rest := s.text[s.pos:]
		switch {
		case strings.HasPrefix(rest, "/*") && (depth == 0 || s.postgres):
			depth++
			s.pos += 2
		case strings.HasPrefix(rest, "*/"):
			s.pos += 2
			if depth--; depth == 0 {
				return nil
			}
		default:
			s.pos++
		}
	}
	return s.errorf(start, "a comment begins that does not end; close it with */")
}

// token reads the token that the position stands at.
func (s *scanner) token() error {
	start, rest := s.pos, s.text[s.pos:]
	switch c := rest[0]; {
	case c == '\'':
		return s.quoted('\'', s.postgres && s.prev == "e" && s.text[start-1]|0x20 == 'e')
	case c == '"', c == '`' && !s.postgres:
		before := s.prev
		if err := s.quoted(c, false); err != nil {
			return err
		}
		s.prev = before
		s.word(strings.ReplaceAll(s.text[start+1:s.pos-1], string(c)+string(c), string(c)), start)
		return nil
	case c == '[' && !s.postgres:
		return s.quoted(']', false)
	case c == '$' && s.postgres:
		return s.dollar()
	case c == ':':
		return s.colon()
	case !s.postgres && (c == '?' || c == '@' || c == '$'):
		return s.errorf(start, "`%c` names no parameter here; write :name", c)
	case isDigit(c):
		for s.pos++; s.pos < len(s.text) && (isWord(s.text[s.pos]) || s.text[s.pos] == '.'); s.pos++ {
		}
		s.prev = "0"
		return nil
	case isWord(c):
		for s.pos++; s.pos < len(s.text) && isWord(s.text[s.pos]); s.pos++ {
		}
		s.keyword(strings.ToLower(s.text[start:s.pos]), start)
		return nil
	}
	s.sign()
	return nil
}

// sign reads a sign of one byte.
func (s *scanner) sign() {
	c := s.text[s.pos]
	switch c {
	case '(':
		s.outer = append(s.outer, s.clause)
		if s.clause != "from" || s.prev != "from" && s.prev != "join" && s.prev != "," && s.prev != "(" {
			s.clause = ""
		}
	case ')':
		if n := len(s.outer); n > 0 {
			s.clause, s.outer = s.outer[n-1], s.outer[:n-1]
		}
	case ';':
		s.ended, s.endedAt = true, s.pos
	}
	s.prev = string(c)
	s.pos++
}

// quoted skips a text or a quoted name up to the byte that closes it; the byte
// twice stands for itself.
func (s *scanner) quoted(end byte, backslash bool) error {
	start := s.pos
	for s.pos++; s.pos < len(s.text); s.pos++ {
		switch c := s.text[s.pos]; {
		case c == '\\' && backslash:
			s.pos++
		case c == end && end != ']' && s.pos+1 < len(s.text) && s.text[s.pos+1] == end:
			s.pos++
		case c == end:
			s.pos++
			s.prev = "'"
			return nil
		}
	}
	s.pos = len(s.text)
	return s.errorf(start, "a quotation begins that does not end; close it with %c", end)
}

// dollar skips a text in $tag$. A $1 is refused: what is bound is ours.
func (s *scanner) dollar() error {
	start := s.pos
	end := start + 1
	for end < len(s.text) && isWord(s.text[end]) && s.text[end] != '$' {
		end++
	}
	if end == len(s.text) || s.text[end] != '$' || end > start+1 && isDigit(s.text[start+1]) {
		return s.errorf(start, "`%s` names no parameter here; write :name", s.text[start:end])
	}
	tag := s.text[start : end+1]
	n := strings.Index(s.text[end+1:], tag)
	if n < 0 {
		return s.errorf(start, "a text begins with %s that does not end; close it with %s", tag, tag)
	}
	s.pos = end + 1 + n + len(tag)
	s.prev = "'"
	return nil
}

// colon reads a cast, or a parameter: a name and those of members, with dots
// between.
func (s *scanner) colon() error {
	start := s.pos
	if strings.HasPrefix(s.text[start:], "::") {
		s.pos += 2
		s.prev = "::"
		return nil
	}
	end := start
	for end+1 < len(s.text) && isWord(s.text[end+1]) && !isDigit(s.text[end+1]) {
		for end++; end < len(s.text) && isWord(s.text[end]); end++ {
		}
		if end == len(s.text) || s.text[end] != '.' {
			break
		}
	}
	if end > start {
		end = start + len(strings.TrimRight(s.text[start:end], "."))
		s.out.refs = append(s.out.refs, ref{s.text[start+1 : end], start, end, s.line(start)})
		s.first("")
		s.pos, s.prev = end, "0"
		return nil
	}
	s.pos, s.prev = start+1, ":"
	return nil
}

// first notes the statement's first word.
func (s *scanner) first(word string) bool {
	if s.out.first != "" {
		return false
	}
	if s.out.first = word; word == "" {
		s.out.first = "?"
	}
	return true
}

// keyword reads a word without quotes, which may be one of the language's.
func (s *scanner) keyword(word string, start int) {
	if s.first(word) && word == "with" && len(s.outer) == 0 {
		s.out.with = s.pos
	}
	switch word {
	case "recursive":
		if s.out.with > 0 && s.prev == "with" {
			s.out.with, s.out.recursive = s.pos, true
		}
	case "from", "join", "using":
		s.clause = "from"
	case "select", "where", "group", "order", "having", "limit", "offset", "fetch", "union", "intersect", "except",
		"on", "window", "set", "values", "returning":
		s.clause = word
	default:
		s.word(word, start)
		return
	}
	s.prev = word
}

// word reads a name, quoted or not.
func (s *scanner) word(name string, start int) {
	s.first(name)
	if name == "calls" && s.prev != "." {
		if column, end, ok := s.member(); ok {
			s.out.columns = append(s.out.columns, ref{column, start, end, s.line(start)})
		} else if s.clause == "from" && (s.prev == "from" || s.prev == "join" || s.prev == "using" || s.prev == "," || s.prev == "(") {
			s.out.calls = true
		}
	}
	s.prev = name
	if s.prev == "" {
		s.prev = "0"
	}
}

// member is the name behind a dot that follows at once, if any. Nothing is read.
func (s *scanner) member() (name string, end int, ok bool) {
	if s.pos+1 >= len(s.text) || s.text[s.pos] != '.' {
		return "", 0, false
	}
	end = s.pos + 1
	if s.text[end] == '"' {
		look := &scanner{dialect: s.dialect, text: s.text, pos: end}
		if look.quoted('"', false) != nil {
			return "", 0, false
		}
		return strings.ReplaceAll(s.text[end+1:look.pos-1], `""`, `"`), look.pos, true
	}
	for end < len(s.text) && isWord(s.text[end]) {
		end++
	}
	return strings.ToLower(s.text[s.pos+1 : end]), end, end > s.pos+1
}

func isDigit(c byte) bool { return c-'0' <= 9 }

func isWord(c byte) bool {
	return c|0x20-'a' < 26 || isDigit(c) || c == '_' || c == '$' || c >= 0x80
}
