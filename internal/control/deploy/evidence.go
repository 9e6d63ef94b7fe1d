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
// What a node hands over is compared with what it handed over before, and with nothing else:
// who hands over for the first time, was restarted, was not heard for some seconds, or serves
// something else than before, sets a mark, and what came before is evidence lost. So it is
// after a controller took over. Of a node both releases count, or neither; and what is older
// than what is known is no news, however it got here.
type collector struct {
	hosts      map[string]*host // by node, as it was handed over last
	thresholds map[thresholdOf]*threshold
	heard      map[source]time.Time
	looks      int64
}

// A source is a release at a node, of which counters are heard.
type source struct {
	node    string
	release release.Digest
}

// host is what a node handed over of the program.
type host struct {
	incarnation  string
	number       int64
	at           time.Time // when a control node heard it
	main, beside release.Digest
	share        float64 // of beside
	counts       map[counted]fleet.Count
	views        map[string]bool
	twice        bool // something is counted twice in it
}

// counted is what a counter of a node counts.
type counted struct {
	release release.Digest
	since   int64
	view    string
}

// mostApart is how far apart a node's counters are, at most, that are compared. Nodes hand over
// twice a second. What is of a longer time than the others' would be compared with what those
// did at another time.
const mostApart = 5 * time.Second

func hostOf(n *fleet.Counters, program string, now time.Time) *host {
	h := &host{incarnation: n.Incarnation, number: n.Number, at: now.Add(-n.Age), counts: map[counted]fleet.Count{}, views: map[string]bool{}}
	for _, c := range n.Programs[program] {
		key := counted{c.Release, c.Since.UnixNano(), c.View}
		if _, twice := h.counts[key]; twice {
			h.twice = true
		}
		h.counts[key] = c
		h.views[c.View] = true
		if c.Beside {
			h.beside, h.share = c.Release, c.Share
		} else {
			h.main = c.Release
		}
	}
	return h
}

// follows reports whether what a node handed over is of the time since it handed over was.
func (h *host) follows(was *host) bool {
	return was != nil && h.incarnation == was.incarnation && h.at.Sub(was.at) <= mostApart &&
		h.main == was.main && h.beside == was.beside && h.share == was.share && !h.twice && !was.twice
}

// grown is what a release at the node did for a view. It is false if that is not known.
func (h *host) grown(was *host, d release.Digest, view string) (*side, bool) {
	for key, n := range h.counts {
		if key.release != d || key.view != view {
			continue
		}
		s := newSide()
		before, known := was.counts[key]
		return s, known && s.add(n, before)
	}
	return nil, false
}

// Newest has one of each node: what it handed over last. A node that has changed its control
// node is known to both for a while.
func Newest(all []*fleet.Counters) []*fleet.Counters {
	best := map[string]*fleet.Counters{}
	for _, n := range all {
		was := best[n.Node]
		switch {
		case was == nil, n.Incarnation == was.Incarnation && n.Number > was.Number, n.Incarnation != was.Incarnation && n.Age < was.Age:
			best[n.Node] = n
		}
	}
	out := make([]*fleet.Counters, 0, len(best))
	for _, name := range slices.Sorted(maps.Keys(best)) {
		out = append(out, best[name])
	}
	return out
}

// side is what one release did for a view, at all nodes that count.
type side struct {
	requests     int64
	gone         int64 // whose clients left before they had an answer
	bad          map[string]int64
	latency, cpu *verdict.Histogram
}

func newSide() *side {
	return &side{bad: map[string]int64{}, latency: &verdict.Histogram{}, cpu: &verdict.Histogram{}}
}

// add adds what a counter has grown by. It is false if the counter has not only grown.
func (s *side) add(n fleet.Count, was fleet.Count) bool {
	latency, ok1 := n.Latency.Since(was.Latency)
	cpu, ok2 := n.CPU.Since(was.CPU)
	ok := ok1 && ok2 && n.Requests >= was.Requests && n.Gone >= was.Gone
	for metric, x := range was.Bad {
		ok = ok && n.Bad[metric] >= x
	}
	if !ok {
		return false
	}
	s.requests += n.Requests - was.Requests
	s.gone += n.Gone - was.Gone
	for metric, x := range n.Bad {
		s.bad[metric] += x - was.Bad[metric]
	}
	s.latency.Merge(latency)
	s.cpu.Merge(cpu)
	return true
}

// merge adds another node's.
func (s *side) merge(other *side) {
	s.requests += other.requests
	s.gone += other.gone
	for metric, x := range other.bad {
		s.bad[metric] += x
	}
	s.latency.Merge(other.latency)
	s.cpu.Merge(other.cpu)
}

