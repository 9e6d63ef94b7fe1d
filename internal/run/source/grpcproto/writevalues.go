// Writers of single values.

package grpcproto

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"math"
	"strconv"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"

	"towpath.dev/internal/abi"
	"towpath.dev/internal/native"
)

// refusedf is the error of an argument that the service's types cannot say.
func refusedf(format string, args ...any) error {
	return fmt.Errorf("an argument cannot be sent: "+format, args...)
}

// valueWriter plans how a value is written to a field; nil where the types do not
// fit, which is noted.
func (p *planner) valueWriter(id abi.TypeID, fd protoreflect.FieldDescriptor, path string) valueWriter {
	inner, _ := p.bare(id)
	kind := p.kind(inner)
	fk := fd.Kind()
	switch {
	case fk == protoreflect.BoolKind && kind == abi.Bool:
		return writeBool
	case isWhole(fk) && kind == abi.Int:
		return writeWhole(fk)
	case (fk == protoreflect.DoubleKind || fk == protoreflect.FloatKind) && (kind == abi.Float || kind == abi.Int || kind == abi.Decimal):
		return writeFloat(fk)
	case fk == protoreflect.StringKind && kind != abi.Json && isText(kind):
		return writeString
	case fk == protoreflect.StringKind && kind == abi.Json:
		return func(dst []byte, c *cursor) ([]byte, error) { // its text
			text, err := c.value()
			return append(dst, text...), err
		}
	case fk == protoreflect.BytesKind && kind == abi.String:
		return writeBytes
	case fk == protoreflect.EnumKind:
		if w := p.enumWriter(inner, fd.Enum(), path); w != nil {
			return w
		}
	case fd.Message() != nil:
		if w, fits := p.messageValueWriter(inner, fd.Message(), path); fits {
			return w
		}
	}
	p.misfit(path, id, fd)
	return nil
}

func writeWhole(k protoreflect.Kind) valueWriter {
	least, greatest := reach(k)
	return func(dst []byte, c *cursor) ([]byte, error) {
		text, err := c.value()
		if err != nil {
			return dst, err
		}
		n, err := strconv.ParseInt(string(text), 10, 64)
		if err != nil {
			return dst, errBroken
		}
		if n < least || n > 0 && uint64(n) > greatest {
			return dst, refusedf("%d is beyond %s", n, k)
		}
		return appendWhole(dst, k, uint64(n)), nil
	}
}

// writeFloat writes a number, or a Decimal's text, as the nearest float.
func writeFloat(k protoreflect.Kind) valueWriter {
	return func(dst []byte, c *cursor) ([]byte, error) {
		text, err := c.value()
		if err != nil {
			return dst, err
		}
		text = bytes.Trim(text, `"`)
		if k == protoreflect.FloatKind {
			f, err := strconv.ParseFloat(string(text), 32)
			if err != nil {
				return dst, refusedf("%s is beyond float", text)
			}
			return protowire.AppendFixed32(dst, math.Float32bits(float32(f))), nil
		}
		f, ok := native.ReadFloat(string(text))
		if !ok {
			return dst, errBroken
		}
		return protowire.AppendFixed64(dst, math.Float64bits(f)), nil
	}
}

func writeString(dst []byte, c *cursor) ([]byte, error) {
	text, err := c.string()
	return append(dst, text...), err
}

func writeBytes(dst []byte, c *cursor) ([]byte, error) {
	text, err := c.string()
	if err != nil {
		return dst, err
	}
	dst, err = base64.StdEncoding.AppendDecode(dst, text)
	if err != nil {
		return dst, refusedf("%.40q is no base64, which a field of type bytes wants", text)
	}
	return dst, nil
}

