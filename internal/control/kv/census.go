// How much namespaces hold, counted from one watch.

package kv

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"time"

	"connectrpc.com/connect"

	"towpath.dev/election"
	"towpath.dev/internal/control"
)

// A census is what all namespaces hold, as of a revision that is a moment behind, and
// what this server has let in since. It keeps the size of each key, about 100 bytes of
// memory a key, since the store's events do not say what they replaced.
//
// What one server lets in never passes a quota: a reservation stands for a write from
// before it is sent until it has been counted. What several let in can pass it, by
// what the others let in between the revision that is counted here and now.
type census struct {
	log   *slog.Logger
	first chan struct{} // closed when all has been counted once

	mu       sync.Mutex
	revision int64 // counted up to it
	spaces   map[string]*space
	repeats  map[string]int64 // Idempotency-Keys that are kept, by the caller's hash
	moved    chan struct{}    // closed when revision grows
}

// A space is what is known of one namespace. The census' lock guards it.
type space struct {
	name   string
	quota  *quota // nil: there is no such namespace
	sizes  map[string]int
	bytes  int64
	coming map[string][]int // sizes that keys may get by writes not counted yet
	// What coming adds at most: of each key, the largest size that may be.
	comingBytes, comingKeys int64
	settled                 []*reservation // written, to be counted
	newest                  int64          // the last revision that this server wrote
}

// A quota is what a namespace may hold; 0 is no limit of its own.
type quota struct {
	Bytes int64 `json:"bytes"`
	Keys  int64 `json:"keys"`
}

// A reservation is room for a write.
type reservation struct {
	space    *space
	puts     []sized
	revision int64     // of the write; 0 if it is not known
	until    time.Time // when a write whose answer was lost has either been counted or never was
}

// sized is a key with the bytes that it counts for.
type sized struct {
	key   string
	bytes int
}

const (
	// lostFor is how long after its answer was lost a write may still come to be.
	lostFor = 30 * time.Second
	// catchUp is how long a write that seems to have no room waits for what this
	// server has deleted to be counted.
	catchUp = time.Second
	// recount is how long the census waits before it counts anew after a failure.
	recount = time.Second
)

func newCensus(log *slog.Logger) *census {
	return &census{log: log, first: make(chan struct{}), spaces: map[string]*space{}, repeats: map[string]int64{}, moved: make(chan struct{})}
}

// run counts until ctx is done.
func (c *census) run(ctx context.Context, store control.Store) {
	for {
		revision, err := c.count(ctx, store)
		if err == nil {
			err = c.follow(ctx, store, revision+1)
		}
		if ctx.Err() != nil {
			return
		}
		if errors.As(err, new(*election.CompactedError)) {
			c.log.Info("counting keys anew: what happened since the last count is no longer kept")
			continue
		}
		c.log.Warn("keys are not counted", "error", err)
		select {
		case <-time.After(recount):
		case <-ctx.Done():
			return
		}
	}
}

// count reads all there is at one revision.
func (c *census) count(ctx context.Context, store control.Store) (int64, error) {
	if err := makeDefault(ctx, store); err != nil {
		return 0, err
	}
	found := newCensus(nil)
	read := pager{store: store, keys: counted, enough: maxListBytes}
	for !read.done {
		entries, err := read.next(ctx)
		if err != nil {
			return 0, err
		}
		for _, e := range entries {
			found.note(election.Event{Entry: e})
		}
	}
	c.adopt(found, read.revision)
	return read.revision, nil
}

// adopt takes over what was found, and keeps the reservations.
func (c *census) adopt(found *census, revision int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for name := range c.spaces {
		found.space(name)
	}
	for name, f := range found.spaces {
		s := c.space(name)
		s.quota, s.sizes, s.bytes = f.quota, f.sizes, f.bytes
		s.comingBytes, s.comingKeys = 0, 0
		for key := range s.coming {
			bytes, keys := s.extra(key)
			s.comingBytes, s.comingKeys = s.comingBytes+bytes, s.comingKeys+keys
		}
		s.counted(revision)
		c.drop(s)
	}
	c.repeats = found.repeats
	c.reach(revision)
	select {
	case <-c.first:
	default:
		close(c.first)
	}
}

