package deploy

import (
	"context"
	"maps"
	"sync"
	"time"

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
		mirror.Follow(ctx, store, PolicyKey, func(u mirror.Update) {
			f.catchUp(ctx, store, u)
			f.see(u, &f.heardPolicy, f.seePolicy)
		})
	})
	trust.Go(func() {
		mirror.Follow(ctx, store, f.admittedAt, func(u mirror.Update) { f.see(u, &f.heardAdmitted, f.seeAdmitted) })
	})
	mirror.Follow(ctx, store, fleet.CellKeys(environment, cell), func(u mirror.Update) { f.see(u, &f.heardIntents, f.seeIntents) })
	trust.Wait()
}

// following is what a cell is told of.
type following struct {
	tell       func(fleet.Heard)
	admittedAt string // the key

	mu       sync.Mutex // of three watches
	intents  map[string]*fleet.Intent
	policy   []byte
	admitted release.Admitted
	// heardIntents and so on: all of it, once.
	heardIntents, heardPolicy, heardAdmitted bool
}

// see takes over what a watch says, and tells of it once all have said something.
func (f *following) see(u mirror.Update, heard *bool, see func(mirror.Update)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	see(u)
	*heard = true
	if !f.heardIntents || !f.heardPolicy || !f.heardAdmitted || !u.Reset && len(u.Events) == 0 {
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

func (f *following) seePolicy(u mirror.Update) {
	if u.Reset {
		f.policy = nil
	}
	for _, e := range u.Events {
		switch {
		case e.Entry.Key != PolicyKey: // what an earlier version has below it
		case e.Removed:
			f.policy = nil
		default:
			f.policy = e.Entry.Value
		}
	}
}

// catchUp reads what was admitted, which is written before the policy that makes it necessary, and whose
// watch may be behind: a node that hears of the policy alone would refuse what is deployed.
func (f *following) catchUp(ctx context.Context, store election.Store, u mirror.Update) {
	for news := u.Reset || len(u.Events) > 0; news && ctx.Err() == nil; {
		reading, cancel := context.WithTimeout(ctx, readTime)
		page, err := store.Range(reading, election.Span{Keys: election.Key(f.admittedAt)})
		cancel()
		if err == nil {
			f.mu.Lock()
			f.admitted = nil
			for _, e := range page.Entries {
				f.admitted, _ = release.DecodeAdmitted(e.Value)
			}
			f.mu.Unlock()
			return
		}
		select {
		case <-ctx.Done():
		case <-time.After(readAgain):
		}
	}
}

// readTime bounds a read, and readAgain is how long it waits for the next where it failed.
const (
	readTime  = 10 * time.Second
	readAgain = 200 * time.Millisecond
)

// seeAdmitted takes over what was admitted. What is damaged is written anew with the next policy; nodes
// remember what they ran.
func (f *following) seeAdmitted(u mirror.Update) {
	if u.Reset {
		f.admitted = nil
	}
	for _, e := range u.Events {
		switch {
		case e.Entry.Key != f.admittedAt: // of an environment whose name begins with this one's
		case e.Removed:
			f.admitted = nil
		default:
			f.admitted, _ = release.DecodeAdmitted(e.Entry.Value)
		}
	}
}
