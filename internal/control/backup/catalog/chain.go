package catalog

import (
	"cmp"
	"slices"
	"sort"
)

// A Chain leads to a revision: a base, and what of the log is to be applied to it. If
// Target is less than Base.Revision there are no steps: what the base has above Target
// is to be dropped.
type Chain struct {
	Target int64
	Base   Base
	Steps  []Step // in the order of their revisions; each revision is in one of them
}

// A Step is the changes of the revisions First to Last in a log object.
type Step struct {
	Log         Log
	First, Last int64
}

// Size is the stored bytes that have to be read for a chain.
func (c Chain) Size() int64 {
	size := c.Base.Size
	for _, s := range c.Steps {
		size += s.Log.Size
	}
	return size
}

// Raw is the bytes that these become.
func (c Chain) Raw() int64 {
	raw := c.Base.Raw
	for _, s := range c.Steps {
		raw += s.Log.Raw
	}
	return raw
}

// Chain finds what leads to a revision, and of several ways the one with the fewest
// bytes to read; among equals that of the fewest objects, and then of the highest
// levels. Bases above target are only taken when none below leads there: a base knows
// the leases of its own revision, and of those that ended before it nothing. An error
// is an [*UnrestorableError].
func (c Catalog) Chain(target int64) (Chain, error) {
	chain, ok := c.chain(target, func(b Base) bool { return b.Revision <= target })
	if !ok {
		chain, ok = c.chain(target, func(b Base) bool { return b.oldest() <= target })
	}
	if !ok {
		return Chain{}, c.explain(target)
	}
	return chain, nil
}

// A way is one object, taken up to the revision exit, and the way that leads to it.
type way struct {
	exit           int64
	bytes, objects int64
	log            int // index in Logs, -1 if it is a base
	base           int // index in Bases, if log is -1
	before         *way
}

// chain is the cheapest way from one of the bases that may be used. A later revision
// that is reached as cheaply is always as good, as log objects can be entered
// anywhere. So an object need only be left as late as it can be, and of the ways found
// so far only those matter that no later one undercuts: they are a list in which both
// revisions and costs ascend.
func (c Catalog) chain(target int64, use func(Base) bool) (Chain, bool) {
	var best []*way
	for _, w := range c.ways(target, use) {
		if w.log >= 0 {
			l := c.Logs[w.log]
			i := sort.Search(len(best), func(i int) bool { return best[i].exit >= l.Start-1 })
			if i == len(best) || best[i].exit >= w.exit {
				continue
			}
			w.before = best[i]
			w.bytes += best[i].bytes
			w.objects += best[i].objects
		}
		if n := len(best); n > 0 && best[n-1].exit == w.exit && best[n-1].less(w) {
			continue
		}
		for n := len(best); n > 0 && !best[n-1].less(w); n-- {
			best = best[:n-1]
		}
		best = append(best, w)
	}
	if len(best) == 0 || best[len(best)-1].exit != target {
		return Chain{}, false
	}
	return c.unroll(target, best[len(best)-1]), true
}

func (w *way) less(other *way) bool {
	if w.bytes != other.bytes {
		return w.bytes < other.bytes
	}
	return w.objects < other.objects
}

// ways are the objects that could be of use, in the order of where they are left.
func (c Catalog) ways(target int64, use func(Base) bool) []*way {
	var ways []*way
	newest := map[int64]Base{} // of several of one revision it has the users and roles of later
	for _, b := range c.Bases {
		if other, some := newest[b.Revision]; use(b) && (!some || b.compare(other) > 0) {
			newest[b.Revision] = b
		}
	}
	for i, b := range c.Bases {
		if use(b) && b.compare(newest[b.Revision]) == 0 {
			ways = append(ways, &way{exit: min(b.Revision, target), bytes: b.Size, objects: 1, log: -1, base: i})
		}
	}
	for i, l := range c.Logs {
		if exit := l.exit(target); exit > 0 {
			ways = append(ways, &way{exit: exit, bytes: l.Size, objects: 1, log: i})
		}
	}
	level := func(w *way) int {
		if w.log < 0 {
			return -1
		}
		return int(c.Logs[w.log].Level)
	}
	slices.SortStableFunc(ways, func(a, b *way) int {
		return cmp.Or(cmp.Compare(a.exit, b.exit), cmp.Compare(level(a), level(b)))
	})
	return ways
}

func (c Catalog) unroll(target int64, w *way) Chain {
	chain := Chain{Target: target}
	for ; w.log >= 0; w = w.before {
		chain.Steps = append(chain.Steps, Step{Log: c.Logs[w.log], First: w.before.exit + 1, Last: w.exit})
	}
	chain.Base = c.Bases[w.base]
	slices.Reverse(chain.Steps)
	return chain
}
