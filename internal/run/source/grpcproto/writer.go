// From canonical JSON to the wire, by a plan.

package grpcproto

import (
	"google.golang.org/protobuf/encoding/protowire"
)

// valueWriter appends a value as the wire has it, without tag and length; the
// cursor stands before the value's JSON, which is never null.
type valueWriter func(dst []byte, c *cursor) ([]byte, error)

// messageWriter writes an object, or where alone is set any value, as a message.
type messageWriter struct {
	members map[string]memberWriter
	alone   memberWriter
}

// memberWriter appends what a member's value becomes: tags and all. The cursor
// stands before the value, which may be null.
type memberWriter interface {
	write(dst []byte, c *cursor) ([]byte, error)
}

// fieldWriter writes a field.
type fieldWriter struct {
	number   protowire.Number
	kind     protowire.Type
	shape    shape
	packed   bool
	explicit bool // also written when it has its type's zero value
	value    valueWriter
	key      valueWriter // of maps, from the member's name as a JSON string
	keyKind  protowire.Type
}

func (w *messageWriter) write(dst []byte, c *cursor) ([]byte, error) {
	if w.alone != nil {
		return w.alone.write(dst, c)
	}
	return w.object(dst, c, "")
}

// object writes an object's members, but for the one called skip.
func (w *messageWriter) object(dst []byte, c *cursor, skip string) ([]byte, error) {
	err := c.members(func(name []byte) (err error) {
		m := w.members[string(name)]
		if m == nil {
			if skip == "" || string(name) != skip {
				return refusedf("the member %q has no field", name)
			}
			_, err = c.value()
			return err
		}
		dst, err = m.write(dst, c)
		return err
	})
	return dst, err
}

func (w *fieldWriter) write(dst []byte, c *cursor) ([]byte, error) {
	if c.null() {
		return dst, nil
	}
	switch w.shape {
	case list:
		return w.list(dst, c)
	case mapping:
		return w.mapping(dst, c)
	}
	return w.one(dst, c, w.explicit)
}

// one writes a value with its tag.
func (w *fieldWriter) one(dst []byte, c *cursor, explicit bool) ([]byte, error) {
	tag := len(dst)
	dst = protowire.AppendTag(dst, w.number, w.kind)
	start := len(dst)
	dst, err := w.value(dst, c)
	if err != nil {
		return dst, err
	}
	if !explicit && isZero(dst[start:]) {
		return dst[:tag], nil
	}
	switch w.kind {
	case protowire.BytesType:
		dst = prefixLength(dst, start)
	case protowire.StartGroupType:
		dst = protowire.AppendTag(dst, w.number, protowire.EndGroupType)
	}
	return dst, nil
}

func isZero(value []byte) bool {
	for _, b := range value {
		if b != 0 {
			return false
		}
	}
	return true
}

func (w *fieldWriter) list(dst []byte, c *cursor) ([]byte, error) {
	if !w.packed {
		err := c.elements(func() (err error) {
			dst, err = w.one(dst, c, true)
			return err
		})
		return dst, err
	}
	tag := len(dst)
	dst = protowire.AppendTag(dst, w.number, protowire.BytesType)
	start := len(dst)
	err := c.elements(func() (err error) {
		dst, err = w.value(dst, c)
		return err
	})
	if err != nil || len(dst) == start {
		return dst[:tag], err
	}
	return prefixLength(dst, start), nil
}

func (w *fieldWriter) mapping(dst []byte, c *cursor) ([]byte, error) {
	key := fieldWriter{number: 1, kind: w.keyKind, value: w.key}
	value := fieldWriter{number: 2, kind: w.kind, value: w.value}
	err := c.members(func(name []byte) (err error) {
		dst = protowire.AppendTag(dst, w.number, protowire.BytesType)
		start := len(dst)
		if dst, err = key.one(dst, &cursor{text: name}, true); err != nil {
			return err
		}
		if dst, err = value.one(dst, c, true); err != nil {
			return err
		}
		dst = prefixLength(dst, start)
		return nil
	})
	return dst, err
}

// oneofWriter writes a variant as the field for its alternative.
type oneofWriter struct {
	enum    bool // the variant's JSON is its name alone
	choices map[string]*choiceWriter
}

// choiceWriter is how an alternative is written.
type choiceWriter struct {
	field  *fieldWriter
	member string         // whose value is the field's; or, when it is "",
	rest   *messageWriter // the object without its type is the field's message; or, when nil,
	empty  []byte         // the field's content
}

func (w *oneofWriter) write(dst []byte, c *cursor) ([]byte, error) {
	if c.null() {
		return dst, nil
	}
	text, err := c.value()
	if err != nil {
		return dst, err
	}
	name := text
	if !w.enum {
		if name, err = find(text, []string{"type"}); err != nil {
			return dst, err
		}
	}
	ctor, err := (&cursor{text: name}).string()
	if err != nil {
		return dst, err
	}
	choice := w.choices[string(ctor)]
	if choice == nil {
		return dst, refusedf("the alternative %s has no field", ctor)
	}
	f := *choice.field
	switch {
	case choice.member != "":
		value, err := find(text, []string{choice.member})
		if err != nil || value == nil {
			return dst, err
		}
		return f.one(dst, &cursor{text: value}, true)
	case choice.rest != nil:
		f.value = func(dst []byte, c *cursor) ([]byte, error) { return choice.rest.object(dst, c, "type") }
		return f.one(dst, &cursor{text: text}, true)
	}
	f.value = func(dst []byte, _ *cursor) ([]byte, error) { return append(dst, choice.empty...), nil }
	return f.one(dst, nil, true)
}
