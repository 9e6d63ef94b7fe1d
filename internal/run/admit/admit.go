// Package admit decides at a responder's door which requests it takes on, so that
// those it does are answered in time, whatever comes.
//
//	door := admit.New(admit.Options{})
//	view := door.View("shop.featured") // once
//
//	permit, refusal := door.Admit(view, class, caller)
//	if refusal != nil {
//		// answer refusal.Status with Retry-After
//	}
//	leave := permit.Shed() // run without optional scopes
//	// …
//	permit.Done(cpu, calls, ok)
//
// Words used throughout:
//
//   - the cost of a view is the milliseconds of work that a request of it takes:
//     CPU, and a little for each call and for the request itself;
//   - its baseline is the milliseconds that one takes when nothing waits;
//   - the weight of a request is cost over baseline: the part of a core that it
//     keeps busy while it runs. Baselines below 5 ms count as that;
//   - demand is the cost that arrives in a millisecond, taken on or not;
//   - capacity is the cost that the server completes in a millisecond when it has
//     enough to do. All three of weight, demand and capacity count cores.
//
// # The limit
//
// By Little's law (Oper. Res. 9(3), 1961) the weights in flight add up to the cost
// completed in a millisecond, as long as nothing waits. So it takes as much weight
// in flight as there is capacity to keep the server busy, and what is beyond it
// only waits. The limit is 1.4 times the capacity: no core idles, and the mean
// latency is 1.4 baselines. Capacity is measured, not searched for: it is what is
// completed while at least as much as the capacity is in flight. That is the rule of
// BBR (Cardwell et al., ACM Queue 14(5), 2016) with views for paths. Weights make it
// hold for any mix: what computes for 5 ms weighs 1, as does what computes for
// 10 µs, and what waits 99 ms for 1 ms of work weighs 0.01.
//
// Limiters that go by latency alone (Vegas, Netflix's Gradient2, Envoy's adaptive
// concurrency) take any wait for overload. But two cores at 80 % of Poisson traffic
// already make requests take twice their baseline, and such a limiter then
// refuses what could have been served. Here latency only measures baselines, and
// tells a server that is full from one that merely has much in flight.
//
// Baselines are means over calm requests, those that came when no more than 0.7 of
// the capacity was in flight. Under steady overload there are none, so every few
// seconds the limit falls to that for a few baselines (BBR's ProbeRTT). Waiting
// cannot creep into baselines: one that is too high makes weights too low, and a
// probe has more in flight, by the same factor; of which 0.7 is what it measures.
//
// At first the capacity is taken to be that of the cores. Where it is less, since
// requests wait for something that is scarcer, it is too much to find out by
// filling it. So few requests may be in flight at first, and twice as many whenever
// these did not wait (TCP's slow start); when they do, that is the capacity.
//
// # Who is taken on
//
// Capacity is given to classes from the top: each is entitled to what those above
// it leave. A class whose demand fits may go beyond the limit in bursts, since
// what it sends is going to be worked off. The first whose demand does not fit is
// held to the limit, and divides what there is among its callers by max-min
// fairness (Bertsekas and Gallager, Data Networks, 6.5.2): callers who want less than
// an equal share get all of it, bursts included, the others share the rest. Classes
// below get in only when the server would idle.
//
// As demand nears the capacity, and before anything is refused, requests are asked
// to leave out what is optional, those of the least critical classes first.
//
// Nothing here runs by itself: Admit and Done move the state on, at the time they
// are called. Wall clocks may step, only elapsed time counts.
package admit

import (
	"errors"
	"fmt"
	"hash/maphash"
	"runtime"
	"sync"
	"time"
)

// Options say how a Limiter works. The zero value works.
type Options struct {
	// Capacity is taken for the server's, in cores, until it is measured. 0: GOMAXPROCS.
	Capacity float64
	// CallCost is what a call costs beside the CPU that is measured. 0: 100 µs.
	CallCost time.Duration
	// Callers is how many callers of a class are told apart; those beyond share as
	// if they were one. A caller takes about 100 bytes, and a few ns a turn, of which
	// there are up to 200 a second. 0: 1000.
	Callers int
}

// Validate reports all that is wrong with the options, or nil.
func (o Options) Validate() error {
	var errs []error
	if !(o.Capacity >= 0 && o.Capacity <= 1e6) {
		errs = append(errs, fmt.Errorf("the capacity is %v cores, expected 0 to 1000000", o.Capacity))
	}
	if o.CallCost < 0 || o.CallCost > time.Second {
		errs = append(errs, fmt.Errorf("the cost of a call is %v, expected 0 to 1s", o.CallCost))
	}
	if o.Callers < 0 || o.Callers > 100_000 {
		errs = append(errs, fmt.Errorf("%d callers are to be told apart, expected 0 to 100000", o.Callers))
	}
	return errors.Join(errs...)
}

// Limiter admits the requests of a server.
type Limiter struct {
	start    time.Time
	seed     maphash.Seed
	callCost float64 // in ms

	mu       sync.Mutex
	now      time.Duration // since start, of the latest event
	views    map[string]*View
	inFlight float64 // weight
	work     float64 // cost in flight
	requests int     // in flight
	classes  [classes]class
	refused  int // ever; spreads the times after which refused ones return
	meter    meter
	prober   prober
}

