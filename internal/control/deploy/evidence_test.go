package deploy

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"towpath.dev/internal/control/fleet"
	"towpath.dev/internal/control/verdict"
)

// counting is a fleet whose nodes count what a test says, each second.
type counting struct {
	t      *testing.T
	plan   *Plan
	state  *State
	of     collector
	nodes  map[string]*countingNode
	counts []Count
}

type countingNode struct {
	incarnation  string
	number       int64
	since        time.Time
	main, beside string
	share        float64
	done         map[string]*fleet.Count // by release
}

func newCounting(t *testing.T) *counting {
	c := &counting{t: t, nodes: map[string]*countingNode{}, state: &State{Phase: Running, Step: Baking, From: digest("one")}}
	c.plan = &Plan{ID: "shop.prod.2", Program: "shop", Environment: "prod", Release: digest("two"), Pipeline: DefaultPipeline()}
	var err error
	if c.state.Test, err = newTest(&c.plan.Pipeline); err != nil {
		t.Fatal(err)
	}
	return c
}

// onebox is a node with both, and host one with either.
func (c *counting) onebox(name string, share float64) *countingNode {
	n := c.host(name, "one")
	n.beside, n.share = "two", share
	return n
}

func (c *counting) host(name, main string) *countingNode {
	n := &countingNode{incarnation: "1", since: time.Now(), main: main, done: map[string]*fleet.Count{}}
	c.nodes[name] = n
	return n
}

// serves has a node answer requests with a release, so many of them badly.
func (n *countingNode) serves(release string, requests, bad int64) {
	c := n.of(release)
	c.Requests += requests
	c.Bad[verdict.Error] += bad
}

// takes has answers take so long, in microseconds.
func (n *countingNode) takes(release string, answers, took int64) {
	n.of(release).Latency.AddN(took, answers)
}

func (n *countingNode) of(release string) *fleet.Count {
	c := n.done[release]
	if c == nil {
		c = &fleet.Count{Release: digest(release), Since: n.since, View: "v", Bad: map[string]int64{}, Latency: &verdict.Histogram{}}
		n.done[release] = c
	}
	return c
}

// handsOver is what a node hands over now.
func (c *counting) handsOver(name string) *fleet.Counters {
	n := c.nodes[name]
	n.number++
	out := &fleet.Counters{Node: name, Incarnation: n.incarnation, Number: n.number, Programs: map[string][]fleet.Count{}}
	for _, release := range []string{n.main, n.beside} {
		if release == "" {
			continue
		}
		count := *n.of(release)
		count.Bad = maps.Clone(count.Bad)
		count.Latency = &verdict.Histogram{}
		count.Latency.Merge(n.of(release).Latency)
		if release == n.beside {
			count.Beside, count.Share = true, n.share
		}
		out.Programs["shop"] = append(out.Programs["shop"], count)
	}
	return out
}

// look has the collector look at what control nodes tell, and takes it for evidence.
func (c *counting) look(all ...*fleet.Counters) []Count {
	got := c.of.take(c.plan, c.state, all)
	c.counts = append(c.counts, got...)
	m := &move{p: c.plan, s: c.state, w: &World{Counts: got}}
	m.count()
	return got
}

// second is a second later, when all nodes have handed over.
func (c *counting) second() []Count {
	time.Sleep(time.Second)
	var all []*fleet.Counters
	for _, name := range slices.Sorted(maps.Keys(c.nodes)) {
		all = append(all, c.handsOver(name))
	}
	return c.look(all...)
}

// has says that the evidence is of so many requests and errors.
func (c *counting) has(requests, errors verdict.Pair) {
	c.t.Helper()
	for _, m := range c.state.Test.Metrics {
		if m.Name == verdict.Error && m.Bad != errors {
			c.t.Errorf("the evidence is of the errors %+v; expected %+v", m.Bad, errors)
		}
	}
	if got := c.state.Test.Requests; got != requests {
		c.t.Errorf("the evidence is of %+v requests; expected %+v", got, requests)
	}
}

// older is what was handed over so long ago.
func older(n *fleet.Counters, age time.Duration) *fleet.Counters {
	c := *n
	c.Age = age
	return &c
}

