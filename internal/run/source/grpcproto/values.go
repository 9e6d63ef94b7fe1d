// Readers of single values: which types fit which fields, and their JSON.

package grpcproto

import (
	"encoding/base64"
	"fmt"
	"math"
	"strconv"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"

	"towpath.dev/internal/abi"
	"towpath.dev/internal/codec"
)

// isText reports whether a kind's JSON is a text, so that a string may hold it.
func isText(k abi.Kind) bool {
	switch k {
	case abi.String, abi.Decimal, abi.Duration, abi.Instant, abi.Date, abi.Enum, abi.Json:
		return true
	}
	return false
}

// valueReader plans how one value of a field is read; nil where the types do not
// fit, which is noted.
func (p *planner) valueReader(id abi.TypeID, fd protoreflect.FieldDescriptor, path string, lenient bool) valueReader {
	inner, _ := p.bare(id)
	kind := p.kind(inner)
	fk := fd.Kind()
	switch {
	case fk == protoreflect.BoolKind && (kind == abi.Bool || kind == abi.Json):
		return readBool
	case isWhole(fk) && (kind == abi.Int || kind == abi.Decimal || kind == abi.Float || kind == abi.Json):
		return readWhole(fk)
	case (fk == protoreflect.DoubleKind || fk == protoreflect.FloatKind) && (kind == abi.Float || kind == abi.Decimal || kind == abi.Json):
		return readFloat(fk)
	case fk == protoreflect.StringKind && isText(kind):
		return readString(string(fd.FullName()))
	case fk == protoreflect.BytesKind && (kind == abi.String || kind == abi.Json):
		return readBytes
	case fk == protoreflect.EnumKind:
		if r := p.enumReader(inner, fd.Enum(), path, lenient); r != nil {
			return r
		}
	case fd.Message() != nil:
		if r, fits := p.messageValue(inner, fd.Message(), path); fits {
			return r
		}
	}
	p.misfit(path, id, fd)
	return nil
}

func readBool(_ *decoder, dst []byte, o occurrence) ([]byte, error) {
	return strconv.AppendBool(dst, o.bits != 0), nil
}

func readWhole(k protoreflect.Kind) valueReader {
	if isUnsigned64(k) {
		return func(_ *decoder, dst []byte, o occurrence) ([]byte, error) {
			return strconv.AppendUint(dst, o.bits, 10), nil
		}
	}
	return func(_ *decoder, dst []byte, o occurrence) ([]byte, error) {
		return strconv.AppendInt(dst, signed(k, o.bits), 10), nil
	}
}

func readFloat(k protoreflect.Kind) valueReader {
	return func(_ *decoder, dst []byte, o occurrence) ([]byte, error) {
		f, size := math.Float64frombits(o.bits), 64
		if k == protoreflect.FloatKind {
			f, size = float64(math.Float32frombits(uint32(o.bits))), 32
		}
		return appendFloat(dst, f, size)
	}
}

func appendFloat(dst []byte, f float64, size int) ([]byte, error) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return dst, fmt.Errorf("the answer holds the number %v, which JSON cannot say", f)
	}
	format := byte('f')
	if a := math.Abs(f); a != 0 && (a < 1e-6 || a >= 1e21) {
		format = 'e'
	}
	return strconv.AppendFloat(dst, f, format, -1, size), nil
}

func readString(name string) valueReader {
	return func(_ *decoder, dst []byte, o occurrence) ([]byte, error) {
		dst, ok := appendString(dst, o.raw)
		if !ok {
			return dst, fmt.Errorf("the field %s holds a text that is not UTF-8", name)
		}
		return dst, nil
	}
}

func readBytes(_ *decoder, dst []byte, o occurrence) ([]byte, error) {
	dst = append(dst, '"')
	dst = base64.StdEncoding.AppendEncode(dst, o.raw)
	return append(dst, '"'), nil
}

