package core

import "strings"

// Type is *Con, *Tuple, *FuncType or *Param.
type Type interface {
	String() string
	typ()
}

type (
	// Con is a nominal type applied to its arguments.
	Con struct {
		Def  *TypeDef
		Args []Type
	}
	// Tuple is `(A, B)`; with no elements the unit type.
	Tuple struct{ Elems []Type }
	// FuncType is the type of a function-valued parameter.
	FuncType struct {
		Params []Type
		Result Type
	}
	// Param is a type parameter, told apart by pointer.
	Param struct{ Name string }
)

func (*Con) typ()      {}
func (*Tuple) typ()    {}
func (*FuncType) typ() {}
func (*Param) typ()    {}

// String is the type as a user writes it, options as `T?`.
func (c *Con) String() string {
	if len(c.Args) == 0 {
		return c.Def.Name
	}
	if c.Def.Name == "Option" && c.Def.Module != nil && strings.HasPrefix(c.Def.Module.Path, "std/") {
		return c.Args[0].String() + "?"
	}
	return c.Def.Name + "<" + joinTypes(c.Args) + ">"
}

func (t *Tuple) String() string    { return "(" + joinTypes(t.Elems) + ")" }
func (f *FuncType) String() string { return "fn(" + joinTypes(f.Params) + ") -> " + f.Result.String() }
func (p *Param) String() string    { return p.Name }

func joinTypes(ts []Type) string {
	parts := make([]string, len(ts))
	for i, t := range ts {
		parts[i] = t.String()
	}
	return strings.Join(parts, ", ")
}

// Subst replaces type parameters by types.
type Subst map[*Param]Type

// Apply replaces the parameters in t. Types without parameters come back as
// they are.
func (s Subst) Apply(t Type) Type {
	if len(s) == 0 {
		return t
	}
	switch t := t.(type) {
	case *Param:
		if r, ok := s[t]; ok {
			return r
		}
	case *Con:
		if args, changed := s.applyAll(t.Args); changed {
			return &Con{Def: t.Def, Args: args}
		}
	case *Tuple:
		if elems, changed := s.applyAll(t.Elems); changed {
			return &Tuple{Elems: elems}
		}
	case *FuncType:
		params, changed := s.applyAll(t.Params)
		result := s.Apply(t.Result)
		if changed || result != t.Result {
			return &FuncType{Params: params, Result: result}
		}
	}
	return t
}

func (s Subst) applyAll(ts []Type) ([]Type, bool) {
	var out []Type
	for i, t := range ts {
		r := s.Apply(t)
		if out == nil && r != t {
			out = append(make([]Type, 0, len(ts)), ts[:i]...)
		}
		if out != nil {
			out = append(out, r)
		}
	}
	if out == nil {
		return ts, false
	}
	return out, true
}

// Bind makes the Subst of a definition's parameters to arguments.
func Bind(params []*Param, args []Type) Subst {
	s := make(Subst, len(params))
	for i, p := range params {
		s[p] = args[i]
	}
	return s
}

// Identical reports whether two types are the same.
func Identical(a, b Type) bool {
	if a == b {
		return true
	}
	all := func(xs, ys []Type) bool {
		if len(xs) != len(ys) {
			return false
		}
		for i := range xs {
			if !Identical(xs[i], ys[i]) {
				return false
			}
		}
		return true
	}
	switch a := a.(type) {
	case *Con:
		b, ok := b.(*Con)
		return ok && a.Def == b.Def && all(a.Args, b.Args)
	case *Tuple:
		b, ok := b.(*Tuple)
		return ok && all(a.Elems, b.Elems)
	case *FuncType:
		b, ok := b.(*FuncType)
		return ok && all(a.Params, b.Params) && Identical(a.Result, b.Result)
	}
	return false
}
