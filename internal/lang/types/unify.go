package types

import (
	"towpath.dev/internal/lang/core"
	"towpath.dev/internal/lang/span"
)

// meta is a type that inference has yet to find. Embedding the interface makes
// it one of core's types while a body is checked; finishing leaves none.
type meta struct {
	core.Type
	to  core.Type // what was found, nil so far
	lit litKind   // a literal's: which types it may become
	at  span.Span // where it arose
}

// litKind restricts a literal's meta.
type litKind uint8

const (
	notLit   litKind = iota
	wholeLit         // 2: Int, Float or Decimal
	fracLit          // 2.5: Float or Decimal
)

func (m *meta) String() string {
	switch {
	case m.to != nil:
		return m.to.String()
	case m.lit == fracLit:
		return "Decimal" // as it is alone
	case m.lit == wholeLit:
		return "Int"
	}
	return "_"
}

// badType stands for what a reported mistake left unknown.
type badType struct{ core.Type }

func (badType) String() string { return "_" }

// bad is the one badType.
var bad core.Type = &badType{}

// prune gives the type behind found metas, shortening chains on the way.
func prune(t core.Type) core.Type {
	m, ok := t.(*meta)
	if !ok || m.to == nil {
		return t
	}
	end := prune(m.to)
	m.to = end
	return end
}

func isBad(t core.Type) bool { return prune(t) == bad }

// isOpen reports whether nothing is known of t but perhaps that it is a number.
func isOpen(t core.Type) bool {
	_, ok := prune(t).(*meta)
	return ok
}

// has reports whether any part of t satisfies is.
func has(t core.Type, is func(core.Type) bool) bool {
	t = prune(t)
	if is(t) {
		return true
	}
	switch t := t.(type) {
	case *core.Con:
		return anyHas(t.Args, is)
	case *core.Tuple:
		return anyHas(t.Elems, is)
	case *core.FuncType:
		return anyHas(t.Params, is) || has(t.Result, is)
	}
	return false
}

func anyHas(ts []core.Type, is func(core.Type) bool) bool {
	for _, t := range ts {
		if has(t, is) {
			return true
		}
	}
	return false
}

func hasBad(t core.Type) bool { return has(t, func(t core.Type) bool { return t == bad }) }

// unifier makes types equal. A trail, while one is kept, lets a trial be undone.
type unifier struct {
	std      *builtins
	trailing bool
	trail    []trailed
	endless  bool // the last failure was a type that would contain itself
	work     int  // parts of types looked at, see tooLarge
}

// Bounds on types. Few parts can name very large types, as each `let` may double
// the one before: `let b = (a, a)`, `let c = (b, b)` and so on.
const (
	maxTypeSize = 5_000     // parts of one type
	maxTypeWork = 5_000_000 // parts of types looked at in one body
)

// exhausted reports that a body's types are too large to work with. From then
// on they all agree.
func (u *unifier) exhausted() bool { return u.work > maxTypeWork }

// sizeOf counts the parts of a type, up to limit.
func sizeOf(t core.Type, limit int) int {
	if limit <= 0 {
		return 1
	}
	n := 1
	var parts []core.Type
	switch t := prune(t).(type) {
	case *core.Con:
		parts = t.Args
	case *core.Tuple:
		parts = t.Elems
	case *core.FuncType:
		parts = t.Params
		n += sizeOf(t.Result, limit-n)
	}
	for _, p := range parts {
		if n > limit {
			break
		}
		n += sizeOf(p, limit-n)
	}
	return n
}

// occurs reports whether m is a part of t.
func (u *unifier) occurs(m *meta, t core.Type) bool {
	if u.work++; u.exhausted() {
		return false
	}
	switch t := prune(t).(type) {
	case *meta:
		return t == m
	case *core.Con:
		return u.occursIn(m, t.Args)
	case *core.Tuple:
		return u.occursIn(m, t.Elems)
	}
	return false
}

func (u *unifier) occursIn(m *meta, ts []core.Type) bool {
	for _, t := range ts {
		if u.occurs(m, t) {
			return true
		}
	}
	return false
}

type trailed struct {
	m   *meta
	lit litKind
}

func (u *unifier) bind(m *meta, t core.Type) {
	if u.trailing {
		u.trail = append(u.trail, trailed{m, m.lit})
	}
	m.to = t
}

// try unifies a and b, or leaves both as they were.
func (u *unifier) try(a, b core.Type) bool {
	outer := u.trailing
	mark := len(u.trail)
	u.trailing = true
	ok := u.unify(a, b)
	if !ok {
		for i := len(u.trail) - 1; i >= mark; i-- {
			t := u.trail[i]
			t.m.to, t.m.lit = nil, t.lit
		}
		u.trail = u.trail[:mark]
	}
	u.trailing = outer
	if !outer {
		u.trail = u.trail[:0]
	}
	return ok
}

// unify makes a and b the same type and reports whether that could be done.
// What a failed call has found already stays found.
func (u *unifier) unify(a, b core.Type) bool {
	a, b = prune(a), prune(b)
	if u.work++; a == b || a == bad || b == bad || u.exhausted() {
		return true
	}
	if m, ok := a.(*meta); ok {
		return u.unifyMeta(m, b)
	}
	if m, ok := b.(*meta); ok {
		return u.unifyMeta(m, a)
	}
	switch a := a.(type) {
	case *core.Con:
		b, ok := b.(*core.Con)
		return ok && a.Def == b.Def && u.unifyAll(a.Args, b.Args)
	case *core.Tuple:
		b, ok := b.(*core.Tuple)
		return ok && u.unifyAll(a.Elems, b.Elems)
	case *core.FuncType:
		b, ok := b.(*core.FuncType)
		return ok && u.unifyAll(a.Params, b.Params) && u.unify(a.Result, b.Result)
	}
	return false
}

