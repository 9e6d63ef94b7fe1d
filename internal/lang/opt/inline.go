package opt

import (
	"slices"

	"towpath.dev/internal/lang/ir"
)

// What may be copied into callers, in nodes of the callee. A call costs about
// twenty instructions of the machine, and code that was copied is compiled again.
const (
	inlineAlways   = 40   // anywhere
	inlineKnown    = 60   // where an argument is a constant
	inlineInLoop   = 120  // where a loop runs it
	inlineAsked    = 400  // when the function says Inline
	inlineSole     = 1500 // when there is no other call of it
	inlineDeferred = 400  // so small, it is not even optimised before
	inlineGrowth   = 5000 // to this may a function grow, whatever it calls
	recurGrowth    = 900  // to this a function that calls itself
)

// inlinePass puts bodies in place of calls. Callees were optimised before, so
// that it sees their true size; among functions that call each other in a circle
// nothing is copied.
func inlinePass(c *context, f *ir.Func) {
	in := &inliner{c: c, f: f, size: sizeOf(f.Body)}
	f.Body = in.body(f.Body, 0)
}

// recurPass copies a small function that calls itself into itself, so that one
// entry does the work of several.
func recurPass(c *context, f *ir.Func) {
	me := c.calls[f]
	if !me.cyclic || f.NoInline {
		return
	}
	own := 0
	for _, callee := range callees(f.Body) {
		switch {
		case callee == f:
			own++
		case c.calls[callee].group == me.group:
			return
		}
	}
	size := sizeOf(f.Body)
	if own == 0 || size*(own+1) > recurGrowth {
		return
	}
	self := &ir.Func{Name: f.Name, Params: f.Params, Locals: f.Locals[:len(f.Locals):len(f.Locals)], Result: f.Result}
	self.Body = (&copier{nodes: &c.nodes, labels: map[*ir.Label]*ir.Label{}}).body(f.Body, true)
	in := &inliner{c: c, f: f, size: size, self: self, selfUnset: unset(self)}
	f.Body = in.body(f.Body, 0)
	c.changed = true
}

type inliner struct {
	c    *context
	f    *ir.Func
	size int // what f has grown to

	self      *ir.Func // what to put in place of f's calls of itself, or nil
	selfUnset []int
}

func (in *inliner) body(body []ir.Stmt, loops int) []ir.Stmt {
	var out []ir.Stmt // nil as long as nothing changed
	for i, s := range body {
		n := loops
		if _, ok := s.(*ir.Loop); ok {
			n++
		}
		ir.Bodies(s, func(b *[]ir.Stmt) { *b = in.body(*b, n) })
		callee, args, result := callOf(s)
		at := placeOf(s)
		if callee == nil || !in.wants(callee, args, loops) || checks(body[i:]) {
			if out != nil {
				out = append(out, s)
			}
			continue
		}
		if out == nil {
			out = append(make([]ir.Stmt, 0, 2*len(body)), body[:i]...)
		}
		out = in.insert(out, callee, args, at, result, loops)
	}
	if out == nil {
		return body
	}
	return out
}

// checks reports that statements only call a function to fault when it says so,
// which is done where a quick test could not tell, and is seldom.
func checks(body []ir.Stmt) bool {
	if len(body) != 2 {
		return false
	}
	set, ok := body[0].(*ir.Set)
	test, ok2 := body[1].(*ir.If)
	if !ok || !ok2 || len(test.Then) != 1 {
		return false
	}
	_, fault := test.Then[0].(*ir.Fault)
	g, ok := test.Test.(*ir.Get)
	return fault && ok && g.Local == set.Local
}

// callOf is the call that a statement consists of, and the local that takes its
// result, -1 without one.
func callOf(s ir.Stmt) (callee *ir.Func, args []ir.Expr, result int) {
	switch s := s.(type) {
	case *ir.CallStmt:
		return s.Func, s.Args, -1
	case *ir.Set:
		if call, ok := s.X.(*ir.Call); ok {
			return call.Func, call.Args, s.Local
		}
	case *ir.Do:
		if call, ok := s.X.(*ir.Call); ok {
			return call.Func, call.Args, -1
		}
	}
	return nil, nil, -1
}

