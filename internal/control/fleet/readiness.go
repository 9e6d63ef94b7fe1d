// A node that lives and does not answer.

package fleet

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"towpath.dev/internal/control/release"
)

const (
	askEvery = time.Second
	askTime  = 2 * time.Second
	// refusedMost is how often in a row a host is not ready until that is a loss of readiness:
	// balancers do not turn away from a node at once either.
	refusedMost = 3
)

// watch asks the host whether it is ready until the context ends, and tells the loop when it is
// no more, and when it is again.
func (a *Agent) watch(ctx context.Context, host Readier) {
	tick := time.NewTicker(askEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		asking, cancel := context.WithTimeout(ctx, askTime)
		err := host.Ready(asking)
		cancel()
		if ctx.Err() != nil {
			return // it ends
		}
		if !a.heardReady(err) {
			continue
		}
		select {
		case a.turns <- err:
		case <-ctx.Done():
			return
		}
	}
}

// heardReady takes an answer of the host, and reports whether it changes something.
func (a *Agent) heardReady(err error) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	was := a.lost
	if err == nil {
		a.refused, a.lost = 0, false
	} else {
		a.refused++
		a.lost = a.lost || a.refused >= refusedMost
	}
	return a.lost != was
}

// placed has refusals counted anew: what came before is not of what was placed now.
func (a *Agent) placed() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.refused = 0
}

// turned notes that the node is not ready, or that it is again. A loss is counted as deaths are.
func (a *Agent) turned(err error) {
	if err == nil {
		a.unready = ""
		a.say("", slog.LevelInfo, "the node is ready again")
		return
	}
	a.unready = cut(err.Error(), maxTrouble)
	a.say("", slog.LevelWarn, "the node lives, and is not ready", "error", err)
	for _, name := range slices.Sorted(maps.Keys(a.programs)) {
		p, i := a.programs[name], a.memory.Intents[name]
		d, try := a.memory.suspect(name)
		switch {
		case try != nil && !try.Settled:
			try.Lost++
			if t := p.troubles[d]; t == nil || !t.Kind.Final() {
				p.troubles[d] = try.trouble(d)
			}
		case i == nil || i.Candidate == "" || p.main == i.Candidate || p.beside == i.Candidate:
			continue // it says nothing of a candidate
		}
		a.memory.lost(name, d, time.Now())
		a.dirty = true
	}
}

// trouble is what there is against a release.
func (t *Try) trouble(d release.Digest) *Trouble {
	about := &Trouble{Release: d, Kind: Crashed, Count: t.Deaths, Starved: t.Starved}
	switch {
	case t.Deaths == 0:
		about.Kind, about.Count = Unready, t.Lost
	case t.Deaths >= MostDeaths && !t.Settled:
		about.Kind = GaveUp
	}
	if t.Deaths > 0 {
		about.Text = "the node's process ended" + times(t.Deaths)
		if t.Lost > 0 {
			about.Text += ", and was not ready" + times(t.Lost) + ","
		}
	} else {
		about.Text = "the node was not ready" + times(t.Lost)
	}
	about.Text += " while it ran this release"
	switch {
	case t.Starved == 0:
	case t.Starved < t.Deaths:
		about.Text += fmt.Sprintf("; at %d of these ends, %s", t.Starved, t.Killed)
	default:
		about.Text += "; " + t.Killed
	}
	return about
}

// times is how often, where that is more than once.
func times(n int) string {
	if n == 1 {
		return ""
	}
	return fmt.Sprintf(" %d times", n)
}
