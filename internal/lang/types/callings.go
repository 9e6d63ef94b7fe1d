package types

import (
	"sort"
	"strings"

	"towpath.dev/internal/lang/core"
	"towpath.dev/internal/lang/span"
)

// checkCalls works out what follows from which body calls which: recursion, the
// operations that a function may ask, scopes in which nothing can fail, and
// constants that depend on themselves or would call.
func (c *checker) checkCalls() {
	g := newCallGraph(c)
	g.markRecursion()
	g.checkGrowth()
	g.infer()
	g.markRequest()
	g.constCycles()
	c.checkConstCalls()
	c.checkScopes()
}

// callGraph has a node for each function and, after these, for each constant.
type callGraph struct {
	c      *checker
	consts map[*core.Const]int
	out    [][]int // edges without the tail calls of a function by itself
	comp   []int   // strongly connected component of each node, callees' first
	comps  [][]int
}

func newCallGraph(c *checker) *callGraph {
	g := &callGraph{c: c, consts: map[*core.Const]int{}}
	n := len(c.funcList)
	for i, k := range c.constList {
		g.consts[k.c] = n + i
	}
	g.out = make([][]int, n+len(c.constList))
	for i, fi := range c.funcList {
		g.out[i] = g.edges(&fi.calls)
	}
	for i, k := range c.constList {
		g.out[n+i] = g.edges(&k.calls)
	}
	g.comp, g.comps = components(g.out)
	return g
}

func (g *callGraph) edges(cs *calls) []int {
	out := make([]int, 0, len(cs.funcs)+len(cs.consts))
	for i := range cs.funcs {
		fc := &cs.funcs[i]
		if fc.call != nil && fc.call.TailSelf {
			continue
		}
		if fi := g.c.funcs[fc.fn]; fi != nil {
			out = append(out, fi.index)
		}
	}
	for _, k := range cs.consts {
		if i, ok := g.consts[k]; ok {
			out = append(out, i)
		}
	}
	return out
}

// components finds strongly connected components (Tarjan 1972, without
// recursion), each after those that it leads to.
func components(out [][]int) (comp []int, comps [][]int) {
	n := len(out)
	comp = make([]int, n)
	low, index := make([]int, n), make([]int, n)
	for i := range comp {
		comp[i], index[i] = -1, -1
	}
	type frame struct{ node, next int }
	var stack []int
	var work []frame
	count := 0
	for root := range n {
		if index[root] >= 0 {
			continue
		}
		work = append(work, frame{root, 0})
		for len(work) > 0 {
			f := &work[len(work)-1]
			v := f.node
			if f.next == 0 {
				index[v], low[v] = count, count
				count++
				stack = append(stack, v)
			}
			if f.next < len(out[v]) {
				to := out[v][f.next]
				f.next++
				if index[to] < 0 {
					work = append(work, frame{to, 0})
				} else if comp[to] < 0 {
					low[v] = min(low[v], index[to])
				}
				continue
			}
			work = work[:len(work)-1]
			if len(work) > 0 {
				parent := work[len(work)-1].node
				low[parent] = min(low[parent], low[v])
			}
			if low[v] != index[v] {
				continue
			}
			var members []int
			for {
				m := stack[len(stack)-1]
				stack = stack[:len(stack)-1]
				comp[m] = len(comps)
				members = append(members, m)
				if m == v {
					break
				}
			}
			comps = append(comps, members)
		}
	}
	return comp, comps
}

// cyclic reports whether a component's members can come back to themselves.
func (g *callGraph) cyclic(members []int) bool {
	if len(members) > 1 {
		return true
	}
	for _, to := range g.out[members[0]] {
		if to == members[0] {
			return true
		}
	}
	return false
}

func (g *callGraph) markRecursion() {
	for _, members := range g.comps {
		if !g.cyclic(members) {
			continue
		}
		for _, m := range members {
			if m < len(g.c.funcList) {
				g.c.funcList[m].fn.Recursive = true
			}
		}
	}
}

