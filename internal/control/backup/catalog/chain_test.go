package catalog_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"towpath.dev/internal/control/backup/catalog"
)

// day0 is a midnight.
var day0 = time.Date(2026, 11, 2, 0, 0, 0, 0, time.UTC)

func at(d time.Duration) time.Time { return day0.Add(d) }

// sample has a base at 100 that reaches back to 90, log to 300 in several levels, a
// thinned day 301 to 400, a gap, and another base.
func sample() catalog.Catalog {
	h := time.Hour
	return catalog.Catalog{
		Bases: []catalog.Base{
			{Revision: 100, Compacted: 90, Time: at(0), Size: 1000},
			{Revision: 600, Compacted: 550, Time: at(60 * h), Size: 1000},
		},
		Logs: []catalog.Log{
			{Level: catalog.Minute, Start: 101, End: 120, From: at(0), To: at(h / 2), Size: 10},
			{Level: catalog.Minute, Start: 121, End: 150, From: at(h / 2), To: at(h - 1), Size: 10},
			{Level: catalog.Hour, Start: 101, End: 150, From: at(0), To: at(h - 1), Size: 15},
			{Level: catalog.Day, Start: 151, End: 300, From: at(h), To: at(24*h - 1), Size: 50},
			{
				Level: catalog.HourPoints, Start: 301, End: 400, From: at(24 * h), To: at(48*h - 1), Size: 30,
				Points: []catalog.Point{{Revision: 350, Time: at(26*h - 1)}, {Revision: 400, Time: at(48*h - 1)}},
			},
			{Level: catalog.Minute, Start: 501, End: 520, From: at(50 * h), To: at(51 * h), Size: 10},
			{Level: catalog.Minute, Start: 601, End: 610, From: at(61 * h), To: at(62 * h), Size: 10},
		},
	}
}

func show(c catalog.Chain) string {
	var s strings.Builder
	fmt.Fprint(&s, c.Base.Revision)
	for _, step := range c.Steps {
		fmt.Fprintf(&s, " %v:%d-%d", step.Log.Level, step.First, step.Last)
	}
	return s.String()
}

func TestChain(t *testing.T) {
	for _, test := range []struct {
		target int64
		chain  string
	}{
		{95, "100"},
		{100, "100"},
		{110, "100 minute:101-110"},
		{130, "100 hour:101-130"},
		{150, "100 hour:101-150"},
		{200, "100 hour:101-150 day:151-200"},
		{350, "100 hour:101-150 day:151-300 hour-points:301-350"},
		{400, "100 hour:101-150 day:151-300 hour-points:301-400"},
		{560, "600"},
		{610, "600 minute:601-610"},
	} {
		chain, err := sample().Chain(test.target)
		if err != nil {
			t.Errorf("Chain(%d): %v", test.target, err)
		} else if got := show(chain); got != test.chain {
			t.Errorf("Chain(%d) = %s, want %s", test.target, got, test.chain)
		}
	}
}

func TestChainSaysWhatIsMissing(t *testing.T) {
	for _, test := range []struct {
		c       catalog.Catalog
		target  int64
		why     error
		message string
	}{
		{catalog.Catalog{}, 7, catalog.ErrNoBase, "nothing can be restored: this backup has no complete base (yet); the first one is made when the backup starts"},
		{sample(), 89, catalog.ErrNoBase, "revision 89 cannot be restored: no base reaches back to it; the oldest revision that can be restored is 90 (seen 2026-11-02T00:00:00Z)"},
		{sample(), 320, catalog.ErrThinned, "revision 320 cannot be restored: its time has been thinned to points; the nearest ones are 300 (seen 2026-11-02T23:59:59Z) and 350 (seen 2026-11-03T01:59:59Z)"},
		{sample(), 450, catalog.ErrGap, "revision 450 cannot be restored: the revisions 401 to 549 are missing; the nearest ones that can be restored are 400 (seen 2026-11-03T23:59:59Z) and 550 (seen 2026-11-04T12:00:00Z)"},
		{sample(), 510, catalog.ErrGap, "revision 510 cannot be restored: the revisions 401 to 500 are missing; the nearest ones that can be restored are 400 (seen 2026-11-03T23:59:59Z) and 550 (seen 2026-11-04T12:00:00Z)"},
		{sample(), 611, catalog.ErrBeyond, "revision 611 was not backed up: the last revision that can be restored is 610 (seen 2026-11-04T14:00:00Z)"},
	} {
		_, err := test.c.Chain(test.target)
		if err == nil || err.Error() != test.message {
			t.Errorf("Chain(%d): %v\nwant %s", test.target, err, test.message)
		}
		if !errors.Is(err, test.why) {
			t.Errorf("Chain(%d): %v is not %q", test.target, err, test.why)
		}
	}
}

func TestGapsAndDurable(t *testing.T) {
	c := sample()
	want := []catalog.Gap{{Span: catalog.Span{First: 401, Last: 549}, From: at(48*time.Hour - 1), To: at(60 * time.Hour)}}
	if got := c.Gaps(); !slices.Equal(got, want) {
		t.Errorf("Gaps() = %v, want %v", got, want)
	}
	if got, want := c.Durable(), (catalog.Point{Revision: 610, Time: at(62 * time.Hour)}); got != want {
		t.Errorf("Durable() = %v, want %v", got, want)
	}
	c.Bases = c.Bases[:1]
	if got, want := c.Durable(), (catalog.Point{Revision: 400, Time: at(48*time.Hour - 1)}); got != want {
		t.Errorf("with one base, Durable() = %v, want %v", got, want)
	}
	if got := c.Gaps(); len(got) != 1 || got[0].Span != (catalog.Span{First: 401, Last: 610}) {
		t.Errorf("with one base, Gaps() = %v, want 401 to 610", got)
	}
	if got := (catalog.Catalog{}).Durable(); got != (catalog.Point{}) {
		t.Errorf("of nothing, Durable() = %v", got)
	}
}

