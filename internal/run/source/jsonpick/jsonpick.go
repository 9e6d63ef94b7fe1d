// Package jsonpick slices JSON without decoding it: it checks a text once and
// finds, by a JSON Pointer (RFC 6901), the bytes of a value in it.
//
//	p, err := jsonpick.Compile("/data/items/0/price")
//	price, ok, err := p.Scan(body) // a part of body; not ok where there is nothing
//
// A text is JSON as RFC 8259 has it, in valid UTF-8, nested at most [MaxDepth]
// levels deep. Names of members are compared as they are meant, escapes resolved.
// A member that the pointer asks for and that stands twice is an error, never the
// first or the last of them; members nobody asks for are not compared.
//
// What is found lies in the text and lives as long as that: clone it to keep it.
package jsonpick

import (
	"fmt"
	"strconv"
	"strings"
)

// MaxDepth is how deep arrays and objects may nest.
const MaxDepth = 256

// Value is the text of one JSON value that was checked, without white space
// around it; inside, white space stays as it was.
type Value []byte

// Parse checks that the text is one JSON value, and gives it. The error is an
// *Error.
func Parse(text []byte) (Value, error) {
	v, _, err := Pointer{}.Scan(text)
	return v, err
}

// IsNull reports whether the value is null.
func (v Value) IsNull() bool { return len(v) == 4 && v[0] == 'n' }

// Kind is the value's kind in a few words: "an object", "null".
func (v Value) Kind() string {
	switch {
	case len(v) == 0:
		return "nothing"
	case v[0] == '{':
		return "an object"
	case v[0] == '[':
		return "a list"
	case v[0] == '"':
		return "a text"
	case v[0] == 't' || v[0] == 'f':
		return "true or false"
	case v[0] == 'n':
		return "null"
	}
	return "a number"
}

// Text is what a string says, its escapes resolved; a number, true and false
// are their own text. Others have none. The text lies in the value, if it can.
func (v Value) Text() (text []byte, ok bool) {
	switch {
	case len(v) == 0 || v[0] == '{' || v[0] == '[' || v[0] == 'n':
		return nil, false
	case v[0] != '"':
		return v, true
	}
	return unquote(v), true
}

// Elements appends an array's elements to dst; of other values there are none.
func (v Value) Elements(dst []Value) []Value {
	if len(v) == 0 || v[0] != '[' {
		return dst
	}
	s := scanner{text: v}
	for pos, more := s.open(0); more; {
		end := s.value(pos)
		if end < 0 {
			break
		}
		dst = append(dst, v[pos:end:end])
		pos, more = s.next(end, ']')
	}
	return dst
}

// Members calls visit for each member of an object in its order, until it
// reports false. The name is only lent to it, its escapes resolved.
func (v Value) Members(visit func(name []byte, value Value) bool) {
	if len(v) == 0 || v[0] != '{' {
		return
	}
	s := scanner{text: v}
	for pos, more := s.open(0); more; {
		colon := s.name(pos)
		if colon < 0 {
			break
		}
		name := unquote(v[pos:colon])
		start := s.colon(colon)
		if start < 0 {
			break
		}
		end := s.value(start)
		if end < 0 || !visit(name, Value(v[start:end:end])) {
			break
		}
		pos, more = s.next(end, '}')
	}
}

// Pointer is a compiled JSON Pointer. The zero Pointer is of the whole text.
type Pointer struct {
	text   string
	tokens []token
}

// token is a step of a pointer.
type token struct {
	name  string // of a member
	index int    // of an element; -1 when the name is no index
}

// Compile reads a pointer: "" or names that each follow a slash, in which ~1
// stands for a slash and ~0 for a tilde.
func Compile(text string) (Pointer, error) {
	if text == "" {
		return Pointer{}, nil
	}
	if text[0] != '/' {
		return Pointer{}, fmt.Errorf("%q is no JSON Pointer; it starts with a slash: %q", text, "/"+text)
	}
	p := Pointer{text: text}
	for part := range strings.SplitSeq(text[1:], "/") {
		if i := strings.IndexByte(part, '~'); i >= 0 {
			if rest := strings.NewReplacer("~0", "", "~1", "").Replace(part); strings.Contains(rest, "~") {
				return Pointer{}, fmt.Errorf("%q is no JSON Pointer; a tilde is written ~0, and a slash in a name ~1", text)
			}
			part = strings.NewReplacer("~1", "/", "~0", "~").Replace(part)
		}
		p.tokens = append(p.tokens, token{part, index(part)})
	}
	return p, nil
}

// Member is the pointer of members by their names, outermost first.
func Member(names ...string) Pointer {
	p := Pointer{}
	for _, n := range names {
		p.text += "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(n)
		p.tokens = append(p.tokens, token{n, index(n)})
	}
	return p
}

// index is the name as the index of an element, or -1.
func index(name string) int {
	if name == "" || name[0] == '0' && len(name) > 1 {
		return -1
	}
	for _, c := range []byte(name) {
		if c < '0' || c > '9' {
			return -1
		}
	}
	i, err := strconv.Atoi(name)
	if err != nil {
		return -1
	}
	return i
}

// String is the pointer as it is written.
func (p Pointer) String() string { return p.text }

// IsWhole reports whether the pointer is of the whole text.
func (p Pointer) IsWhole() bool { return len(p.tokens) == 0 }

// Scan checks the text and finds the value that the pointer leads to; ok is
// false when it leads nowhere. The error is an *Error.
func (p Pointer) Scan(text []byte) (v Value, ok bool, err error) {
	if at := invalidUTF8(text); at >= 0 {
		return nil, false, &Error{Offset: at, Expected: "UTF-8"}
	}
	return p.find(text)
}

// Find finds the value that the pointer leads to in a value that was checked.
// The error is of a member that stands twice.
func (p Pointer) Find(v Value) (found Value, ok bool, err error) {
	if len(p.tokens) == 0 {
		return v, true, nil
	}
	return p.find(v)
}

func (p Pointer) find(text []byte) (Value, bool, error) {
	s := scanner{text: text}
	end := s.find(s.space(0), p.tokens)
	if end >= 0 {
		if end = s.space(end); end < len(text) {
			s.fail(end, "the end of the text")
		}
	}
	if s.err != nil {
		return nil, false, s.err
	}
	if !s.found {
		return nil, false, nil
	}
	return text[s.start:s.end:s.end], true, nil
}

// Error says where a text is not what it should be.
type Error struct {
	Offset   int    // in bytes, of what was found instead
	Expected string // "a value"
	Found    string // "`x`"; "" when there is no more to say
}

func (e *Error) Error() string {
	if e.Found == "" {
		return fmt.Sprintf("expected %s at byte %d", e.Expected, e.Offset+1)
	}
	return fmt.Sprintf("expected %s at byte %d, found %s", e.Expected, e.Offset+1, e.Found)
}