// compared is what is compared in a window: a view at hosts that have both releases, of one
// share, or at hosts with either.
type compared struct {
	view  string
	share float64 // 0: hosts against hosts
}

// comparison is what both sides did for a view between two looks.
type comparison struct {
	candidate, control *side
	runs               bool // a host runs the candidate
}

// take gives what was counted since it was called last.
func (c *collector) take(p *Plan, s *State, all []*fleet.Counters) []Count {
	now := time.Now()
	if c.hosts == nil {
		c.hosts, c.thresholds, c.heard = map[string]*host{}, map[thresholdOf]*threshold{}, map[source]time.Time{}
	}
	c.looks++
	windows := map[compared]*comparison{}
	for _, n := range Newest(all) {
		h, was := hostOf(n, p.Program, now), c.hosts[n.Node]
		if was != nil && h.incarnation == was.incarnation && h.number <= was.number {
			continue // it is known
		}
		c.hosts[n.Node] = h
		if !h.follows(was) {
			continue
		}
		for key := range h.counts {
			if _, known := was.counts[key]; known { // what only sets a mark is no evidence
				c.heard[source{n.Node, key.release}] = h.at
			}
		}
		h.into(windows, was, p.Release, s.From)
	}
	var counts []Count
	for _, key := range slices.SortedFunc(maps.Keys(windows), compared.compare) {
		if w := windows[key]; w.runs {
			counts = append(counts, c.count(key, w, now)...)
		}
	}
	return counts
}

// into adds what the node did to the windows that it is of. What serves neither release, or a
// view that only one of two releases has, is nothing to compare.
func (h *host) into(windows map[compared]*comparison, was *host, candidate, control release.Digest) {
	both := h.main == control && h.beside == candidate && h.share > 0 && h.share < 1
	if !both && h.beside != "" {
		return
	}
	for view := range h.views {
		key := compared{view: view}
		a, b := newSide(), newSide()
		okA, okB := true, true
		switch {
		case both:
			key.share = h.share
			a, okA = h.grown(was, candidate, view)
			b, okB = h.grown(was, control, view)
		case h.main == candidate:
			a, okA = h.grown(was, candidate, view)
		case h.main == control:
			b, okB = h.grown(was, control, view)
		default:
			continue
		}
		if !okA || !okB {
			continue
		}
		w := windows[key]
		if w == nil {
			w = &comparison{candidate: newSide(), control: newSide()}
			windows[key] = w
		}
		w.candidate.merge(a)
		w.control.merge(b)
		w.runs = w.runs || both || h.main == candidate
	}
}

// count is what a window tells; nothing if nothing happened.
func (c *collector) count(key compared, w *comparison, now time.Time) []Count {
	a, b := w.candidate, w.control
	n := Count{Look: c.looks, Requests: verdict.Pair{Candidate: a.requests, Control: b.requests}, Bad: map[string]verdict.Pair{}}
	// Those that are gone are a part of what the hosts had to do, and are no good answers that would
	// pass anything.
	if n.Share = verdict.Measured(verdict.Pair{Candidate: a.requests + a.gone, Control: b.requests + b.gone}); key.share > 0 {
		n.Share = verdict.Stored(key.share)
	}
	for _, of := range []struct {
		metric             string
		candidate, control *verdict.Histogram
	}{{verdict.Slow, a.latency, b.latency}, {verdict.CPU, a.cpu, b.cpu}} {
		if most := c.threshold(thresholdOf{key.view, key.share > 0, of.metric}, of.control, now); most > 0 {
			a.bad[of.metric], b.bad[of.metric] = of.candidate.Above(most), of.control.Above(most)
		} else {
			n.Unjudged = append(n.Unjudged, of.metric)
		}
	}
	for metric := range union(a.bad, b.bad) {
		if pair := (verdict.Pair{Candidate: a.bad[metric], Control: b.bad[metric]}); pair.Sum() > 0 {
			n.Bad[metric] = pair
		}
	}
	if n.Requests.Sum() == 0 && len(n.Bad) == 0 {
		return nil
	}
	return []Count{n}
}

// heardAgo is how long ago counters were heard that were compared with those before them.
func (c *collector) heardAgo() map[source]time.Duration {
	all := map[source]time.Duration{}
	for s, at := range c.heard {
		all[s] = time.Since(at)
	}
	return all
}

// placed reports whether a node shall run the candidate, or may since it was to.
func (w *World) placed(p *Plan) bool {
	for _, i := range w.Intents {
		if i.Deployment == p.ID && i.Candidate == p.Release && (i.Onebox != "" || i.Reach > 0) {
			return true
		}
	}
	return false
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
