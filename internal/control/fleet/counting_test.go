package fleet

import (
	"context"
	"fmt"
	"testing"
	"time"
)

// counter is a host of fifty programs, and a control node that is asked for some.
type counter struct {
	*process
	asked  []string
	handed map[string]int // how often, by program
	last   int64
}

func (c *counter) Counts() map[string][]Count {
	all := map[string][]Count{}
	for n := range 50 {
		all[fmt.Sprintf("program-%d", n)] = []Count{{View: "v"}}
	}
	all["shop"] = []Count{{View: "v"}}
	return all
}

func (c *counter) Count(_ context.Context, n *Counters) ([]string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for program := range n.Programs {
		c.handed[program]++
	}
	if n.Number != c.last+1 {
		c.t.Errorf("the number is %d after %d", n.Number, c.last)
	}
	c.last = n.Number
	return c.asked, nil
}

// TestCountsOfWhatIsCompared: counters of a program on trial, and of one that somebody asks for, are
// handed over twice a second; those of all others have no part in that.
func TestCountsOfWhatIsCompared(t *testing.T) {
	run(t, func(t *testing.T, m *machine) {
		c := &counter{handed: map[string]int{}}
		m.with = func(o *Options) {
			c.process = o.Host.(*process)
			o.Host, o.Link = c, c
		}
		_, stop := m.start()
		defer stop()
		minute := func(asked ...string) map[string]int {
			m.set(func() { c.asked = asked })
			time.Sleep(20 * time.Second) // until it has heard that
			m.set(func() { clear(c.handed) })
			time.Sleep(time.Minute)
			m.mu.Lock()
			defer m.mu.Unlock()
			return map[string]int{"shop": c.handed["shop"], "program-1": c.handed["program-1"], "program-2": c.handed["program-2"]}
		}
		near := func(n, want int) bool { return n >= want-1 && n <= want+1 }
		m.intend(&Intent{Deployment: "d1", Release: one})
		if n := minute(); !near(n["shop"], 6) || !near(n["program-1"], 6) {
			t.Errorf("with nothing to compare, counters were handed over %v times in a minute", n)
		}
		m.intend(&Intent{Deployment: "d2", Release: one, Candidate: two})
		if n := minute(); !near(n["shop"], 120) || !near(n["program-1"], 6) {
			t.Errorf("with a candidate on trial, %v times", n)
		}
		if n := minute("program-1"); !near(n["shop"], 120) || !near(n["program-1"], 120) || !near(n["program-2"], 6) {
			t.Errorf("asked for another, %v times", n)
		}
		m.intend(&Intent{Deployment: "d2", Release: two})
		if n := minute("program-1"); !near(n["shop"], 6) || !near(n["program-1"], 120) {
			t.Errorf("with a candidate no more, %v times", n)
		}
		if n := minute(); !near(n["program-1"], 6) {
			t.Errorf("asked for no more, %v times", n)
		}
	})
}

// TestCountsOfWhatIsNotThere: that a program on trial has no counters is said, too, so that older
// ones of it are not taken for new.
func TestCountsOfWhatIsNotThere(t *testing.T) {
	a := &Agent{o: Options{Host: &counter{}}}
	c := a.counters(false, []string{"shop", "gone", "shop"})
	if _, there := c.Programs["gone"]; !there || len(c.Programs) != 2 || !c.Some {
		t.Errorf("it hands over %+v", c)
	}
	if c := a.counters(true, []string{"gone"}); len(c.Programs) != 51 || c.Some {
		t.Errorf("it hands over %+v", c)
	}
}
