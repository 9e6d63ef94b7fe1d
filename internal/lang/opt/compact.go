package opt

import "towpath.dev/internal/lang/ir"

// compactPass numbers the locals that are left anew and notes what callers want
// to know of the function.
func compactPass(c *context, f *ir.Func) {
	used := make([]bool, len(f.Locals))
	for i := range f.Params {
		used[i] = true
	}
	size := 0
	var callees []*ir.Func
	ir.Inspect(f.Body, func(s ir.Stmt) {
		size++
		switch s := s.(type) {
		case *ir.Set:
			used[s.Local] = true
		case *ir.CallStmt:
			callees = append(callees, s.Func)
		}
	}, func(e ir.Expr) {
		if call, ok := e.(*ir.Call); ok {
			callees = append(callees, call.Func)
		}
		switch e := e.(type) {
		case *ir.Get:
			used[e.Local] = true
		case *ir.Const:
		default:
			size++
		}
	})
	number := make([]int, len(f.Locals))
	locals := make([]ir.Type, 0, len(f.Locals))
	for i, u := range used {
		number[i] = len(locals)
		if u {
			locals = append(locals, f.Locals[i])
		}
	}
	if len(locals) < len(f.Locals) {
		renumber(c, f.Body, number)
		f.Locals = locals
	}
	g := c.calls[f]
	g.done, g.size, g.unset, g.callees = true, size, unset(f), callees
}

func renumber(c *context, body []ir.Stmt, number []int) {
	var expr func(e *ir.Expr)
	expr = func(e *ir.Expr) {
		if g, ok := (*e).(*ir.Get); ok {
			if n := number[g.Local]; n != g.Local {
				*e = c.nodes.get(g.T, n)
			}
			return
		}
		ir.Subs(*e, expr)
	}
	for _, s := range body {
		if set, ok := s.(*ir.Set); ok {
			set.Local = number[set.Local]
		}
		ir.Operands(s, expr)
		ir.Bodies(s, func(b *[]ir.Stmt) { renumber(c, *b, number) })
	}
}
