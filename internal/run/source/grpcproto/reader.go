// From the wire to JSON, by a plan.

package grpcproto

import (
	"errors"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// maxDepth is how deep messages may nest; JSON may nest 128 deep and a list adds
// a level.
const maxDepth = 60

// decoder is the state of one reading. Occurrences and slots are stacks: a
// message's own lie on top while it is read.
type decoder struct {
	found []occurrence
	slots []slot
	depth int
	limit int // bytes that the JSON may have
}

// slot is where a field was found: the first and the last occurrence, by index+1.
type slot struct{ first, last int32 }

// errAbsent says that a value is left out where it may be.
var errAbsent = errors.New("a value that the type does not know")

// valueReader appends a value's JSON.
type valueReader func(d *decoder, dst []byte, o occurrence) ([]byte, error)

// messageReader writes a message as an object.
type messageReader struct {
	name    protoreflect.FullName
	index   map[protowire.Number]int
	slots   []slotPlan
	members []memberReader
	// alone: the message is written as its only member's value.
	alone bool
}

// slotPlan says what may be found of a field.
type slotPlan struct {
	kind   protowire.Type
	packed bool
	group  int // of the same oneof, from 1; 0 without
}

// memberReader writes a member, from one field or from those of a oneof.
type memberReader struct {
	label   string // `"price":`
	slot    int
	shape   shape
	kind    protowire.Type
	message bool
	read    valueReader
	key     valueReader // of maps
	keyKind protowire.Type
	value   *memberReader
	zero    bool // an absent field has its type's zero value
	choices []choiceReader
}

type shape uint8

const (
	single shape = iota
	list
	mapping
	oneof
)

// choiceReader writes the alternative for a field of a oneof.
type choiceReader struct {
	slot  int
	label string // `"type":"Card"`, or `"Card"` when enum
	enum  bool
	value *memberReader  // the field's value, as a member; or
	rest  *messageReader // the members of the field's message; or neither
}

// message appends a message's JSON.
func (d *decoder) message(r *messageReader, dst, data []byte) ([]byte, error) {
	if r.alone {
		dst, present, err := d.inner(r, dst, data, "")
		if err == nil && !present {
			return append(dst, "null"...), nil
		}
		return dst, err
	}
	dst = append(dst, '{')
	dst, _, err := d.inner(r, dst, data, "")
	if err != nil {
		return dst, err
	}
	return append(dst, '}'), nil
}

// inner appends the members alone, behind what stands before them.
func (d *decoder) inner(r *messageReader, dst, data []byte, before string) (out []byte, any bool, err error) {
	if d.depth++; d.depth > maxDepth {
		return dst, false, fmt.Errorf("the answer nests messages more than %d deep", maxDepth)
	}
	found, slots := len(d.found), len(d.slots)
	defer func() {
		d.depth--
		d.found, d.slots = d.found[:found], d.slots[:slots]
	}()
	for range r.slots {
		d.slots = append(d.slots, slot{})
	}
	if err := d.collect(r, slots, data); err != nil {
		return dst, false, err
	}
	dst = append(dst, before...)
	any = before != ""
	for i := range r.members {
		m := &r.members[i]
		start := len(dst)
		if any {
			dst = append(dst, ',')
		}
		if !r.alone {
			dst = append(dst, m.label...)
		}
		var present bool
		if dst, present, err = d.member(m, dst, slots); err != nil {
			return dst, false, err
		}
		if !present {
			dst = dst[:start]
			continue
		}
		any = true
		if len(dst) > d.limit {
			return dst, false, errLarge
		}
	}
	return dst, any, nil
}

var errLarge = errors.New("the answer as JSON is larger than `max_answer` allows")

// collect finds the occurrences of a message's fields.
func (d *decoder) collect(r *messageReader, base int, data []byte) error {
	for len(data) > 0 {
		f, rest, err := next(data)
		if err != nil {
			return err
		}
		data = rest
		i, known := r.index[f.number]
		if !known {
			continue
		}
		p := &r.slots[i]
		if f.kind != p.kind && !(p.packed && f.kind == protowire.BytesType) {
			continue // as other implementations: a field of another type is unknown
		}
		if p.group > 0 { // what comes last of a oneof counts
			for j := range r.slots {
				if j != i && r.slots[j].group == p.group {
					d.slots[base+j] = slot{}
				}
			}
		}
		d.found = append(d.found, f.occurrence)
		at := int32(len(d.found))
		if s := &d.slots[base+i]; s.first == 0 {
			s.first, s.last = at, at
		} else {
			d.found[s.last-1].next = at
			s.last = at
		}
	}
	return nil
}

// member appends a member's value, from slots at base on. Not present is what is
// to be left out.
func (d *decoder) member(m *memberReader, dst []byte, base int) (out []byte, present bool, err error) {
	if m.shape == oneof {
		return d.choice(m, dst, base)
	}
	s := d.slots[base+m.slot]
	switch m.shape {
	case list:
		dst, err = d.list(m, append(dst, '['), s)
		return append(dst, ']'), true, err
	case mapping:
		dst, err = d.mapping(m, append(dst, '{'), s)
		return append(dst, '}'), true, err
	}
	return d.single(m, dst, s)
}

func (d *decoder) single(m *memberReader, dst []byte, s slot) (out []byte, present bool, err error) {
	o := occurrence{}
	switch {
	case s.first == 0 && !m.zero:
		return dst, false, nil
	case s.first == 0:
	case m.message:
		o.raw = d.merged(s)
	default:
		o = d.found[s.last-1]
	}
	start := len(dst)
	if dst, err = m.read(d, dst, o); errors.Is(err, errAbsent) {
		return dst[:start], false, nil
	}
	return dst, true, err
}

// merged is a message that came in parts: they merge as their bytes do.
func (d *decoder) merged(s slot) []byte {
	if s.first == s.last {
		return d.found[s.first-1].raw
	}
	var all []byte
	for at := s.first; at != 0; at = d.found[at-1].next {
		all = append(all, d.found[at-1].raw...)
	}
	return all
}

func (d *decoder) list(m *memberReader, dst []byte, s slot) ([]byte, error) {
	open := len(dst)
	one := func(o occurrence) (err error) {
		if len(dst) > open {
			dst = append(dst, ',')
		}
		if dst, err = m.read(d, dst, o); err == nil && len(dst) > d.limit {
			err = errLarge
		}
		return err
	}
	for at := s.first; at != 0; at = d.found[at-1].next {
		o := d.found[at-1]
		if o.kind == m.kind {
			if err := one(o); err != nil {
				return dst, err
			}
			continue
		}
		for data := o.raw; len(data) > 0; {
			o, rest, err := element(data, m.kind)
			if err == nil {
				err = one(o)
			}
			if err != nil {
				return dst, err
			}
			data = rest
		}
	}
	return dst, nil
}

// mapping appends a map's members. A key that comes again replaces the earlier
// entry, so what is written are the last ones.
func (d *decoder) mapping(m *memberReader, dst []byte, s slot) ([]byte, error) {
	type entry struct {
		key   string
		value occurrence
		has   bool
	}
	var entries []entry
	places := map[string]int{}
	for at := s.first; at != 0; at = d.found[at-1].next {
		var e entry
		var key occurrence
		for data := d.found[at-1].raw; len(data) > 0; {
			f, rest, err := next(data)
			if err != nil {
				return dst, err
			}
			data = rest
			switch f.number {
			case 1:
				if f.kind == m.keyKind {
					key = f.occurrence
				}
			case 2:
				if f.kind == m.value.kind {
					if m.value.message && e.has { // as any message that comes in parts
						f.raw = append(append([]byte(nil), e.value.raw...), f.raw...)
					}
					e.value, e.has = f.occurrence, true
				}
			}
		}
		text, err := m.key(d, nil, key)
		if err != nil {
			return dst, err
		}
		e.key = string(text)
		if i, again := places[e.key]; again {
			entries[i] = e
			continue
		}
		places[e.key] = len(entries)
		entries = append(entries, e)
	}
	for i, e := range entries {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(append(dst, e.key...), ':')
		var err error
		if dst, err = m.value.read(d, dst, e.value); err != nil {
			return dst, err
		}
		if len(dst) > d.limit {
			return dst, errLarge
		}
	}
	return dst, nil
}

// choice appends the alternative of a oneof.
func (d *decoder) choice(m *memberReader, dst []byte, base int) (out []byte, present bool, err error) {
	for i := range m.choices {
		c := &m.choices[i]
		s := d.slots[base+c.slot]
		if s.first == 0 {
			continue
		}
		if c.enum {
			return append(dst, c.label...), true, nil
		}
		dst = append(dst, '{')
		switch {
		case c.rest != nil:
			dst, _, err = d.inner(c.rest, dst, d.merged(s), c.label)
		case c.value != nil:
			dst = append(append(append(dst, c.label...), ','), c.value.label...)
			dst, present, err = d.single(c.value, dst, s)
			if err == nil && !present {
				dst = append(dst, "null"...)
			}
		default:
			dst = append(dst, c.label...)
		}
		return append(dst, '}'), true, err
	}
	return dst, false, nil
}
