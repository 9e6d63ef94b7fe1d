package progen

import (
	"fmt"
	"strings"
	"sync"
	"testing/fstest"

	"towpath.dev/internal/lang/compile"
	"towpath.dev/internal/lang/core"
)

// library is the standard library as the checker reads it: new functions are
// called from the day that they are declared.
type library struct {
	core.Std
	funcs  []*core.Func                   // public
	giving map[*core.TypeDef][]*core.Func // funcs by the definition of their result's type
	consts []*core.Const                  // public
}

var std = sync.OnceValue(func() *library {
	files := fstest.MapFS{"main.tow": &fstest.MapFile{Data: []byte("const one: Int = 1\n")}}
	res, err := compile.Check(files, compile.Options{})
	if err != nil || res.Diags.HasErrors() {
		panic(fmt.Sprintf("progen: the standard library does not check: %v", err))
	}
	lib := &library{Std: res.Program.Std, giving: map[*core.TypeDef][]*core.Func{}}
	for _, m := range res.Program.Modules {
		if !isStd(m) {
			continue
		}
		for _, f := range m.Funcs {
			if f.Pub && f.Kind != core.View {
				lib.funcs = append(lib.funcs, f)
				if c, ok := f.Result.(*core.Con); ok {
					lib.giving[c.Def] = append(lib.giving[c.Def], f)
				}
			}
		}
		for _, c := range m.Consts {
			if c.Pub {
				lib.consts = append(lib.consts, c)
			}
		}
	}
	return lib
})

// stdName is how a function or constant of the standard library is called:
// "list.map".
func stdName(m *core.Module, text string) string {
	return strings.TrimPrefix(m.Path, "std/") + "." + text
}

func (l *library) con(def *core.TypeDef, args ...core.Type) core.Type {
	return &core.Con{Def: def, Args: args}
}

func (l *library) list(t core.Type) core.Type   { return l.con(l.List, t) }
func (l *library) option(t core.Type) core.Type { return l.con(l.Option, t) }

// is reports whether a type is a definition applied, and to what.
func is(t core.Type, def *core.TypeDef) ([]core.Type, bool) {
	if c, ok := t.(*core.Con); ok && c.Def == def {
		return c.Args, true
	}
	return nil, false
}

// fields are the types of a constructor's fields in values of type t.
func fields(t *core.Con, c *core.Ctor) []core.Type {
	subst := core.Bind(t.Def.Params, t.Args)
	out := make([]core.Type, len(c.Fields))
	for i, f := range c.Fields {
		out[i] = subst.Apply(f.Type)
	}
	return out
}

// mentions reports whether a type holds one of the parameters.
func mentions(t core.Type, params []*core.Param) bool {
	any := func(ts []core.Type) bool {
		for _, t := range ts {
			if mentions(t, params) {
				return true
			}
		}
		return false
	}
	switch t := t.(type) {
	case *core.Param:
		for _, p := range params {
			if p == t {
				return true
			}
		}
	case *core.Con:
		return any(t.Args)
	case *core.Tuple:
		return any(t.Elems)
	case *core.FuncType:
		return any(t.Params) || mentions(t.Result, params)
	}
	return false
}

// match finds the type arguments that make a pattern the target.
func match(pattern, target core.Type, params []*core.Param, subst core.Subst) bool {
	all := func(ps, ts []core.Type) bool {
		if len(ps) != len(ts) {
			return false
		}
		for i := range ps {
			if !match(ps[i], ts[i], params, subst) {
				return false
			}
		}
		return true
	}
	switch p := pattern.(type) {
	case *core.Param:
		if !mentions(p, params) {
			return core.Identical(p, target)
		}
		if t, ok := subst[p]; ok {
			return core.Identical(t, target)
		}
		subst[p] = target
		return true
	case *core.Con:
		t, ok := target.(*core.Con)
		return ok && t.Def == p.Def && all(p.Args, t.Args)
	case *core.Tuple:
		t, ok := target.(*core.Tuple)
		return ok && all(p.Elems, t.Elems)
	}
	return false
}
