package interp

import (
	"strconv"
	"strings"

	"towpath.dev/internal/abi"
	"towpath.dev/internal/lang/core"
)

// shape is what a comparison needs to know of a type: it follows the types, as
// compiled comparisons do, since what they cost depends on them.
type shape struct {
	m    *Machine
	t    core.Type // wrappers taken off
	kind abi.Kind
	wrap int // how many wrappers were taken off

	alts      [][]*shape // the parts of each alternative, one alternative but for variants; nil until asked
	recursive int8       // whether values can hold values of the type: 0 not known yet, 1 yes, -1 no
}

// shape finds or makes the shape of a type without type parameters.
func (m *Machine) shape(t core.Type) *shape {
	if s := m.shapes[t]; s != nil {
		return s
	}
	key := m.typeKey(t)
	s := m.shapesByKey[key]
	if s == nil {
		s = &shape{m: m, t: t}
		for {
			con, ok := s.t.(*core.Con)
			if !ok {
				s.kind = abi.Tuple
				break
			}
			if s.kind = m.kind(con.Def); s.kind != abi.Wrapper {
				break
			}
			s.t = m.fieldTypes(con, con.Def.Ctors[0])[0]
			s.wrap++
		}
		m.shapesByKey[key] = s
	}
	if closed, ok := t.(*core.Con); ok && len(closed.Args) == 0 {
		m.shapes[t] = s // others may be made anew for every call of a generic function
	}
	return s
}

// typeKey is a text that equal types share.
func (m *Machine) typeKey(t core.Type) string {
	var b strings.Builder
	var write func(t core.Type)
	writeAll := func(ts []core.Type) {
		b.WriteByte('(')
		for _, t := range ts {
			write(t)
		}
		b.WriteByte(')')
	}
	write = func(t core.Type) {
		switch t := t.(type) {
		case *core.Con:
			id, ok := m.defs[t.Def]
			if !ok {
				id = len(m.defs)
				m.defs[t.Def] = id
			}
			b.WriteString(strconv.Itoa(id))
			writeAll(t.Args)
		case *core.Tuple:
			writeAll(t.Elems)
		default:
			b.WriteString(t.String()) // no value has such a type
		}
	}
	write(t)
	return b.String()
}

// bare takes off a value what shape took off its type.
func (s *shape) bare(v Value) Value {
	for range s.wrap {
		v = v.(*Record).Fields[0]
	}
	return v
}

// parts are the shapes of what values of the type hold, by alternative.
func (s *shape) parts() [][]*shape {
	if s.alts != nil {
		return s.alts
	}
	all := func(ts []core.Type) []*shape {
		out := make([]*shape, len(ts))
		for i, t := range ts {
			out[i] = s.m.shape(t)
		}
		return out
	}
	switch t := s.t.(type) {
	case *core.Tuple:
		s.alts = [][]*shape{all(t.Elems)}
	case *core.Con:
		switch s.kind {
		case abi.List, abi.Option, abi.Set, abi.Map:
			s.alts = [][]*shape{all(t.Args)}
		case abi.Record, abi.Variant:
			for _, c := range t.Def.Ctors {
				s.alts = append(s.alts, all(s.m.fieldTypes(t, c)))
			}
		default:
			s.alts = [][]*shape{}
		}
	}
	return s.alts
}

// isRecursive reports whether values of the type can hold values of the type.
func (s *shape) isRecursive() bool {
	if s.recursive == 0 {
		s.recursive = -1
		seen := map[core.Type]bool{}
		var reaches func(from *shape) bool
		reaches = func(from *shape) bool {
			for _, parts := range from.parts() {
				for _, p := range parts {
					if p.same(s) {
						return true
					}
					if !seen[p.t] {
						seen[p.t] = true
						if reaches(p) {
							return true
						}
					}
				}
			}
			return false
		}
		if reaches(s) {
			s.recursive = 1
		}
	}
	return s.recursive > 0
}

// same reports whether two shapes are of one type, wrappers taken off.
func (s *shape) same(o *shape) bool { return s == o || core.Identical(s.t, o.t) }
