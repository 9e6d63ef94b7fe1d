// Plans for readers.

package grpcproto

import (
	"google.golang.org/protobuf/reflect/protoreflect"

	"towpath.dev/internal/abi"
)

// messageReader plans how a message is read into a record, or by its own schema
// alone into Json. Recursion ends at the second time.
func (p *planner) messageReader(id abi.TypeID, md protoreflect.MessageDescriptor, path string) *messageReader {
	key := pair{id, md.FullName()}
	if r := p.readers[key]; r != nil {
		return r
	}
	r := newMessageReader(md)
	p.readers[key] = r
	switch p.kind(id) {
	case abi.Json:
		for i := range md.Fields().Len() {
			fd := md.Fields().Get(i)
			if m := p.memberReader(untyped, fd, path, true); m != nil {
				m.label, m.slot = label(fd.JSONName()), r.slot(fd)
				r.members = append(r.members, *m)
			}
		}
	case abi.Record:
		p.fieldReaders(r, p.schema.Types[id].Fields, md, path)
	case abi.Variant, abi.Enum:
		r.alone = true
		if m := p.oneofReader(r, id, wholeOneof(md), path); m != nil {
			r.members = append(r.members, *m)
		}
	}
	return r
}

func newMessageReader(md protoreflect.MessageDescriptor) *messageReader {
	return &messageReader{name: md.FullName(), index: map[protoreflect.FieldNumber]int{}}
}

// slot is the slot of a field, made when it has none yet.
func (r *messageReader) slot(fd protoreflect.FieldDescriptor) int {
	if i, ok := r.index[fd.Number()]; ok {
		return i
	}
	s := slotPlan{kind: wireType(fd.Kind())}
	if fd.IsList() {
		s.packed = isPackable(fd.Kind())
	}
	if o := fd.ContainingOneof(); o != nil && !o.IsSynthetic() {
		s.group = o.Index() + 1
		// All of a oneof have slots, so that the last one can undo the others.
		r.index[fd.Number()] = len(r.slots)
		r.slots = append(r.slots, s)
		for i := range o.Fields().Len() {
			r.slot(o.Fields().Get(i))
		}
		return r.index[fd.Number()]
	}
	r.index[fd.Number()] = len(r.slots)
	r.slots = append(r.slots, s)
	return len(r.slots) - 1
}

func isPackable(k protoreflect.Kind) bool {
	switch k {
	case protoreflect.StringKind, protoreflect.BytesKind, protoreflect.MessageKind, protoreflect.GroupKind:
		return false
	}
	return true
}

func label(name string) string {
	text, _ := appendString(nil, []byte(name))
	return string(text) + ":"
}

// fieldReaders plans the members of a record or of an alternative.
func (p *planner) fieldReaders(r *messageReader, fields []abi.Field, md protoreflect.MessageDescriptor, path string) {
	for i := range fields {
		f := &fields[i]
		name := memberName(f)
		below := join(path, name)
		_, optional := p.bare(f.Type)
		optional = optional || f.Default != ""
		var m *memberReader
		if fd := fieldNamed(md, name); fd != nil {
			if m = p.memberReader(f.Type, fd, below, optional); m != nil {
				m.slot = r.slot(fd)
			}
		} else if o := oneofNamed(md, name); o != nil {
			m = p.oneofReader(r, f.Type, o, below)
		} else if !optional {
			p.problem("%s (%s) has no field of that name in %s; expected one of %s, or write @json(\"…\") before it", below, p.typeName(f.Type), md.FullName(), fieldNames(md))
		}
		if m != nil {
			m.label = label(name)
			r.members = append(r.members, *m)
		}
	}
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// fieldNames are a message's fields, the first few.
func fieldNames(md protoreflect.MessageDescriptor) string {
	const most = 12
	out := ""
	for i := range md.Fields().Len() {
		if i == most {
			return out + ", …"
		}
		if i > 0 {
			out += ", "
		}
		out += string(md.Fields().Get(i).Name())
	}
	if out == "" {
		return "nothing (it has no fields)"
	}
	return out
}

// memberReader plans how a field is read; nil where it does not fit. Lenient is
// where a value that the type does not know may be left out.
func (p *planner) memberReader(id abi.TypeID, fd protoreflect.FieldDescriptor, path string, lenient bool) *memberReader {
	inner, _ := p.bare(id)
	kind := p.kind(inner)
	m := &memberReader{kind: wireType(fd.Kind()), message: fd.Message() != nil}
	switch {
	case fd.IsMap():
		if kind != abi.Map && kind != abi.Json {
			p.misfit(path, id, fd)
			return nil
		}
		m.shape = mapping
		key, elem := untyped, untyped
		if kind == abi.Map {
			key, elem = p.schema.Types[inner].Key, p.schema.Types[inner].Elem
		}
		m.key, m.keyKind = p.keyReader(key, fd, path), wireType(fd.MapKey().Kind())
		m.value = &memberReader{kind: wireType(fd.MapValue().Kind()), message: fd.MapValue().Message() != nil}
		m.value.read = p.valueReader(elem, fd.MapValue(), path+"{}", false)
		if m.key == nil || m.value.read == nil {
			return nil
		}
		return m
	case fd.IsList():
		if kind != abi.List && kind != abi.Set && kind != abi.Json {
			p.misfit(path, id, fd)
			return nil
		}
		m.shape = list
		elem := untyped
		if kind != abi.Json {
			elem = p.schema.Types[inner].Elem
		}
		m.read = p.valueReader(elem, fd, path+"[]", false)
	default:
		m.zero = !fd.HasPresence()
		m.read = p.valueReader(id, fd, path, lenient)
	}
	if m.read == nil {
		return nil
	}
	return m
}

// oneofReader plans how a oneof is read into a variant.
func (p *planner) oneofReader(r *messageReader, id abi.TypeID, o protoreflect.OneofDescriptor, path string) *memberReader {
	inner, optional := p.bare(id)
	kind := p.kind(inner)
	if kind != abi.Variant && kind != abi.Enum || o == nil {
		p.problem("%s is %s; expected a variant with an alternative for each field of a oneof", path, p.typeName(id))
		return nil
	}
	ctors := p.schema.Types[inner].Ctors
	m := &memberReader{shape: oneof}
	for i := range o.Fields().Len() {
		fd := o.Fields().Get(i)
		c := choiceNamed(ctors, fd)
		if c == nil {
			if !optional {
				p.problem("%s is %s, which has no alternative for the field %s; expected one called %s", path, p.typeName(id), fd.FullName(), upperCamel(string(fd.Name())))
			}
			continue
		}
		name, _ := appendString(nil, []byte(ctorName(c)))
		choice := choiceReader{slot: r.slot(fd), label: `"type":` + string(name), enum: kind == abi.Enum}
		below := path + "." + ctorName(c)
		switch {
		case kind == abi.Enum:
			choice.label = string(name)
		case len(c.Fields) == 0:
		case splices(c, fd):
			choice.rest = newMessageReader(fd.Message())
			p.fieldReaders(choice.rest, c.Fields, fd.Message(), below)
		case len(c.Fields) == 1:
			choice.value = p.memberReader(c.Fields[0].Type, fd, below, false)
			if choice.value == nil {
				continue
			}
			choice.value.label = label(memberName(&c.Fields[0]))
		default:
			p.problem("%s has %d fields, but the field %s is one %s", below, len(c.Fields), fd.FullName(), describe(fd))
		}
		m.choices = append(m.choices, choice)
	}
	return m
}