func TestAt(t *testing.T) {
	h := time.Hour
	for _, test := range []struct {
		at       time.Time
		revision int64
		inside   int64 // the object's start, 0 is none
	}{
		{at(0), 101, 101},
		{at(h / 4), 101, 101},
		{at(3 * h / 4), 121, 121}, // the minutes' object is smaller than the hour's
		{at(h - 1), 150, 0},
		{at(12 * h), 151, 151},
		{at(30 * h), 350, 0},
		{at(47 * h), 350, 0},
		{at(49 * h), 400, 0},
		{at(51 * h), 400, 0}, // what is behind the gap cannot be restored
		{at(61*h + h/2), 601, 601},
		{at(1000 * h), 610, 0},
	} {
		m, err := sample().At(test.at)
		if err != nil {
			t.Errorf("At(%v): %v", test.at, err)
			continue
		}
		inside := int64(0)
		if m.Inside != nil {
			inside = m.Inside.Start
		}
		if m.Revision != test.revision || inside != test.inside {
			t.Errorf("At(%v) = %d inside %d, want %d inside %d", test.at, m.Revision, inside, test.revision, test.inside)
		}
	}
	_, err := sample().At(at(-h))
	want := "nothing can be restored as it was at 2026-11-01T23:00:00Z: the oldest revision that can be is 90 (seen 2026-11-02T00:00:00Z)"
	if err == nil || err.Error() != want {
		t.Errorf("At before the first base: %v\nwant %s", err, want)
	}
}

// TestChainIsTheCheapest compares chains of small random catalogs with what a search
// over all revisions finds.
func TestChainIsTheCheapest(t *testing.T) {
	seed := *seedFlag
	random := rand.New(rand.NewPCG(seed, 0))
	for range 3000 {
		c := randomCatalog(random)
		spans := c.Restorable()
		for target := int64(1); target <= 22; target++ {
			want, restorable := cheapest(c, target)
			chain, err := c.Chain(target)
			if restorable != (err == nil) {
				t.Fatalf("%+v\nChain(%d): %v, want one: %v", c, target, err, restorable)
			}
			in := slices.ContainsFunc(spans, func(s catalog.Span) bool { return s.First <= target && target <= s.Last })
			if in != restorable {
				t.Fatalf("%+v\nRestorable() = %v, but %d can be: %v", c, spans, target, restorable)
			}
			if err != nil {
				continue
			}
			check(t, chain)
			if chain.Size() != want {
				t.Fatalf("%+v\nChain(%d) = %s of %d bytes, want %d bytes", c, target, show(chain), chain.Size(), want)
			}
		}
	}
}

// check checks that a chain has each revision once.
func check(t *testing.T, c catalog.Chain) {
	t.Helper()
	at := c.Base.Revision
	for _, s := range c.Steps {
		if s.First != at+1 || s.Last < s.First || s.Log.Start > s.First || s.Log.End < s.Last {
			t.Fatalf("step %+v of %s is not right", s, show(c))
		}
		if s.Log.Points != nil && !slices.ContainsFunc(s.Log.Points, func(p catalog.Point) bool { return p.Revision == s.Last }) {
			t.Fatalf("step %+v of %s ends between points", s, show(c))
		}
		at = s.Last
	}
	if at != c.Target && (len(c.Steps) > 0 || at < c.Target || c.Base.Compacted > c.Target) {
		t.Fatalf("%s does not lead to %d", show(c), c.Target)
	}
}

func randomCatalog(random *rand.Rand) catalog.Catalog {
	var c catalog.Catalog
	for range random.IntN(3) {
		compacted := random.Int64N(15)
		c.Bases = append(c.Bases, catalog.Base{Revision: max(1, compacted) + random.Int64N(6), Compacted: compacted, Size: random.Int64N(20)})
	}
	for range random.IntN(8) {
		l := catalog.Log{Start: 1 + random.Int64N(18), Size: random.Int64N(8)}
		l.End = l.Start + random.Int64N(6)
		if random.IntN(3) == 0 {
			l.Level = catalog.HourPoints
			for r := l.Start; r <= l.End; r++ {
				if r == l.End || random.IntN(3) == 0 {
					l.Points = append(l.Points, catalog.Point{Revision: r})
				}
			}
		}
		c.Logs = append(c.Logs, l)
	}
	return c
}

// cheapest tries everything: from each revision whatever can be applied there.
func cheapest(c catalog.Catalog, target int64) (int64, bool) {
	for _, later := range []bool{false, true} {
		const none = 1 << 40
		cost := make([]int64, target+1)
		for i := range cost {
			cost[i] = none
		}
		for _, b := range c.Bases {
			if b.Revision <= target {
				cost[b.Revision] = min(cost[b.Revision], b.Size)
			} else if later && b.Compacted <= target {
				cost[target] = min(cost[target], b.Size)
			}
		}
		for from := range cost {
			for _, l := range c.Logs {
				for to := max(int64(from)+1, l.Start); to <= min(l.End, target); to++ {
					point := l.Points == nil || slices.ContainsFunc(l.Points, func(p catalog.Point) bool { return p.Revision == to })
					if l.Start <= int64(from)+1 && point {
						cost[to] = min(cost[to], cost[from]+l.Size)
					}
				}
			}
		}
		if cost[target] < none {
			return cost[target], true
		}
	}
	return 0, false
}
