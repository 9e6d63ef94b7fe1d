package opt

import (
	"slices"

	"towpath.dev/internal/abi"
	"towpath.dev/internal/lang/ir"
)

// numberPass follows a function from its start, along its structure, and keeps
// for every local the number of the value that it holds. Where an expression's
// value is known (a constant, what another local holds, what was stored there)
// that stands in its place; where it was computed before it is computed only
// there; where a test is decided only the branch that runs remains. No local's
// assignment is dropped here: what nothing reads any more goes later.
func numberPass(c *context, f *ir.Func) {
	p := &c.numberer
	p.reset(c, f)
	f.Body, _ = p.body(f.Body)
	c.owned = true
}

// numberer is the state at the place that is looked at.
type numberer struct {
	values
	c *context
	f *ir.Func

	env  []vn  // by local: the value it holds
	home []int // by number: 1 + a local that held it; only good while that local's env says so

	places []*place // by number: where a value was first computed, and not put into a local
	scope  *scope
	made   []made // the trees of the statement at hand

	trail []undo
	// memory and globals number the states of mutable memory and of globals.
	memory, globals, states uint64

	labels  []*target
	stamp   []int // by local, for what looks at each once
	stamped int

	loops induction
}

// undo is a change to be taken back when the scope it was made in ends.
type undo struct {
	local int // of env, or -1
	n     vn  // of alias and known
	old   vn
	known span
}

// scope is a body: what is computed in an open one has been computed.
type scope struct {
	open   bool
	before map[ir.Stmt][]hoisted // what is to be put before a statement of it
}

// hoisted is a value that got a local of its own.
type hoisted struct {
	n   vn
	set *ir.Set
}

// place is where a value is computed within a statement.
type place struct {
	scope *scope
	stmt  ir.Stmt
	root  *ir.Expr // of the statement, with e in its tree
	e     ir.Expr
	local int // -1, or the local that holds it from that statement on
}

// made is a tree and its number.
type made struct {
	e ir.Expr
	n vn
}

// target is an open block and the state that its end is reached with.
type target struct {
	label  *ir.Label
	breaks int // jumps to it that remain
	join   join
}

func (p *numberer) reset(c *context, f *ir.Func) {
	p.values.reset()
	p.c, p.f = c, f
	p.env = append(p.env[:0], make([]vn, len(f.Locals))...)
	p.stamp = append(p.stamp[:0], make([]int, len(f.Locals))...)
	p.home, p.trail, p.labels, p.made = p.home[:0], p.trail[:0], p.labels[:0], p.made[:0]
	clear(p.places)
	p.places = p.places[:0]
	p.memory, p.globals, p.states, p.stamped = 1, 1, 1, 0
	for i, t := range f.Locals {
		if i < f.Params {
			p.env[i] = p.fresh(t)
			p.setHome(p.env[i], i)
		} else {
			p.env[i] = p.constant(t, 0)
		}
	}
}

// holds gives a local a value.
func (p *numberer) holds(local int, n vn) {
	p.trail = append(p.trail, undo{local: local, old: p.env[local]})
	p.env[local] = n
	if _, ok := p.at(n); !ok {
		p.setHome(n, local)
	}
}

func (p *numberer) setHome(n vn, local int) {
	for int(n) >= len(p.home) {
		p.home = append(p.home, 0)
	}
	p.home[n] = local + 1
}

// at is a local that holds the value now.
func (p *numberer) at(n vn) (int, bool) {
	if int(n) < len(p.home) {
		if l := p.home[n] - 1; l >= 0 && p.env[l] == n {
			return l, true
		}
	}
	if pl := p.placeOf(n); pl != nil && pl.local >= 0 {
		p.trail = append(p.trail, undo{local: pl.local, old: p.env[pl.local]})
		p.env[pl.local] = n
		p.setHome(n, pl.local)
		return pl.local, true
	}
	return 0, false
}

// placeOf is where a value was computed for certain, nil when nowhere.
func (p *numberer) placeOf(n vn) *place {
	if int(n) < len(p.places) {
		if pl := p.places[n]; pl != nil && pl.scope.open {
			return pl
		}
	}
	return nil
}

// note remembers what is known of a value, for rollback.
func (p *numberer) note(n vn) {
	p.trail = append(p.trail, undo{local: -1, n: n, old: p.alias[n], known: p.known[n]})
}

