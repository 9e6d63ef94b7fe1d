package filetable

import (
	"encoding/binary"
	"errors"

	"towpath.dev/internal/abi"
	"towpath.dev/internal/codec"
)

// values reads JSON by a program's types: to check it, and to bring it to the one
// form in which calls have it. It is not for concurrent use; loads go one after
// the other.
type values struct {
	schema  *abi.Schema
	codec   *codec.Codec
	decoder codec.Decoder
	mem     []byte
	base    uint32 // the first address after static data
}

func newValues(schema *abi.Schema) (*values, error) {
	c, err := codec.New(schema)
	if err != nil {
		return nil, err
	}
	v := &values{schema: schema, codec: c, base: abi.StaticBase}
	for i := range schema.Types {
		for _, ctor := range schema.Types[i].Ctors {
			v.base = max(v.base, abi.Align(ctor.Static+4, 8))
		}
	}
	return v, nil
}

// room is the memory that a text's value may take, beside the text.
func room(text []byte) uint32 { return 64*uint32(len(text)) + 4<<10 }

// mostText bounds the text of one value.
const mostText = 16 << 20

func (v *values) decode(plan codec.Plan, text []byte) (uint64, error) {
	const slack = 64 // that the decoder may read beyond its limit
	if len(text) > mostText {
		return 0, errors.New("it is longer than 16 MiB")
	}
	heap := v.base + codec.Room(len(text))
	limit := heap + room(text)
	if int(limit)+slack > len(v.mem) {
		v.mem = make([]byte, 2*int(limit)+slack)
		// Alternatives without fields are cells in the static data.
		for i := range v.schema.Types {
			for tag, ctor := range v.schema.Types[i].Ctors {
				if ctor.Static != 0 {
					binary.LittleEndian.PutUint32(v.mem[ctor.Static:], uint32(tag))
				}
			}
		}
	}
	copy(v.mem[v.base:], text)
	value, _, err := v.decoder.Decode(plan, v.mem, codec.Body{Addr: v.base, Len: uint32(len(text))}, heap, limit)
	return value, err
}

// check says what is wrong with a JSON text of a type.
func (v *values) check(id abi.TypeID, text []byte) error {
	_, err := v.decode(v.codec.Plan(id), text)
	return err
}

// appendArgs appends the canonical arguments that an object of them says.
func (v *values) appendArgs(dst []byte, args abi.TypeID, object []byte) ([]byte, error) {
	plan := v.codec.Plan(args)
	value, err := v.decode(plan, object)
	if err != nil {
		return dst, err
	}
	return plan.AppendArgs(dst, v.mem, uint32(value))
}
