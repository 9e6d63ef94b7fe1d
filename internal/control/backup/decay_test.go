package backup

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"towpath.dev/internal/blob"
	"towpath.dev/internal/control/backup/catalog"
	"towpath.dev/internal/control/backup/segment"
)

// A decaying store damages, as it takes them, some of the log objects and chunks: one bit anywhere.
type decaying struct {
	blob.Store

	mu     sync.Mutex
	random *rand.Rand
	share  float64 // of objects
	n      int     // that were damaged
}

func (s *decaying) Create(ctx context.Context, name string, data []byte, class blob.Class) error {
	s.mu.Lock()
	merged := strings.Contains(name, "/log/") && !strings.Contains(name, "/log/"+dictionaries+"/") && !isMinute(name)
	if len(data) > 0 && merged && s.random.Float64() < s.share {
		s.n++
		data = flipped(s.random.IntN(len(data)))(slices.Clone(data))
	}
	s.mu.Unlock()
	return s.Store.Create(ctx, name, data, class)
}

// TestDecay: days of merging, thinning and pruning in a store that damages a third of what is merged lose
// nothing: what is kept is restored as the cluster had it, once the store is well again.
func TestDecay(t *testing.T) {
	seed := rand.Uint64N(1_000_000) + 1
	t.Logf("seed %d", seed)
	p := newPair(t)
	p.zombie.Close()
	p.random = rand.New(rand.NewPCG(seed, 1))
	s := &decaying{Store: p.shelf.store, random: rand.New(rand.NewPCG(seed, 2)), share: 0.3}
	o := p.options(t)
	o.Store = s
	o.Log = nil
	var err error
	if o.Keep, err = catalog.Parse("any minute for 1 day, hours for 2 days, days for 4 days"); err != nil {
		t.Fatal(err)
	}
	feed := startFeed(t, o)
	care := func() {
		t.Helper()
		if err := feed.u.Care(t.Context()); err != nil && !errors.Is(err, segment.ErrDamaged) {
			t.Errorf("at %s: %v", p.clock.now(), err)
		}
	}
	var hourAgo int64
	for hour := range 5 * 24 {
		p.minutes(t, &feed, 2)
		p.clock.pass(58 * time.Minute)
		care()
		if hourAgo > 0 {
			p.compact(t, hourAgo)
		}
		hourAgo = p.acked.Load()
		if hour%7 == 3 { // another uploader, which has read nothing yet
			feed.Close()
			feed = startFeed(t, o)
		}
	}
	s.share = 0
	for range 6 {
		p.clock.pass(time.Hour)
		care()
	}
	p.note(t)
	c := p.load(t)
	restored := 0
	for _, span := range c.Restorable() {
		revisions := []int64{span.First, span.Last}
		for range 4 {
			revisions = append(revisions, span.First+p.random.Int64N(span.Last-span.First+1))
		}
		for _, revision := range revisions {
			if err := p.restore(t, revision); err != nil {
				t.Errorf("revision %d: %v", revision, err)
			}
			restored++
		}
	}
	if gaps := c.Gaps(); len(gaps) > 0 || len(c.Lost) > 0 || c.Durable().Revision != p.acked.Load() {
		t.Errorf("gaps %v, lost %v, durable %v of %d", gaps, c.Lost, c.Durable(), p.acked.Load())
	}
	if s.n == 0 || len(c.Logs) > 60 {
		t.Errorf("%d objects were damaged, and %d are left", s.n, len(c.Logs))
	}
	t.Logf("%d objects were damaged, %d revisions restored of %d log objects", s.n, restored, len(c.Logs))
}
