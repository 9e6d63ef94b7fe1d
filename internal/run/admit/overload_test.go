package admit

import (
	"fmt"
	"testing"
	"time"
)

// fixture is a kind of request on a server of some slots.
type fixture struct {
	kind
	mean   time.Duration
	slots  int
	shares bool
}

func (f fixture) String() string {
	how := "computes"
	if f.waits {
		how = "waits"
	}
	if f.shares {
		how += ", slots shared"
	}
	return fmt.Sprintf("%s %s, %d slots", f.name, how, f.slots)
}

// perSecond is the rate that a part of the server's capacity serves.
func (f fixture) perSecond(part float64) float64 {
	return part * float64(f.slots) / f.mean.Seconds()
}

func fixtures() []fixture {
	var all []fixture
	for _, slots := range []int{2, 4, 8} {
		for _, k := range []fixture{
			{kind: kind{name: "5ms", service: fixed(5 * time.Millisecond)}, mean: 5 * time.Millisecond},
			{kind: kind{name: "5to20ms", service: uniform(5*time.Millisecond, 20*time.Millisecond)}, mean: 12500 * time.Microsecond},
			{kind: kind{name: "5ms", service: fixed(5 * time.Millisecond), waits: true}, mean: 5 * time.Millisecond},
			{kind: kind{name: "5to20ms", service: uniform(5*time.Millisecond, 20*time.Millisecond), waits: true}, mean: 12500 * time.Microsecond},
		} {
			k.slots = slots
			all = append(all, k)
			if !k.waits && slots > 2 {
				k.shares = true
				all = append(all, k)
			}
		}
	}
	return all
}

// world simulates a fixture; the test has a source whose rate is 0.
func (f fixture) world(t *testing.T, seed uint64, test func(w *world, s *source)) {
	t.Run(f.String(), func(t *testing.T) {
		simulate(t, seed, f.slots, Options{Capacity: float64(min(f.slots, 4))}, func(w *world) {
			w.shares = f.shares
			test(w, w.add(&source{kind: &f.kind}))
		})
	})
}

func (w *world) least(what string, got, want float64) {
	w.t.Helper()
	if got < want {
		w.t.Errorf("%s is %.4f, want at least %.4f", what, got, want)
	}
}

func (w *world) most(what string, got, want float64) {
	w.t.Helper()
	if got > want {
		w.t.Errorf("%s is %.4f, want at most %.4f", what, got, want)
	}
}

// TestTenfoldOverload: what is answered is what the server can, in the time that it
// takes without load twice over at most.
func TestTenfoldOverload(t *testing.T) {
	for i, f := range fixtures() {
		f.world(t, uint64(i), func(w *world, s *source) {
			s.rate = f.perSecond(0.1)
			w.run(10 * time.Second)
			unloaded := s.quantile(0.99)
			w.least("answered of 10 %", s.answered(), 1)
			s.rate = f.perSecond(10)
			w.run(2 * time.Second) // in which it is found out
			learning, slow := w.goodput(), ratio(s.quantile(0.99), unloaded)
			w.run(6 * time.Second)
			stretch := ratio(s.quantile(0.99), unloaded)
			w.t.Logf("goodput %.3f, p99 %.2fx; in the first 2 s %.3f and %.1fx", w.goodput(), stretch, learning, slow)
			w.least("goodput of the first 2 s", learning, 0.8)
			w.least("goodput", w.goodput(), 0.9)
			w.most("p99 in that without load", stretch, 2)
			w.most("the queue's share of p50", ratio(s.quantile(0.5), f.mean), 2.1)
		})
	}
}

func ratio(a, b time.Duration) float64 { return float64(a) / float64(b) }

// TestNobodyIsRefusedWithoutOverload, however uneven Poisson traffic is.
func TestNobodyIsRefusedWithoutOverload(t *testing.T) {
	for i, f := range fixtures() {
		f.world(t, uint64(i), func(w *world, s *source) {
			s.rate = f.perSecond(0.1)
			w.run(5 * time.Second)
			s.rate = f.perSecond(0.7)
			w.run(15 * time.Second)
			w.t.Logf("answered %.5f, shed %.5f, capacity %.3f", s.answered(), float64(s.shed)/float64(s.sent), w.meter.capacity)
			w.least("answered of 70 %", s.answered(), 0.999)
			w.most("shed of 70 %", float64(s.shed)/float64(s.sent), 0.03)
		})
	}
}