// TestTwoControlNodes: a node that has gone to another control node is known to both. Each of its
// requests is counted once, whichever of the two is asked first, and one bad answer is one.
func TestTwoControlNodes(t *testing.T) {
	for _, first := range []string{"the old one", "the new one", "either"} {
		t.Run(first, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCounting(t)
				n := c.onebox("n", 0.1)
				n.serves("one", 900, 0)
				n.serves("two", 100, 0)
				left := c.handsOver("n")
				c.look(left)
				n.serves("one", 450, 0)
				n.serves("two", 50, 1)
				for k := range 60 {
					time.Sleep(500 * time.Millisecond)
					now := c.handsOver("n")
					all := []*fleet.Counters{older(left, time.Duration(k+1)*500*time.Millisecond), now}
					if first == "the new one" || first == "either" && k%3 == 0 {
						slices.Reverse(all)
					}
					c.look(all...)
				}
				c.has(verdict.Pair{Candidate: 50, Control: 450}, verdict.Pair{Candidate: 1})
			})
		})
	}
}

// TestOldNews: what arrives late is no news, and what is known is not taken for less.
func TestOldNews(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCounting(t)
		n := c.onebox("n", 0.1)
		c.second()
		n.serves("one", 900, 3)
		n.serves("two", 100, 1)
		late := c.handsOver("n")
		n.serves("one", 900, 0)
		c.second()
		c.look(older(late, time.Second))
		n.serves("one", 9, 0)
		c.second()
		c.has(verdict.Pair{Candidate: 100, Control: 1809}, verdict.Pair{Candidate: 1, Control: 3})
	})
}

// TestWindowOfBoth: what is not known of one side of a comparison does not count on the other.
func TestWindowOfBoth(t *testing.T) {
	for _, c := range []struct {
		name string
		set  func(*countingNode)
		lost bool // the window
	}{
		{"nothing", func(*countingNode) {}, false},
		{"the control was placed anew", func(n *countingNode) { delete(n.done, "one"); n.since = time.Now() }, true},
		{"the candidate was placed anew", func(n *countingNode) { delete(n.done, "two"); n.since = time.Now() }, true},
		{"the share is another", func(n *countingNode) { n.share = 0.5 }, true},
		{"the node was restarted", func(n *countingNode) { n.incarnation, n.number = "2", 0 }, true},
		{"it was not heard for long", func(*countingNode) { time.Sleep(mostApart) }, true},
		{"the candidate is there no more", func(n *countingNode) { n.beside = "" }, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newCounting(t)
				n := f.onebox("n", 0.1)
				f.second()
				c.set(n)
				n.serves("one", 90, 9)
				n.serves("two", 10, 1)
				got := f.second()
				if lost := len(got) == 0; lost != c.lost {
					t.Errorf("%+v is evidence", got)
				}
				n.serves("one", 90, 0)
				n.serves("two", 10, 0)
				if got := f.second(); len(got) != 1 && n.beside != "" {
					t.Errorf("after it %+v is evidence", got)
				}
			})
		})
	}
}

// TestTwice: of a node that counts something twice nothing counts.
func TestTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCounting(t)
		n := c.onebox("n", 0.1)
		for range 3 {
			n.serves("one", 90, 1)
			n.serves("two", 10, 1)
			time.Sleep(time.Second)
			told := c.handsOver("n")
			told.Programs["shop"] = append(told.Programs["shop"], told.Programs["shop"][1])
			c.look(told)
		}
		c.has(verdict.Pair{}, verdict.Pair{})
	})
}

// TestHosts: hosts that have one release are compared with those that have the other by what
// both did in the window; one that is away or has both is left out.
func TestHosts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCounting(t)
		two, one, changing := c.host("a", "two"), c.host("b", "one"), c.host("c", "one")
		c.second()
		two.serves("two", 100, 1)
		one.serves("one", 300, 2)
		changing.main, changing.since = "two", time.Now()
		changing.serves("two", 1000, 1000)
		got := c.second()
		want := []Count{{
			Look:  2,
			Share: verdict.Measured(verdict.Pair{Candidate: 100, Control: 300}), Requests: verdict.Pair{Candidate: 100, Control: 300},
			Bad: map[string]verdict.Pair{verdict.Error: {Candidate: 1, Control: 2}}, Unjudged: []string{verdict.Slow, verdict.CPU},
		}}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("the evidence is %+v; expected %+v", got, want)
		}
		c.nodes["d"] = &countingNode{incarnation: "1", main: "three", done: map[string]*fleet.Count{}}
		c.second()
		c.nodes["d"].serves("three", 100, 100)
		two.main, two.beside, two.share = "one", "two", 0.1
		if got := c.second(); len(got) != 0 {
			t.Errorf("%+v is evidence, and nobody was asked", got)
		}
	})
}

