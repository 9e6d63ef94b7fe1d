// What a node makes of it that it is told to run nothing at all.

package fleet

import (
	"log/slog"
	"time"
)

// doubt is how long after its status was taken a node goes on that runs something, and is told first of
// all that it shall run nothing. Who forgets the last node of a cell takes out what the cell was to run;
// if that was only cut off, its nodes would serve nothing until controllers have told them again.
const doubt = 30 * time.Second

// doubted is what a node goes by that hears of intents: of these, or of what it has. Anew is that they are the
// first ones of a connection.
func (a *Agent) doubted(heard map[string]*Intent, anew bool) map[string]*Intent {
	if len(heard) > 0 || len(a.memory.Intents) == 0 || !anew && !a.doubts {
		a.doubts = false
		return heard
	}
	if !a.doubts {
		a.say("", slog.LevelWarn, "the control plane knows of nothing that this node shall run, and it runs something: it goes on until the control plane has known that for a while", "while", doubt)
		if !a.taken.IsZero() { // while a restored store was held, when nobody acted upon it
			a.taken = time.Now()
		}
	}
	a.doubts = true
	return a.memory.Intents
}

// believes is when the node believes that it shall run nothing; zero is not yet.
func (a *Agent) believes() time.Time {
	if !a.doubts || a.taken.IsZero() {
		return time.Time{}
	}
	return a.taken.Add(doubt)
}

// believe has it believe that, when it is time, nothing else was heard, and somebody is there to tell it.
func (a *Agent) believe() {
	at := a.believes()
	if at.IsZero() || at.After(time.Now()) {
		return
	}
	a.mu.Lock()
	alone, more := !a.stale.IsZero(), a.inbox != nil
	a.mu.Unlock()
	switch {
	case alone:
		a.taken = time.Time{} // counted anew by the next connection
		return
	case more: // to be heard first
		return
	}
	a.say("", slog.LevelWarn, "the control plane still knows of nothing that this node shall run, and it serves no program any more")
	a.doubts, a.memory.Intents, a.dirty = false, map[string]*Intent{}, true
}
