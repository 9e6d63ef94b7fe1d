// Plans for writers.

package grpcproto

import (
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"

	"towpath.dev/internal/abi"
)

// messageWriter plans how a record is written as a message. Recursion ends at the
// second time.
func (p *planner) messageWriter(id abi.TypeID, md protoreflect.MessageDescriptor, path string) *messageWriter {
	key := pair{id, md.FullName()}
	if w := p.writers[key]; w != nil {
		return w
	}
	w := &messageWriter{}
	p.writers[key] = w
	if kind := p.kind(id); kind == abi.Variant || kind == abi.Enum {
		if m := p.oneofWriter(id, wholeOneof(md), path); m != nil {
			w.alone = m
		}
		return w
	}
	w.members = p.memberWriters(p.schema.Types[id].Fields, md, path)
	return w
}

// memberWriters plans the members of a record or of an alternative. All of them
// need a field: what a program says is not dropped on its way.
func (p *planner) memberWriters(fields []abi.Field, md protoreflect.MessageDescriptor, path string) map[string]memberWriter {
	out := map[string]memberWriter{}
	given := map[protoreflect.FieldNumber]bool{}
	for i := range fields {
		f := &fields[i]
		name := memberName(f)
		below := join(path, name)
		if fd := fieldNamed(md, name); fd != nil {
			given[fd.Number()] = true
			if w := p.fieldWriter(f.Type, fd, below); w != nil {
				out[name] = w
			}
		} else if o := oneofNamed(md, name); o != nil {
			for i := range o.Fields().Len() {
				given[o.Fields().Get(i).Number()] = true
			}
			if w := p.oneofWriter(f.Type, o, below); w != nil {
				out[name] = w
			}
		} else {
			p.problem("%s (%s) has no field of that name in %s; expected one of %s, or write @json(\"…\") before it", below, p.typeName(f.Type), md.FullName(), fieldNames(md))
		}
	}
	p.required(md, given, path)
	return out
}

// required notes the fields that must be there but are not given (of proto2).
func (p *planner) required(md protoreflect.MessageDescriptor, given map[protoreflect.FieldNumber]bool, path string) {
	numbers := md.RequiredNumbers()
	for i := range numbers.Len() {
		if n := numbers.Get(i); !given[n] {
			p.problem("%s: the field %s is required, but nothing gives it", path, md.Fields().ByNumber(n).FullName())
		}
	}
}

// fieldWriter plans how a field is written; nil where it does not fit.
func (p *planner) fieldWriter(id abi.TypeID, fd protoreflect.FieldDescriptor, path string) *fieldWriter {
	inner, _ := p.bare(id)
	kind := p.kind(inner)
	w := &fieldWriter{number: fd.Number(), kind: wireType(fd.Kind()), explicit: fd.HasPresence(), packed: fd.IsPacked()}
	switch {
	case fd.IsMap():
		if kind != abi.Map {
			p.misfit(path, id, fd)
			return nil
		}
		t := &p.schema.Types[inner]
		w.shape, w.kind = mapping, wireType(fd.MapValue().Kind())
		w.keyKind = wireType(fd.MapKey().Kind())
		w.key = p.keyWriter(t.Key, fd, path)
		w.value = p.elementWriter(t.Elem, fd.MapValue(), path+"{}")
		if w.key == nil {
			return nil
		}
	case fd.IsList():
		if kind != abi.List && kind != abi.Set {
			p.misfit(path, id, fd)
			return nil
		}
		w.shape = list
		w.value = p.elementWriter(p.schema.Types[inner].Elem, fd, path+"[]")
	default:
		w.value = p.valueWriter(id, fd, path)
	}
	if w.value == nil {
		return nil
	}
	return w
}

// elementWriter is valueWriter for what cannot be left out.
func (p *planner) elementWriter(id abi.TypeID, fd protoreflect.FieldDescriptor, path string) valueWriter {
	if _, optional := p.bare(id); optional {
		p.problem("%s is %s, but the elements of the field %s cannot be left out; expected a type without ?", path, p.typeName(id), fd.FullName())
		return nil
	}
	return p.valueWriter(id, fd, path)
}