func (u *unifier) unifyAll(as, bs []core.Type) bool {
	if len(as) != len(bs) {
		return false
	}
	for i := range as {
		if !u.unify(as[i], bs[i]) {
			return false
		}
	}
	return true
}

func (u *unifier) unifyMeta(m *meta, t core.Type) bool {
	if n, ok := t.(*meta); ok {
		if n.lit < m.lit {
			if u.trailing {
				u.trail = append(u.trail, trailed{n, n.lit})
			}
			n.lit = m.lit
		}
		u.bind(m, n)
		return true
	}
	if m.lit != notLit {
		if !u.std.isNumber(t, m.lit) {
			return false
		}
	} else if u.occurs(m, t) {
		u.endless = true
		return false
	}
	u.bind(m, t)
	return true
}

// difference tells where two types part when they have a head in common: the
// innermost parts that do not agree. Both are "" when the heads differ already.
func difference(want, got core.Type) (string, string) {
	if sizeOf(want, maxShown) > maxShown || sizeOf(got, maxShown) > maxShown {
		return "", ""
	}
	want, got = prune(want), prune(got)
	var ws, gs []core.Type
	switch w := want.(type) {
	case *core.Con:
		if g, ok := got.(*core.Con); ok && g.Def == w.Def {
			ws, gs = w.Args, g.Args
		}
	case *core.Tuple:
		if g, ok := got.(*core.Tuple); ok && len(g.Elems) == len(w.Elems) {
			ws, gs = w.Elems, g.Elems
		}
	}
	for i := range ws {
		w, g := prune(ws[i]), prune(gs[i])
		if sameShape(w, g) {
			continue
		}
		if dw, dg := difference(w, g); dw != "" {
			return dw, dg
		}
		return w.String(), g.String()
	}
	return "", ""
}

// sameShape is core.Identical for types that may hold metas.
func sameShape(a, b core.Type) bool {
	a, b = prune(a), prune(b)
	if a == b || a == bad || b == bad {
		return true
	}
	all := func(as, bs []core.Type) bool {
		for i := range as {
			if !sameShape(as[i], bs[i]) {
				return false
			}
		}
		return true
	}
	switch a := a.(type) {
	case *core.Con:
		b, ok := b.(*core.Con)
		return ok && a.Def == b.Def && len(a.Args) == len(b.Args) && all(a.Args, b.Args)
	case *core.Tuple:
		b, ok := b.(*core.Tuple)
		return ok && len(a.Elems) == len(b.Elems) && all(a.Elems, b.Elems)
	case *core.FuncType:
		b, ok := b.(*core.FuncType)
		return ok && len(a.Params) == len(b.Params) && all(a.Params, b.Params) && sameShape(a.Result, b.Result)
	}
	return false
}

// resolve puts the found types in place of metas. Types without metas come back
// as they are.
func resolve(t core.Type) core.Type {
	switch t := prune(t).(type) {
	case *core.Con:
		if args := resolveAll(t.Args); args != nil {
			return &core.Con{Def: t.Def, Args: args}
		}
		return t
	case *core.Tuple:
		if elems := resolveAll(t.Elems); elems != nil {
			return &core.Tuple{Elems: elems}
		}
		return t
	case *core.FuncType:
		params, result := resolveAll(t.Params), resolve(t.Result)
		if params == nil && result == t.Result {
			return t
		}
		if params == nil {
			params = t.Params
		}
		return &core.FuncType{Params: params, Result: result}
	default:
		return t
	}
}

// resolveAll is nil when nothing changed.
func resolveAll(ts []core.Type) []core.Type {
	var out []core.Type
	for i, t := range ts {
		r := resolve(t)
		if out == nil && r != t {
			out = append(make([]core.Type, 0, len(ts)), ts[:i]...)
		}
		if out != nil {
			out = append(out, r)
		}
	}
	return out
}

// instance puts args in place of params. It is core.Subst without the map:
// definitions have few parameters.
func instance(t core.Type, params []*core.Param, args []core.Type) core.Type {
	if len(params) == 0 {
		return t
	}
	switch t := t.(type) {
	case *core.Param:
		for i, p := range params {
			if p == t && i < len(args) {
				return args[i]
			}
		}
	case *core.Con:
		if out := instances(t.Args, params, args); out != nil {
			return &core.Con{Def: t.Def, Args: out}
		}
	case *core.Tuple:
		if out := instances(t.Elems, params, args); out != nil {
			return &core.Tuple{Elems: out}
		}
	case *core.FuncType:
		ps, result := instances(t.Params, params, args), instance(t.Result, params, args)
		if ps == nil && result == t.Result {
			return t
		}
		if ps == nil {
			ps = t.Params
		}
		return &core.FuncType{Params: ps, Result: result}
	}
	return t
}

// instances is nil when nothing changed.
func instances(ts []core.Type, params []*core.Param, args []core.Type) []core.Type {
	var out []core.Type
	for i, t := range ts {
		r := instance(t, params, args)
		if out == nil && r != t {
			out = append(make([]core.Type, 0, len(ts)), ts[:i]...)
		}
		if out != nil {
			out = append(out, r)
		}
	}
	return out
}
