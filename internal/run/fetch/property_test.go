package fetch

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"towpath.dev/internal/run/engine"
	"towpath.dev/internal/run/source"
)

var (
	seedFlag  = flag.Uint64("seed", 1, "the first seed of the property test")
	seedsFlag = flag.Int("seeds", 30, "how many seeds the property test takes")
)

// What an item's answer is follows from the item alone, and for `mine` from who
// asks. Items from faulty on may have none.
const faulty = 100

var callers = []string{"", "ann", "bob", "cy"}

func truth(op string, item int, caller string) int {
	switch op {
	case "price":
		return 1000 + item
	case "mine":
		for i, c := range callers {
			if c == caller {
				return 10_000*(i+1) + item
			}
		}
	}
	return item
}

// wild answers an operation in all the ways that a source may and may not.
type wild struct {
	t      *testing.T
	op     string
	open   atomic.Int32 // calls of Call that have not returned
	closed atomic.Bool

	mu  sync.Mutex
	rnd *rand.Rand
}

func (s *wild) dice(n int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.rnd.IntN(n)
}

func (s *wild) Call(ctx context.Context, b *source.Batch, done func(int, []byte, error)) {
	s.open.Add(1)
	defer s.open.Add(-1)
	defer func() {
		if s.closed.Load() {
			s.t.Errorf("%s is asked although it is closed", s.op)
		}
	}()
	if s.op == "price" && b.About.Caller != "" {
		s.t.Errorf("what is everybody's is asked for %s", b.About.Caller)
	}
	var wg sync.WaitGroup
	for _, i := range rand.Perm(len(b.Args)) {
		var item []int
		if err := json.Unmarshal(b.Args[i], &item); err != nil {
			s.t.Error(err)
		}
		if item[0] < faulty && s.dice(3) == 0 {
			s.one(ctx, b, i, item[0], done)
			continue
		}
		wg.Go(func() { s.one(ctx, b, i, item[0], done) })
	}
	wg.Wait()
}

func (s *wild) one(ctx context.Context, b *source.Batch, i, item int, done func(int, []byte, error)) {
	body := fmt.Append(nil, truth(s.op, item, b.About.Caller))
	if s.dice(3) > 0 {
		select {
		case <-time.After(time.Duration(s.dice(8000)) * time.Microsecond):
		case <-ctx.Done():
			done(i, nil, ctx.Err())
			return
		}
	}
	if item >= faulty {
		switch s.dice(7) {
		case 0:
			done(i, nil, source.Errorf(source.Failed, "no"))
			return
		case 1:
			return // never
		case 2: // later than it may
			time.AfterFunc(time.Duration(s.dice(20))*time.Millisecond, func() { done(i, body, nil) })
			return
		case 3:
			body = []byte(`"no number"`)
		case 4:
			done(i, nil, source.Errorf(source.Unavailable, "busy"))
			return
		case 5: // as long as somebody waits
			<-ctx.Done()
			done(i, nil, ctx.Err())
			return
		}
	}
	done(i, body, nil)
	if s.dice(4) == 0 { // twice, from elsewhere
		go done(i, []byte("-7"), nil)
		done(i, nil, source.Errorf(source.Failed, "after all"))
	}
}

// TestManyRequests has many requests at once over sources that do what they like,
// and compares every answer with what it must be. Two releases of the program answer
// them, and one is retired while the other goes on. In the end nothing is left.
func TestManyRequests(t *testing.T) {
	t.Logf("seeds from %d on", *seedFlag)
	outcomes := map[string]int{}
	for seed := *seedFlag; seed < *seedFlag+uint64(*seedsFlag) && !t.Failed(); seed++ {
		synctest.Test(t, func(t *testing.T) { manyRequests(t, seed, outcomes) })
	}
	t.Log(outcomes)
	if *seedsFlag >= 30 && (outcomes["answer"] < 1000 || outcomes["failure"] < 100 || outcomes["cancelled"] < 100) {
		t.Error("that was too easy")
	}
}

// releaseOf is a release of the program over sources of its own.
func releaseOf(t *testing.T, seed uint64, rnd *rand.Rand, opts Options) (*world, []*wild) {
	p, err := engine.Load(t.Context(), built(), engine.Options{Idle: 1 + rnd.IntN(8)})
	if err != nil {
		t.Fatal(err)
	}
	var sources []*wild
	bound := make([]Bound, len(p.Manifest().Operations))
	for i := range bound {
		s := &wild{t: t, op: p.Manifest().Operations[i].Name, rnd: rand.New(rand.NewPCG(seed, rnd.Uint64()))}
		sources = append(sources, s)
		bound[i] = Bound{Caller: s, Source: s.op, Key: "k"}
	}
	return &world{Program: p, Fetcher: New(p.Manifest(), bound, opts)}, sources
}

