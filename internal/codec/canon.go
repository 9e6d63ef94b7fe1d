package codec

import (
	"encoding/binary"
	"encoding/json"
	"fmt"

	"towpath.dev/internal/abi"
)

// Canon reads values without a module that holds them: it brings arguments to the
// one form in which calls are known, so that spelling and order make no difference,
// and says whether an answer fits.
type Canon struct {
	codec   *Codec
	statics []byte // memory up to the heap: where values without fields lie
}

// NewCanon makes a Canon for a schema. base is its modules' first address behind the
// static data.
func NewCanon(schema *abi.Schema, base uint32) (*Canon, error) {
	c, err := New(schema)
	if err != nil {
		return nil, err
	}
	statics := make([]byte, base)
	for i := range schema.Types {
		for tag, ctor := range schema.Types[i].Ctors {
			if ctor.Static != 0 && ctor.Static+4 <= base {
				binary.LittleEndian.PutUint32(statics[ctor.Static:], uint32(tag))
			}
		}
	}
	return &Canon{c, statics}, nil
}

// Args is the canonical array of an operation's arguments, whose record is of the
// type id. Parameters without an argument have their defaults.
func (c *Canon) Args(id abi.TypeID, args []json.RawMessage) ([]byte, error) {
	fields := c.codec.schema.Types[id].Fields
	if len(args) > len(fields) {
		return nil, fmt.Errorf("%d arguments for %d parameters", len(args), len(fields))
	}
	object := []byte{'{'}
	for i, arg := range args {
		if i > 0 {
			object = append(object, ',')
		}
		name := fields[i].JSON
		if name == "" {
			name = fields[i].Name
		}
		text, err := json.Marshal(name)
		if err != nil {
			return nil, err
		}
		object = append(append(append(object, text...), ':'), arg...)
	}
	plan := c.codec.Plan(id)
	mem, value, err := c.decode(plan, append(object, '}'))
	if err != nil {
		return nil, err
	}
	return plan.AppendArgs(nil, mem, uint32(value))
}

// Check says what is wrong with a value of a type, if something is.
func (c *Canon) Check(id abi.TypeID, text []byte) error {
	_, _, err := c.decode(c.codec.Plan(id), text)
	return err
}

// decode reads JSON into memory made for it.
func (c *Canon) decode(plan Plan, text []byte) (mem []byte, value uint64, err error) {
	const slack = 64      // that the decoder may read beyond its limit
	const most = 16 << 20 // more than any request may keep
	if len(text) > most {
		return nil, 0, fmt.Errorf("%d bytes are more than any request takes", len(text))
	}
	base := uint32(len(c.statics))
	heap := base + Room(len(text))
	limit := heap + 64*uint32(len(text)) + 1<<16
	mem = make([]byte, limit+slack)
	copy(mem, c.statics)
	copy(mem[base:], text)
	var d Decoder
	value, _, err = d.Decode(plan, mem, Body{Addr: base, Len: uint32(len(text))}, heap, limit)
	return mem, value, err
}
