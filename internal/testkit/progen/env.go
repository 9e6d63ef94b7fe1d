package progen

import (
	"fmt"
	"slices"
	"strings"

	"towpath.dev/internal/lang/core"
)

// env is what an expression may name.
type env struct {
	vars    []variable    // newest last; a name hides older ones
	funcs   []*core.Local // function-typed parameters
	params  []*core.Param // of the generic function around
	answer  core.Type     // of the nearest function or lambda, where `?` leaves to; nil without
	self    []recursion
	mayAsk  bool // services may be asked
	pure    bool // a constant: only literals and the library
	inner   int  // lambdas around
	guarded int  // scopes around
}

type variable struct {
	name string
	typ  core.Type
}

// recursion is a function that may be called from within its own group: with
// less fuel, and with the same functions and types.
type recursion struct {
	f    *function
	fuel string // the variable that counts down
}

// with is the env with more variables.
func (e *env) with(vars ...variable) *env {
	out := *e
	out.vars = append(slices.Clip(e.vars), vars...)
	return &out
}

// visible are the variables that no newer one hides, newest first.
func (e *env) visible() []variable {
	var out []variable
	seen := map[string]bool{}
	for i := len(e.vars) - 1; i >= 0; i-- {
		if v := e.vars[i]; !seen[v.name] {
			seen[v.name] = true
			out = append(out, v)
		}
	}
	for _, f := range e.funcs {
		out = slices.DeleteFunc(out, func(v variable) bool { return v.name == f.Name })
	}
	return out
}

// local makes a name for a variable, now and then one that hides another.
func (g *generator) local(e *env) string {
	if vs := e.visible(); len(vs) > 0 && g.chance(8) {
		v := pick(g, vs...)
		if strings.Contains(v.name, "(") || mentions(v.typ, e.params) {
			return g.fresh("v") // a call that stands for a variable; all there is of a type
		}
		for _, r := range e.self {
			if r.fuel == v.name {
				return g.fresh("v")
			}
		}
		return v.name
	}
	return g.fresh("v")
}

// paths finds what can be read of variables and has the type, through fields
// and elements.
func (g *generator) paths(e *env, want core.Type) []*node {
	var out []*node
	var walk func(text string, t core.Type, depth int)
	walk = func(text string, t core.Type, depth int) {
		if core.Identical(t, want) {
			out = append(out, g.make(t, tight, text))
		}
		if depth == 0 {
			return
		}
		switch t := t.(type) {
		case *core.Tuple:
			for i, elem := range t.Elems {
				walk(fmt.Sprintf("%s.%d", text, i), elem, depth-1)
			}
		case *core.Con:
			if t.Def == g.std.Map || t.Def == g.std.Set || t.Def.Kind != core.Record && t.Def.Kind != core.Wrapper {
				return
			}
			for i, ft := range fields(t, t.Def.Ctors[0]) {
				walk(text+"."+t.Def.Ctors[0].Fields[i].Name, ft, depth-1)
			}
		}
	}
	for _, v := range e.visible() {
		walk(v.name, v.typ, 2)
	}
	return out
}
