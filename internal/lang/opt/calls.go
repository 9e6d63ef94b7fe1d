package opt

import "towpath.dev/internal/lang/ir"

// callGraph says who calls whom.
type callGraph map[*ir.Func]*caller

// caller is a function in the call graph.
type caller struct {
	callees []*ir.Func // as often as they are called
	sites   int        // how many calls of it there are in the module
	kept    bool       // exported
	group   int        // functions that call each other in a circle are one group
	cyclic  bool       // calls itself, by way of others or not
	done    bool       // optimised
	size    int        // then: its nodes
	unset   []int      // then: the locals that may be read before they are set
	// deferred: not optimised, since the only call of it will be replaced by its
	// body, and that is optimised there.
	deferred bool
}

// waits reports that a function is left to its one caller.
func (g *caller) waits(f *ir.Func) bool {
	return g.sites == 1 && !g.kept && !g.cyclic && !f.NoInline && sizeOf(f.Body) <= inlineDeferred
}

func graph(m *ir.Module) callGraph {
	g := make(callGraph, len(m.Funcs))
	for _, f := range m.Funcs {
		g[f] = &caller{}
	}
	for _, x := range m.Exports {
		g[x.Func].kept = true
	}
	for _, f := range m.Funcs {
		g[f].callees = callees(f.Body)
		for _, callee := range g[f].callees {
			g[callee].sites++
		}
	}
	return g
}

// callees lists the functions that a body calls, as often as it does.
func callees(body []ir.Stmt) []*ir.Func {
	var out []*ir.Func
	ir.Inspect(body, func(s ir.Stmt) {
		if call, ok := s.(*ir.CallStmt); ok {
			out = append(out, call.Func)
		}
	}, func(e ir.Expr) {
		if call, ok := e.(*ir.Call); ok {
			out = append(out, call.Func)
		}
	})
	return out
}

// order lists the module's functions, callees before callers, and finds the
// groups (Tarjan, Depth-first search and linear graph algorithms, 1972).
func (g callGraph) order(m *ir.Module) []*ir.Func {
	var (
		out, stack []*ir.Func
		index      = make(map[*ir.Func]int, len(m.Funcs))
		low        = make(map[*ir.Func]int, len(m.Funcs))
		open       = make(map[*ir.Func]bool, len(m.Funcs))
		groups     int
		visit      func(f *ir.Func)
	)
	visit = func(f *ir.Func) {
		index[f] = len(index) + 1
		low[f] = index[f]
		stack = append(stack, f)
		open[f] = true
		for _, callee := range g[f].callees {
			switch {
			case callee == f:
				g[f].cyclic = true
			case index[callee] == 0:
				visit(callee)
				low[f] = min(low[f], low[callee])
			case open[callee]:
				low[f] = min(low[f], index[callee])
			}
		}
		if low[f] != index[f] {
			return
		}
		groups++
		for {
			top := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			open[top] = false
			g[top].group = groups
			if top != f {
				g[top].cyclic, g[f].cyclic = true, true
			}
			out = append(out, top)
			if top == f {
				return
			}
		}
	}
	for _, f := range m.Funcs {
		if index[f] == 0 {
			visit(f)
		}
	}
	return out
}
