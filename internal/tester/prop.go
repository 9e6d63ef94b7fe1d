package tester

import (
	"hash/fnv"

	"towpath.dev/internal/lang/core"
	"towpath.dev/internal/lang/interp"
)

// runProp tries a prop's cases, and shrinks the first that fails.
func runProp(p *core.Program, t *core.Test, o *Options, r *Result, covered spans) {
	r.Seed = o.Seed
	h := fnv.New64a()
	h.Write([]byte(t.Module.Path + "\x00" + t.Title))
	for i := range o.Cases {
		r.Cases++
		c := &choices{random: newRandom(uint64(o.Seed), h.Sum64(), uint64(i))}
		if i == 0 {
			c.random = nil // the simplest case of all
		}
		found := tryCase(p, t, o, c, covered)
		if len(found.body.failures) > 0 {
			found, r.Shrinks = shrink(p, t, o, found)
			r.Failures, r.Debug, r.Case = found.body.failures, found.body.debug, found.inputs
			return
		}
	}
}

// tried is a case and what came of it.
type tried struct {
	made   []uint64 // the choices that it took
	inputs []Named
	body   *body
}

func tryCase(p *core.Program, t *core.Test, o *Options, c *choices, covered spans) *tried {
	b := newBody(p, t, o, covered)
	g := newGenerator(p, interp.New(p, interp.Options{}), c)
	// First, so that it stays when shrinking drops the first amount.
	g.caseCurrency()
	out := &tried{body: b}
	for _, param := range t.Params {
		v := g.value(param.Type)
		b.bound = append(b.bound, binding{local: param, value: v})
		out.inputs = append(out.inputs, Named{Name: param.Name, Text: shorten(b.machine.Render(param.Type, v), maxText)})
	}
	b.run()
	out.made = c.made
	return out
}

// The budget of a shrinking: cases tried, and gas that they may spend together.
const (
	maxShrinks   = 2000
	maxShrinkGas = 20_000_000
)

// shrinker makes a failing case smaller while it fails in the same way.
type shrinker struct {
	program *core.Program
	test    *core.Test
	opts    *Options

	best   *tried
	kind   Kind
	better int // how often a smaller case was found
	runs   int
	gas    int64
}

// shrink finds a small case that fails as the given one does. It gives that
// case and how often it became smaller.
func shrink(p *core.Program, t *core.Test, o *Options, found *tried) (*tried, int) {
	s := &shrinker{program: p, test: t, opts: o, best: found, kind: found.body.failures[0].Kind}
	for before := -1; before != s.better && s.within(); {
		before = s.better
		s.drop()
		s.lower()
	}
	return s.best, s.better
}

func (s *shrinker) within() bool { return s.runs < maxShrinks && s.gas < maxShrinkGas }

// try keeps a sequence of choices if its case still fails and is smaller.
func (s *shrinker) try(made []uint64) bool {
	if !s.within() || !smaller(made, s.best.made) {
		return false
	}
	s.runs++
	next := tryCase(s.program, s.test, s.opts, &choices{given: made}, nil)
	s.gas += next.body.gas
	if len(next.body.failures) == 0 || next.body.failures[0].Kind != s.kind || !smaller(next.made, s.best.made) {
		return false
	}
	s.best = next
	s.better++
	return true
}

// smaller orders sequences by length, then by their numbers.
func smaller(a, b []uint64) bool {
	if len(a) != len(b) {
		return len(a) < len(b)
	}
	for i := range a {
		if a[i] != b[i] {
			return a[i] < b[i]
		}
	}
	return false
}

// drop leaves out runs of choices, long ones first. The short lengths are all
// tried: an element of a list is a few choices, which must go together.
func (s *shrinker) drop() {
	const short = 12
	for size := len(s.best.made); size > 0; size = max(min(size-1, short), size/2) {
		for at := len(s.best.made) - size; at >= 0; {
			made := s.best.made
			if at+size > len(made) {
				at = len(made) - size
				continue
			}
			shorter := append(append([]uint64{}, made[:at]...), made[at+size:]...)
			if !s.try(shorter) {
				at -= max(1, size/2)
			}
		}
	}
}

// lower makes each choice as small as a search by halves can.
func (s *shrinker) lower() {
	for at := 0; at < len(s.best.made); at++ {
		if s.best.made[at] == 0 || s.with(at, 0) {
			continue
		}
		// Everything up to low is known, or taken, not to fail.
		low := uint64(0)
		for at < len(s.best.made) && s.best.made[at]-low > 1 && s.within() {
			middle := low + (s.best.made[at]-low)/2
			if !s.with(at, middle) {
				low = middle
			}
		}
	}
}

// with tries the best sequence with one choice changed.
func (s *shrinker) with(at int, v uint64) bool {
	made := append([]uint64{}, s.best.made...)
	made[at] = v
	return s.try(made)
}