// enumWriter plans how an enum is written: from alternatives, names or numbers.
func (p *planner) enumWriter(id abi.TypeID, ed protoreflect.EnumDescriptor, path string) valueWriter {
	values := ed.Values()
	numbers := map[string]protoreflect.EnumNumber{}
	switch p.kind(id) {
	case abi.Int:
		return writeWhole(protoreflect.EnumKind)
	case abi.String:
		for i := range values.Len() {
			numbers[string(values.Get(i).Name())] = values.Get(i).Number()
		}
	case abi.Enum:
		ctors := p.schema.Types[id].Ctors
		for i := range ctors {
			found := false
			for j := range values.Len() {
				if alternative(ctors, values.Get(j)) == &ctors[i] && !found {
					numbers[ctorName(&ctors[i])], found = values.Get(j).Number(), true
				}
			}
			if !found {
				p.problem("%s is %s, whose alternative %s is no value of the enum %s; expected one of %s", path, p.typeName(id), ctorName(&ctors[i]), ed.FullName(), names(ed))
			}
		}
	default:
		return nil
	}
	return func(dst []byte, c *cursor) ([]byte, error) {
		name, err := c.string()
		if err != nil {
			return dst, err
		}
		n, ok := numbers[string(name)]
		if !ok {
			return dst, refusedf("%q is no value of the enum %s", name, ed.FullName())
		}
		return protowire.AppendVarint(dst, uint64(n)), nil
	}
}

// messageValueWriter plans how a message is written: from a record or a variant,
// or, if it is a well-known one, from what it stands for.
func (p *planner) messageValueWriter(id abi.TypeID, md protoreflect.MessageDescriptor, path string) (w valueWriter, fits bool) {
	kind := p.kind(id)
	if w := p.wellKnownWriter(id, md); w != nil {
		return w, true
	}
	if isWrapper(md) && kind != abi.Record {
		fd := md.Fields().ByNumber(1)
		value := p.valueWriter(id, fd, path)
		w := &fieldWriter{number: 1, kind: wireType(fd.Kind()), value: value}
		return w.write, value != nil
	}
	if kind != abi.Record && (kind != abi.Variant && kind != abi.Enum || wholeOneof(md) == nil) {
		return nil, false
	}
	return p.messageWriter(id, md, path).write, true
}

func (p *planner) wellKnownWriter(id abi.TypeID, md protoreflect.MessageDescriptor) valueWriter {
	kind := p.kind(id)
	name := md.FullName()
	switch {
	case name == "google.protobuf.Timestamp" && kind == abi.Instant:
		return writeTimestamp
	case name == "google.protobuf.Duration" && kind == abi.Duration:
		return writeDuration
	case name == "google.type.Date" && kind == abi.Date:
		return writeDate
	case name == "google.type.Decimal" && kind == abi.Decimal:
		return func(dst []byte, c *cursor) ([]byte, error) { return writeFramed(dst, 1, c, writeString) }
	case kind == abi.Money:
		if m, ok := moneyOf(md); ok {
			return m.write
		}
	case kind == abi.Tuple && len(p.schema.Types[id].Fields) == 0 && md.Fields().Len() == 0:
		return func(dst []byte, c *cursor) ([]byte, error) {
			_, err := c.value()
			return dst, err
		}
	case name == "google.protobuf.Value" && kind == abi.Json:
		return writeJSONValue
	case name == "google.protobuf.Struct" && (kind == abi.Json || kind == abi.Map && p.textJSON(id)):
		return func(dst []byte, c *cursor) ([]byte, error) {
			if c.peek() != '{' {
				return dst, refusedf("a google.protobuf.Struct is an object, the Json is none")
			}
			return writeJSONStruct(dst, c)
		}
	case name == "google.protobuf.ListValue" && (kind == abi.Json || kind == abi.List && p.kindOf(p.schema.Types[id].Elem) == abi.Json):
		return func(dst []byte, c *cursor) ([]byte, error) {
			if c.peek() != '[' {
				return dst, refusedf("a google.protobuf.ListValue is an array, the Json is none")
			}
			return writeJSONList(dst, c)
		}
	}
	return nil
}

// appendPair writes the fields 1 and 2 of a message, whole numbers.
func appendPair(dst []byte, first, second int64) []byte {
	if first != 0 {
		dst = protowire.AppendVarint(protowire.AppendTag(dst, 1, protowire.VarintType), uint64(first))
	}
	if second != 0 {
		dst = protowire.AppendVarint(protowire.AppendTag(dst, 2, protowire.VarintType), uint64(second))
	}
	return dst
}