// rollback takes back everything since the trail had that length.
func (p *numberer) rollback(to int) {
	for i := len(p.trail) - 1; i >= to; i-- {
		if u := &p.trail[i]; u.local >= 0 {
			p.env[u.local] = u.old
		} else {
			p.alias[u.n], p.known[u.n] = u.old, u.known
		}
	}
	p.trail = p.trail[:to]
}

func (p *numberer) suppose(test vn, truth bool) { p.assume(test, truth, p.note) }

// newState numbers a state of memory or globals that was not before.
func (p *numberer) newState() uint64 {
	p.states++
	return p.states
}

// join gathers the states in which a place is reached from several sides.
type join struct {
	mark            int // the length of the trail where the ways parted
	edges           int
	locals          []int
	vns             []vn   // 0 where the sides differ
	ranges          []span // what holds on all sides
	memory, globals uint64
}

func (p *numberer) fork() join { return join{mark: len(p.trail)} }

// arrive adds the present state to a join.
func (p *numberer) arrive(j *join) {
	if j.edges == 0 {
		j.memory, j.globals = p.memory, p.globals
	}
	if j.memory != p.memory {
		j.memory = 0
	}
	if j.globals != p.globals {
		j.globals = 0
	}
	p.stamped++
	for i, l := range j.locals {
		p.stamp[l] = p.stamped
		if p.env[l] != j.vns[i] {
			j.vns[i] = 0
		}
		j.ranges[i] = j.ranges[i].join(p.rangeOf(p.env[l]))
	}
	for i := j.mark; i < len(p.trail); i++ {
		l := p.trail[i].local
		if l < 0 || p.stamp[l] == p.stamped {
			continue
		}
		p.stamp[l] = p.stamped
		n := p.env[l]
		r := p.rangeOf(n)
		if old := p.trail[i].old; j.edges > 0 && n != old {
			n = 0 // the other sides come with the old value
			if _, ok := p.isConst(old); ok {
				r = r.join(p.rangeOf(old))
			} else {
				r = full // what was known there is forgotten
			}
		}
		j.locals = append(j.locals, l)
		j.vns = append(j.vns, n)
		j.ranges = append(j.ranges, r)
	}
	j.edges++
}

// meet goes on from a join and reports whether any side reaches it.
func (p *numberer) meet(j *join) bool {
	p.rollback(j.mark)
	if j.edges == 0 {
		return false
	}
	for i, l := range j.locals {
		n := j.vns[i]
		if n == 0 {
			n = p.fresh(p.f.Locals[l])
			p.known[n] = j.ranges[i]
		}
		p.holds(l, n)
	}
	p.memory, p.globals = j.memory, j.globals
	if p.memory == 0 {
		p.memory = p.newState()
	}
	if p.globals == 0 {
		p.globals = p.newState()
	}
	return true
}

// body goes through statements in a row. It gives what remains of them, and
// whether control reaches their end.
func (p *numberer) body(in []ir.Stmt) ([]ir.Stmt, bool) {
	outer := p.scope
	p.scope = &scope{open: true}
	out, falls := p.row(make([]ir.Stmt, 0, len(in)), in)
	p.scope.open = false
	if p.scope.before != nil {
		out = p.scope.insert(out)
	}
	p.scope = outer
	return out, falls
}

// row appends what remains of statements to those before them in the same body.
func (p *numberer) row(out, in []ir.Stmt) ([]ir.Stmt, bool) {
	falls := true
	for i := 0; i < len(in) && falls; i++ {
		if b, ok := in[i].(*ir.Block); ok {
			if body := unblock(b); body != nil {
				in = append(append([]ir.Stmt(nil), body...), in[i+1:]...)
				i = -1
				continue
			}
		}
		for i+1 < len(in) && p.follows(in[i], in[i+1]) {
			in[i+1] = in[i]
			i++
		}
		out, falls = p.stmt(out, in[i])
	}
	return out, falls
}

// insert puts what was hoisted before the statements where it is first needed.
func (s *scope) insert(body []ir.Stmt) []ir.Stmt {
	out := make([]ir.Stmt, 0, len(body)+len(s.before))
	for _, st := range body {
		// What an expression is made of has lesser numbers than the expression.
		list := s.before[st]
		slices.SortFunc(list, func(a, b hoisted) int { return int(a.n - b.n) })
		for _, h := range list {
			out = append(out, h.set)
		}
		out = append(out, st)
	}
	return out
}

// isClock reports that a global does not change while the program runs.
func isClock(g *ir.Global) bool {
	return g.Export == abi.GlobalNow || g.Export == abi.GlobalSeed
}
