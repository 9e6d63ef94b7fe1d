package telemetry

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"towpath.dev/internal/control/deploy"
)

var errInjected = errors.New("injected")

// shelf is a source, cursors and the far side of a sink, all of which fail now and then.
type shelf struct {
	mu      sync.Mutex
	random  *rand.Rand
	fails   float64 // how often
	lines   map[string]*Timeline
	news    []string
	changed chan struct{}
	saved   map[string][]byte
	refuses string              // a deployment that the far side never takes
	down    bool                // the far side
	taken   map[string][]string // by deployment, in order, with what came twice
	reads   int
}

func newShelf(seed uint64) *shelf {
	return &shelf{random: rand.New(rand.NewPCG(seed, 1)), lines: map[string]*Timeline{}, saved: map[string][]byte{}, taken: map[string][]string{}, changed: make(chan struct{})}
}

func (s *shelf) fail() error {
	if s.random.Float64() < s.fails {
		return errInjected
	}
	return nil
}

// show has the events of a timeline known, up to the n-th.
func (s *shelf) show(t *Timeline, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	shown := *t
	shown.Events = slices.Clone(t.Events[:n])
	s.lines[t.ID] = &shown
	s.news = append(s.news, t.ID)
	close(s.changed)
	s.changed = make(chan struct{})
}

func (s *shelf) Follow(ctx context.Context, tell func([]string)) {
	s.mu.Lock()
	seen := len(s.news) // of what came before nobody tells
	s.mu.Unlock()
	for ctx.Err() == nil {
		s.mu.Lock()
		fresh, changed := s.news[seen:], s.changed
		seen = len(s.news)
		s.mu.Unlock()
		if len(fresh) > 0 {
			tell(fresh)
		}
		select {
		case <-ctx.Done():
		case <-changed:
		}
	}
}

func (s *shelf) Numbers(context.Context) (map[string]int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := map[string]int64{}
	for id := range s.lines {
		program, n, err := numbered(id)
		if err != nil {
			return nil, err
		}
		all[program] = max(all[program], n)
	}
	return all, s.fail()
}

func (s *shelf) Read(_ context.Context, id string) (*Timeline, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reads++
	if t := s.lines[id]; t != nil {
		return t, s.fail()
	}
	return &Timeline{ID: id}, s.fail()
}

func (s *shelf) Load(_ context.Context, name string) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.saved[name], s.fail()
}

func (s *shelf) Save(_ context.Context, name string, value []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.random.IntN(2) == 0 { // it is saved, or not, before it fails
		if err := s.fail(); err != nil {
			return err
		}
	}
	if value == nil {
		delete(s.saved, name)
	} else {
		s.saved[name] = slices.Clone(value)
	}
	return s.fail()
}

// far is the sink at the shelf.
type far struct {
	*shelf
	name string
}

func (f far) Name() string { return f.name }

func (f far) Send(_ context.Context, t *Timeline, after Mark) (Mark, int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	has, n := after, 0
	for _, e := range t.after(after) {
		if f.down && f.name == "a" || t.ID == f.refuses {
			return has, n, errInjected
		}
		err := f.fail()
		if err == nil || f.random.IntN(2) == 0 { // its answer is lost
			at := f.name + " " + t.ID
			f.taken[at] = append(f.taken[at], e.ID())
		}
		if err != nil {
			return has, n, err
		}
		has = has.With(e)
		n++
	}
	return has, n, nil
}

// told is what the far side has of a deployment, and cursors those that are kept.
func (s *shelf) told(sink, id string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.taken[sink+" "+id])
}

func (s *shelf) cursors() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.saved))
}

func (s *shelf) readings() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reads
}

// check compares what the far side has with what there was to be told: all of it, and of
// each writer nothing for the first time before what came before.
func (s *shelf) check(t *testing.T, sink string) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, line := range s.lines {
		latest, first := Mark{}, map[string]bool{}
		for _, got := range s.taken[sink+" "+id] {
			i := slices.IndexFunc(line.Events, func(e deploy.Event) bool { return e.ID() == got })
			if i < 0 {
				t.Fatalf("%s was told, and there is none", got)
			}
			e := &line.Events[i]
			if !first[got] && e.Seq <= latest[e.Node] {
				t.Errorf("%s was told after number %d", got, latest[e.Node])
			}
			first[got], latest = true, latest.With(e)
		}
		for _, e := range line.Events {
			if !first[e.ID()] {
				t.Errorf("%s was never told to %s", e.ID(), sink)
			}
		}
	}
}

