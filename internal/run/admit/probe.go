package admit

import (
	"math"
	"time"
)

// calmness is the part of the capacity below which nothing waits. Times queueing it
// is less than 1: even where baselines are the latencies at the limit, a probe has
// no more in flight than the capacity.
const calmness = 0.7

// Baselines are taken anew every epoch, when there were epochRequests calm ones.
const epoch, epochRequests = 2 * time.Second, 16

// A probe begins when there was no epoch for probeEvery, or for probeSoon where the
// capacity has changed by probeChange since the last; not before so many mean
// latencies, as a probe takes several of them. It wants probeRequests, or what comes
// within probeLatencies if that is more, and waits for their ends.
const (
	probeEvery, probeSoon                   = 5 * time.Second, 500 * time.Millisecond
	probeEveryLatencies, probeSoonLatencies = 250, 60
	probeChange                             = 0.3
	probeRequests, probeLatencies           = 16, 4
	probeMostLatencies                      = 15
)

// prober decides which requests are calm, and sees to it that there are some.
type prober struct {
	calm  int           // requests that were, since baselines were last taken
	taken time.Duration // when that was

	probing  bool
	began    time.Duration
	marked   int     // calm requests of this probe
	open     int     // of them in flight
	capacity float64 // when the last probe began
}

// calm reports whether nothing waits when a request of some weight is added to
// those in flight. Something must be possible on a single slot. Little is certain
// while the capacity is a guess.
func (l *Limiter) calm(weight float64) bool {
	m := &l.meter
	if !m.known {
		return l.requests*firstRequests < m.most
	}
	return l.requests == 0 || l.inFlight+weight <= calmness*m.capacity
}

// mark reports whether a calm request counts for baselines. At the end of a probe
// none are marked: that they end among others must not be held against them.
func (p *prober) mark(now time.Duration, latency float64) bool {
	if !p.probing {
		return true
	}
	if p.enough(now, latency) {
		return false
	}
	p.marked++
	p.open++
	return true
}

func (p *prober) enough(now time.Duration, latency float64) bool {
	return p.marked >= probeRequests && ms(now-p.began) >= probeLatencies*latency
}

// done notes that a marked request has ended.
func (p *prober) done(began time.Duration) {
	if p.probing && began >= p.began {
		p.open--
	}
}

// turn begins and ends probes, and reports whether baselines are to be taken.
func (p *prober) turn(now time.Duration, m *meter, full bool) bool {
	latency := time.Duration(m.latency * float64(time.Millisecond))
	since := now - p.taken
	switch changed := math.Abs(m.capacity-p.capacity) > probeChange*p.capacity; {
	case p.probing:
		if now-p.began < probeMostLatencies*latency+50*time.Millisecond && (p.open > 0 || !p.enough(now, m.latency)) {
			return false
		}
	case p.calm >= epochRequests && since >= epoch:
	case full && (since > max(probeEvery, probeEveryLatencies*latency) ||
		changed && since > max(probeSoon, probeSoonLatencies*latency)):
		*p = prober{taken: p.taken, probing: true, began: now, capacity: m.capacity}
		return false
	default:
		return false
	}
	p.probing, p.calm, p.taken = false, 0, now
	return true
}

// again has another probe follow soon.
func (p *prober) again() { p.capacity = 0 }
