package admit

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// TestCriticalRequestsAreAnswered while they ask for 80 % of the capacity, and
// others for more than nine times it.
func TestCriticalRequestsAreAnswered(t *testing.T) {
	most := fixture{kind: kind{name: "5to20ms", service: uniform(5*time.Millisecond, 20*time.Millisecond)}, mean: 12500 * time.Microsecond, slots: 16}
	for i, f := range append(fixtures(), most) {
		f.world(t, uint64(i), func(w *world, s *source) {
			s.class, s.caller = Critical, "till"
			s.rate = f.perSecond(0.1)
			w.run(10 * time.Second)
			unloaded := s.quantile(0.99)
			others := w.add(&source{kind: &f.kind, caller: "shop"})
			s.rate, others.rate = f.perSecond(0.8), f.perSecond(9.2)
			w.run(3 * time.Second)
			first := s.answered()
			w.run(15 * time.Second)
			w.t.Logf("critical answered %.5f (%.4f in the first 3 s), p99 %.2fx; others %.4f, %.2fx; goodput %.3f", s.answered(), first,
				ratio(s.quantile(0.99), unloaded), others.answered(), ratio(others.quantile(0.99), unloaded), w.goodput())
			w.least("critical ones answered at first", first, 0.75)
			if f.shares {
				// The time that requests spend among others passes for their cost.
				w.least("critical ones answered", s.answered(), 0.99)
			} else {
				w.least("critical ones answered", s.answered(), 0.999)
			}
			w.least("goodput", w.goodput(), 0.9)
			if f.slots == 16 {
				// On few slots, 80 % of Poisson traffic alone waits longer than this.
				w.most("p99 of critical ones", ratio(s.quantile(0.99), unloaded), 2)
				w.most("p99 of others", ratio(others.quantile(0.99), unloaded), 2)
			}
		})
	}
}

// TestCriticalOverload: it is shared as any other is.
func TestCriticalOverload(t *testing.T) {
	f := fixtures()[5]
	f.world(t, 7, func(w *world, s *source) {
		s.class = Critical
		s.rate = f.perSecond(0.1)
		w.run(10 * time.Second)
		unloaded := s.quantile(0.99)
		s.rate = f.perSecond(10)
		w.run(2 * time.Second)
		w.run(10 * time.Second)
		w.least("goodput", w.goodput(), 0.9)
		w.most("p99", ratio(s.quantile(0.99), unloaded), 2)
	})
}

// TestClassesInOrder: what does not fit is refused from the bottom, and what is left
// goes to the next class.
func TestClassesInOrder(t *testing.T) {
	f := fixture{kind: kind{name: "5ms", service: fixed(5 * time.Millisecond)}, mean: 5 * time.Millisecond, slots: 16}
	f.world(t, 8, func(w *world, critical *source) {
		critical.class, critical.rate = Critical, f.perSecond(0.2)
		normal := w.add(&source{kind: &f.kind, rate: f.perSecond(0.5)})
		sheddable := w.add(&source{kind: &f.kind, class: Sheddable})
		bulk := w.add(&source{kind: &f.kind, class: Bulk})
		w.run(3 * time.Second)
		sheddable.rate, bulk.rate = f.perSecond(1), f.perSecond(5)
		w.run(2 * time.Second)
		w.run(20 * time.Second)
		w.t.Logf("critical %.4f, default %.4f, sheddable %.3f, bulk %.4f, goodput %.3f",
			critical.answered(), normal.answered(), sheddable.answered(), bulk.answered(), w.goodput())
		w.least("critical ones answered", critical.answered(), 0.999)
		w.least("default ones answered", normal.answered(), 0.999)
		w.least("sheddable ones answered", sheddable.answered(), 0.2)
		w.most("bulk ones answered", bulk.answered(), 0.02)
		if n := w.Stats().Classes[Bulk.index()].Refused[outranked]; float64(n) < 0.9*float64(bulk.refused) {
			w.t.Errorf("%d of %d bulk requests were refused as outranked", n, bulk.refused)
		}
		sheddable.rate = 0
		w.run(2 * time.Second)
		w.run(10 * time.Second)
		w.t.Logf("without sheddable ones: bulk %.4f, goodput %.3f", bulk.answered(), w.goodput())
		w.least("bulk ones answered then", bulk.answered(), 0.04)
		w.least("goodput", w.goodput(), 0.95)
		w.least("default ones answered then", normal.answered(), 0.999)
	})
}

// TestModestCallersGetAll that they ask for, beside one who asks for ten times the
// capacity; and he gets what is left.
func TestModestCallersGetAll(t *testing.T) {
	for i, f := range fixtures() {
		f.world(t, uint64(i), func(w *world, hog *source) {
			hog.caller = "hog"
			var modest []*source
			for i := range 10 {
				modest = append(modest, w.add(&source{kind: &f.kind, caller: fmt.Sprint("modest", i), rate: f.perSecond(0.06)}))
			}
			w.run(10 * time.Second)
			hog.rate = f.perSecond(10)
			w.run(3 * time.Second)
			w.run(10 * time.Second)
			least := 1.
			for _, m := range modest {
				least = min(least, m.answered())
			}
			w.t.Logf("the least modest one %.4f, hog %.4f, goodput %.3f", least, hog.answered(), w.goodput())
			w.least("answered of the least modest one", least, 0.98)
			w.least("answered of the hog", hog.answered(), 0.03)
			w.least("goodput", w.goodput(), 0.9)
			w.least("429 among his refusals", float64(hog.tooMany)/float64(hog.refused), 0.99)
		})
	}
}