// enumReader plans how an enum is read: into a variant's alternatives, a text or
// a number.
func (p *planner) enumReader(id abi.TypeID, ed protoreflect.EnumDescriptor, path string, lenient bool) valueReader {
	kind := p.kind(id)
	if ed.FullName() == "google.protobuf.NullValue" && kind == abi.Json {
		return func(_ *decoder, dst []byte, _ occurrence) ([]byte, error) { return append(dst, "null"...), nil }
	}
	texts := map[int32]string{}
	values := ed.Values()
	switch kind {
	case abi.Int:
		return readWhole(protoreflect.EnumKind)
	case abi.String, abi.Json:
		for i := range values.Len() {
			if v := values.Get(i); texts[int32(v.Number())] == "" {
				texts[int32(v.Number())] = strconv.Quote(string(v.Name()))
			}
		}
	case abi.Enum:
		ctors := p.schema.Types[id].Ctors
		for i := range values.Len() {
			v := values.Get(i)
			n := int32(v.Number())
			if texts[n] != "" {
				continue
			}
			if c := alternative(ctors, v); c != nil {
				name, _ := appendString(nil, []byte(ctorName(c)))
				texts[n] = string(name)
			} else if n != 0 && !lenient {
				p.problem("%s is %s, which has no alternative for %s of the enum %s; expected one called %s, or an Option, which is None then",
					path, p.typeName(id), v.Name(), ed.FullName(), upperCamel(trimEnum(v)))
			}
		}
	default:
		return nil
	}
	return func(_ *decoder, dst []byte, o occurrence) ([]byte, error) {
		n := int32(o.bits)
		if text := texts[n]; text != "" {
			return append(dst, text...), nil
		}
		if lenient && kind == abi.Enum {
			return dst, errAbsent
		}
		if v := values.ByNumber(protoreflect.EnumNumber(n)); v != nil {
			return strconv.AppendQuote(dst, string(v.Name())), nil // the engine says where and what
		}
		return append(strconv.AppendInt(append(dst, '"'), int64(n), 10), '"'), nil
	}
}

// messageValue plans how a message is read: into a record or a variant, or, if it
// is a well-known one, into what it stands for.
func (p *planner) messageValue(id abi.TypeID, md protoreflect.MessageDescriptor, path string) (r valueReader, fits bool) {
	kind := p.kind(id)
	if r := p.wellKnown(id, md); r != nil {
		return func(d *decoder, dst []byte, o occurrence) ([]byte, error) {
			if !wellFormed(o.raw) {
				return dst, errWire
			}
			return r(d, dst, o)
		}, true
	}
	if isWrapper(md) && kind != abi.Record {
		fd := md.Fields().ByNumber(1)
		read := p.valueReader(id, fd, path, false)
		return func(d *decoder, dst []byte, o occurrence) ([]byte, error) {
			if !wellFormed(o.raw) {
				return dst, errWire
			}
			v := occurrence{}
			for f := range fields(o.raw) {
				if f.number == 1 && f.kind == wireType(fd.Kind()) {
					v = f.occurrence
				}
			}
			return read(d, dst, v)
		}, read != nil
	}
	if kind != abi.Record && kind != abi.Json && (kind != abi.Variant && kind != abi.Enum || wholeOneof(md) == nil) {
		return nil, false
	}
	plan := p.messageReader(id, md, path)
	return func(d *decoder, dst []byte, o occurrence) ([]byte, error) {
		return d.message(plan, dst, o.raw)
	}, true
}