// checkGrowth refuses cycles of calls that would need ever new copies of their
// functions: those that pass on changed type arguments or functions.
func (g *callGraph) checkGrowth() {
	for i, fi := range g.c.funcList {
		for j := range fi.calls.funcs {
			fc := &fi.calls.funcs[j]
			to := g.c.funcs[fc.fn]
			if to == nil || g.comp[to.index] != g.comp[i] || !to.fn.Recursive || fc.call != nil && fc.call.TailSelf {
				continue
			}
			if !g.growingTypes(fi, fc) && fc.call != nil {
				g.growingFunctions(fi, fc)
			}
		}
	}
}

func (g *callGraph) growingTypes(fi *funcInfo, fc *funcCall) bool {
	for i, t := range fc.typeArgs() {
		if _, bare := t.(*core.Param); bare || !has(t, isParam) {
			continue
		}
		g.c.diags.Errorf(codeGrowingCalls, fc.at(), "`%s` calls itself with ever larger types: `%s` becomes `%s`",
			fi.fn.Name, fc.fn.TypeParams[i].Name, t).
			Note(fi.fn.At, "declared here").
			Note(span.Span{}, "functions that call each other pass their type parameters on as they are")
		return true
	}
	return false
}

func isParam(t core.Type) bool { _, ok := t.(*core.Param); return ok }

func (g *callGraph) growingFunctions(fi *funcInfo, fc *funcCall) {
	for i, p := range fc.fn.Params {
		if _, ok := p.Type.(*core.FuncType); !ok || i >= len(fc.call.Args) {
			continue
		}
		if _, ok := fc.call.Args[i].(*core.Lambda); !ok {
			continue
		}
		g.c.diags.Errorf(codeGrowingCalls, fc.call.Args[i].Pos(), "`%s` calls itself with a new function each time", fi.fn.Name).
			Note(p.At, "the parameter `%s`", p.Name).
			Note(span.Span{}, "functions that call each other hand their function parameters on as they are")
		return
	}
}

// infer finds what each function may ask. A component's members may all reach
// each other, but under different scopes, so needs go round until they settle.
func (g *callGraph) infer() {
	needs := make([]map[*core.Operation]core.Need, len(g.out))
	for _, members := range g.comps {
		for changed := true; changed; {
			changed = false
			for _, m := range members {
				if m < len(g.c.funcList) && g.collect(needs, m) {
					changed = true
				}
			}
			if len(members) == 1 && !g.cyclic(members) {
				break
			}
		}
	}
	for i, fi := range g.c.funcList {
		fi.fn.Callings = callings(needs[i])
	}
}

// markRequest finds the functions that read the request's clock or seed.
func (g *callGraph) markRequest() {
	for _, members := range g.comps {
		request := false
		for _, m := range members {
			if m >= len(g.c.funcList) {
				continue
			}
			fi := g.c.funcList[m]
			request = request || g.c.readsRequest(&fi.calls) || strings.HasPrefix(fi.fn.Intrinsic, "random.")
		}
		for _, m := range members {
			if m < len(g.c.funcList) {
				g.c.funcList[m].request = request
			}
		}
	}
}

// readsRequest reports whether a body reads the clock or the seed, itself or
// through a function that is known to.
func (c *checker) readsRequest(cs *calls) bool {
	if cs.request {
		return true
	}
	for i := range cs.funcs {
		if fi := c.funcs[cs.funcs[i].fn]; fi != nil && fi.request {
			return true
		}
	}
	return false
}

// collect adds to a function's needs what its body tells now.
func (g *callGraph) collect(needs []map[*core.Operation]core.Need, node int) bool {
	changed := false
	add := func(op *core.Operation, need core.Need) {
		if old, ok := needs[node][op]; ok && old <= need {
			return
		}
		if needs[node] == nil {
			needs[node] = map[*core.Operation]core.Need{}
		}
		needs[node][op] = need
		changed = true
	}
	cs := &g.c.funcList[node].calls
	for _, o := range cs.ops {
		add(o.op, o.need)
	}
	for i := range cs.funcs {
		fi := g.c.funcs[cs.funcs[i].fn]
		if fi == nil || fi.index == node {
			continue
		}
		for op, need := range needs[fi.index] {
			add(op, max(need, cs.funcs[i].need))
		}
	}
	return changed
}

