// Objects: records, alternatives and maps.

package compat

import (
	"fmt"
	"strings"

	"towpath.dev/internal/abi"
)

// memberName is what JSON calls a field.
func memberName(f *abi.Field) string {
	if f.JSON != "" {
		return f.JSON
	}
	return f.Name
}

// at is the path of a member.
func at(path, member string) string {
	plain := member != "" && !strings.ContainsFunc(member, func(c rune) bool {
		return c != '_' && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9')
	})
	if plain {
		return path + "." + member
	}
	return fmt.Sprintf("%s[%q]", path, member)
}

// leavable reports whether a reader does without a field.
func leavable(s *abi.Schema, f *abi.Field) bool {
	return f.Default != "" || s.Types[base(s, f.Type)].Kind == abi.Option
}

// shown is a field's type and default, as a user writes them.
func shown(s *abi.Schema, f *abi.Field) string {
	if f.Default != "" {
		return name(s, f.Type) + " = " + f.Default
	}
	return name(s, f.Type)
}

// field is that of a member's name; nil if there is none.
func field(fields []abi.Field, member string) *abi.Field {
	for i := range fields {
		if memberName(&fields[i]) == member {
			return &fields[i]
		}
	}
	return nil
}

// members compares the fields of two records, or of two alternatives.
func (r *relation) members(path string, from, to []abi.Field, unique bool) {
	for i := range to {
		member := memberName(&to[i])
		if said := field(from, member); said != nil {
			r.member(at(path, member), said, &to[i], unique)
			continue
		}
		switch {
		case r.bound:
			r.refuse(missing, at(path, member), "", shown(r.reader.schema, &to[i]), "it is not sent any more, and the binding may name it")
		case !leavable(r.reader.schema, &to[i]):
			r.refuse(missing, at(path, member), "", shown(r.reader.schema, &to[i]), fmt.Sprintf("%s does not say it, and %s needs it", r.speaker.name, r.reader.name))
		}
	}
	for i := range from {
		member := memberName(&from[i])
		if field(to, member) != nil {
			continue
		}
		if unique {
			r.refuse(merging, at(path, member), shown(r.speaker.schema, &from[i]), "", r.reader.name+" does not look at it, and so two that differ in nothing else are equal, which is refused")
		} else if r.advice[ignored] != "" {
			r.add(Note, ignored, at(path, member), shown(r.speaker.schema, &from[i]), "", fmt.Sprintf("%s may say it, and %s does not look at it", r.speaker.name, r.reader.name))
		}
	}
}

// member compares two fields of a name.
func (r *relation) member(path string, from, to *abi.Field, unique bool) {
	speaker, reader := r.speaker.schema, r.reader.schema
	elem, optional := from.Type, false
	if id := base(speaker, from.Type); speaker.Types[id].Kind == abi.Option {
		elem, optional = speaker.Types[id].Elem, true
	}
	// A None is left out by who writes what tow writes, and may be null elsewhere.
	maybe := optional || r.loose && from.Default != ""
	if maybe && !leavable(reader, to) {
		r.refuse(absent, path, shown(speaker, from), shown(reader, to), fmt.Sprintf("%s may leave it out, and %s needs it", r.speaker.name, r.reader.name))
		r.value(path, elem, to.Type, unique)
		return
	}
	if maybe && leftOut(speaker, from) != leftOut(reader, to) {
		switch {
		case unique:
			r.refuse(merging, path, shown(speaker, from), shown(reader, to), "left out, it means something else than it did, and so two that were different may be equal, which is refused")
		case r.advice[defaulted] != "":
			r.add(Note, defaulted, path, shown(speaker, from), shown(reader, to), "left out, it means something else than it did")
		}
	}
	if optional && !r.loose {
		r.value(path, elem, to.Type, unique)
		return
	}
	r.value(path, from.Type, to.Type, unique)
}

// leftOut is what a member means that is left out, as JSON.
func leftOut(s *abi.Schema, f *abi.Field) string {
	if f.Default != "" {
		return f.Default
	}
	return "null"
}

// alternatives compares two variants, or two enumerations.
func (r *relation) alternatives(path string, from, to *abi.Type, unique bool) {
	for i := range from.Ctors {
		said := &from.Ctors[i]
		known := ctor(to, said.JSON)
		if known == nil {
			r.refuse(alternative, path, said.JSON, "", fmt.Sprintf("%s may say %q, and %s knows %s alone", r.speaker.name, said.JSON, r.reader.name, names(to)))
			continue
		}
		r.members(path+"("+said.JSON+")", said.Fields, known.Fields, unique)
	}
}

func ctor(t *abi.Type, json string) *abi.Ctor {
	for i := range t.Ctors {
		if t.Ctors[i].JSON == json {
			return &t.Ctors[i]
		}
	}
	return nil
}

// names are a type's alternatives, for errors.
func names(t *abi.Type) string {
	const most = 8
	var all []string
	for i := range t.Ctors {
		if i == most {
			all = append(all, "…")
			break
		}
		all = append(all, t.Ctors[i].JSON)
	}
	return strings.Join(all, ", ")
}

// mapping compares two maps. Those whose keys can be members' names are objects, others
// arrays of pairs.
func (r *relation) mapping(path string, from, to *abi.Type, shownSpeaker, shownReader string, unique bool) {
	speakerKey := &r.speaker.schema.Types[base(r.speaker.schema, from.Key)]
	readerKey := &r.reader.schema.Types[base(r.reader.schema, to.Key)]
	if isName(speakerKey.Kind) != isName(readerKey.Kind) {
		r.refuse(kind, path, shownSpeaker, shownReader, "a map is an object where its keys are texts, whole numbers, dates or plain variants, and else an array of pairs: "+
			r.reader.name+" expects the other")
		return
	}
	if !isName(readerKey.Kind) {
		r.value(path+"{key}", from.Key, to.Key, true)
	} else if readerKey.Kind != abi.String {
		// Names are texts, which a String takes whatever they stand for.
		r.name(path+"{key}", speakerKey, readerKey)
	}
	r.value(path+".*", from.Elem, to.Elem, unique)
}

// name compares keys that are members' names.
func (r *relation) name(path string, from, to *abi.Type) {
	switch {
	case from.Kind != to.Kind:
		r.refuse(kind, path, from.Name, to.Name, fmt.Sprintf("%s says %s for a name, and %s expects %s", r.speaker.name, said(from), r.reader.name, said(to)))
	case to.Kind == abi.Enum:
		r.alternatives(path, from, to, true)
	}
}

func isName(k abi.Kind) bool {
	return k == abi.String || k == abi.Int || k == abi.Date || k == abi.Enum
}
