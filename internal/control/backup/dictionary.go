package backup

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"filippo.io/age"

	"towpath.dev/internal/blob"
	"towpath.dev/internal/control/backup/catalog"
	"towpath.dev/internal/control/backup/segment"
)

// With each base a dictionary is made: rows of it from here and there, behind which minutes are
// compressed. It is an object of its own, that lives as long as something is behind it,
// whatever becomes of the base: see [catalog.Catalog.Plan].

const (
	// maxDictionary is the bytes of one. With an eighth of it, minutes are a sixteenth larger.
	maxDictionary = 1 << 20
	// minDictionary is less than what is worth a request.
	minDictionary = 1 << 10
	// maxSample is how much of a row there is in it, so that none has all of it.
	maxSample = 8 << 10
)

// A sampler takes rows at equal distances.
type sampler struct {
	every   int64 // bytes of the store for one that is taken
	passed  int64
	next    int64
	content []byte
}

// newSampler is for a store of so many bytes. Of a small one a sixteenth is taken.
func newSampler(bytes int64) *sampler { return &sampler{every: max(16, bytes/maxDictionary)} }

func (s *sampler) row(v []byte) {
	s.passed += int64(len(v))
	v = v[:min(len(v), maxSample)]
	if s.passed < s.next || len(s.content)+len(v) > maxDictionary {
		return
	}
	s.content = append(s.content, v...)
	s.next += int64(len(v)) * s.every
}

// makeDictionary stores what was sampled, and uses it from now on.
func (u *Uploader) makeDictionary(ctx context.Context, s *sampler) error {
	if len(s.content) < minDictionary {
		return nil
	}
	d, object, err := segment.NewDictionary(s.content, u.segments())
	if err != nil {
		return err
	}
	err = u.o.Store.Create(ctx, u.shelf.place.dictionary(d.Name), object, blob.Standard)
	if err != nil && !errors.Is(err, blob.ErrExists) {
		return err
	}
	u.shelf.dictionaries.put(d)
	if err == nil {
		u.use(d) // one that was there may not be the newest: care will tell
	}
	return nil
}

// use has what is uploaded from now on be behind a dictionary.
func (u *Uploader) use(d *segment.Dictionary) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.behind, u.since = d, u.o.Now()
}

// useNewest uses the newest dictionary that the store has. If that cannot be read, the one that is in
// use stays for a day, and then what is uploaded is behind none.
func (u *Uploader) useNewest(ctx context.Context, c catalog.Catalog) {
	newest, some := c.NewestDictionary()
	if !some {
		u.use(nil)
		return
	}
	d, err := u.shelf.find(ctx, u.o.Identities)(newest.Name)
	switch {
	case err == nil:
		u.use(d)
	case errors.Is(err, segment.ErrEncrypted): // alarmUnchecked says what that costs
	default:
		u.lessWell(err)
	}
}

// lessWell says why there is no dictionary, or not the newest one: nothing that anybody waits for.
func (u *Uploader) lessWell(err error) {
	u.o.Log.Warn("backup: what is uploaded is compressed less well", "cluster", u.o.Cluster, "error", err)
}

// dictionary is what an object that is uploaded now is behind; nil is none. Which one was the
// newest a day ago does not count: it may be deleted in a week.
func (u *Uploader) dictionary() *segment.Dictionary {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.o.Now().Sub(u.since) > catalog.Fresh {
		return nil
	}
	return u.behind
}

// shelved is the dictionaries of a shelf that were read.
type shelved struct {
	mu     sync.Mutex // held while one is read, as others wait for the same
	byName map[string]*segment.Dictionary
}

func newShelved() *shelved { return &shelved{byName: map[string]*segment.Dictionary{}} }

func (s *shelved) put(d *segment.Dictionary) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.byName[d.Name] = d
}

// keep forgets all but some.
func (s *shelved) keep(some []catalog.Dictionary) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name := range s.byName {
		if !slices.ContainsFunc(some, func(d catalog.Dictionary) bool { return d.Name == name }) {
			delete(s.byName, name)
		}
	}
}

// A finder finds a dictionary by its name.
type finder = func(name string) (*segment.Dictionary, error)

// find finds those of a shelf.
func (s *shelf) find(ctx context.Context, identities []age.Identity) finder {
	return func(name string) (*segment.Dictionary, error) {
		s.dictionaries.mu.Lock()
		defer s.dictionaries.mu.Unlock()
		if d, known := s.dictionaries.byName[name]; known {
			return d, nil
		}
		at := s.place.dictionary(name)
		object, err := s.store.Get(ctx, at)
		if err != nil {
			return nil, fmt.Errorf("the dictionary %s in %s: %w", at, s.store, err)
		}
		d, err := segment.OpenDictionary(object, identities...)
		if err == nil && d.Name != name {
			err = fmt.Errorf("%w: its hash is %s", segment.ErrDamaged, d.Name)
		}
		if err != nil {
			return nil, fmt.Errorf("the dictionary %s in %s: %w", at, s.store, err)
		}
		s.dictionaries.byName[name] = d
		return d, nil
	}
}

// leaveOutLost moves log objects whose dictionaries are not there to those that are lost. One
// that was not listed may have come since: so the store is asked once more.
func (s *shelf) leaveOutLost(ctx context.Context, c *catalog.Catalog) error {
	there := map[string]bool{"": true}
	for _, d := range c.Dictionaries {
		there[d.Name] = true
	}
	for _, l := range c.Logs {
		if _, known := there[l.Dictionary]; known {
			continue
		}
		_, size, err := s.store.Head(ctx, s.place.dictionary(l.Dictionary), 1)
		if err != nil && !errors.Is(err, blob.ErrNotFound) {
			return err
		}
		if there[l.Dictionary] = err == nil; err == nil {
			c.Dictionaries = append(c.Dictionaries, catalog.Dictionary{Name: l.Dictionary, Size: size})
		}
	}
	c.Logs = slices.DeleteFunc(c.Logs, func(l catalog.Log) bool {
		if !there[l.Dictionary] {
			c.Lost = append(c.Lost, l)
		}
		return !there[l.Dictionary]
	})
	s.dictionaries.keep(c.Dictionaries)
	return nil
}
