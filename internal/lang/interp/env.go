package interp

import (
	"towpath.dev/internal/lang/core"
)

// Env is the names in sight of an expression: those bound in one entry of a
// function or lambda, and for a lambda those around it.
type Env struct {
	fn    *core.Func // nil: a test's own expressions
	vars  []variable
	outer *Env // where the lambda was written; nil in a function
	path  uint64
	types *typeArgs

	observe func(e core.Expr, v Value)
}

type variable struct {
	local *core.Local
	value Value
}

// NewEnv makes an empty Env for Eval, its path that of a view.
func (m *Machine) NewEnv() *Env { return &Env{} }

// Bind gives a local its value.
func (env *Env) Bind(l *core.Local, v Value) {
	env.vars = append(env.vars, variable{l, v})
}

// Observe has f hear of the value of every expression that is evaluated in this
// Env to its end, inner ones first. What called functions and lambdas evaluate
// is theirs. A nil f ends it.
func (env *Env) Observe(f func(e core.Expr, v Value)) { env.observe = f }

// Lookup is the value of a local.
func (env *Env) Lookup(l *core.Local) (Value, bool) {
	for ; env != nil; env = env.outer {
		for i := len(env.vars) - 1; i >= 0; i-- {
			if env.vars[i].local == l {
				return env.vars[i].value, true
			}
		}
	}
	return nil, false
}

// resolve is a type with the type arguments of the function around it put in.
func (env *Env) resolve(t core.Type) core.Type { return env.types.apply(t) }

// typeArgs are the type arguments of an entry of a generic function. They may
// name parameters of the function that called it, and are only worked out when
// somebody asks.
type typeArgs struct {
	params []*core.Param
	args   []core.Type
	outer  *typeArgs
	subst  core.Subst // nil until asked
}

// newTypeArgs is the type arguments of a call, nil without any.
func newTypeArgs(params []*core.Param, args []core.Type, outer *typeArgs) *typeArgs {
	if len(params) == 0 {
		return nil
	}
	return &typeArgs{params: params, args: args, outer: outer}
}

func (a *typeArgs) apply(t core.Type) core.Type {
	if a == nil {
		return t
	}
	if a.subst == nil {
		a.subst = make(core.Subst, len(a.params))
		for i, p := range a.params {
			if i < len(a.args) {
				a.subst[p] = a.outer.apply(a.args[i])
			}
		}
		a.outer = nil
	}
	return a.subst.Apply(t)
}
