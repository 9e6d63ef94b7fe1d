package deploy

import (
	"maps"
	"slices"
	"time"

	"towpath.dev/internal/control/fleet"
	"towpath.dev/internal/control/release"
	"towpath.dev/internal/control/verdict"
)

// collector makes counts, which are of a time, from counters, which only grow.
//
// A counter that it sees for the first time is a mark: what came before is evidence lost.
// So it is after a controller took over, a node was restarted, or a release was placed
// anew.
type collector struct {
	last       map[counted]fleet.Count
	thresholds map[string]*threshold // by view
	heard      time.Time             // when counters of both releases were heard last
	begun      time.Time
}

// counted is what a counter counts.
type counted struct {
	node, incarnation string
	release           release.Digest
	since             int64
	view              string
}

// threshold is what makes an answer of a view slow: what one in a hundred of the control's
// answers exceeded in the window before.
type threshold struct {
	window *verdict.Histogram // that fills
	since  time.Time
	slow   int64 // microseconds; 0 is not known yet
}

const (
	thresholdWindow = time.Minute
	slowest         = 0.99 // the quantile that makes the threshold
)

// quiet is for how long counters of both releases have not been heard.
func (c *collector) quiet() time.Duration {
	if c.heard.IsZero() {
		return time.Since(c.begun)
	}
	return time.Since(c.heard)
}

// side is what one release did for a view, at all nodes that count.
type side struct {
	requests int64
	bad      map[string]int64
	latency  *verdict.Histogram
}

// add adds what a counter has grown by. It is false if the counter has not only grown.
func (s *side) add(n fleet.Count, was fleet.Count) bool {
	grown, ok := &verdict.Histogram{}, true
	if n.Latency != nil {
		grown, ok = n.Latency.Since(was.Latency)
	}
	ok = ok && n.Requests >= was.Requests
	for metric, x := range was.Bad {
		ok = ok && n.Bad[metric] >= x
	}
	if !ok {
		return false
	}
	s.requests += n.Requests - was.Requests
	for metric, x := range n.Bad {
		s.bad[metric] += x - was.Bad[metric]
	}
	s.latency.Merge(grown)
	return true
}

func newSide() *side { return &side{bad: map[string]int64{}, latency: &verdict.Histogram{}} }

// take gives what was counted since it was called last.
func (c *collector) take(p *Plan, s *State, all []*fleet.Counters) []Count {
	now := time.Now()
	if c.last == nil {
		c.last, c.thresholds, c.begun = map[counted]fleet.Count{}, map[string]*threshold{}, now
	}
	seen := map[counted]fleet.Count{}
	candidate, control := map[string]*side{}, map[string]*side{}
	unsure := map[string]bool{}                 // a counter began anew: to count the other side alone would make evidence up
	heard := map[bool]bool{false: s.From == ""} // by whether it is the candidate; of nothing there are no counters
	onebox := p.Stages[s.Stage].Kind == Onebox && s.From != ""
	for _, node := range all {
		if onebox && node.Node != s.Onebox {
			continue // the onebox is compared with itself
		}
		for _, n := range node.Programs[p.Program] {
			of := control
			switch n.Release {
			case p.Release:
				of = candidate
			case s.From: // not "", which no counter is of
			default:
				continue
			}
			heard[n.Release == p.Release] = true
			key := counted{node.Node, node.Incarnation, n.Release, n.Since.UnixNano(), n.View}
			seen[key] = n
			if of[n.View] == nil {
				of[n.View] = newSide()
			}
			if was, known := c.last[key]; !known || !of[n.View].add(n, was) {
				unsure[n.View] = true
			}
		}
	}
	if heard[true] && (heard[false] || p.Stages[s.Stage].Share == 1) {
		c.heard = now
	}
	maps.Copy(c.last, seen) // who is not heard now may be heard again
	var counts []Count
	for _, view := range slices.Sorted(maps.Keys(union(candidate, control))) {
		a, b := candidate[view], control[view]
		if unsure[view] {
			continue
		}
		if a == nil {
			a = newSide()
		}
		if b == nil {
			b = newSide()
		}
		c.slow(view, a, b, now)
		if n := count(a, b, onebox, &p.Stages[s.Stage]); n != nil {
			counts = append(counts, *n)
		}
	}
	return counts
}

// count is a window of one view; nil if nothing happened.
func count(a, b *side, onebox bool, stage *Stage) *Count {
	n := &Count{Requests: verdict.Pair{Candidate: a.requests, Control: b.requests}, Bad: map[string]verdict.Pair{}}
	if n.Share = verdict.Measured(n.Requests); onebox {
		n.Share = verdict.Stored(stage.Share)
	}
	for metric := range union(a.bad, b.bad) {
		if pair := (verdict.Pair{Candidate: a.bad[metric], Control: b.bad[metric]}); pair.Sum() > 0 {
			n.Bad[metric] = pair
		}
	}
	if n.Requests.Sum() == 0 && len(n.Bad) == 0 {
		return nil
	}
	return n
}

// slow counts the answers that are slower than the threshold from the window before.
func (c *collector) slow(view string, a, b *side, now time.Time) {
	t := c.thresholds[view]
	if t == nil {
		t = &threshold{window: &verdict.Histogram{}, since: now}
		c.thresholds[view] = t
	}
	if t.slow > 0 {
		a.bad[verdict.Slow], b.bad[verdict.Slow] = a.latency.Above(t.slow), b.latency.Above(t.slow)
	}
	t.window.Merge(b.latency)
	if now.Sub(t.since) >= thresholdWindow {
		if slow, ok := t.window.Threshold(slowest); ok {
			t.slow = slow
		}
		t.window, t.since = &verdict.Histogram{}, now
	}
}

func union[K comparable, A, B any](a map[K]A, b map[K]B) map[K]bool {
	all := map[K]bool{}
	for k := range a {
		all[k] = true
	}
	for k := range b {
		all[k] = true
	}
	return all
}
