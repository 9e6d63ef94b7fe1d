// Plans: how Tow's types and a .proto file's fields are matched, and what is said
// when they do not fit.

package grpcproto

import (
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	"towpath.dev/internal/abi"
)

// untyped stands for the type of what is read into Json: the schema alone says
// what it becomes.
const untyped abi.TypeID = -1

// planner makes readers and writers. Types may be recursive, so those of messages
// are made once and shared.
type planner struct {
	schema   *abi.Schema
	readers  map[pair]*messageReader
	writers  map[pair]*messageWriter
	problems []string // in the order found; empty when all fits
}

type pair struct {
	id      abi.TypeID
	message protoreflect.FullName
}

func newPlanner(s *abi.Schema) *planner {
	return &planner{schema: s, readers: map[pair]*messageReader{}, writers: map[pair]*messageWriter{}}
}

// misfit notes that a value at a path is of a type that a field does not fit.
func (p *planner) misfit(path string, id abi.TypeID, fd protoreflect.FieldDescriptor) {
	p.problem("%s is %s, but the field %s is %s; expected %s", path, p.typeName(id), fd.FullName(), describe(fd), wanted(fd))
}

func (p *planner) problem(format string, args ...any) {
	p.problems = append(p.problems, fmt.Sprintf(format, args...))
}

// summary is the problems as one message.
func (p *planner) summary() string {
	const most = 8
	if n := len(p.problems); n > most {
		return strings.Join(p.problems[:most], "; ") + fmt.Sprintf("; and %d more", n-most)
	}
	return strings.Join(p.problems, "; ")
}

func (p *planner) typeName(id abi.TypeID) string {
	if id == untyped {
		return "Json"
	}
	t := &p.schema.Types[id]
	if t.Name == "" {
		return t.Kind.String()
	}
	return t.Name
}

// bare is a type without the wrappers and the Option around it.
func (p *planner) bare(id abi.TypeID) (inner abi.TypeID, optional bool) {
	for id != untyped {
		switch t := &p.schema.Types[id]; t.Kind {
		case abi.Json:
			return untyped, optional
		case abi.Option:
			id, optional = t.Elem, true
		case abi.Wrapper:
			id = t.Elem
		default:
			return id, optional
		}
	}
	return id, optional
}

// kind is a bare type's kind.
func (p *planner) kind(id abi.TypeID) abi.Kind {
	if id == untyped {
		return abi.Json
	}
	return p.schema.Types[id].Kind
}

// memberName is what JSON calls a field.
func memberName(f *abi.Field) string {
	if f.JSON != "" {
		return f.JSON
	}
	return f.Name
}

func ctorName(c *abi.Ctor) string {
	if c.JSON != "" {
		return c.JSON
	}
	return c.Name
}

// fieldNamed is the field that a member names: as written in the file, or in
// lowerCamel.
func fieldNamed(md protoreflect.MessageDescriptor, name string) protoreflect.FieldDescriptor {
	if fd := md.Fields().ByName(protoreflect.Name(name)); fd != nil {
		return fd
	}
	return md.Fields().ByJSONName(name)
}

// oneofNamed is the oneof that a member names. Those that only say that a field is
// `optional` do not count.
func oneofNamed(md protoreflect.MessageDescriptor, name string) protoreflect.OneofDescriptor {
	all := md.Oneofs()
	for i := range all.Len() {
		if o := all.Get(i); !o.IsSynthetic() && (string(o.Name()) == name || plain(string(o.Name())) == plain(name)) {
			return o
		}
	}
	return nil
}

// wholeOneof is the oneof that all fields of a message belong to; nil without one.
func wholeOneof(md protoreflect.MessageDescriptor) protoreflect.OneofDescriptor {
	if md.Fields().Len() == 0 {
		return nil
	}
	o := md.Fields().Get(0).ContainingOneof()
	if o == nil || o.IsSynthetic() || o.Fields().Len() != md.Fields().Len() {
		return nil
	}
	return o
}

// plain is a name without its style: CARD_PAYMENT, cardPayment and CardPayment
// are one.
func plain(name string) string {
	return strings.ToLower(strings.ReplaceAll(name, "_", ""))
}

// alternative is the constructor that stands for a value of an enum; nil without
// one. The enum's own name may stand before the value's.
func alternative(ctors []abi.Ctor, v protoreflect.EnumValueDescriptor) *abi.Ctor {
	name := string(v.Name())
	for i := range ctors {
		if ctorName(&ctors[i]) == name {
			return &ctors[i]
		}
	}
	for i := range ctors {
		if Alternative(ctorName(&ctors[i]), v) {
			return &ctors[i]
		}
	}
	return nil
}