// TestSteps: capacity and service times change under overload, and it goes on.
func TestSteps(t *testing.T) {
	for i, f := range fixtures() {
		if f.slots < 4 || f.shares {
			continue
		}
		f.world(t, uint64(i), func(w *world, s *source) {
			s.rate = f.perSecond(0.1)
			w.run(5 * time.Second)
			unloaded := s.quantile(0.99)
			s.rate = f.perSecond(10)
			step := func(what string, change func(), stretch float64) {
				change()
				w.run(3 * time.Second)
				at := w.goodput()
				w.run(10 * time.Second)
				got := ratio(s.quantile(0.99), unloaded)
				w.t.Logf("%-24s goodput %.3f, p99 %.2fx; in the first 3 s %.3f", what, w.goodput(), got, at)
				w.least(what+": goodput of the first 3 s", at, 0.7)
				w.least(what+": goodput", w.goodput(), 0.9)
				w.most(what+": p99", got, stretch)
			}
			step("overload", func() {}, 2)
			step("half the slots", func() { w.slots /= 2 }, 2.1)
			step("all slots again", func() { w.slots *= 2 }, 2)
			step("twice the service time", func() { w.slow = 2 }, 4)
			step("the former one", func() { w.slow = 1 }, 2)
			s.rate = f.perSecond(0.7)
			w.run(2 * time.Second)
			w.least("answered as overload ends", s.answered(), 0.85)
			w.run(10 * time.Second)
			w.least("answered after overload", s.answered(), 0.999)
		})
	}
}

// TestIdleHour: what was known an hour ago still holds a burst.
func TestIdleHour(t *testing.T) {
	f := fixtures()[8]
	f.world(t, 5, func(w *world, s *source) {
		s.rate = f.perSecond(0.1)
		w.run(5 * time.Second)
		unloaded := s.quantile(0.99)
		s.rate = f.perSecond(10)
		w.run(5 * time.Second)
		s.rate = 0
		w.run(time.Hour)
		s.rate = f.perSecond(10)
		w.run(2 * time.Second)
		w.t.Logf("goodput %.3f, p99 %.2fx", w.goodput(), ratio(s.quantile(0.99), unloaded))
		w.least("goodput of the burst", w.goodput(), 0.9)
		w.run(5 * time.Second)
		w.most("p99 after it", ratio(s.quantile(0.99), unloaded), 2)
	})
}

// TestHourOfOverload: baselines do not take the queue's time for their own.
func TestHourOfOverload(t *testing.T) {
	for i, f := range []fixture{
		{kind: kind{name: "100ms", service: exponential(100 * time.Millisecond)}, mean: 100 * time.Millisecond, slots: 8},
		{kind: kind{name: "100ms", service: exponential(100 * time.Millisecond)}, mean: 100 * time.Millisecond, slots: 2},
		{kind: kind{name: "100ms", service: exponential(100 * time.Millisecond), waits: true}, mean: 100 * time.Millisecond, slots: 8},
	} {
		f.world(t, uint64(i), func(w *world, s *source) {
			s.rate = f.perSecond(0.1)
			w.run(30 * time.Second)
			s.rate = f.perSecond(4)
			w.run(10 * time.Second)
			least, worst := 1., 0.
			for range 12 {
				w.run(5 * time.Minute)
				least = min(least, w.goodput())
				worst = max(worst, ratio(s.quantile(0.5), f.mean))
			}
			v := w.views[s.kind]
			w.t.Logf("goodput %.3f, p50 %.2f service times, baselines %.0f and %.0f ms", least, worst, v.full.base, v.shed.base)
			w.least("the worst five minutes' goodput", least, 0.9)
			w.most("the worst five minutes' p50", worst, 1.7)
			w.most("the baseline", v.shed.base, 150)
			w.least("the baseline", v.shed.base, 65)
		})
	}
}

