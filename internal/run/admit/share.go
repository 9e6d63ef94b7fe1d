package admit

import "math"

// shedAt is the load from which on the requests of a class are shed.
var shedAt = [classes]float64{0.95, 0.9, 0.8, 0.7}

// Bursts of demand that fits may go beyond the limit by the limit again, or by 24
// requests if that is more: with 80 % of Poisson traffic on two cores there are
// more in flight for less than a thousandth of the time. Or what takes 5 ms in all,
// which matters to nobody. Where demand, as measured, comes near the capacity less
// is granted, and then none.
const (
	burstRequests      = 24
	burstTime          = 5 // ms
	burstFrom, burstTo = 0.95, 1.1
)

// Where requests are held that share what others leave, in capacities. Around 1 the
// server stays busy, and shows that it is.
const (
	beyondShare = 1.05 // of callers who have had their share
	besideAll   = 0.9  // when the classes above just fit
	belowAll    = 0.5  // when they do not
)

// A caller with more than an equal share gets up to so much of it, in the hope
// that others do not come for all of theirs.
const generosity = 1.15

// callerMemory is how much further back averages of a caller's demand go than those
// of a class, which has more requests.
const callerMemory = 4

// class is what is known of one, and how it is treated until the next turn.
type class struct {
	callers callers

	arrived float64 // cost since the last turn
	asked   float64 // the same, had nothing been shed
	demand  float64 // averages of them, cores
	full    float64

	load      float64 // full demand that it is shed for, in capacities
	overload  float64 // demand of it and those above, in capacities
	contended bool    // not all demand fits; callers are within their share or over it
	burst     float64 // the part of a whole burst that those within may make
	held      float64 // where those over it are refused, in weight in flight
	heldMore  float64 // and those of them who have had their share
	unfair    bool    // some are over while others are within

	admitted, shed int
	refused        [reasons]int
}

// bound is the weight in flight at which a request is refused. Those with a claim
// may make bursts.
func (c *class) bound(k *caller, f *form, m *meter) (weight float64, claim bool) {
	if !c.contended || !k.over && c.burst > 0 {
		limit := m.limit()
		return limit + c.burst*max(limit, burstRequests*f.weight, burstTime*m.capacity/f.base), true
	}
	k.credit = min(k.credit+k.ratio*f.cost, 2*f.cost)
	if k.credit > 0 {
		return c.held, false
	}
	return c.heldMore, false
}

// average takes the averages of demand, after so many ms.
func (c *class) average(passed float64, m *meter) {
	memory := settlingDemand * m.settling
	part := weigh(passed, memory)
	if m.rush(c.arrived, passed) {
		part = max(part, 0.2) // no chance has this many come together
	} else if c.arrived/passed < c.demand/2 && passed >= m.settling/5 {
		part = max(part, 0.5) // the rush is over
	}
	c.demand += part * (c.arrived/passed - c.demand)
	c.full += part * (c.asked/passed - c.full)
	c.arrived, c.asked = 0, 0
	// What is known of callers is wrong as long as it does not add up.
	amiss := max(min(c.demand/c.callers.demand, c.callers.demand/c.demand), 0.05)
	if c.demand == 0 || c.callers.demand == 0 {
		amiss = 1
	}
	c.callers.average(passed, weigh(passed, callerMemory*memory*amiss), m.capacity)
}

// share divides the capacity among the classes.
func (l *Limiter) share() {
	m := &l.meter
	m.overloaded = false
	demand, full, all := 0., 0., 0.
	for i := range l.classes {
		all += l.classes[i].full
	}
	for i := range l.classes {
		c := &l.classes[i]
		above := demand / m.capacity
		demand += c.demand
		full += c.full
		c.overload = demand / m.capacity
		// Classes are shed before those below are refused, but not for more than fits,
		// and critical requests not at all for others.
		if c.load = min(all, max(full, m.capacity)) / m.capacity; i == 0 {
			c.load = full / m.capacity
		}
		if c.contended = c.overload > burstTo; !c.contended {
			c.burst = burstOf(c.overload)
			continue
		}
		m.overloaded = true
		within, unfair := c.callers.divide(m.capacity*max(1-above, 0), c.demand)
		c.unfair = unfair
		c.burst = burstOf(above + within/m.capacity)
		c.held = m.capacity * heldAt(above)
		c.heldMore = min(c.held, m.capacity*beyondShare)
	}
}

