// google.protobuf.Struct, Value and ListValue: JSON in protobuf.

package grpcproto

import (
	"fmt"
	"math"
	"strconv"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"

	"towpath.dev/internal/native"
)

var readJSON = map[protoreflect.FullName]func(d *decoder, dst, data []byte) ([]byte, error){
	"google.protobuf.Struct":    (*decoder).jsonStruct,
	"google.protobuf.Value":     (*decoder).jsonAny,
	"google.protobuf.ListValue": (*decoder).jsonList,
}

// The fields of google.protobuf.Value.
const (
	jsonNull = iota + 1
	jsonNumber
	jsonString
	jsonBool
	jsonObject
	jsonArray
)

func (d *decoder) jsonAny(dst, data []byte) ([]byte, error) {
	if d.depth++; d.depth > maxDepth {
		return dst, fmt.Errorf("the answer nests JSON more than %d deep", maxDepth)
	}
	defer func() { d.depth-- }()
	if !wellFormed(data) {
		return dst, errWire
	}
	last := field{}
	for f := range fields(data) {
		if f.number <= jsonArray {
			if f.number == last.number && f.number >= jsonObject { // they merge
				f.raw = append(append([]byte(nil), last.raw...), f.raw...)
			}
			last = f
		}
	}
	if len(dst) > d.limit {
		return dst, errLarge
	}
	switch last.number {
	case jsonNumber:
		return appendFloat(dst, math.Float64frombits(last.bits), 64)
	case jsonString:
		return readString("google.protobuf.Value.string_value")(d, dst, last.occurrence)
	case jsonBool:
		return strconv.AppendBool(dst, last.bits != 0), nil
	case jsonObject:
		return d.jsonStruct(dst, last.raw)
	case jsonArray:
		return d.jsonList(dst, last.raw)
	}
	return append(dst, "null"...), nil
}

func (d *decoder) jsonList(dst, data []byte) (_ []byte, err error) {
	if !wellFormed(data) {
		return dst, errWire
	}
	dst = append(dst, '[')
	open := len(dst)
	for f := range fields(data) {
		if f.number != 1 || f.kind != protowire.BytesType {
			continue
		}
		if len(dst) > open {
			dst = append(dst, ',')
		}
		if dst, err = d.jsonAny(dst, f.raw); err != nil {
			return dst, err
		}
	}
	return append(dst, ']'), nil
}

// jsonStruct is written as any map is, with values that are JSON.
func (d *decoder) jsonStruct(dst, data []byte) ([]byte, error) {
	m := &memberReader{
		key:     readString("google.protobuf.Struct.fields"),
		keyKind: protowire.BytesType,
		value: &memberReader{kind: protowire.BytesType, message: true, read: func(d *decoder, dst []byte, o occurrence) ([]byte, error) {
			return d.jsonAny(dst, o.raw)
		}},
	}
	if !wellFormed(data) {
		return dst, errWire
	}
	found := len(d.found)
	defer func() { d.found = d.found[:found] }()
	s := slot{}
	for f := range fields(data) {
		if f.number != 1 || f.kind != protowire.BytesType {
			continue
		}
		d.found = append(d.found, f.occurrence)
		at := int32(len(d.found))
		if s.first == 0 {
			s.first = at
		} else {
			d.found[s.last-1].next = at
		}
		s.last = at
	}
	dst, err := d.mapping(m, append(dst, '{'), s)
	return append(dst, '}'), err
}

// writeJSONValue writes the content of a google.protobuf.Value.
func writeJSONValue(dst []byte, c *cursor) (_ []byte, err error) {
	message := func(number protowire.Number, write func([]byte, *cursor) ([]byte, error)) ([]byte, error) {
		dst = protowire.AppendTag(dst, number, protowire.BytesType)
		start := len(dst)
		if dst, err = write(dst, c); err != nil {
			return dst, err
		}
		return prefixLength(dst, start), nil
	}
	switch c.peek() {
	case '{':
		return message(jsonObject, writeJSONStruct)
	case '[':
		return message(jsonArray, writeJSONList)
	case '"':
		return message(jsonString, writeString)
	}
	text, err := c.value()
	if err != nil {
		return dst, err
	}
	switch string(text) {
	case "null":
		return protowire.AppendVarint(protowire.AppendTag(dst, jsonNull, protowire.VarintType), 0), nil
	case "true", "false":
		dst = protowire.AppendTag(dst, jsonBool, protowire.VarintType)
		return protowire.AppendVarint(dst, protowire.EncodeBool(text[0] == 't')), nil
	}
	f, ok := native.ReadFloat(string(text))
	if !ok {
		return dst, refusedf("the number %s is beyond a double", text)
	}
	dst = protowire.AppendTag(dst, jsonNumber, protowire.Fixed64Type)
	return protowire.AppendFixed64(dst, math.Float64bits(f)), nil
}

func writeJSONList(dst []byte, c *cursor) ([]byte, error) {
	err := c.elements(func() (err error) {
		dst, err = writeFramed(dst, 1, c, writeJSONValue)
		return err
	})
	return dst, err
}

func writeJSONStruct(dst []byte, c *cursor) ([]byte, error) {
	err := c.members(func(name []byte) (err error) {
		dst = protowire.AppendTag(dst, 1, protowire.BytesType)
		start := len(dst)
		dst = protowire.AppendBytes(protowire.AppendTag(dst, 1, protowire.BytesType), name)
		if dst, err = writeFramed(dst, 2, c, writeJSONValue); err != nil {
			return err
		}
		dst = prefixLength(dst, start)
		return nil
	})
	return dst, err
}

// writeFramed writes a field of a tag, a length and what write writes.
func writeFramed(dst []byte, number protowire.Number, c *cursor, write func([]byte, *cursor) ([]byte, error)) ([]byte, error) {
	dst = protowire.AppendTag(dst, number, protowire.BytesType)
	start := len(dst)
	dst, err := write(dst, c)
	if err != nil {
		return dst, err
	}
	return prefixLength(dst, start), nil
}