// TestGreedyCallersShareEqually, however much more than the other each asks for.
func TestGreedyCallersShareEqually(t *testing.T) {
	f := fixture{kind: kind{name: "5ms", service: fixed(5 * time.Millisecond)}, mean: 5 * time.Millisecond, slots: 8}
	f.world(t, 9, func(w *world, a *source) {
		a.caller = "a"
		b := w.add(&source{kind: &f.kind, caller: "b"})
		a.rate, b.rate = f.perSecond(0.1), f.perSecond(0.1)
		w.run(5 * time.Second)
		a.rate, b.rate = f.perSecond(2), f.perSecond(10)
		w.run(5 * time.Second)
		w.run(20 * time.Second)
		w.t.Logf("a %v, b %v, goodput %.3f", a.work, b.work, w.goodput())
		w.most("what b gets of what a does", ratio(b.work, a.work), 1.5)
		w.least("what b gets of what a does", ratio(b.work, a.work), 0.67)
		w.least("goodput", w.goodput(), 0.9)
	})
}

// TestManyNamesAreOneCaller: who makes up names for himself takes neither memory nor
// the shares of those who were there before.
func TestManyNamesAreOneCaller(t *testing.T) {
	f := fixture{kind: kind{name: "5ms", service: fixed(5 * time.Millisecond)}, mean: 5 * time.Millisecond, slots: 8}
	simulate(t, 10, f.slots, Options{Capacity: 8, Callers: 50}, func(w *world) {
		var modest []*source
		for i := range 10 {
			modest = append(modest, w.add(&source{kind: &f.kind, caller: fmt.Sprint("modest", i), rate: f.perSecond(0.05)}))
		}
		w.run(5 * time.Second)
		liar := w.add(&source{kind: &f.kind, rate: f.perSecond(10), names: func(r *rand.Rand) string { return fmt.Sprint("new", r.Uint64()) }})
		w.run(5 * time.Second)
		w.run(20 * time.Second)
		least := 1.
		for _, m := range modest {
			least = min(least, m.answered())
		}
		w.t.Logf("the least modest one %.4f, the liar %.4f, goodput %.3f", least, liar.answered(), w.goodput())
		w.least("answered of the modest", least, 0.95)
		if n := w.Stats().Classes[Default.index()].Callers; n > 50 {
			t.Errorf("%d callers are told apart, want 50 at most", n)
		}
		liar.rate = 0
		w.run(time.Minute)
		if n := w.Stats().Classes[Default.index()].Callers; n != 10 {
			t.Errorf("%d callers are remembered a minute later, want 10", n)
		}
	})
}

// TestBrownout: as demand grows, optional scopes go before requests do, the least
// critical ones' first.
func TestBrownout(t *testing.T) {
	f := fixture{kind: kind{name: "5ms", service: fixed(5 * time.Millisecond), lean: 0.5}, mean: 5 * time.Millisecond, slots: 16}
	f.world(t, 11, func(w *world, s *source) {
		all := []*source{s}
		for _, c := range []Class{Sheddable, Default, Critical} {
			all = append(all, w.add(&source{kind: &f.kind, class: c}))
		}
		all[0].class = Bulk
		shed := func(part float64) (shares [classes]float64, answered float64) {
			sent, refused := 0, 0
			for _, s := range all {
				s.rate = f.perSecond(part / classes)
			}
			w.run(5 * time.Second)
			w.run(10 * time.Second)
			for i, s := range all {
				shares[i] = float64(s.shed) / float64(max(s.sent-s.refused, 1))
				sent, refused = sent+s.sent, refused+s.refused
			}
			answered = 1 - float64(refused)/float64(sent)
			w.t.Logf("demand %.2f: shed %.3f, answered %.4f, goodput %.3f", part, shares, answered, w.goodput())
			return shares, answered
		}
		// Let the capacity be found out.
		shed(3)
		if shares, _ := shed(0.4); shares[0] > 0.1 {
			w.t.Errorf("shed at 40 %%: %.3f", shares)
		}
		last := 0.
		for _, part := range []float64{0.6, 0.8, 1, 1.2, 1.4} {
			shares, answered := shed(part)
			for i := range shares[1:] {
				if shares[i+1] > shares[i]+0.02 {
					w.t.Errorf("demand %.2f: more critical ones are shed more: %.3f", part, shares)
				}
			}
			if shares[0] < last-0.1 {
				w.t.Errorf("demand %.2f: less is shed than before", part)
			}
			last = shares[0]
			w.least(fmt.Sprintf("answered at %.2f", part), answered, 0.97)
		}
		w.least("bulk ones shed at last", last, 0.9)
	})
}