// callings sorts by the operations' qualified names.
func callings(needs map[*core.Operation]core.Need) []core.Calling {
	if len(needs) == 0 {
		return nil
	}
	out := make([]core.Calling, 0, len(needs))
	for op, need := range needs {
		out = append(out, core.Calling{Op: op, Need: need})
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Op.QualifiedName() < out[j].Op.QualifiedName() })
	return out
}

// constCycles refuses constants that need their own value, through functions too.
func (g *callGraph) constCycles() {
	n := len(g.c.funcList)
	for _, members := range g.comps {
		if !g.cyclic(members) {
			continue
		}
		for _, m := range members {
			if m >= n && g.c.constList[m-n].c.Type != bad {
				k := g.c.constList[m-n].c
				g.c.diags.Errorf(codeConstCycle, k.At, "the constant `%s` depends on itself, through the functions that it calls", k.Name)
				break
			}
		}
	}
}

// asks finds an operation that a body may ask, nil when there is none.
func (c *checker) asks(cs *calls) *core.Operation {
	if len(cs.ops) > 0 {
		return cs.ops[0].op
	}
	for i := range cs.funcs {
		if cg := cs.funcs[i].fn.Callings; len(cg) > 0 {
			return cg[0].Op
		}
	}
	return nil
}

// checkConstCalls refuses constants and defaults that would ask a service or
// differ from one request to the next.
func (c *checker) checkConstCalls() {
	refuse := func(cs *calls, at span.Span, what string) {
		if op := c.asks(cs); op != nil {
			c.diags.Errorf(codeMayNotCall, at, "%s asks no service, this one would ask `%s.%s`", what, op.Service.Name, op.Name)
		} else if c.readsRequest(cs) {
			c.diags.Errorf(codeMayNotCall, at, "%s is the same in every request, this one would depend on `now` or a random value", what)
		}
	}
	for _, k := range c.constList {
		refuse(&k.calls, k.decl.Value.Pos(), "a constant")
	}
	for _, m := range c.modules {
		for _, ti := range m.typeDecls {
			for _, ctor := range ti.def.Ctors {
				for _, f := range ctor.Fields {
					if di := c.fields[f]; di != nil {
						refuse(&di.calls, di.expr.Pos(), "a default")
					}
				}
			}
		}
	}
	var params []*core.Local
	for _, fi := range c.funcList {
		params = append(params, fi.fn.Params...)
	}
	for _, m := range c.modules {
		for _, oi := range m.opDecls {
			params = append(params, oi.op.Params...)
		}
	}
	for _, p := range params {
		if di := c.params[p]; di != nil {
			refuse(&di.calls, di.expr.Pos(), "a default")
		}
	}
}

// checkScopes warns about scopes around what asks nothing.
func (c *checker) checkScopes() {
	for _, u := range c.scopes {
		part := calls{
			ops:   u.calls.ops[u.ops:u.opsEnd],
			funcs: u.calls.funcs[u.funcs:u.funcsEnd],
		}
		if u.paramsEnd > u.params || c.asks(&part) != nil || hasBad(u.scope.Type) {
			continue
		}
		x := u.scope
		if _, ok := argsOf(x.Type, c.std.Option); ok && x.Else != nil {
			c.diags.Errorf(codeElseOnOption, x.Else.Pos(), "`else` answers for a failed call, and nothing here calls: an Option's default is written with `??`").
				Note(x.Body.Pos(), "this is `%s`", show(x.Type))
			continue
		}
		d := c.diags.Warnf(codeIdleScope, x.At, "nothing in this asks a service, so it can neither fail nor wait").
			Note(x.Body.Pos(), "this is evaluated in any case")
		if x.Body.Pos().File != nil {
			d.FixWith("leave the scope out", x.At, x.Body.Pos().Text())
		}
	}
}
