package opt

import "towpath.dev/internal/lang/ir"

// localGas keeps the gas of loops in a local. As a global it lies in memory, and
// each round would wait for the store of the one before to be read back.
//
// A region is an outermost statement with a loop in it that calls nothing which
// knows of gas. The global is read before it and written where control leaves
// it: at its end, before a break or a return out of it, and around yield, which
// looks at it and changes it. Faults do not look at it. Each charge keeps its
// cost, its site and its place.
func localGas(m *ir.Module) {
	var gas *ir.Global
	for _, g := range m.Globals {
		if g.Name == "gas" {
			gas = g
		}
	}
	var yield *ir.Import
	for _, im := range m.Imports {
		if im.Name == "yield" {
			yield = im
		}
	}
	if gas == nil || yield == nil {
		return
	}
	aware := gasAware(m, gas, yield)
	for _, f := range m.Funcs {
		g := &gasRegion{f: f, gas: gas, yield: yield, aware: aware}
		f.Body = g.find(f.Body)
	}
}

// gasAware finds the functions that take gas or look at it, themselves or
// through what they call.
func gasAware(m *ir.Module, gas *ir.Global, yield *ir.Import) map[*ir.Func]bool {
	aware := map[*ir.Func]bool{}
	callers := map[*ir.Func][]*ir.Func{}
	var queue []*ir.Func
	for _, f := range m.Funcs {
		own := false
		called := func(g *ir.Func) { callers[g] = append(callers[g], f) }
		ir.Inspect(f.Body, func(s ir.Stmt) {
			switch s := s.(type) {
			case *ir.Gas:
				own = true
			case *ir.SetGlobal:
				own = own || s.Global == gas
			case *ir.HostStmt:
				own = own || s.Import == yield
			case *ir.CallStmt:
				called(s.Func)
			}
		}, func(e ir.Expr) {
			switch e := e.(type) {
			case *ir.GetGlobal:
				own = own || e.Global == gas
			case *ir.Call:
				called(e.Func)
			}
		})
		if own {
			aware[f] = true
			queue = append(queue, f)
		}
	}
	for len(queue) > 0 {
		f := queue[len(queue)-1]
		queue = queue[:len(queue)-1]
		for _, c := range callers[f] {
			if !aware[c] {
				aware[c] = true
				queue = append(queue, c)
			}
		}
	}
	return aware
}

// gasRegion rewrites the regions of one function.
type gasRegion struct {
	f     *ir.Func
	gas   *ir.Global
	yield *ir.Import
	aware map[*ir.Func]bool
	local int
	inner map[*ir.Label]bool // labels within the region
}

// find rewrites the regions of a body: the outermost statements that are fit,
// or else what lies within them.
func (g *gasRegion) find(body []ir.Stmt) []ir.Stmt {
	var out []ir.Stmt
	for _, s := range body {
		loops, charges, fit := g.look(s)
		switch {
		case !loops || !charges:
			out = append(out, s)
		case fit:
			out = append(out, g.rewrite(s)...)
		default:
			ir.Bodies(s, func(b *[]ir.Stmt) { *b = g.find(*b) })
			out = append(out, s)
		}
	}
	return out
}

// look tells whether a statement has a loop and a charge in it, and whether
// nothing in it but charges knows of gas.
func (g *gasRegion) look(s ir.Stmt) (loops, charges, fit bool) {
	fit = true
	ir.Inspect([]ir.Stmt{s}, func(s ir.Stmt) {
		switch s := s.(type) {
		case *ir.Loop:
			loops = true
		case *ir.Gas:
			charges = true
		case *ir.SetGlobal:
			fit = fit && s.Global != g.gas
		case *ir.HostStmt:
			fit = fit && s.Import != g.yield
		case *ir.CallStmt:
			fit = fit && !g.aware[s.Func]
		}
	}, func(e ir.Expr) {
		switch e := e.(type) {
		case *ir.GetGlobal:
			fit = fit && e.Global != g.gas
		case *ir.Call:
			fit = fit && !g.aware[e.Func]
		case *ir.Seq:
			fit = false // its statements are not looked into
		}
	})
	return loops, charges, fit
}

func (g *gasRegion) rewrite(s ir.Stmt) []ir.Stmt {
	g.local = g.f.NewLocal(ir.I64)
	g.inner = map[*ir.Label]bool{}
	ir.Inspect([]ir.Stmt{s}, func(s ir.Stmt) {
		switch s := s.(type) {
		case *ir.Block:
			g.inner[s.Label] = true
		case *ir.Loop:
			g.inner[s.Label] = true
		}
	}, nil)
	load := &ir.Set{Local: g.local, X: &ir.GetGlobal{Global: g.gas}}
	return append(append([]ir.Stmt{load}, g.stmts([]ir.Stmt{s})...), g.save())
}

func (g *gasRegion) save() ir.Stmt {
	return &ir.SetGlobal{Global: g.gas, X: &ir.Get{T: ir.I64, Local: g.local}}
}

func (g *gasRegion) stmts(body []ir.Stmt) []ir.Stmt {
	var out []ir.Stmt
	leave := func(label *ir.Label, test ir.Expr, jump, always ir.Stmt) {
		switch {
		case g.inner[label]:
			out = append(out, jump)
		case test == nil:
			out = append(out, g.save(), jump)
		default:
			out = append(out, &ir.If{Test: test, Then: []ir.Stmt{g.save(), always}})
		}
	}
	for _, s := range body {
		switch s := s.(type) {
		case *ir.Gas:
			out = append(out, g.charge(s)...)
			continue
		case *ir.Break:
			leave(s.Label, s.Test, s, &ir.Break{Label: s.Label})
			continue
		case *ir.Continue:
			leave(s.Label, s.Test, s, &ir.Continue{Label: s.Label})
			continue
		case *ir.Return:
			out = append(out, g.save(), s)
			continue
		}
		ir.Bodies(s, func(b *[]ir.Stmt) { *b = g.stmts(*b) })
		out = append(out, s)
	}
	return out
}

// charge is a Gas statement on the local.
func (g *gasRegion) charge(s *ir.Gas) []ir.Stmt {
	get := &ir.Get{T: ir.I64, Local: g.local}
	return []ir.Stmt{
		&ir.Set{Local: g.local, X: &ir.Binary{Op: ir.I64Sub, X: get, Y: s.Cost}},
		&ir.If{
			Test: &ir.Binary{Op: ir.I64LtS, X: get, Y: &ir.Const{T: ir.I64}},
			Then: []ir.Stmt{
				g.save(),
				&ir.HostStmt{Import: g.yield, Args: []ir.Expr{&ir.Const{T: ir.I32, Bits: uint64(uint32(s.Site))}}},
				&ir.Set{Local: g.local, X: &ir.GetGlobal{Global: g.gas}},
			},
		},
	}
}
