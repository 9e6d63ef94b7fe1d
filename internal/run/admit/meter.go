package admit

import (
	"math"
	"time"
)

const (
	// queueing is the limit in capacities: what is beyond 1 waits.
	queueing = 1.4
	// ownCost is what a request costs beside the view's own CPU, and takes beside the
	// time between Admit and Done: reading and writing it. In ms.
	ownCost = 0.02
	// longest bounds what a single request may say of latency, in baselines.
	longest = 4
	// idling is how long requests that met a full server take, in baselines, when it
	// was not full after all. The capacity is taken for growth times as much then.
	idling, growth = 1.1, 1.5
	// found is what is taken for the capacity when it is first seen, in what was
	// completed then: a little more, as it may not have been full all the time, and
	// so little that requests which are taken for calm are.
	found = 1.1
	// waiting is how long they take, in baselines, when they certainly wait.
	waiting = 1.5
	// firstRequests is how many requests may be in flight on a core at first. As long
	// as the capacity is a guess, twice as many may whenever so many did not wait. Few
	// would spare what is overloaded from the start, and refuse those who only wait for
	// a slow service: so many that a server which has just started seldom does.
	firstRequests = 48
	// leastCapacity keeps arithmetic sound. In cores.
	leastCapacity = 1e-6
)

// The settling time is how far averages go back, in ms: over many requests, or they
// are noise, and beyond latencies, or they are of the past. Averages of demand go
// back further, as arrivals scatter more than completions do.
const (
	leastSettling, mostSettling = 250, 10_000
	settlingRequests            = 100
	settlingLatencies           = 2
	settlingDemand              = 2 // settling times
)

// meter measures the capacity.
type meter struct {
	capacity   float64 // cores
	settling   float64 // ms
	latency    float64 // mean of what is completed, by cost, ms
	typical    float64 // cost of what arrives, by cost, ms: that of the dear ones, in a mix
	overloaded bool    // not all demand fits

	// Since the last turn.
	opened  time.Duration
	arrived float64 // cost
	squares float64 // of the costs

	// While at least the capacity was in flight, since it was last corrected.
	full     tally
	fullTime float64 // ms
	// Averages for the ratio of latency to baseline while it was.
	fullTook, fullDue float64

	all      tally // completed since the mean latency was last taken
	allSince time.Duration

	// Until the capacity is known.
	known  bool
	most   int  // requests in flight
	peak   int  // of late
	waited bool // of late
}

// tally adds up requests that were completed.
type tally struct {
	requests        int
	cost, took, due float64 // cost; latency and baseline times cost
}

func (t *tally) add(cost, took, base float64) {
	t.requests++
	t.cost += cost
	t.took += cost * took
	t.due += cost * base
}

// limit is the weight in flight that requests without a claim to more are held to.
func (m *meter) limit() float64 { return queueing * m.capacity }

// complete notes a request that has ended, while the server was full or not.
func (m *meter) complete(cost, took, base float64, full bool) {
	took = min(took, longest*base)
	m.all.add(cost, took, base)
	if full {
		m.full.add(cost, took, base)
	}
}

// due reports whether averages are to be taken: a fifth of the settling time has
// passed, or what has come suggests that it would be too late then.
func (m *meter) due(now time.Duration) bool {
	const least, leastOverloaded = 1, 5 // ms
	passed := ms(now - m.opened)
	return passed >= m.settling/5 || passed >= least &&
		(m.rush(m.arrived, passed) && (!m.overloaded || passed >= leastOverloaded) ||
			!m.known && m.all.requests >= 20)
}

// rush reports whether so much cost in so many ms is more than chance brings
// together: with Poisson traffic that fits, about e^-12 of the busy periods are so.
func (m *meter) rush(cost, passed float64) bool {
	return cost > 1.25*m.capacity*passed+12*m.typical
}

// turn takes the averages, and gives the time since it last did, in ms.
func (m *meter) turn(now time.Duration) float64 {
	passed := ms(now - m.opened)
	if m.arrived > 0 {
		m.typical += weigh(passed, m.settling) * (m.squares/m.arrived - m.typical)
	}
	m.opened, m.arrived, m.squares = now, 0, 0
	m.correct()
	m.look(now)
	m.settling = max(leastSettling, settlingRequests*m.typical/m.capacity, settlingLatencies*m.latency)
	m.settling = min(m.settling, mostSettling)
	return passed
}

// weigh is the part that the last ms have in an average that goes back some more.
func weigh(passed, memory float64) float64 { return passed / (passed + memory) }

// correct moves the capacity towards what was completed while the server was full.
// If even then nothing waited, it was not full, and the capacity is higher.
func (m *meter) correct() {
	const enough = 5 // completions; without any, all stand still, which says nothing
	if m.full.requests < enough || m.fullTime == 0 {
		return
	}
	part := 1 - math.Exp(-m.fullTime/m.settling)
	m.fullTook += part * (m.full.took/m.fullTime - m.fullTook)
	m.fullDue += part * (m.full.due/m.fullTime - m.fullDue)
	target := m.full.cost / m.fullTime
	if m.fullTook < idling*m.fullDue {
		target = growth * max(target, m.capacity)
	} else if target > m.capacity/2 {
		m.known = true // it was guessed well
	}
	target = min(max(target, m.capacity/2), m.capacity*2)
	m.capacity = max(m.capacity+part*(target-m.capacity), leastCapacity)
	m.full, m.fullTime = tally{}, 0
}

// look takes the mean latency. Where the capacity is a guess, and requests wait
// although less is in flight, it is what they are completed at.
func (m *meter) look(now time.Duration) {
	const enough = 10
	t := m.all
	if t.requests < enough || now == m.allSince || t.cost == 0 {
		return
	}
	cores := t.cost / ms(now-m.allSince)
	m.all, m.allSince = tally{}, now
	mean := t.took / t.cost
	if m.latency == 0 {
		m.latency = mean
	}
	m.latency += 0.3 * (mean - m.latency)
	if m.known {
		return
	}
	waits := t.took > waiting*t.due && m.peak >= firstRequests/2
	switch {
	case waits && m.waited: // all the time
		m.capacity, m.known = max(min(m.capacity, found*cores), leastCapacity), true
	case !waits && m.peak >= m.most/2:
		m.most *= 2
	}
	m.waited, m.peak = waits, 0
}