// heldAt is where those over their share are held, in capacities, by what the
// classes above take: the more that is, the less these are to wait behind them.
func heldAt(above float64) float64 {
	if above <= 1 {
		return queueing + (besideAll-queueing)*above
	}
	return max(besideAll-(above-1)*4, belowAll)
}

// burstOf is the part of a burst that is granted, by demand in capacities.
func burstOf(demand float64) float64 {
	return min(max((burstTo-demand)/(burstTo-burstFrom), 0), 1)
}

// caller is what is known of one within a class.
type caller struct {
	who     uint64
	arrived float64 // cost since the last turn
	demand  float64 // average, cores
	wants   float64 // demand, such that those of all add up
	over    bool    // wants more than an equal share
	ratio   float64 // of what it wants that is its share
	credit  float64 // cost
}

// callers are those of a class. The first of the list stands for all that are not
// told apart.
type callers struct {
	most   int
	index  map[uint64]int
	list   []caller
	demand float64 // of all
}

func newCallers(most int) callers {
	return callers{most: most, index: map[uint64]int{}, list: []caller{{}}}
}

func (t *callers) find(who uint64) *caller {
	if i, ok := t.index[who]; ok {
		return &t.list[i]
	}
	if len(t.list) > t.most {
		return &t.list[0]
	}
	t.index[who] = len(t.list)
	t.list = append(t.list, caller{who: who})
	return &t.list[len(t.list)-1]
}

// average takes the averages, and forgets who has not come for long.
func (t *callers) average(passed, part, capacity float64) {
	const forgotten = 1e-4 // capacities
	t.demand = 0
	for i := len(t.list) - 1; i >= 0; i-- {
		k := &t.list[i]
		k.demand += part * (k.arrived/passed - k.demand)
		k.arrived = 0
		t.demand += k.demand
		if i > 0 && k.demand < forgotten*capacity {
			delete(t.index, k.who)
			last := len(t.list) - 1
			if i < last {
				*k = t.list[last]
				t.index[k.who] = i
			}
			t.list = t.list[:last]
		}
	}
}

// divide finds the max-min fair division of a share among the callers, who together
// demand more. It gives the demand of those who get all of theirs, and whether
// those who do not are treated worse than others.
func (t *callers) divide(share, demand float64) (within float64, unfair bool) {
	t.reconcile(demand)
	level, over := 0., -1
	for {
		n := 0
		within = 0
		for i := range t.list {
			if d := t.list[i].wants; d > level {
				n++
			} else {
				within += d
			}
		}
		if n == over || n == 0 {
			return within, t.grant(level)
		}
		level, over = max(share-within, 0)/float64(n), n
	}
}

// reconcile makes what callers want add up to the demand of the class, which is
// known sooner. If it has grown, that is rather by those who demand much.
func (t *callers) reconcile(demand float64) {
	squares := 0.
	for i := range t.list {
		d := t.list[i].demand
		squares += d * d
	}
	for i := range t.list {
		k := &t.list[i]
		if k.wants = k.demand; demand < t.demand {
			k.wants *= demand / t.demand
		} else if squares > 0 {
			k.wants += (demand - t.demand) * k.demand * k.demand / squares
		}
	}
}

// grant tells the callers apart by the level that divide found: an equal share of
// what is left for those who want more.
func (t *callers) grant(level float64) (unfair bool) {
	over, within := 0, 0
	least, most := math.Inf(1), 0.
	for i := range t.list {
		k := &t.list[i]
		if k.over, k.ratio = k.wants > level, 1; k.over {
			over++
			least, most = min(least, k.wants), max(most, k.wants)
			k.ratio = min(generosity*level/k.wants, 1)
		} else if k.wants > 0 {
			within++
		}
	}
	if over == 1 {
		for i := range t.list {
			t.list[i].ratio = 1
		}
	}
	return over > 0 && within > 0 || most > 1.25*least
}