func (s *shelf) exporter(t *testing.T, sinks ...string) *Exporter {
	t.Helper()
	var all []Sink
	for _, name := range sinks {
		all = append(all, far{s, name})
	}
	x, err := New(Options{Source: s, Cursors: s, Sinks: all})
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// run runs an exporter until stop is called.
func run(ctx context.Context, x *Exporter) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = x.Run(ctx) // it ends with the context
	}()
	return func() { cancel(); <-done }
}

// TestNothingIsLost: deployments go on while everything fails now and then, exporters die and
// come back, sometimes two at once, and one sink is down for days.
func TestNothingIsLost(t *testing.T) {
	for range 30 {
		seed := rand.Uint64()
		synctest.Test(t, func(t *testing.T) {
			t.Log("seed", seed)
			s := newShelf(seed)
			r := rand.New(rand.NewPCG(seed, 2))
			s.fails = 0.2
			shown := map[string]int{}
			var all []*Timeline
			for n := range 6 {
				line := randomStory(r).Timeline
				line.ID = fmt.Sprintf("%s.prod.%d", []string{"shop", "pricing"}[n%2], n/2+1)
				for i := range line.Events {
					line.Events[i].Deployment = line.ID
				}
				line.Plan.Program, _ = line.names()
				all = append(all, line)
			}
			stops := []func(){}
			for step := 0; len(shown) < len(all) || slices.ContainsFunc(all, func(l *Timeline) bool { return shown[l.ID] < len(l.Events) }); step++ {
				switch r.IntN(10) {
				case 0:
					if len(stops) > 0 {
						stops[0]()
						stops = stops[1:]
					}
				case 1, 2:
					if len(stops) < 2 {
						stops = append(stops, run(t.Context(), s.exporter(t, "a", "b")))
					}
				case 3:
					s.mu.Lock()
					s.down = !s.down
					s.mu.Unlock()
				default:
					line := all[min(step/20, len(all)-1)]
					if r.IntN(3) == 0 {
						line = all[r.IntN(len(all))]
					}
					if n := shown[line.ID]; n < len(line.Events) {
						for _, older := range all { // which were asked for before
							if shown[older.ID] == 0 && older.ID < line.ID && older.Plan.Program == line.Plan.Program {
								shown[older.ID] = 1
								s.show(older, 1)
							}
						}
						shown[line.ID] = min(len(line.Events), n+1+r.IntN(5))
						s.show(line, shown[line.ID])
					}
				}
				time.Sleep(time.Duration(r.IntN(60)) * time.Second)
			}
			s.mu.Lock()
			s.down = false
			s.mu.Unlock()
			for _, stop := range stops {
				stop()
			}
			stop := run(t.Context(), s.exporter(t, "a", "b"))
			time.Sleep(6 * time.Hour)
			stop()
			s.check(t, "a")
			s.check(t, "b")
		})
	}
}

// TestSinkIsDown: one sink is down for three days, the other hears everything at once; what
// waits is told when it is up again.
func TestSinkIsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShelf(1)
		s.down = true
		x := s.exporter(t, "a", "b")
		defer run(t.Context(), x)()
		bad, good := badStory(), goodStory()
		for _, line := range []*story{bad, good} {
			for i := range line.Events {
				line.Events[i].Time = line.Events[i].Time.Add(-time.Until(began))
			}
		}
		bad.ID, good.ID = "shop.prod.1", "shop.prod.2"
		s.show(bad.Timeline, len(bad.Events))
		time.Sleep(2 * time.Second)
		s.check(t, "b")
		s.show(good.Timeline, len(good.Events))
		time.Sleep(72 * time.Hour) // by which both would be done with
		s.check(t, "b")
		if n := len(s.told("a", "shop.prod.1")); n != 0 {
			t.Errorf("%d events were told to a sink that is down", n)
		}
		if n := valueOf(t, x.o.Metrics.waiting.WithLabelValues("a")); n < 1 {
			t.Errorf("%v deployments wait", n)
		}
		failures := valueOf(t, x.o.Metrics.failures.WithLabelValues("a"))
		if failures < 3*24*60 || failures > 3*24*60*3 {
			t.Errorf("%v attempts in three days; expected one or two a minute", failures)
		}
		s.mu.Lock()
		s.down = false
		s.mu.Unlock()
		time.Sleep(3 * time.Minute)
		s.check(t, "a")
		if n := valueOf(t, x.o.Metrics.waiting.WithLabelValues("a")); n != 0 {
			t.Errorf("%v deployments wait", n)
		}
		if got, want := valueOf(t, x.o.Metrics.delivered.WithLabelValues("a")), float64(len(bad.Events)+len(good.Events)); got != want {
			t.Errorf("%v events were taken of %v", got, want)
		}
	})
}

