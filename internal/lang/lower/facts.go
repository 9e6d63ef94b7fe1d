package lower

import (
	"towpath.dev/internal/lang/core"
)

// facts say which hidden parts a function's code needs.
type facts struct {
	calls  bool // may ask a service: carries statuses
	scopes bool // may open a scope: carries a path
	deep   bool // may reach a recursive function: carries the remaining depth
}

func (f *facts) merge(g facts) {
	f.calls = f.calls || g.calls
	f.scopes = f.scopes || g.scopes
	f.deep = f.deep || g.deep
}

// analyse finds each function's own facts: what its body and the lambdas
// written in it do, through whatever they call. What a lambda that it takes
// does is added an instance at a time.
func (l *lowerer) analyse() {
	callees := map[*core.Func][]*core.Func{}
	var all []*core.Func
	for _, m := range l.prog.Modules {
		for _, f := range m.Funcs {
			own := &facts{calls: len(f.Callings) > 0, deep: f.Recursive}
			l.funcs[f] = own
			all = append(all, f)
			if f.Body != nil {
				callees[f] = scan(f.Body, own)
			}
		}
	}
	for changed := true; changed; {
		changed = false
		for _, f := range all {
			own := l.funcs[f]
			before := *own
			for _, g := range callees[f] {
				if gf := l.funcs[g]; gf != nil {
					own.merge(*gf)
				}
			}
			changed = changed || *own != before
		}
	}
	for _, f := range all {
		l.anything.merge(*l.funcs[f])
	}
}

// scan notes a body's scopes and calls of services, and lists the functions it
// calls or mentions.
func scan(e core.Expr, own *facts) []*core.Func {
	var out []*core.Func
	var walk func(core.Expr)
	walk = func(e core.Expr) {
		switch e := e.(type) {
		case *core.Call:
			out = append(out, e.Func)
		case *core.FuncRef:
			out = append(out, e.Func)
		case *core.CallOp:
			own.calls = true
		case *core.Scope:
			own.scopes = true
		}
		core.EachChild(e, walk)
	}
	walk(e)
	return out
}

// bodyFacts are the facts of a lambda's or a scope's body in the function that
// is being lowered: its own, those of what it calls, and those of the closures
// bound to the function-typed locals that it uses.
func (b *builder) bodyFacts(body core.Expr) facts {
	var own facts
	for _, g := range scan(body, &own) {
		if gf := b.l.funcs[g]; gf != nil {
			own.merge(*gf)
		}
	}
	var walk func(core.Expr)
	walk = func(e core.Expr) {
		switch e := e.(type) {
		case *core.CallParam:
			own.merge(b.fns[e.Fn].c.facts)
		case *core.Ref:
			if bound, ok := b.fns[e.Local]; ok {
				own.merge(bound.c.facts)
			}
		}
		core.EachChild(e, walk)
	}
	walk(body)
	return own
}