// TestMixedViews: cheap requests wait behind dear ones for hundreds of their
// baselines, which is no overload, and no reason to let the dear ones starve.
func TestMixedViews(t *testing.T) {
	cheap := &kind{name: "cheap", service: fixed(10 * time.Microsecond)}
	dear := &kind{name: "dear", service: fixed(5 * time.Millisecond)}
	simulate(t, 1, 4, Options{Capacity: 4}, func(w *world) {
		c := w.add(&source{kind: cheap, rate: 200})
		d := w.add(&source{kind: dear, rate: 0.1 * 800})
		w.run(5 * time.Second)
		unloaded := d.quantile(0.99)
		c.rate, d.rate = 10_000, 0.6*800
		w.run(10 * time.Second)
		w.t.Logf("without overload: cheap %.5f, dear %.5f, capacity %.2f", c.answered(), d.answered(), w.meter.capacity)
		w.least("cheap ones answered", c.answered(), 0.999)
		w.least("dear ones answered", d.answered(), 0.999)
		d.rate = 10 * 800
		w.run(2 * time.Second)
		w.run(10 * time.Second)
		w.t.Logf("overload: cheap %.3f, dear %.3f, goodput %.3f, dear p99 %.2fx, capacity %.2f",
			c.answered(), d.answered(), w.goodput(), ratio(d.quantile(0.99), unloaded), w.meter.capacity)
		w.least("goodput", w.goodput(), 0.9)
		w.most("p99 of the dear ones", ratio(d.quantile(0.99), unloaded), 2)
		w.least("dear ones answered of those cheap ones that are", d.answered()/c.answered(), 0.8)
	})
}

// TestStall: nothing completes for a while, which says nothing of the capacity.
func TestStall(t *testing.T) {
	f := fixtures()[8]
	f.world(t, 6, func(w *world, s *source) {
		s.rate = f.perSecond(0.7)
		w.run(5 * time.Second)
		w.slots = 0
		w.run(10 * time.Second)
		w.slots = f.slots
		w.run(3 * time.Second)
		w.t.Logf("answered %.4f of the first 3 s, capacity %.2f", s.answered(), w.meter.capacity)
		w.least("answered of the first 3 s after a stall", s.answered(), 0.5)
		w.run(3 * time.Second)
		w.least("answered 3 s after a stall", s.answered(), 0.99)
	})
}

// TestFailures: requests that fail at once make no room that is not there, and when
// all have failed for a while, not much is lost afterwards.
func TestFailures(t *testing.T) {
	for i, f := range fixtures() {
		if f.slots < 8 || f.shares {
			continue
		}
		f.world(t, uint64(i), func(w *world, s *source) {
			s.rate = f.perSecond(0.1)
			w.run(5 * time.Second)
			unloaded := s.quantile(0.99)
			s.rate, s.kind.fails = f.perSecond(10), 0.5
			w.run(2 * time.Second)
			w.run(5 * time.Second)
			w.t.Logf("half fail: goodput %.3f, p99 %.2fx", w.goodput(), ratio(s.quantile(0.99), unloaded))
			w.least("goodput where half fail", w.goodput(), 0.9)
			w.most("p99 where half fail", ratio(s.quantile(0.99), unloaded), 2.2)
			s.kind.fails, s.kind.broken = 0, true
			w.run(5 * time.Second)
			s.kind.broken = false
			w.run(2 * time.Second)
			w.run(5 * time.Second)
			w.t.Logf("after all failed: goodput %.3f, p99 %.2fx", w.goodput(), ratio(s.quantile(0.99), unloaded))
			w.least("goodput after all failed", w.goodput(), 0.9)
			w.most("p99 after all failed", ratio(s.quantile(0.99), unloaded), 2)
			s.kind.fails, s.rate = 1, f.perSecond(1)
			w.run(5 * time.Second)
			w.least("taken on where all fail at once", s.answered(), 0.9)
		})
	}
}
