// Protobuf's wire format, as far as plans need it. See
// https://protobuf.dev/programming-guides/encoding/.

package grpcproto

import (
	"errors"
	"iter"
	"math"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"
)

var errWire = errors.New("the answer is no protobuf message: it is broken or cut off")

// occurrence is a field as it stands on the wire: a number in bits, or a text,
// message or packed list in raw.
type occurrence struct {
	bits uint64
	raw  []byte
	kind protowire.Type
	next int32 // of the same field; index+1, 0 for none
}

// field is an occurrence with its number.
type field struct {
	number protowire.Number
	occurrence
}

// next takes a field off the front of a message.
func next(data []byte) (f field, rest []byte, err error) {
	number, kind, n := protowire.ConsumeTag(data)
	if n < 0 {
		return f, nil, errWire
	}
	f.number, f.kind = number, kind
	data = data[n:]
	switch kind {
	case protowire.VarintType:
		f.bits, n = protowire.ConsumeVarint(data)
	case protowire.Fixed32Type:
		var v uint32
		v, n = protowire.ConsumeFixed32(data)
		f.bits = uint64(v)
	case protowire.Fixed64Type:
		f.bits, n = protowire.ConsumeFixed64(data)
	case protowire.BytesType:
		f.raw, n = protowire.ConsumeBytes(data)
	case protowire.StartGroupType:
		f.raw, n = protowire.ConsumeGroup(number, data)
	default:
		return f, nil, errWire
	}
	if n < 0 {
		return f, nil, errWire
	}
	return f, data[n:], nil
}

// fields are a small message's fields, up to the first broken one.
func fields(data []byte) iter.Seq[field] {
	return func(yield func(field) bool) {
		for len(data) > 0 {
			f, rest, err := next(data)
			if err != nil || !yield(f) {
				return
			}
			data = rest
		}
	}
}

// wellFormed reports whether fields gives all of a message.
func wellFormed(data []byte) bool {
	for len(data) > 0 {
		_, rest, err := next(data)
		if err != nil {
			return false
		}
		data = rest
	}
	return true
}

// wireType is how values of a kind stand on the wire.
func wireType(k protoreflect.Kind) protowire.Type {
	switch k {
	case protoreflect.Fixed32Kind, protoreflect.Sfixed32Kind, protoreflect.FloatKind:
		return protowire.Fixed32Type
	case protoreflect.Fixed64Kind, protoreflect.Sfixed64Kind, protoreflect.DoubleKind:
		return protowire.Fixed64Type
	case protoreflect.StringKind, protoreflect.BytesKind, protoreflect.MessageKind:
		return protowire.BytesType
	case protoreflect.GroupKind:
		return protowire.StartGroupType
	}
	return protowire.VarintType
}

// element takes a value off the front of a packed list.
func element(data []byte, t protowire.Type) (o occurrence, rest []byte, err error) {
	n := 0
	o.kind = t
	switch t {
	case protowire.VarintType:
		o.bits, n = protowire.ConsumeVarint(data)
	case protowire.Fixed32Type:
		var v uint32
		v, n = protowire.ConsumeFixed32(data)
		o.bits = uint64(v)
	default:
		o.bits, n = protowire.ConsumeFixed64(data)
	}
	if n < 0 {
		return o, nil, errWire
	}
	return o, data[n:], nil
}

// signed is a whole number of a kind other than uint64 and fixed64.
func signed(k protoreflect.Kind, bits uint64) int64 {
	switch k {
	case protoreflect.Int32Kind, protoreflect.Sfixed32Kind, protoreflect.EnumKind:
		return int64(int32(bits))
	case protoreflect.Sint32Kind:
		return int64(int32(protowire.DecodeZigZag(uint64(uint32(bits)))))
	case protoreflect.Sint64Kind:
		return protowire.DecodeZigZag(bits)
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		return int64(uint32(bits))
	}
	return int64(bits)
}

// isUnsigned64 reports whether a kind has values beyond an int64.
func isUnsigned64(k protoreflect.Kind) bool {
	return k == protoreflect.Uint64Kind || k == protoreflect.Fixed64Kind
}

// isWhole reports whether a kind is of whole numbers.
func isWhole(k protoreflect.Kind) bool {
	switch k {
	case protoreflect.Int32Kind, protoreflect.Int64Kind, protoreflect.Sint32Kind, protoreflect.Sint64Kind,
		protoreflect.Uint32Kind, protoreflect.Uint64Kind, protoreflect.Fixed32Kind, protoreflect.Fixed64Kind,
		protoreflect.Sfixed32Kind, protoreflect.Sfixed64Kind:
		return true
	}
	return false
}

// reach are the least and the greatest whole number of a kind.
func reach(k protoreflect.Kind) (least int64, greatest uint64) {
	switch k {
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind, protoreflect.EnumKind:
		return math.MinInt32, math.MaxInt32
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		return 0, math.MaxUint32
	case protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		return 0, math.MaxUint64
	}
	return math.MinInt64, math.MaxInt64
}

// appendWhole writes a whole number as a kind's value.
func appendWhole(dst []byte, k protoreflect.Kind, bits uint64) []byte {
	switch k {
	case protoreflect.Sint32Kind, protoreflect.Sint64Kind:
		return protowire.AppendVarint(dst, protowire.EncodeZigZag(int64(bits)))
	case protoreflect.Fixed32Kind, protoreflect.Sfixed32Kind:
		return protowire.AppendFixed32(dst, uint32(bits))
	case protoreflect.Fixed64Kind, protoreflect.Sfixed64Kind:
		return protowire.AppendFixed64(dst, bits)
	}
	return protowire.AppendVarint(dst, bits)
}

// prefixLength writes the length of what stands from start on before it.
func prefixLength(dst []byte, start int) []byte {
	length := len(dst) - start
	n := protowire.SizeVarint(uint64(length))
	dst = slices.Grow(dst, n)[:len(dst)+n]
	copy(dst[start+n:], dst[start:start+length])
	protowire.AppendVarint(dst[:start], uint64(length))
	return dst
}