// follow counts what happens from a revision on, until the watch ends.
func (c *census) follow(ctx context.Context, store control.Store, from int64) error {
	for batch := range store.Watch(ctx, counted, from) {
		if batch.Err != nil {
			return batch.Err
		}
		c.mu.Lock()
		touched := map[*space]bool{}
		for _, e := range batch.Events {
			if s := c.note(e); s != nil {
				touched[s] = true
			}
		}
		for s := range touched {
			s.counted(batch.Revision)
			c.drop(s)
		}
		c.reach(batch.Revision)
		c.mu.Unlock()
	}
	return context.Cause(ctx)
}

// note counts one event. The lock is held.
func (c *census) note(e election.Event) *space {
	key := e.Entry.Key
	switch {
	case strings.HasPrefix(key, repeatsAt):
		caller := repeatsOf(key)
		if e.Removed {
			c.repeats[caller]--
		} else {
			c.repeats[caller]++ // such a key is written once
		}
		if c.repeats[caller] <= 0 {
			delete(c.repeats, caller)
		}
	case strings.HasPrefix(key, namespacesAt):
		s := c.space(strings.TrimPrefix(key, namespacesAt))
		s.quota = nil
		if !e.Removed {
			s.quota = readQuota(e.Entry.Value)
		}
		return s
	case strings.HasPrefix(key, keysAt):
		name, key := placeOf(key)
		s := c.space(name)
		s.change(key, func() {
			s.bytes -= int64(s.sizes[key])
			delete(s.sizes, key)
			if !e.Removed {
				value, _ := unframe(e.Entry.Value)
				s.sizes[key] = len(key) + len(value)
				s.bytes += int64(s.sizes[key])
			}
		})
		return s
	}
	return nil
}

// reach says that all up to a revision has been counted. The lock is held.
func (c *census) reach(revision int64) {
	c.revision = revision
	close(c.moved)
	c.moved = make(chan struct{})
}

// space is a namespace's. The lock is held.
func (c *census) space(name string) *space {
	s := c.spaces[name]
	if s == nil {
		s = &space{name: name, sizes: map[string]int{}, coming: map[string][]int{}}
		c.spaces[name] = s
	}
	return s
}

// drop forgets a namespace of which nothing is left. The lock is held.
func (c *census) drop(s *space) {
	if s.quota == nil && len(s.sizes) == 0 && len(s.coming) == 0 {
		delete(c.spaces, s.name)
	}
}

// wait waits until a revision of this server's has been counted.
func (c *census) wait(ctx context.Context, revision int64) {
	ctx, cancel := context.WithTimeout(ctx, catchUp)
	defer cancel()
	for {
		c.mu.Lock()
		reached, moved := c.revision >= revision, c.moved
		c.mu.Unlock()
		if reached {
			return
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return
		}
	}
}

// reserve makes room for puts, or says that there is none.
func (c *census) reserve(ctx context.Context, namespace string, puts []sized) (*reservation, error) {
	select {
	case <-c.first:
	default:
		return nil, refuse(connect.CodeUnavailable, "this server has not counted yet what namespaces hold: send this again, or ask another server")
	}
	r, newest, err := c.tryReserve(namespace, puts)
	if err != nil {
		// What this server has deleted may not have been counted.
		c.wait(ctx, newest)
		r, _, err = c.tryReserve(namespace, puts)
	}
	return r, err
}