// wellKnown plans a message whose meaning is known; nil for others.
func (p *planner) wellKnown(id abi.TypeID, md protoreflect.MessageDescriptor) valueReader {
	kind := p.kind(id)
	name := md.FullName()
	switch {
	case name == "google.protobuf.Timestamp" && (kind == abi.Instant || kind == abi.String || kind == abi.Json):
		return readTimestamp
	case name == "google.protobuf.Duration" && kind == abi.Duration:
		return readDuration
	case name == "google.protobuf.Duration" && (kind == abi.String || kind == abi.Json):
		return readSeconds
	case name == "google.type.Date" && kind == abi.Date:
		return readDate
	case name == "google.type.Decimal" && kind == abi.Decimal:
		return readDecimal
	case kind == abi.Money:
		if m, ok := moneyOf(md); ok {
			return m.read
		}
	case kind == abi.Tuple && len(p.schema.Types[id].Fields) == 0 && md.Fields().Len() == 0:
		return func(_ *decoder, dst []byte, _ occurrence) ([]byte, error) { return append(dst, "[]"...), nil }
	case isJSON(md) && kind == abi.Json:
		plan := readJSON[name]
		return func(d *decoder, dst []byte, o occurrence) ([]byte, error) { return plan(d, dst, o.raw) }
	case name == "google.protobuf.Struct" && kind == abi.Map && p.textJSON(id):
		return func(d *decoder, dst []byte, o occurrence) ([]byte, error) { return d.jsonStruct(dst, o.raw) }
	case name == "google.protobuf.ListValue" && kind == abi.List && p.kindOf(p.schema.Types[id].Elem) == abi.Json:
		return func(d *decoder, dst []byte, o occurrence) ([]byte, error) { return d.jsonList(dst, o.raw) }
	}
	return nil
}

// kindOf is the kind of a type without what is around it.
func (p *planner) kindOf(id abi.TypeID) abi.Kind {
	inner, _ := p.bare(id)
	return p.kind(inner)
}

// textJSON reports whether a type is a Map<String, Json>.
func (p *planner) textJSON(id abi.TypeID) bool {
	t := &p.schema.Types[id]
	return p.kindOf(t.Key) == abi.String && p.kindOf(t.Elem) == abi.Json
}

// readTimestamp writes seconds and nanos since 1970 as RFC 3339 does.
func readTimestamp(_ *decoder, dst []byte, o occurrence) ([]byte, error) {
	seconds, nanos := pairOf(o.raw)
	const least, most = -62135596800, 253402300799 // the years 1 to 9999
	if seconds < least || seconds > most || nanos < 0 || nanos > 999_999_999 {
		return dst, fmt.Errorf("the answer holds a Timestamp of %d s and %d ns, which is no instant of the years 1 to 9999", seconds, nanos)
	}
	dst = time.Unix(seconds, nanos).UTC().AppendFormat(append(dst, '"'), time.RFC3339Nano)
	return append(dst, '"'), nil
}

// readDuration writes a Duration as Tow does; one beyond 292 years as seconds,
// which the engine refuses.
func readDuration(d *decoder, dst []byte, o occurrence) ([]byte, error) {
	seconds, nanos := pairOf(o.raw)
	const most = math.MaxInt64/1_000_000_000 - 1
	if seconds < -most || seconds > most || !sameSign(seconds, nanos) {
		return readSeconds(d, dst, o)
	}
	return append(codec.AppendDuration(append(dst, '"'), seconds*1e9+nanos), '"'), nil
}

// readSeconds writes a Duration as proto3 JSON does: "1.5s".
func readSeconds(_ *decoder, dst []byte, o occurrence) ([]byte, error) {
	seconds, nanos := pairOf(o.raw)
	if !sameSign(seconds, nanos) {
		return dst, fmt.Errorf("the answer holds a Duration of %d s and %d ns, which is none", seconds, nanos)
	}
	dst = appendFixed(append(dst, '"'), seconds, nanos)
	return append(dst, 's', '"'), nil
}

// sameSign reports whether nanos are less than one unit, and on the same side of
// zero as the units.
func sameSign(units, nanos int64) bool {
	return nanos > -1e9 && nanos < 1e9 && (units <= 0 || nanos >= 0) && (units >= 0 || nanos <= 0)
}

// pairOf are the fields 1 and 2 of a message, whole numbers.
func pairOf(raw []byte) (first, second int64) {
	for f := range fields(raw) {
		if f.kind != protowire.VarintType {
			continue
		}
		switch f.number {
		case 1:
			first = int64(f.bits)
		case 2:
			second = int64(int32(f.bits))
		}
	}
	return first, second
}