func (in *inliner) wants(callee *ir.Func, args []ir.Expr, loops int) bool {
	if in.self != nil {
		return callee == in.f
	}
	g := in.c.calls[callee]
	if callee.NoInline || !g.done || g.cyclic && g.group == in.c.calls[in.f].group {
		return false
	}
	most := inlineAlways
	switch {
	case g.sites == 1 && !g.kept:
		most = inlineSole
	case callee.Inline:
		most = inlineAsked
	case loops > 0:
		most = inlineInLoop
	case slices.ContainsFunc(args, isConst):
		most = inlineKnown
	}
	return g.size <= most && in.size+g.size <= inlineGrowth
}

// insert appends the callee's body with its parameters set to the arguments and
// what it returns going to the local result.
func (in *inliner) insert(out []ir.Stmt, callee *ir.Func, args []ir.Expr, at int32, result, loops int) []ir.Stmt {
	zeros := in.selfUnset
	if in.self != nil {
		callee = in.self
	} else {
		g := in.c.calls[callee]
		zeros = g.unset
		in.size += g.size
		if g.sites--; g.sites > 0 || g.kept {
			for _, f := range g.callees {
				in.c.calls[f].sites++
			}
		}
	}
	f := in.f
	base := len(f.Locals)
	f.Locals = append(f.Locals, callee.Locals...)
	for i, a := range args {
		out = append(out, &ir.Set{Local: base + i, X: a})
	}
	for _, l := range zeros {
		out = append(out, &ir.Set{Local: base + l, X: &ir.Const{T: callee.Locals[l]}})
	}
	end := &ir.Label{Name: "end"}
	jumps := false
	c := &copier{nodes: &in.c.nodes, base: base, labels: map[*ir.Label]*ir.Label{}, module: in.c.module, call: at}
	c.leave = func(out []ir.Stmt, x ir.Expr, last bool) []ir.Stmt {
		switch {
		case x == nil:
		case result >= 0:
			out = append(out, &ir.Set{Local: result, X: x})
		}
		if !last {
			jumps = true
			out = append(out, &ir.Break{Label: end})
		}
		return out
	}
	copied := c.body(callee.Body, true)
	if in.self == nil && (loops > 0 || in.c.calls[callee].deferred) {
		copied = in.body(copied, loops) // what stood in no loop now does
	}
	if jumps {
		return append(out, &ir.Block{Label: end, Body: copied})
	}
	return append(out, copied...)
}

func isConst(e ir.Expr) bool {
	_, ok := e.(*ir.Const)
	return ok
}

// placeOf is the site of a call, -1 where the source has none.
func placeOf(s ir.Stmt) int32 {
	var x ir.Expr
	switch s := s.(type) {
	case *ir.Set:
		x = s.X
	case *ir.Do:
		x = s.X
	}
	if call, ok := x.(*ir.Call); ok {
		return call.At - 1
	}
	return -1
}

// sizeOf counts the nodes of a body.
func sizeOf(body []ir.Stmt) int {
	n := 0
	ir.Inspect(body, func(ir.Stmt) { n++ }, func(e ir.Expr) {
		switch e.(type) {
		case *ir.Const, *ir.Get:
		default:
			n++
		}
	})
	return n
}

// unset lists the locals, parameters aside, that may be read before they are
// set and then are zero. A local is safe when all of its reads stand in the body
// of its first Set, behind it.
func unset(f *ir.Func) []int {
	u := &unsetFinder{first: make([]int, len(f.Locals)), bad: make([]bool, len(f.Locals)), open: []bool{false}}
	for i := range f.Params {
		u.first[i] = -1
	}
	u.body(f.Body)
	var out []int
	for i, bad := range u.bad {
		if bad {
			out = append(out, i)
		}
	}
	return out
}

type unsetFinder struct {
	first []int // by local: the body of its first Set, -1 for a parameter, 0 for none yet
	bad   []bool
	open  []bool // by body, from 1
}

func (u *unsetFinder) body(body []ir.Stmt) {
	u.open = append(u.open, true)
	me := len(u.open) - 1
	for _, s := range body {
		ir.Operands(s, func(e *ir.Expr) { u.reads(*e) })
		if set, ok := s.(*ir.Set); ok && u.first[set.Local] == 0 {
			u.first[set.Local] = me
		}
		ir.Bodies(s, func(b *[]ir.Stmt) { u.body(*b) })
	}
	u.open[me] = false
}

func (u *unsetFinder) reads(e ir.Expr) {
	if g, ok := e.(*ir.Get); ok {
		if at := u.first[g.Local]; at >= 0 && !u.open[at] {
			u.bad[g.Local] = true
		}
		return
	}
	ir.Subs(e, func(x *ir.Expr) { u.reads(*x) })
}
