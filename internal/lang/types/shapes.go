package types

import (
	"towpath.dev/internal/lang/core"
	"towpath.dev/internal/lang/diag"
	"towpath.dev/internal/lang/span"
)

// checkTypeShapes refuses types without finite values and types whose values
// would hold ever new types.
func (c *checker) checkTypeShapes() {
	var all []*typeInfo
	for _, m := range c.modules {
		all = append(all, m.typeDecls...)
	}
	c.checkFinite(all)
	c.checkRegular(all)
}

// checkFinite finds, round by round, the types of which a value can be built
// from values of types found before; the others have none.
func (c *checker) checkFinite(all []*typeInfo) {
	finite := map[*core.TypeDef]bool{}
	for changed := true; changed; {
		changed = false
		for _, ti := range all {
			if !finite[ti.def] && c.hasValue(ti.def, finite) {
				finite[ti.def] = true
				changed = true
			}
		}
	}
	for _, ti := range all {
		if finite[ti.def] || c.blamed(ti.def, finite) {
			continue
		}
		c.diags.Errorf(codeEndless, ti.def.At, "no value of `%s` ever ends: each would hold another one", ti.def.Name).
			Note(span.Span{}, "let it end in an Option, a List or an alternative without another `%s`", ti.def.Name)
		finite[ti.def] = true // its users are no news
		c.settleFinite(all, finite)
	}
}

func (c *checker) settleFinite(all []*typeInfo, finite map[*core.TypeDef]bool) {
	for changed := true; changed; {
		changed = false
		for _, ti := range all {
			if !finite[ti.def] && c.hasValue(ti.def, finite) {
				finite[ti.def], changed = true, true
			}
		}
	}
}

// blamed reports whether a type is endless only through another one that is.
func (c *checker) blamed(def *core.TypeDef, finite map[*core.TypeDef]bool) bool {
	seen := map[*core.TypeDef]bool{}
	var reaches func(d *core.TypeDef) bool
	reaches = func(d *core.TypeDef) bool {
		for _, ctor := range d.Ctors {
			for _, f := range ctor.Fields {
				found := has(f.Type, func(t core.Type) bool {
					con, ok := t.(*core.Con)
					if !ok || finite[con.Def] || seen[con.Def] {
						return false
					}
					if con.Def == def {
						return true
					}
					seen[con.Def] = true
					return reaches(con.Def)
				})
				if found {
					return true
				}
			}
		}
		return false
	}
	return !reaches(def)
}

func (c *checker) hasValue(def *core.TypeDef, finite map[*core.TypeDef]bool) bool {
	if def.Kind == core.Builtin || len(def.Ctors) == 0 {
		return true
	}
	for _, ctor := range def.Ctors {
		ok := true
		for _, f := range ctor.Fields {
			ok = ok && typeHasValue(f.Type, finite)
		}
		if ok {
			return true
		}
	}
	return false
}

// typeHasValue takes arguments of a type for granted where the type may do
// without them: an empty list needs no element.
func typeHasValue(t core.Type, finite map[*core.TypeDef]bool) bool {
	switch t := t.(type) {
	case *core.Con:
		return finite[t.Def] || t.Def.Kind == core.Builtin || isStdPath(t.Def.Module.Path)
	case *core.Tuple:
		for _, e := range t.Elems {
			if !typeHasValue(e, finite) {
				return false
			}
		}
	}
	return true
}

// checkRegular refuses a generic type that holds itself with larger arguments:
// it would be another type at each level.
func (c *checker) checkRegular(all []*typeInfo) {
	index := make(map[*core.TypeDef]int, len(all))
	for i, ti := range all {
		index[ti.def] = i
	}
	out := make([][]int, len(all))
	for i, ti := range all {
		eachCon(ti.def, func(con *core.Con, _ *core.Field) {
			if j, ok := index[con.Def]; ok {
				out[i] = append(out[i], j)
			}
		})
	}
	comp, _ := components(out)
	for i, ti := range all {
		var d *diag.Diagnostic
		eachCon(ti.def, func(con *core.Con, f *core.Field) {
			j, ok := index[con.Def]
			if !ok || comp[i] != comp[j] || d != nil {
				return
			}
			for _, a := range con.Args {
				if _, bare := a.(*core.Param); !bare && has(a, isParam) {
					d = c.diags.Errorf(codeGrowingType, f.At, "`%s` holds itself with ever larger arguments, as `%s`", ti.def.Name, con).
						Note(ti.def.At, "declared here").
						Note(span.Span{}, "a type that holds itself passes its parameters on as they are")
					return
				}
			}
		})
	}
}

// eachCon calls f with every nominal type in a definition's fields.
func eachCon(def *core.TypeDef, f func(*core.Con, *core.Field)) {
	for _, ctor := range def.Ctors {
		for _, field := range ctor.Fields {
			has(field.Type, func(t core.Type) bool {
				if con, ok := t.(*core.Con); ok {
					f(con, field)
				}
				return false
			})
		}
	}
}