// TestOneIsRefused: a deployment that a sink never takes holds up no other.
func TestOneIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShelf(1)
		s.refuses = "shop.prod.17"
		defer run(t.Context(), s.exporter(t, "a"))()
		bad := badStory()
		s.show(bad.Timeline, len(bad.Events))
		time.Sleep(time.Hour)
		good := goodStory()
		s.show(good.Timeline, len(good.Events))
		time.Sleep(3 * time.Minute)
		if got := len(s.told("a", "shop.prod.18")); got != len(good.Events) {
			t.Errorf("%d of %d events were told", got, len(good.Events))
		}
	})
}

// TestDoneWith: cursors of deployments that are done with are deleted, what was told is not
// told again by the next exporter, and the one that ran last is heard whenever it says something.
func TestDoneWith(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShelf(1)
		var last *Timeline
		for n := 1; n <= 30; n++ {
			last = goodStory().Timeline
			last.ID = fmt.Sprintf("shop.prod.%d", n)
			for i := range last.Events {
				last.Events[i].Time = last.Events[i].Time.Add(-time.Until(began))
			}
			s.show(last, len(last.Events))
		}
		superseded := newStory("shop.prod.31") // it never began, so that nodes speak of the one before
		superseded.end(deploy.Outcome{Result: deploy.Superseded, Blame: deploy.Nobody})
		for i := range superseded.Events {
			superseded.Events[i].Time = last.Events[0].Time
		}
		s.show(superseded.Timeline, len(superseded.Events))
		stop := run(t.Context(), s.exporter(t, "a"))
		time.Sleep(time.Minute)
		if got := s.cursors(); len(got) != 31 {
			t.Errorf("%d cursors while all of them may have events: %q", len(got), got)
		}
		time.Sleep(26 * time.Hour)
		want := []string{"a/floor/shop.prod", "a/mark/shop.prod.30", "a/mark/shop.prod.31"}
		if got := s.cursors(); !slices.Equal(got, want) {
			t.Errorf("cursors are left: %q; want %q", got, want)
		}
		stop()
		before, reads := len(s.told("a", "shop.prod.7")), s.readings()
		defer run(t.Context(), s.exporter(t, "a"))()
		time.Sleep(time.Hour)
		if n := len(s.told("a", "shop.prod.7")); n != before {
			t.Errorf("what was told is told again: %d events, and %d before", n, before)
		}
		if n := s.readings() - reads; n != 2 {
			t.Errorf("%d readings in a quiet hour; expected one of each that is not done with", n)
		}
		last.Events = append(last.Events, deploy.Event{Deployment: last.ID, Node: "new", Seq: 1, Type: deploy.EventNode, Time: time.Now()})
		s.show(last, len(last.Events))
		time.Sleep(2 * time.Second)
		if got := s.told("a", "shop.prod.30"); got[len(got)-1] != "shop.prod.30/new/1" {
			t.Errorf("a node that came later was not told of: %q", got)
		}
	})
}

// valueOf is what a metric says.
func valueOf(t *testing.T, m prometheus.Metric) float64 {
	t.Helper()
	var v dto.Metric
	if err := m.Write(&v); err != nil {
		t.Fatal(err)
	}
	return v.GetGauge().GetValue() + v.GetCounter().GetValue()
}

func TestWrongOptions(t *testing.T) {
	s := newShelf(1)
	for want, o := range map[string]Options{
		"needs a source, cursors and a sink": {Source: s, Cursors: s},
		"two sinks are called a":             {Source: s, Cursors: s, Sinks: []Sink{far{s, "a"}, far{s, "a"}}},
	} {
		if _, err := New(o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v; want %s", err, want)
		}
	}
}
