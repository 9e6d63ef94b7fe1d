// JSON in text: reading arguments, which are canonical and therefore valid and
// without white space, and writing strings.

package grpcproto

import (
	"bytes"
	"errors"
	"unicode/utf8"

	"towpath.dev/internal/codec"
	"towpath.dev/internal/native"
)

// cursor goes over a compact JSON value. What is no JSON gives errBroken and
// never a panic.
type cursor struct {
	text []byte
	at   int
}

var errBroken = errors.New("the argument is no canonical JSON")

// peek is the next byte, 0 at the end.
func (c *cursor) peek() byte {
	if c.at < len(c.text) {
		return c.text[c.at]
	}
	return 0
}

// take goes past a byte, if it comes next.
func (c *cursor) take(b byte) bool {
	if c.peek() != b || c.at >= len(c.text) {
		return false
	}
	c.at++
	return true
}

// null goes past a null, if it comes next.
func (c *cursor) null() bool {
	if !bytes.HasPrefix(c.text[c.at:], []byte("null")) {
		return false
	}
	c.at += 4
	return true
}

// value is the next value's text.
func (c *cursor) value() ([]byte, error) {
	start := c.at
	depth := 0
	for c.at < len(c.text) {
		switch b := c.text[c.at]; b {
		case '"':
			if err := c.skipString(); err != nil {
				return nil, err
			}
			if depth == 0 {
				return c.text[start:c.at], nil
			}
			continue
		case '{', '[':
			depth++
		case '}', ']', ',':
			if depth == 0 {
				return c.scalar(start)
			}
			if b != ',' {
				if depth--; depth == 0 {
					c.at++
					return c.text[start:c.at], nil
				}
			}
		}
		c.at++
	}
	if depth > 0 {
		return nil, errBroken
	}
	return c.scalar(start)
}

func (c *cursor) scalar(start int) ([]byte, error) {
	if c.at == start {
		return nil, errBroken
	}
	return c.text[start:c.at], nil
}

func (c *cursor) skipString() error {
	for i := c.at + 1; i < len(c.text); i++ {
		switch c.text[i] {
		case '\\':
			i++
		case '"':
			c.at = i + 1
			return nil
		}
	}
	return errBroken
}

// string is the text that the next string stands for.
func (c *cursor) string() ([]byte, error) {
	start := c.at
	if c.peek() != '"' {
		return nil, errBroken
	}
	if err := c.skipString(); err != nil {
		return nil, err
	}
	raw := c.text[start:c.at]
	if bytes.IndexByte(raw, '\\') < 0 {
		return raw[1 : len(raw)-1], nil
	}
	text, ok := native.UnquoteJSON(string(raw))
	if !ok {
		return nil, errBroken
	}
	return []byte(text), nil
}

// elements calls f at each element of an array; f goes past it.
func (c *cursor) elements(f func() error) error {
	if !c.take('[') {
		return errBroken
	}
	if c.take(']') {
		return nil
	}
	for {
		if err := f(); err != nil {
			return err
		}
		if c.take(']') {
			return nil
		}
		if !c.take(',') {
			return errBroken
		}
	}
}

// members calls f at each member's value of an object; f goes past it.
func (c *cursor) members(f func(name []byte) error) error {
	if !c.take('{') {
		return errBroken
	}
	if c.take('}') {
		return nil
	}
	for {
		name, err := c.string()
		if err != nil {
			return err
		}
		if !c.take(':') {
			return errBroken
		}
		if err := f(name); err != nil {
			return err
		}
		if c.take('}') {
			return nil
		}
		if !c.take(',') {
			return errBroken
		}
	}
}

// find is the value at a path of member names; nil when a member is not there or
// null stands above it.
func find(value []byte, path []string) ([]byte, error) {
	for _, name := range path {
		c := cursor{text: value}
		if c.null() {
			return nil, nil
		}
		var found []byte
		err := c.members(func(member []byte) error {
			v, err := c.value()
			if string(member) == name {
				found = v
			}
			return err
		})
		if err != nil || found == nil {
			return nil, err
		}
		value = found
	}
	if string(value) == "null" {
		return nil, nil
	}
	return value, nil
}

// appendString writes a text as a JSON string. It reports false, and writes
// nothing, when the text is not UTF-8.
func appendString(dst, text []byte) ([]byte, bool) {
	if !utf8.Valid(text) {
		return dst, false
	}
	return codec.AppendString(dst, text), true
}