// choiceNamed is the constructor that stands for a oneof's field; nil without one.
func choiceNamed(ctors []abi.Ctor, fd protoreflect.FieldDescriptor) *abi.Ctor {
	for i := range ctors {
		if name := ctorName(&ctors[i]); name == string(fd.Name()) || plain(name) == plain(string(fd.Name())) {
			return &ctors[i]
		}
	}
	return nil
}

// splices reports whether the members of a constructor are those of the field's
// message, and not the field's value as a whole.
func splices(c *abi.Ctor, fd protoreflect.FieldDescriptor) bool {
	if fd.Message() == nil || fd.IsMap() || fd.IsList() {
		return false
	}
	return len(c.Fields) != 1 || fieldNamed(fd.Message(), memberName(&c.Fields[0])) != nil
}

// describe is a field's type as its file writes it.
func describe(fd protoreflect.FieldDescriptor) string {
	single := func(fd protoreflect.FieldDescriptor) string {
		switch {
		case fd.Enum() != nil:
			return "the enum " + string(fd.Enum().FullName())
		case fd.Message() != nil:
			return string(fd.Message().FullName())
		}
		return fd.Kind().String()
	}
	switch {
	case fd.IsMap():
		return "map<" + single(fd.MapKey()) + ", " + single(fd.MapValue()) + ">"
	case fd.IsList():
		return "repeated " + single(fd)
	}
	return single(fd)
}

// wanted is what Tow types a field fits.
func wanted(fd protoreflect.FieldDescriptor) string {
	switch {
	case fd.IsMap():
		return "a Map"
	case fd.IsList():
		return "a List or a Set of " + wantedOne(fd)
	}
	return wantedOne(fd)
}

func wantedOne(fd protoreflect.FieldDescriptor) string {
	switch fd.Kind() {
	case protoreflect.BoolKind:
		return "Bool"
	case protoreflect.FloatKind, protoreflect.DoubleKind:
		return "Float or Decimal"
	case protoreflect.StringKind:
		return "String, or another type whose JSON is a text"
	case protoreflect.BytesKind:
		return "String (in base64)"
	case protoreflect.EnumKind:
		return fmt.Sprintf("a variant of %s, String or Int", names(fd.Enum()))
	case protoreflect.MessageKind, protoreflect.GroupKind:
		return wantedMessage(fd.Message())
	}
	return "Int"
}

func wantedMessage(md protoreflect.MessageDescriptor) string {
	switch known := Known(md); {
	case isWrapper(md):
		return known + ", best as an Option"
	case known != "":
		return known
	}
	return "a record with fields of that message"
}

// names are an enum's alternatives as Tow would write them, the first few.
func names(ed protoreflect.EnumDescriptor) string {
	var out []string
	for i := range ed.Values().Len() {
		if i == 4 {
			return strings.Join(append(out, "…"), " | ")
		}
		out = append(out, string(ed.Values().Get(i).Name()))
	}
	return strings.Join(out, " | ")
}

var wrappers = []protoreflect.FullName{"google.protobuf.DoubleValue", "google.protobuf.FloatValue", "google.protobuf.Int64Value",
	"google.protobuf.UInt64Value", "google.protobuf.Int32Value", "google.protobuf.UInt32Value", "google.protobuf.BoolValue",
	"google.protobuf.StringValue", "google.protobuf.BytesValue"}

func isWrapper(md protoreflect.MessageDescriptor) bool {
	return slices.Contains(wrappers, md.FullName())
}

func isJSON(md protoreflect.MessageDescriptor) bool {
	switch md.FullName() {
	case "google.protobuf.Struct", "google.protobuf.Value", "google.protobuf.ListValue":
		return true
	}
	return false
}

// money are the fields of a message that stands for an amount of a currency,
// either as google.type.Money does or with a text amount.
type money struct {
	units, nanos, amount, currency protoreflect.FieldDescriptor
}

func moneyOf(md protoreflect.MessageDescriptor) (m money, ok bool) {
	get := func(name protoreflect.Name, kinds ...protoreflect.Kind) protoreflect.FieldDescriptor {
		if fd := md.Fields().ByName(name); fd != nil && !fd.IsList() && slices.Contains(kinds, fd.Kind()) {
			return fd
		}
		return nil
	}
	if m.currency = get("currency_code", protoreflect.StringKind); m.currency == nil {
		m.currency = get("currency", protoreflect.StringKind)
	}
	m.units = get("units", protoreflect.Int64Kind, protoreflect.Int32Kind)
	m.nanos = get("nanos", protoreflect.Int32Kind)
	m.amount = get("amount", protoreflect.StringKind)
	return m, m.currency != nil && (m.units != nil && m.nanos != nil || m.amount != nil)
}

func isMoney(md protoreflect.MessageDescriptor) bool {
	_, ok := moneyOf(md)
	return ok
}