// New makes a Limiter. The options must be valid.
func New(o Options) *Limiter {
	if o.Capacity == 0 {
		o.Capacity = float64(runtime.GOMAXPROCS(0))
	}
	if o.CallCost == 0 {
		o.CallCost = 100 * time.Microsecond
	}
	if o.Callers == 0 {
		o.Callers = 1000
	}
	l := &Limiter{start: time.Now(), seed: maphash.MakeSeed(), callCost: ms(o.CallCost), views: map[string]*View{}}
	l.meter = meter{
		capacity: max(o.Capacity, leastCapacity), settling: leastSettling, typical: firstCost,
		most: max(int(o.Capacity*firstRequests), 2*firstRequests),
	}
	for i := range l.classes {
		l.classes[i].callers = newCallers(o.Callers)
	}
	l.share()
	return l
}

// View is the view of that name, made at the first mention. Names are never
// forgotten: they are to be of programs, not of requests.
func (l *Limiter) View(name string) *View {
	l.mu.Lock()
	defer l.mu.Unlock()
	v := l.views[name]
	if v == nil {
		v = newView(name)
		l.views[name] = v
	}
	return v
}

// Permit is a request that was taken on. The zero Permit is none.
type Permit struct {
	limiter *Limiter
	form    *form
	began   time.Duration
	weight  float64
	cost    float64
	calm    bool // nothing waited when it came
	shed    bool
}

// Shed reports whether the request is to be answered without its optional scopes.
func (p Permit) Shed() bool { return p.shed }

// Admit takes a request on, or says why not. The view is one of this Limiter; the
// caller is any name for who asks, and those of whom none is known are "", one like
// others. Each permit wants one Done.
func (l *Limiter) Admit(v *View, class Class, caller string) (Permit, *Refusal) {
	now := time.Since(l.start)
	who := maphash.String(l.seed, caller)
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.admit(now, v, class, who)
}

func (l *Limiter) admit(now time.Duration, v *View, class Class, who uint64) (Permit, *Refusal) {
	l.advance(now)
	m := &l.meter
	i := class.index()
	c := &l.classes[i]
	k := c.callers.find(who)
	f := &v.full
	bound, claim := c.bound(k, f, m)
	// Half of a burst is as good a reason to shed as demand.
	shed := c.load >= shedAt[i] || i > 0 && claim && l.beyond((m.limit()+bound)/2, f)
	if shed {
		f = v.lean()
	}
	c.asked += v.full.cost
	c.arrived += f.cost
	k.arrived += f.cost
	m.arrived += f.cost
	m.squares += f.cost * f.cost
	calm := l.calm(f.weight)
	full := l.inFlight >= bound || l.prober.probing && !calm
	if claim {
		full = l.beyond(bound, f)
	}
	if full || !m.known && l.requests >= m.most && (i > 0 || l.requests >= 2*m.most) {
		return Permit{}, l.refuse(c, k)
	}
	if !claim {
		k.credit = max(k.credit-f.cost, -2*f.cost)
	}
	c.admitted++
	if shed {
		c.shed++
	}
	l.inFlight += f.weight
	l.work += f.cost
	l.requests++
	m.peak = max(m.peak, l.requests)
	return Permit{
		limiter: l, form: f, began: l.now, weight: f.weight, cost: f.cost, shed: shed,
		calm: calm && l.prober.mark(l.now, m.latency),
	}, nil
}

// beyond reports whether what is in flight is more than a burst may be. Many cheap
// requests that wait behind a dear one weigh a lot, but are soon done.
func (l *Limiter) beyond(bound float64, f *form) bool {
	return l.inFlight >= bound && l.work >= bound*f.base
}

// Done ends a request. cpu is what it took, calls how many were made for it. What
// is not ok did not run to its end, and says nothing of its view's cost and time.
func (p Permit) Done(cpu time.Duration, calls int, ok bool) {
	l := p.limiter
	now := time.Since(l.start)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.done(now, p, cpu, calls, ok)
}

func (l *Limiter) done(now time.Duration, p Permit, cpu time.Duration, calls int, ok bool) {
	l.advance(now)
	took := ms(l.now-p.began) + ownCost
	cost := ms(max(cpu, 0)) + float64(max(calls, 0))*l.callCost + ownCost
	full := l.inFlight >= l.meter.capacity
	if l.requests--; l.requests == 0 {
		l.inFlight, l.work = 0, 0 // without what rounding left
	} else {
		l.inFlight -= p.weight
		l.work -= p.cost
	}
	if p.calm {
		l.prober.done(p.began)
	}
	f := p.form
	if ok && f.sample(cost, took, p.calm, !p.shed, !l.prober.probing) {
		l.prober.calm++
	}
	if ok || took >= f.base { // else it failed before it did much
		// What it cost itself may be measured by a clock, and grow when it waits.
		l.meter.complete(f.cost, took, f.base, full)
	}
}

// advance moves the state on to a time; one that is past already is now.
func (l *Limiter) advance(now time.Duration) {
	m := &l.meter
	full := l.inFlight >= m.capacity
	if now > l.now {
		if full {
			m.fullTime += ms(now - l.now)
		}
		l.now = now
	}
	if !m.due(l.now) {
		return
	}
	passed := m.turn(l.now)
	if l.prober.turn(l.now, m, full) {
		for _, v := range l.views {
			whole, lean := v.full.settle(), v.shed.settle()
			if whole || lean {
				l.prober.again()
			}
		}
	}
	for i := range l.classes {
		l.classes[i].average(passed, m)
	}
	l.share()
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
