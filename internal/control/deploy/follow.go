package deploy

import (
	"context"
	"maps"
	"sync"

	"towpath.dev/election"
	"towpath.dev/internal/control/fleet"
	"towpath.dev/internal/control/mirror"
	"towpath.dev/internal/control/release"
)

// FollowIntents tells what a cell shall run, the trust policy, and what was admitted before keys
// of it were retired: all of it, and all again whenever some has changed, until the context ends.
// Of a store that was restored it tells that, and nothing else until a person has let it go on.
func FollowIntents(ctx context.Context, store election.Store, environment, cell string, tell func(fleet.Heard)) {
	seen(ctx, store, func() { tell(fleet.Heard{Held: true}) })
	f := &following{tell: tell, admittedAt: admittedKey(environment), intents: map[string]*fleet.Intent{}}
	var trust sync.WaitGroup
	trust.Go(func() {
		mirror.Follow(ctx, store, PolicyKey, func(u mirror.Update) { f.see(u, &f.heardTrust, f.seeTrust) })
	})
	mirror.Follow(ctx, store, fleet.CellKeys(environment, cell), func(u mirror.Update) { f.see(u, &f.heardIntents, f.seeIntents) })
	trust.Wait()
}

// following is what a cell is told of.
type following struct {
	tell       func(fleet.Heard)
	admittedAt string // the key

	mu                       sync.Mutex // of two watches
	intents                  map[string]*fleet.Intent
	policy                   []byte
	admitted                 release.Admitted
	heardIntents, heardTrust bool // all of it, once
}

// see takes over what a watch says, and tells of it once both have said something.
func (f *following) see(u mirror.Update, heard *bool, see func(mirror.Update)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	see(u)
	*heard = true
	if !f.heardIntents || !f.heardTrust || !u.Reset && len(u.Events) == 0 {
		return
	}
	var run []release.Digest
	for _, i := range f.intents {
		run = append(run, i.Release, i.Candidate)
	}
	f.tell(fleet.Heard{Intents: maps.Clone(f.intents), Policy: f.policy, Admitted: f.admitted.Of(run...)})
}

func (f *following) seeIntents(u mirror.Update) {
	if u.Reset {
		clear(f.intents)
	}
	for _, e := range u.Events {
		_, _, program, ok := fleet.ParseIntentKey(e.Entry.Key)
		if !ok {
			continue
		}
		if e.Removed {
			delete(f.intents, program)
		} else if i, err := fleet.DecodeIntent(e.Entry.Key, e.Entry.Value); err == nil {
			f.intents[program] = i
		}
	}
}

func (f *following) seeTrust(u mirror.Update) {
	if u.Reset {
		f.policy, f.admitted = nil, nil
	}
	for _, e := range u.Events {
		value := e.Entry.Value
		if e.Removed {
			value = nil
		}
		switch e.Entry.Key {
		case PolicyKey:
			f.policy = value
		case f.admittedAt:
			// What is damaged is written anew with the next policy; nodes remember what they ran.
			f.admitted, _ = release.DecodeAdmitted(value)
		}
	}
}
