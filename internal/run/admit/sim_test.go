package admit

import (
	"container/heap"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// kind is a view with what its requests take of the server.
type kind struct {
	name    string
	service func(*rand.Rand) time.Duration
	waits   bool    // it waits for calls, the slots are those of another service
	lean    float64 // what is left of the service time of a shed request; 0: all
	fails   float64 // the part of the requests that fail as they begin
	broken  bool    // all fail when they end
}

func fixed(d time.Duration) func(*rand.Rand) time.Duration {
	return func(*rand.Rand) time.Duration { return d }
}

func uniform(from, to time.Duration) func(*rand.Rand) time.Duration {
	return func(r *rand.Rand) time.Duration { return from + time.Duration(r.Int64N(int64(to-from))) }
}

func exponential(mean time.Duration) func(*rand.Rand) time.Duration {
	return func(r *rand.Rand) time.Duration { return time.Duration(r.ExpFloat64() * float64(mean)) }
}

// source sends requests of a kind, at random times of a mean rate.
type source struct {
	kind   *kind
	class  Class
	caller string
	names  func(*rand.Rand) string // instead of caller
	rate   float64                 // a second

	next time.Time
	outcome
}

// outcome is what became of a source's requests.
type outcome struct {
	sent, refused, tooMany, shed int
	took                         []time.Duration // of those answered
	work                         time.Duration   // service time of those answered
}

func (o *outcome) answered() float64 { return 1 - float64(o.refused)/float64(max(o.sent, 1)) }

func (o *outcome) quantile(q float64) time.Duration {
	if len(o.took) == 0 {
		return 0
	}
	s := slices.Clone(o.took)
	slices.Sort(s)
	return s[min(int(q*float64(len(s))), len(s)-1)]
}

// world is a server of some slots behind a Limiter, in virtual time.
type world struct {
	*Limiter
	t       *testing.T
	rng     *rand.Rand
	slots   int
	shares  bool // all run at once, more slowly, as on cores; otherwise they queue
	slow    float64
	sources []*source

	views   map[*kind]*View
	queue   []*job
	running jobs
	last    time.Time
	begun   time.Time // of the outcomes
}

type job struct {
	source *source
	permit Permit
	fails  bool
	began  time.Time
	needs  time.Duration
	ends   time.Time // in a queue's slot
	left   float64   // of needs, where slots are shared, ns
}

type jobs []*job

func (j jobs) Len() int           { return len(j) }
func (j jobs) Less(a, b int) bool { return j[a].ends.Before(j[b].ends) }
func (j jobs) Swap(a, b int)      { j[a], j[b] = j[b], j[a] }
func (j *jobs) Push(x any)        { *j = append(*j, x.(*job)) }
func (j *jobs) Pop() any {
	last := (*j)[len(*j)-1]
	*j = (*j)[:len(*j)-1]
	return last
}

// simulate runs a test in virtual time with a world of so many slots.
func simulate(t *testing.T, seed uint64, slots int, opts Options, test func(w *world)) {
	t.Helper()
	if raceDetector {
		t.Skip("there is one goroutine, and it would take a minute")
	}
	t.Logf("seed %d", seed)
	synctest.Test(t, func(t *testing.T) {
		test(&world{
			Limiter: New(opts), t: t, rng: rand.New(rand.NewPCG(seed, 1)), slots: slots, slow: 1,
			views: map[*kind]*View{}, last: time.Now(), begun: time.Now(),
		})
	})
}

func (w *world) add(s *source) *source {
	if w.views[s.kind] == nil {
		w.views[s.kind] = w.View(s.kind.name)
	}
	w.sources = append(w.sources, s)
	return s
}

// run lets time pass; outcomes are those of this time.
func (w *world) run(d time.Duration) {
	w.begun = time.Now()
	end := w.begun.Add(d)
	w.start()
	for _, s := range w.sources {
		s.outcome = outcome{}
		s.next = w.begun.Add(w.pause(s))
	}
	for {
		next, arrives := end, (*source)(nil)
		for _, s := range w.sources {
			if s.next.Before(next) {
				next, arrives = s.next, s
			}
		}
		if t, ok := w.completion(); ok && t.Before(next) {
			w.to(t)
			w.complete()
			continue
		}
		w.to(next)
		if arrives == nil {
			return
		}
		w.arrive(arrives)
		arrives.next = next.Add(w.pause(arrives))
	}
}

func (w *world) pause(s *source) time.Duration {
	if s.rate == 0 {
		return math.MaxInt64 / 4
	}
	return time.Duration(w.rng.ExpFloat64() / s.rate * float64(time.Second))
}

func (w *world) to(t time.Time) {
	if w.shares {
		done := float64(t.Sub(w.last)) * w.speed()
		for _, j := range w.running {
			j.left -= done
		}
	}
	w.last = t
	time.Sleep(time.Until(t))
}

// speed is how fast each of those that share the slots runs.
func (w *world) speed() float64 { return min(1, float64(w.slots)/float64(max(len(w.running), 1))) }

func (w *world) completion() (time.Time, bool) {
	if len(w.running) == 0 {
		return time.Time{}, false
	}
	if !w.shares {
		return w.running[0].ends, true
	}
	least := math.Inf(1)
	for _, j := range w.running {
		least = min(least, j.left)
	}
	return w.last.Add(time.Duration(math.Ceil(max(least, 0) / w.speed()))), true
}

func (w *world) arrive(s *source) {
	caller := s.caller
	if s.names != nil {
		caller = s.names(w.rng)
	}
	s.sent++
	p, refusal := w.Admit(w.views[s.kind], s.class, caller)
	if refusal != nil {
		if s.refused++; refusal.Status == 429 {
			s.tooMany++
		}
		return
	}
	needs := time.Duration(float64(s.kind.service(w.rng)) * w.slow)
	if p.Shed() {
		if s.shed++; s.kind.lean > 0 {
			needs = time.Duration(float64(needs) * s.kind.lean)
		}
	}
	fails := w.rng.Float64() < s.kind.fails
	if fails {
		needs = 10 * time.Microsecond
	}
	w.queue = append(w.queue, &job{fails: fails, source: s, permit: p, began: time.Now(), needs: needs, left: float64(needs)})
	w.start()
}

func (w *world) start() {
	for len(w.queue) > 0 && (w.shares || len(w.running) < w.slots) {
		j := w.queue[0]
		w.queue = w.queue[1:]
		j.ends = time.Now().Add(j.needs)
		heap.Push(&w.running, j)
	}
}

func (w *world) complete() {
	i := 0
	if w.shares {
		for k, j := range w.running {
			if j.left < w.running[i].left {
				i = k
			}
		}
	}
	j := heap.Remove(&w.running, i).(*job)
	took := time.Since(j.began)
	ok := !j.fails && !j.source.kind.broken
	if ok {
		j.source.took = append(j.source.took, took)
		j.source.work += j.needs
	}
	switch {
	case j.source.kind.waits:
		j.permit.Done(50*time.Microsecond, 1, ok)
	case w.shares:
		j.permit.Done(took, 0, ok) // as measured by a clock
	default:
		j.permit.Done(j.needs, 0, ok)
	}
	w.start()
}

// goodput is the part of the slots that answered requests kept busy.
func (w *world) goodput() float64 {
	var work time.Duration
	for _, s := range w.sources {
		work += s.work
	}
	return float64(work) / float64(time.Since(w.begun)) / float64(w.slots)
}