func writeTimestamp(dst []byte, c *cursor) ([]byte, error) {
	text, err := c.string()
	if err != nil {
		return dst, err
	}
	t, err := time.Parse(time.RFC3339Nano, string(text))
	if err != nil {
		return dst, errBroken
	}
	return appendPair(dst, t.Unix(), int64(t.Nanosecond())), nil
}

func writeDuration(dst []byte, c *cursor) ([]byte, error) {
	text, err := c.string()
	if err != nil {
		return dst, err
	}
	ns, err := nanoseconds(text)
	if err != nil {
		return dst, err
	}
	return appendPair(dst, ns/1e9, ns%1e9), nil
}

// nanoseconds reads a Duration as Tow writes it: "1d2h3m4s5ms6us7ns", with a
// minus before it when it is negative.
func nanoseconds(text []byte) (int64, error) {
	rest, negative := bytes.CutPrefix(text, []byte("-"))
	var total uint64
	if string(rest) == "0" {
		return 0, nil
	}
	for len(rest) > 0 {
		digits := 0
		for digits < len(rest) && rest[digits] >= '0' && rest[digits] <= '9' {
			digits++
		}
		n, err := strconv.ParseUint(string(rest[:digits]), 10, 64)
		if err != nil {
			return 0, errBroken
		}
		end := digits
		for end < len(rest) && rest[end] >= 'a' && rest[end] <= 'z' {
			end++
		}
		unit, known := units[string(rest[digits:end])]
		if !known {
			return 0, errBroken
		}
		total += n * unit
		rest = rest[end:]
	}
	if negative {
		return int64(-total), nil
	}
	return int64(total), nil
}

var units = map[string]uint64{"d": 86400e9, "h": 3600e9, "m": 60e9, "s": 1e9, "ms": 1e6, "us": 1e3, "ns": 1}

func writeDate(dst []byte, c *cursor) ([]byte, error) {
	text, err := c.string()
	if err != nil {
		return dst, err
	}
	t, err := time.Parse(time.DateOnly, string(text))
	if err != nil {
		return dst, errBroken
	}
	year, month, day := t.Date()
	for i, n := range []int{year, int(month), day} {
		dst = protowire.AppendVarint(protowire.AppendTag(dst, protowire.Number(i+1), protowire.VarintType), uint64(n))
	}
	return dst, nil
}

// write writes Tow's Money as an amount.
func (m money) write(dst []byte, c *cursor) ([]byte, error) {
	value, err := c.value()
	if err != nil {
		return dst, err
	}
	texts := [2][]byte{}
	for i, name := range []string{"amount", "currency"} {
		text, err := find(value, []string{name})
		if err != nil {
			return dst, err
		}
		if texts[i], err = (&cursor{text: text}).string(); err != nil {
			return dst, err
		}
	}
	dst = protowire.AppendBytes(protowire.AppendTag(dst, m.currency.Number(), protowire.BytesType), texts[1])
	if m.units == nil || m.nanos == nil {
		return protowire.AppendBytes(protowire.AppendTag(dst, m.amount.Number(), protowire.BytesType), texts[0]), nil
	}
	whole, fraction, _ := bytes.Cut(texts[0], []byte("."))
	fraction = bytes.TrimRight(fraction, "0")
	least, greatest := reach(m.units.Kind())
	units, err := strconv.ParseInt(string(whole), 10, 64)
	if err != nil || len(fraction) > 9 || units < least || units > int64(min(greatest, math.MaxInt64)) {
		return dst, refusedf("the amount %s does not fit whole units of %s and billionths", texts[0], m.units.Kind())
	}
	nanos := int64(0)
	if len(fraction) > 0 {
		padded := append(append([]byte(nil), fraction...), "000000000"[len(fraction):]...)
		if nanos, err = strconv.ParseInt(string(padded), 10, 32); err != nil {
			return dst, errBroken
		}
		if bytes.HasPrefix(whole, []byte("-")) {
			nanos = -nanos
		}
	}
	dst = protowire.AppendTag(dst, m.units.Number(), wireType(m.units.Kind()))
	dst = appendWhole(dst, m.units.Kind(), uint64(units))
	dst = protowire.AppendTag(dst, m.nanos.Number(), wireType(m.nanos.Kind()))
	return appendWhole(dst, m.nanos.Kind(), uint64(nanos)), nil
}