// TestSeldomAsked: a view that is seldom asked has a threshold later; until then nobody knows
// what is slow, and a candidate does not pass by it.
func TestSeldomAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCounting(t)
		n := c.onebox("n", 0.5)
		c.second()
		slow := func() (w verdict.Way) {
			for _, w = range c.state.Test.Verdict().Ways {
				if w.Metric == verdict.Slow {
					return w
				}
			}
			return w
		}
		second := func(took int64) {
			for _, release := range []string{"one", "two"} {
				n.serves(release, 2, 0)
				n.takes(release, 2, took)
			}
			c.second()
		}
		for range 490 {
			second(1000)
		}
		if w := slow(); w.How != "" || !w.Unknown || w.Served.Candidate != 0 {
			t.Fatalf("before a threshold is known: %+v", w)
		}
		for range 400 {
			second(1000)
		}
		if w := slow(); w.How != verdict.ByTraffic || w.Unknown || w.Served.Candidate < 700 {
			t.Errorf("with a threshold: %+v", w)
		}
		if got := c.counts[len(c.counts)-1].Unjudged; !slices.Equal(got, []string{verdict.CPU}) {
			t.Errorf("%s are not known; there were no CPU times", got)
		}
	})
}

// TestImpatientClients: clients that leave before a candidate that hangs has an answer are slow
// answers, and no good ones: it goes back. One before which as many leave as before the
// release does not.
func TestImpatientClients(t *testing.T) {
	for _, c := range []struct {
		name  string
		both  bool  // at one host, else at one each
		hangs int64 // of 100 requests
		want  verdict.Decision
	}{
		{"as the release", true, 0, verdict.Undecided},
		{"hangs now and then", true, 20, verdict.Abort},
		{"as the release, at hosts", false, 0, verdict.Undecided},
		{"hangs now and then, at hosts", false, 20, verdict.Abort},
		{"hangs always, at hosts", false, 99, verdict.Abort},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newCounting(t)
				at := map[string]*countingNode{}
				if c.both {
					at["one"] = f.onebox("n", 0.5)
					at["two"] = at["one"]
				} else {
					at["one"], at["two"] = f.host("a", "one"), f.host("b", "two")
				}
				f.second()
				for k := range 60 {
					for _, release := range []string{"one", "two"} {
						leave := int64(k % 2) // one in two hundred, whatever it is
						if release == "two" && k > 20 {
							leave = max(leave, c.hangs)
						}
						n := at[release]
						n.serves(release, 100-leave, 0)
						n.takes(release, 100-leave, 5000)
						n.of(release).Gone += leave
						n.takes(release, leave, 2_000_000) // as long as clients wait
					}
					f.second()
				}
				if got := f.state.Test.Decision(); got != c.want {
					t.Errorf("%s; expected %s", f.state.Test.Verdict(), c.want)
				}
			})
		})
	}
}

// TestHeard: counters are heard that say that there was nothing to count, once there are some to
// compare them with.
func TestHeard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCounting(t)
		c.onebox("n", 0.1)
		c.look(c.handsOver("n"))
		if got := c.of.heardAgo(); len(got) > 0 {
			t.Errorf("at the first look %v is heard; expected nothing", got)
		}
		time.Sleep(4 * time.Second)
		c.look(older(c.handsOver("n"), 3*time.Second))
		time.Sleep(time.Second)
		want := map[source]time.Duration{{"n", digest("one")}: 4 * time.Second, {"n", digest("two")}: 4 * time.Second}
		if got := c.of.heardAgo(); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("heard were %v; expected %v", got, want)
		}
	})
}

// TestHeardAndNotCounted: of nodes that are heard so seldom that nothing counts nothing is heard
// either, so that no stage passes by it.
func TestHeardAndNotCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCounting(t)
		two, one := c.host("a", "two"), c.host("b", "one")
		for range 100 {
			time.Sleep(mostApart + time.Second)
			two.serves("two", 1000, 500)
			one.serves("one", 1000, 0)
			c.look(c.handsOver("a"), c.handsOver("b"))
		}
		if got := c.of.heardAgo(); len(c.counts) > 0 || len(got) > 0 {
			t.Errorf("%d windows count, and %v are heard; expected neither", len(c.counts), got)
		}
	})
}
