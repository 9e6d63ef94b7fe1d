package emit

import (
	"towpath.dev/internal/lang/ir"
	"towpath.dev/internal/lang/wasm"
)

// The engine checks every access against the memory's end, except where a check
// of the same address, at the same or a larger offset, has been passed. So before
// the first access through a local the byte at the largest offset that is used
// with it is loaded and dropped: one check does for all fields of a record, and
// the load itself is dead code to the engine.

// reach is what is known of accesses through the locals of a function, by local.
type reach struct {
	ends    []uint32 // the end of the farthest access; 0 where the local is assigned more than once
	checked []uint32 // what a check that dominates this place has passed
	undo    []checked
}

type checked struct {
	local int
	end   uint32
}

// slack is how far beyond what a program may use the memory reaches. The
// farthest access may belong to a longer alternative of a variant than the one
// that lies there, at the memory's end.
const slack = 48

// survey finds the farthest accesses.
func survey(f *ir.Func) reach {
	r := reach{ends: make([]uint32, len(f.Locals)), checked: make([]uint32, len(f.Locals))}
	sets := make([]int, len(f.Locals))
	access := func(addr ir.Expr, end uint32) {
		if g, ok := addr.(*ir.Get); ok {
			r.ends[g.Local] = max(r.ends[g.Local], end)
		}
	}
	for i := range f.Params {
		sets[i] = 1
	}
	ir.Inspect(f.Body, func(s ir.Stmt) {
		switch s := s.(type) {
		case *ir.Set:
			sets[s.Local]++
		case *ir.Store:
			access(s.Addr, s.Offset+uint32(s.Width))
		}
	}, func(e ir.Expr) {
		if e, ok := e.(*ir.Load); ok {
			access(e.Addr, e.Offset+uint32(e.Width))
		}
	})
	for i, n := range sets {
		if n > 1 {
			r.ends[i] = 0
		}
	}
	return r
}

// check comes before an access at addr that ends at end.
func (w *writer) check(addr ir.Expr, end uint32) {
	g, ok := addr.(*ir.Get)
	if !ok {
		return
	}
	r := &w.reach
	far := min(r.ends[g.Local], end+slack)
	if done := r.checked[g.Local]; far == 0 || done >= end {
		return
	}
	r.undo = append(r.undo, checked{g.Local, r.checked[g.Local]})
	r.checked[g.Local] = far
	if far == end {
		return // the access is itself the farthest
	}
	w.expr(g)
	w.code.Mem(wasm.I32Load8U, 0, far-1)
	w.code.Op(wasm.Drop)
}

// forget takes back what was checked since the mark: on a path that need not
// have been taken.
func (w *writer) forget(mark int) {
	r := &w.reach
	for i := len(r.undo) - 1; i >= mark; i-- {
		r.checked[r.undo[i].local] = r.undo[i].end
	}
	r.undo = r.undo[:mark]
}