func (c *census) tryReserve(namespace string, puts []sized) (r *reservation, newest int64, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.space(namespace)
	r = &reservation{space: s, puts: puts}
	bytes, keys := s.most()
	for _, p := range puts {
		s.change(p.key, func() { s.coming[p.key] = append(s.coming[p.key], p.bytes) })
	}
	// What does not grow is let in also where a quota was lowered below what is there.
	moreBytes, moreKeys := s.most()
	q := s.quota
	switch {
	case q == nil:
		return r, s.newest, nil
	case q.Bytes != 0 && moreBytes > q.Bytes && moreBytes > bytes:
		err = refuse(connect.CodeResourceExhausted, "namespace %q may hold %d bytes of keys and values, holds %d, and this needs %d more: delete keys, or raise the quota with \"tow kv ns set\"", namespace, q.Bytes, bytes, moreBytes-bytes)
	case q.Keys != 0 && moreKeys > q.Keys && moreKeys > keys:
		err = refuse(connect.CodeResourceExhausted, "namespace %q may hold %d keys, holds %d, and this needs %d more: delete keys, or raise the quota with \"tow kv ns set\"", namespace, q.Keys, keys, moreKeys-keys)
	default:
		return r, s.newest, nil
	}
	newest = s.newest
	c.release(r)
	return nil, newest, err
}

// settle ends a reservation when its write is known: it was done at a revision, or,
// with 0, wrote none of the keys.
func (c *census) settle(r *reservation, revision int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r.space.newest = max(r.space.newest, revision)
	if revision <= c.revision {
		c.release(r)
		return
	}
	r.revision = revision
	r.space.settled = append(r.space.settled, r)
}

// lose keeps a reservation whose write's answer was lost.
func (c *census) lose(r *reservation) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r.until = time.Now().Add(lostFor)
	r.space.settled = append(r.space.settled, r)
}

// expire ends the reservations that stand for lost writes no longer.
func (c *census) expire() {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	for _, s := range c.spaces {
		s.end(func(r *reservation) bool { return r.revision == 0 && now.After(r.until) })
		c.drop(s)
	}
}

// release ends a reservation. The lock is held.
func (c *census) release(r *reservation) {
	r.space.release(r)
	c.drop(r.space)
}

// repeatsKept is how many Idempotency-Keys of a caller's hash are kept.
func (c *census) repeatsKept(caller string) int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.repeats[caller]
}

// holds is what a namespace holds.
func (c *census) holds(namespace string) (bytes, keys int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s := c.spaces[namespace]; s != nil {
		return s.bytes, int64(len(s.sizes))
	}
	return 0, 0
}

// most is what a namespace holds if all that is coming comes to be.
func (s *space) most() (bytes, keys int64) {
	return s.bytes + s.comingBytes, int64(len(s.sizes)) + s.comingKeys
}

// extra is what writes not counted yet may add to a key: in whichever order they are
// done, it ends at most as large as the largest of them.
func (s *space) extra(key string) (bytes, keys int64) {
	coming := s.coming[key]
	if len(coming) == 0 {
		return 0, 0
	}
	size, there := s.sizes[key]
	for _, n := range coming {
		bytes = max(bytes, int64(n-size))
	}
	if !there {
		keys = 1
	}
	return bytes, keys
}

// change changes what is known of a key.
func (s *space) change(key string, f func()) {
	bytes, keys := s.extra(key)
	f()
	moreBytes, moreKeys := s.extra(key)
	s.comingBytes += moreBytes - bytes
	s.comingKeys += moreKeys - keys
}

func (s *space) release(r *reservation) {
	for _, p := range r.puts {
		s.change(p.key, func() {
			left := s.coming[p.key]
			for i, n := range left {
				if n == p.bytes {
					left = append(left[:i:i], left[i+1:]...)
					break
				}
			}
			s.coming[p.key] = left
			if len(left) == 0 {
				delete(s.coming, p.key)
			}
		})
	}
}

// counted ends the reservations of writes up to a revision.
func (s *space) counted(revision int64) {
	s.end(func(r *reservation) bool { return r.revision != 0 && r.revision <= revision })
}

// end ends the settled reservations that f tells.
func (s *space) end(f func(*reservation) bool) {
	left := s.settled[:0]
	for _, r := range s.settled {
		if f(r) {
			s.release(r)
		} else {
			left = append(left, r)
		}
	}
	clear(s.settled[len(left):])
	s.settled = left
}
