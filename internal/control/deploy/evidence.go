package deploy

import (
	"maps"
	"math"
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
	thresholds map[[2]string]*threshold // by view and metric
	heard      map[bool]time.Time       // when counters were heard last, by whether they are the candidate's
}

// counted is what a counter counts.
type counted struct {
	node, incarnation string
	release           release.Digest
	since             int64
	view              string
}

// threshold is what makes an answer of a view slow, or dear: what one in a hundred of the
// control's exceeded in the window before.
type threshold struct {
	window *verdict.Histogram // that fills
	since  time.Time
	most   int64 // microseconds; 0 is not known yet
}

const (
	thresholdWindow = time.Minute
	thresholdAt     = 0.99 // the quantile that makes the threshold
)

// never is for how long counters have not been heard that nobody has ever heard.
const never = time.Duration(math.MaxInt64)

// quiet is for how long counters of the candidate, or of the control, have not been heard.
func (c *collector) quiet(candidate bool) time.Duration {
	if at, ok := c.heard[candidate]; ok {
		return time.Since(at)
	}
	return never
}

// side is what one release did for a view, at all nodes that count.
type side struct {
	requests     int64
	bad          map[string]int64
	latency, cpu *verdict.Histogram
}

// add adds what a counter has grown by. It is false if the counter has not only grown.
func (s *side) add(n fleet.Count, was fleet.Count) bool {
	latency, ok1 := n.Latency.Since(was.Latency)
	cpu, ok2 := n.CPU.Since(was.CPU)
	ok := ok1 && ok2 && n.Requests >= was.Requests
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
	s.latency.Merge(latency)
	s.cpu.Merge(cpu)
	return true
}

func newSide() *side {
	return &side{bad: map[string]int64{}, latency: &verdict.Histogram{}, cpu: &verdict.Histogram{}}
}

// take gives what was counted since it was called last.
func (c *collector) take(p *Plan, s *State, all []*fleet.Counters) []Count {
	now := time.Now()
	if c.last == nil {
		c.last, c.thresholds, c.heard = map[counted]fleet.Count{}, map[[2]string]*threshold{}, map[bool]time.Time{}
	}
	seen := map[counted]fleet.Count{}
	candidate, control := map[string]*side{}, map[string]*side{}
	unsure := map[string]bool{} // a counter began anew: to count the other side alone would make evidence up
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
			c.heard[n.Release == p.Release] = now
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
		for _, of := range []struct {
			metric string
			of     func(*side) *verdict.Histogram
		}{{verdict.Slow, func(s *side) *verdict.Histogram { return s.latency }}, {verdict.CPU, func(s *side) *verdict.Histogram { return s.cpu }}} {
			if most := c.threshold(view, of.metric, of.of(b), now); most > 0 {
				a.bad[of.metric], b.bad[of.metric] = of.of(a).Above(most), of.of(b).Above(most)
			}
		}
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

// threshold is what was too much as the window began, and takes the control's into the
// next one.
func (c *collector) threshold(view, metric string, control *verdict.Histogram, now time.Time) int64 {
	key := [2]string{view, metric}
	t := c.thresholds[key]
	if t == nil {
		t = &threshold{window: &verdict.Histogram{}, since: now}
		c.thresholds[key] = t
	}
	most := t.most
	t.window.Merge(control)
	if now.Sub(t.since) >= thresholdWindow {
		if next, ok := t.window.Threshold(thresholdAt); ok {
			t.most = next
		}
		t.window, t.since = &verdict.Histogram{}, now
	}
	return most
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