// oneofWriter plans how a variant is written as one of a oneof's fields.
func (p *planner) oneofWriter(id abi.TypeID, o protoreflect.OneofDescriptor, path string) *oneofWriter {
	inner, _ := p.bare(id)
	kind := p.kind(inner)
	if kind != abi.Variant && kind != abi.Enum || o == nil {
		p.problem("%s is %s; expected a variant with an alternative for each field of a oneof", path, p.typeName(id))
		return nil
	}
	w := &oneofWriter{enum: kind == abi.Enum, choices: map[string]*choiceWriter{}}
	ctors := p.schema.Types[inner].Ctors
	for i := range ctors {
		c := &ctors[i]
		below := path + "." + ctorName(c)
		fd := fieldOf(o, c, ctors)
		if fd == nil {
			p.problem("%s has no field of the oneof %s", below, o.FullName())
			continue
		}
		if choice := p.choiceWriter(c, fd, below); choice != nil {
			w.choices[ctorName(c)] = choice
		}
	}
	return w
}

// fieldOf is the field of a oneof that a constructor stands for.
func fieldOf(o protoreflect.OneofDescriptor, c *abi.Ctor, ctors []abi.Ctor) protoreflect.FieldDescriptor {
	for i := range o.Fields().Len() {
		if fd := o.Fields().Get(i); choiceNamed(ctors, fd) == c {
			return fd
		}
	}
	return nil
}

func (p *planner) choiceWriter(c *abi.Ctor, fd protoreflect.FieldDescriptor, path string) *choiceWriter {
	choice := &choiceWriter{field: &fieldWriter{number: fd.Number(), kind: wireType(fd.Kind()), explicit: true}}
	switch {
	case len(c.Fields) == 0:
		switch fd.Kind() {
		case protoreflect.MessageKind, protoreflect.GroupKind:
			p.required(fd.Message(), nil, path)
		case protoreflect.BoolKind:
			choice.empty = []byte{1} // that it is chosen is all that it says
		default:
			p.problem("%s has no fields, but the field %s is %s; expected one field of type %s", path, fd.FullName(), describe(fd), wanted(fd))
			return nil
		}
	case splices(c, fd):
		choice.rest = &messageWriter{members: p.memberWriters(c.Fields, fd.Message(), path)}
	case len(c.Fields) == 1:
		choice.member = memberName(&c.Fields[0])
		if choice.field = p.fieldWriter(c.Fields[0].Type, fd, path); choice.field == nil {
			return nil
		}
	default:
		p.problem("%s has %d fields, but the field %s is one %s", path, len(c.Fields), fd.FullName(), describe(fd))
		return nil
	}
	return choice
}

// keyWriter plans how a map's keys are written: from the names of members.
func (p *planner) keyWriter(id abi.TypeID, fd protoreflect.FieldDescriptor, path string) valueWriter {
	inner, _ := p.bare(id)
	kind, fk := p.kind(inner), fd.MapKey().Kind()
	switch {
	case fk == protoreflect.StringKind && (kind == abi.String || kind == abi.Int || kind == abi.Date || kind == abi.Enum):
		return func(dst []byte, c *cursor) ([]byte, error) { return append(dst, c.text...), nil }
	case isWhole(fk) && kind == abi.Int:
		return writeWhole(fk)
	case fk == protoreflect.BoolKind && kind == abi.String:
		return func(dst []byte, c *cursor) ([]byte, error) {
			if text := string(c.text); text != "true" && text != "false" {
				return dst, refusedf("the key %q is neither true nor false", text)
			}
			return protowire.AppendVarint(dst, protowire.EncodeBool(c.text[0] == 't')), nil
		}
	}
	p.problem("%s has keys of type %s, but those of the field %s are %s", path, p.typeName(id), fd.FullName(), fk)
	return nil
}
