package admit

import (
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestParseClass(t *testing.T) {
	for _, c := range []Class{Critical, Default, Sheddable, Bulk} {
		if got, err := ParseClass(c.String()); got != c || err != nil {
			t.Errorf("%v is read as %v, %v", c, got, err)
		}
	}
	if c, err := ParseClass(""); c != Default || err != nil {
		t.Errorf("no class is %v, %v", c, err)
	}
	if _, err := ParseClass("Critical"); err == nil || !strings.Contains(err.Error(), "expected critical") {
		t.Errorf("a class that there is not: %v", err)
	}
	var zero Class
	if zero != Default || Class(100).String() != "bulk" || Class(-100).String() != "critical" {
		t.Error("classes beyond the known ones, or none")
	}
}

func TestOptionsReportAllFaults(t *testing.T) {
	if err := (Options{}).Validate(); err != nil {
		t.Error(err)
	}
	err := Options{Capacity: -1, CallCost: time.Hour, Callers: -1}.Validate()
	if err == nil {
		t.Fatal("no fault was found")
	}
	for _, want := range []string{"capacity", "cost of a call", "callers"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not tell of the %s", err, want)
		}
	}
}

// TestRefusals: they have a status, a reason and a time that spreads them out.
func TestRefusals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(Options{Capacity: 1})
		v := l.View("v")
		seen := map[time.Duration]int{}
		for range 10_000 {
			time.Sleep(100 * time.Microsecond)
			_, r := l.Admit(v, Default, "")
			if r == nil {
				continue
			}
			if r.Status != http.StatusServiceUnavailable || r.Reason != Reasons[atLimit] {
				t.Fatalf("refused with %+v", r)
			}
			if r.RetryAfter < time.Second || r.RetryAfter > mostSeconds*time.Second || r.RetryAfter%time.Second != 0 {
				t.Fatalf("to come again after %s", r.RetryAfter)
			}
			seen[r.RetryAfter]++
		}
		if len(seen) < 2 {
			t.Errorf("all are to come again at once: %v", seen)
		}
		s := l.Stats()
		if c := s.Classes[Default.index()]; c.Admitted != s.Requests || c.Admitted+c.Refused[atLimit] != 10_000 {
			t.Errorf("the counts are %+v", s)
		}
	})
}

// TestMeasuring: costs and baselines are those of requests that ran to their end.
func TestMeasuring(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(Options{})
		v := l.View("shop.featured")
		if l.View("shop.featured") != v {
			t.Error("a view was made twice")
		}
		for i := range 1000 {
			p, refusal := l.Admit(v, Default, "")
			if refusal != nil {
				t.Fatalf("request %d of an idle server was refused: %+v", i, refusal)
			}
			if p.Shed() {
				t.Fatalf("request %d of an idle server was shed", i)
			}
			if i%2 == 0 {
				time.Sleep(10 * time.Millisecond)
				p.Done(2*time.Millisecond, 10, true)
			} else {
				p.Done(-time.Second, -1, false) // fails at once
			}
		}
		s := l.Stats()
		if s.Requests != 0 || s.InFlight != 0 || len(s.Views) != 1 {
			t.Fatalf("at rest: %+v", s)
		}
		got := s.Views[0]
		near := func(d, want time.Duration) bool { return (d - want).Abs() < 50*time.Microsecond }
		if got.Name != "shop.featured" || !near(got.Cost, 3*time.Millisecond) || !near(got.Baseline, 10*time.Millisecond) {
			t.Errorf("measured %+v, want a cost of 3ms and a baseline of 10ms", got)
		}
	})
}

