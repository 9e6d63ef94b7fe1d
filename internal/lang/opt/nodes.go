package opt

import "towpath.dev/internal/lang/ir"

// nodes hands out expressions from slabs: a pass makes one for every node of a
// program, and asking for each alone would take longer than the pass.
type nodes struct {
	unaries   slab[ir.Unary]
	binaries  slab[ir.Binary]
	loads     slab[ir.Load]
	gets      slab[ir.Get]
	constants slab[ir.Const]
	conds     slab[ir.Cond]
	places    slab[place]
}

type slab[T any] []T

func (s *slab[T]) next() *T {
	if len(*s) == 0 {
		*s = make([]T, 64)
	}
	x := &(*s)[0]
	*s = (*s)[1:]
	return x
}

func (n *nodes) unary() *ir.Unary   { return n.unaries.next() }
func (n *nodes) binary() *ir.Binary { return n.binaries.next() }
func (n *nodes) load() *ir.Load     { return n.loads.next() }
func (n *nodes) cond() *ir.Cond     { return n.conds.next() }

func (n *nodes) get(t ir.Type, local int) *ir.Get {
	g := n.gets.next()
	*g = ir.Get{T: t, Local: local}
	return g
}

func (n *nodes) constant(t ir.Type, bits uint64) *ir.Const {
	c := n.constants.next()
	*c = ir.Const{T: t, Bits: bits}
	return c
}
