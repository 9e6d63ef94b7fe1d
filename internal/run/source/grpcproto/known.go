package grpcproto

import "google.golang.org/protobuf/reflect/protoreflect"

// Known is the Tow type that a message stands for by its name or its fields, as
// Instant for google.protobuf.Timestamp; "" for messages that are records. That
// of a wrapper is what it wraps.
func Known(md protoreflect.MessageDescriptor) string {
	switch name := md.FullName(); {
	case name == "google.protobuf.Timestamp":
		return "Instant"
	case name == "google.protobuf.Duration":
		return "Duration"
	case name == "google.type.Date":
		return "Date"
	case name == "google.type.Decimal":
		return "Decimal"
	case isJSON(md):
		return "Json"
	case isWrapper(md):
		return Scalar(md.Fields().ByNumber(1).Kind())
	case isMoney(md):
		return "Money"
	case md.Fields().Len() == 0:
		return "()"
	}
	return ""
}

// Scalar is the Tow type for a kind of field; "" for enums and messages.
func Scalar(k protoreflect.Kind) string {
	switch {
	case k == protoreflect.BoolKind:
		return "Bool"
	case k == protoreflect.StringKind || k == protoreflect.BytesKind:
		return "String"
	case k == protoreflect.FloatKind || k == protoreflect.DoubleKind:
		return "Float"
	case isWhole(k):
		return "Int"
	}
	return ""
}

// Alternative reports whether a constructor that JSON calls so stands for a value
// of an enum.
func Alternative(name string, v protoreflect.EnumValueDescriptor) bool {
	long := plain(string(v.Name()))
	n := plain(name)
	return n == long || plain(string(v.Parent().Name()))+n == long
}