// retire frees a release whose last request has ended, as a server does.
func retire(t *testing.T, seed uint64, w *world, sources []*wild) {
	w.Wait()
	for _, s := range sources {
		s.closed.Store(true)
		if n := s.open.Load(); n != 0 {
			t.Errorf("seed %d: %d calls of %s are under way", seed, n, s.op)
		}
	}
	if err := w.Program.Close(context.Background()); err != nil {
		t.Error(err)
	}
}

func manyRequests(t *testing.T, seed uint64, outcomes map[string]int) {
	rnd := rand.New(rand.NewPCG(seed, 0))
	var events atomic.Int64
	common := &Sources{}
	opts := Options{Cache: NewCache(int64(16 * (1 + rnd.IntN(3)) * 1000)), Sources: common, Observe: func(e Event) {
		events.Add(1)
		if e.Hits+e.Joined > e.Calls || e.Failed > e.Calls || e.Retried > e.Calls || e.End.Before(e.Begin) {
			t.Errorf("seed %d: %+v", seed, e)
		}
	}}
	w, sources := releaseOf(t, seed, rnd, opts)
	old, oldSources := releaseOf(t, seed, rnd, opts)
	var oldRequests sync.WaitGroup
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range 80 {
		view := []string{"left", "price", "price", "hasty", "mine", "mine", "again"}[rnd.IntN(7)]
		caller := callers[rnd.IntN(len(callers))]
		var items []int
		good := true
		for range 1 + rnd.IntN(4) {
			item := rnd.IntN(12)
			if rnd.IntN(6) == 0 {
				item, good = item+faulty, false
			}
			items = append(items, item)
		}
		begin, leave := time.Duration(rnd.IntN(60_000))*time.Microsecond, time.Duration(0)
		at := w
		if begin < 30*time.Millisecond && rnd.IntN(2) == 0 {
			at = old
			oldRequests.Add(1)
		}
		if rnd.IntN(4) == 0 {
			leave = time.Duration(rnd.IntN(10_000)) * time.Microsecond
		}
		wg.Go(func() {
			if at == old {
				defer oldRequests.Done()
			}
			time.Sleep(begin)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if leave > 0 {
				stop := time.AfterFunc(leave, cancel)
				defer stop.Stop()
			}
			input, _ := json.Marshal(items) // numbers have JSON
			got := at.ask(ctx, view, string(input), caller)
			outcome := judged(got, view, items, caller)
			switch {
			case outcome == "wrong", outcome == "failure" && good, outcome == "fallback" && good && view != "hasty", outcome == "cancelled" && ctx.Err() == nil:
				t.Errorf("seed %d: %s%v by %q is %s: %s", seed, view, items, caller, outcome, got)
			}
			mu.Lock()
			outcomes[outcome]++
			mu.Unlock()
		})
	}
	wg.Go(func() {
		oldRequests.Wait()
		retire(t, seed, old, oldSources)
	})
	wg.Wait()
	retire(t, seed, w, sources)
	time.Sleep(time.Second) // what comes too late has come, and answers are as old as they get
	for prefix, at := range common.underWay {
		if len(at.byKey) != 0 {
			t.Errorf("seed %d: %d slots of %q are left", seed, len(at.byKey), prefix)
		}
	}
	emptied(t, w.cache)
	if events.Load() == 0 {
		t.Error("nobody heard of the asks")
	}
}

// judged says what a request came to.
func judged(got, view string, items []int, caller string) string {
	switch {
	case got == "error: context canceled":
		return "cancelled"
	case strings.HasPrefix(got, "error:") && view != "again" && view != "hasty":
		return "failure"
	case got == "[]" && view == "hasty":
		return "fallback"
	}
	op := map[string]string{"hasty": "price"}[view]
	if op == "" {
		op = view
	}
	var answers []int
	if err := json.Unmarshal([]byte(got), &answers); err != nil || len(answers) != len(items) {
		return "wrong"
	}
	outcome := "answer"
	for i, item := range items {
		switch {
		case answers[i] == truth(op, item, caller):
		case view == "again" && answers[i] == -1:
			outcome = "fallback"
		default:
			return "wrong"
		}
	}
	return outcome
}

// emptied looks for what has expired, and at what the cache holds then.
func emptied(t *testing.T, c *Cache) {
	for i := range c.shards {
		s := &c.shards[i]
		sum, keys := int64(0), []string{}
		for key, e := range s.entries {
			sum += int64(len(key) + len(e.Value.(*cacheEntry).body) + perEntry)
			keys = append(keys, key)
		}
		if sum != s.bytes || s.bytes > s.limit || s.recent.Len() != len(s.entries) {
			t.Errorf("%d bytes count as %d of %d; %d entries, %d in their order", sum, s.bytes, s.limit, len(s.entries), s.recent.Len())
		}
		for _, key := range keys {
			if _, ok := c.get(key, time.Now()); ok {
				t.Errorf("%q is kept longer than a second", key)
			}
		}
	}
	if n, bytes := c.Size(); n != 0 || bytes != 0 {
		t.Errorf("%d answers, %d bytes are left", n, bytes)
	}
}
