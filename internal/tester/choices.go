package tester

import "math/bits"

// choices is where generated values come from: a sequence of numbers, each
// below a bound that its reader names. Every value is a function of the
// sequence, and a smaller sequence (shorter, or of smaller numbers) makes a
// simpler value; so a counterexample shrinks by shrinking the sequence, whatever
// its type. The zero choices are all 0 and make the simplest values.
type choices struct {
	given  []uint64 // replayed first
	random *random  // then these; nil: zeros
	made   []uint64 // all that were handed out, in order
}

// maxChoices bounds a case: beyond it all choices are 0.
const maxChoices = 8192

// below is a number below n, which must not be 0.
func (c *choices) below(n uint64) uint64 {
	var v uint64
	switch i := len(c.made); {
	case i < len(c.given):
		v = min(c.given[i], n-1)
	case c.random != nil && i < maxChoices:
		v = c.random.below(n)
	}
	c.made = append(c.made, v)
	return v
}

// pick is a number below n which, while it is made up, follows pick's taste
// instead of an even spread. However it came about, it is replayed and shrunk
// as the one number that it is.
func (c *choices) pick(n uint64, pick func(r *random) uint64) uint64 {
	var v uint64
	switch i := len(c.made); {
	case i < len(c.given):
		v = min(c.given[i], n-1)
	case c.random != nil && i < maxChoices:
		v = min(pick(c.random), n-1)
	}
	c.made = append(c.made, v)
	return v
}

// oneIn is true once in n times; the simpler choice is false.
func (c *choices) oneIn(n uint64) bool { return c.below(n) == n-1 }

// random is SplitMix64: small, and the same everywhere.
// Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014.
type random struct{ state uint64 }

func newRandom(parts ...uint64) *random {
	r := &random{}
	for _, p := range parts {
		r.state = r.next() ^ p
	}
	return r
}

func (r *random) next() uint64 {
	r.state += 0x9E3779B97F4A7C15
	z := r.state
	z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
	z = (z ^ z>>27) * 0x94D049BB133111EB
	return z ^ z>>31
}

// bits is a number of any length up to most bits.
func (r *random) bits(most uint64) uint64 { return r.next() & (1<<r.below(most+1) - 1) }

func (r *random) below(n uint64) uint64 {
	high, _ := bits.Mul64(r.next(), n)
	return high
}