// appendFixed writes a number of units and nanos of the same sign, without zeros
// at its end.
func appendFixed(dst []byte, units, nanos int64) []byte {
	if units == 0 && nanos < 0 {
		dst = append(dst, '-')
	}
	dst = strconv.AppendInt(dst, units, 10)
	if nanos == 0 {
		return dst
	}
	if nanos < 0 {
		nanos = -nanos
	}
	text := strconv.AppendInt(nil, 1_000_000_000+nanos, 10)
	end := len(text)
	for text[end-1] == '0' {
		end--
	}
	return append(append(dst, '.'), text[1:end]...)
}

func readDate(_ *decoder, dst []byte, o occurrence) ([]byte, error) {
	var part [4]int64
	for f := range fields(o.raw) {
		if f.number < 4 && f.kind == protowire.VarintType {
			part[f.number] = int64(int32(f.bits))
		}
	}
	year, month, day := part[1], part[2], part[3]
	t := time.Date(int(year), time.Month(month), int(day), 0, 0, 0, 0, time.UTC)
	if year < 1 || year > 9999 || int64(t.Month()) != month || int64(t.Day()) != day {
		return dst, fmt.Errorf("the answer holds the google.type.Date %d-%d-%d, which is no day", year, month, day)
	}
	return t.AppendFormat(dst, `"`+time.DateOnly+`"`), nil
}

func readDecimal(d *decoder, dst []byte, o occurrence) ([]byte, error) {
	text := []byte("0")
	for f := range fields(o.raw) {
		if f.number == 1 && f.kind == protowire.BytesType && len(f.raw) > 0 {
			text = f.raw
		}
	}
	return readString("google.type.Decimal.value")(d, dst, occurrence{raw: text})
}

// read writes an amount as Tow's Money.
func (m money) read(_ *decoder, dst []byte, o occurrence) ([]byte, error) {
	var units, nanos int64
	amount, currency := []byte("0"), []byte(nil)
	is := func(f field, fd protoreflect.FieldDescriptor) bool {
		return fd != nil && f.number == fd.Number() && f.kind == wireType(fd.Kind())
	}
	for f := range fields(o.raw) {
		switch {
		case is(f, m.units):
			units = signed(m.units.Kind(), f.bits)
		case is(f, m.nanos):
			nanos = int64(int32(f.bits))
		case is(f, m.amount):
			amount = f.raw
		case is(f, m.currency):
			currency = f.raw
		}
	}
	if m.units != nil && m.nanos != nil {
		if !sameSign(units, nanos) {
			return dst, fmt.Errorf("the answer holds an amount of %d units and %d nanos, which is none", units, nanos)
		}
		amount = appendFixed(nil, units, nanos)
	}
	var ok, ok2 bool
	dst, ok = appendString(append(dst, `{"amount":`...), amount)
	dst, ok2 = appendString(append(dst, `,"currency":`...), currency)
	if !ok || !ok2 {
		return dst, fmt.Errorf("the answer holds an amount that is not UTF-8")
	}
	return append(dst, '}'), nil
}

// keyReader plans how a map's keys are read: as the names of members.
func (p *planner) keyReader(id abi.TypeID, fd protoreflect.FieldDescriptor, path string) valueReader {
	inner, _ := p.bare(id)
	kind, fk := p.kind(inner), fd.MapKey().Kind()
	text := kind == abi.String || kind == abi.Json
	switch {
	case fk == protoreflect.StringKind && (text || kind == abi.Int || kind == abi.Date || kind == abi.Enum):
		return readString(string(fd.FullName()))
	case isWhole(fk) && (text || kind == abi.Int):
		return quoted(readWhole(fk))
	case fk == protoreflect.BoolKind && text:
		return quoted(readBool)
	}
	p.problem("%s has keys of type %s, but those of the field %s are %s", path, p.typeName(id), fd.FullName(), fk)
	return nil
}

func quoted(r valueReader) valueReader {
	return func(d *decoder, dst []byte, o occurrence) ([]byte, error) {
		dst, err := r(d, append(dst, '"'), o)
		return append(dst, '"'), err
	}
}