// TestClock: time that stands still, goes back or leaps does no harm.
func TestClock(t *testing.T) {
	l := New(Options{Capacity: 2})
	v := l.View("v")
	rng := rand.New(rand.NewPCG(1, 1))
	var now time.Duration
	var open []Permit
	for range 200_000 {
		switch rng.IntN(20) {
		case 0:
			now -= time.Duration(rng.Int64N(int64(time.Second)))
		case 1:
			now += time.Duration(rng.Int64N(int64(time.Hour)))
		case 2, 3, 4, 5:
		default:
			now += time.Duration(rng.Int64N(int64(10 * time.Millisecond)))
		}
		if len(open) > 0 && rng.IntN(2) == 0 {
			i := rng.IntN(len(open))
			l.done(now, open[i], time.Duration(rng.Int64N(int64(10*time.Millisecond))), rng.IntN(3), rng.IntN(4) > 0)
			open = append(open[:i], open[i+1:]...)
			continue
		}
		if p, refusal := l.admit(now, v, Class(rng.IntN(classes)-1), rng.Uint64N(5)); refusal == nil {
			open = append(open, p)
		}
		// Not a number fails both.
		if c := l.meter.capacity; !(c >= leastCapacity && c < 1e6) || !(l.meter.settling >= leastSettling && l.meter.settling <= mostSettling) {
			t.Fatalf("the capacity is %v, the settling time %v", c, l.meter.settling)
		}
	}
	for _, p := range open {
		l.done(now, p, 0, 0, true)
	}
	if l.requests != 0 || l.inFlight != 0 || l.work != 0 {
		t.Errorf("at rest, %d requests with %v and %v", l.requests, l.inFlight, l.work)
	}
	for i := range l.classes {
		if d := l.classes[i].demand; !(d >= 0 && d < 1e9) {
			t.Errorf("the demand of %v is %v", Class(i)+Critical, d)
		}
	}
}

// TestLargestFits: a request is taken on by an idle server whatever it costs.
func TestLargestFits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(Options{Capacity: 0.001})
		v := l.View("report")
		for range 100 {
			p, refusal := l.Admit(v, Bulk, "")
			if refusal != nil {
				t.Fatalf("refused: %+v", refusal)
			}
			time.Sleep(time.Second)
			p.Done(10*time.Second, 1000, true)
		}
	})
}

func TestConcurrentUse(t *testing.T) {
	l := New(Options{Callers: 8})
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(g), 2))
			names := []string{"", "a", "b", "c", "d", "e", "f", "g", "h", "i", "j"}
			v := l.View(names[rng.IntN(3)])
			var open []Permit
			for i := range 5000 {
				if p, refusal := l.Admit(v, Class(rng.IntN(classes)-1), names[rng.IntN(len(names))]); refusal == nil {
					open = append(open, p)
				}
				for len(open) > rng.IntN(4) {
					open[0].Done(time.Duration(rng.Int64N(int64(time.Millisecond))), 1, i%10 > 0)
					open = open[1:]
				}
				if i%100 == 0 {
					l.Stats()
				}
			}
			for _, p := range open {
				p.Done(0, 0, false)
			}
		})
	}
	wg.Wait()
	if s := l.Stats(); s.Requests != 0 || s.InFlight != 0 {
		t.Errorf("at rest: %+v", s)
	}
}

func TestAllocations(t *testing.T) {
	l := New(Options{})
	v := l.View("v")
	l.Admit(v, Default, "caller")
	if n := testing.AllocsPerRun(1000, func() {
		if p, refusal := l.Admit(v, Default, "caller"); refusal == nil {
			p.Done(time.Millisecond, 1, true)
		}
	}); n > 0 {
		t.Errorf("a request allocates %v times", n)
	}
	for range 10_000 {
		l.Admit(v, Default, "caller")
	}
	if n := testing.AllocsPerRun(1000, func() {
		if _, refusal := l.Admit(v, Default, "caller"); refusal == nil {
			t.Error("nothing is refused")
		}
	}); n > 0 {
		t.Errorf("a refusal allocates %v times", n)
	}
}

func BenchmarkAdmit(b *testing.B) {
	b.ReportAllocs()
	l := New(Options{})
	v := l.View("v")
	for b.Loop() {
		if p, refusal := l.Admit(v, Default, "caller"); refusal == nil {
			p.Done(10*time.Microsecond, 0, true)
		}
	}
}

func BenchmarkAdmitParallel(b *testing.B) {
	b.ReportAllocs()
	l := New(Options{})
	v := l.View("v")
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if p, refusal := l.Admit(v, Default, "caller"); refusal == nil {
				p.Done(10*time.Microsecond, 0, true)
			}
		}
	})
}

func BenchmarkRefuse(b *testing.B) {
	b.ReportAllocs()
	l := New(Options{})
	v := l.View("v")
	for b.Loop() {
		l.Admit(v, Default, "caller")
	}
}
