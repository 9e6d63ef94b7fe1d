package opt

import "towpath.dev/internal/lang/ir"

// What a loop assigns has another value in every round. Of counters more is
// known: one that starts small and is only ever moved by small constants stays
// far from the ends of 64 bits, for no run is long enough to carry it there; at a
// step a nanosecond, 2^52 of them take 52 days. One that is moved upwards only
// stays above where it started.
const (
	smallStart = 1 << 60 // how far from 0 a counter may start
	smallStep  = 1 << 8  // how far a step may take it
	farthest   = 1 << 61 // is then never reached: 2^52 steps

	maxRounds = 10 // of looking at a loop's assignments
)

// induction finds the counters among a loop's locals.
type induction struct {
	sets   []*ir.Set
	locals []int  // that are assigned
	fits   []bool // by local: not yet shown to be none
}

// enterLoop gives the locals that a loop assigns the values that they have at
// the start of any round.
func (p *numberer) enterLoop(s *ir.Loop) {
	in := &p.loops
	in.sets = assignments(in.sets[:0], s.Body)
	in.locals = in.locals[:0]
	p.stamped++
	for _, set := range in.sets {
		if l := set.Local; p.stamp[l] != p.stamped {
			p.stamp[l] = p.stamped
			in.locals = append(in.locals, l)
		}
	}
	ranges := make([]span, len(in.locals))
	for i := range ranges {
		ranges[i] = full
	}
	p.counters(ranges, span{-smallStart, smallStart}, -smallStep, span{-farthest, farthest})
	p.counters(ranges, span{0, smallStart}, 0, span{0, farthest})
	for i, l := range in.locals {
		n := p.fresh(p.f.Locals[l])
		p.holds(l, n)
		p.bound(n, ranges[i], p.note)
	}
	p.anything()
}

// counters narrows the ranges of the locals that start within start and are
// moved by least to smallStep at a time.
func (p *numberer) counters(ranges []span, start span, least int64, within span) {
	in := &p.loops
	for len(in.fits) < len(p.f.Locals) {
		in.fits = append(in.fits, false)
	}
	for _, l := range in.locals {
		in.fits[l] = p.f.Locals[l] == ir.I64 && p.rangeOf(p.env[l]).within(start.lo, start.hi)
	}
	rounds := 0
	for changed := true; changed; rounds++ {
		changed = false
		if rounds == maxRounds {
			return // it could take as many rounds as there are locals
		}
		for _, set := range in.sets {
			if in.fits[set.Local] && !p.steady(set.X, start, least) {
				in.fits[set.Local] = false
				changed = true
			}
		}
	}
	for i, l := range in.locals {
		if in.fits[l] {
			ranges[i] = ranges[i].meet(within)
		}
	}
}

// steady reports that an expression is small, or a counter moved by a step.
func (p *numberer) steady(e ir.Expr, start span, least int64) bool {
	switch e := e.(type) {
	case *ir.Const:
		return int64(e.Bits) >= start.lo && int64(e.Bits) <= start.hi
	case *ir.Get:
		if p.stamp[e.Local] == p.stamped {
			return p.loops.fits[e.Local]
		}
		return p.rangeOf(p.env[e.Local]).within(start.lo, start.hi)
	case *ir.Unary:
		return e.Op == ir.I64ExtendI32U || e.Op == ir.I64ExtendI32S && start.lo < 0
	case *ir.Binary:
		c, ok := e.Y.(*ir.Const)
		return ok && e.Op == ir.I64Add && int64(c.Bits) >= least && int64(c.Bits) <= smallStep && p.steady(e.X, start, least)
	case *ir.Cond:
		return p.steady(e.Then, start, least) && p.steady(e.Else, start, least)
	}
	return false
}

// assignments appends the Sets of a body.
func assignments(out []*ir.Set, body []ir.Stmt) []*ir.Set {
	for _, s := range body {
		switch s := s.(type) {
		case *ir.Set:
			out = append(out, s)
		case *ir.If, *ir.Block, *ir.Loop, *ir.Switch:
			ir.Bodies(s, func(b *[]ir.Stmt) { out = assignments(out, *b) })
		}
	}
	return out
}
