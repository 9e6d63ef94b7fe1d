package fetch

import (
	"container/list"
	"hash/maphash"
	"sync"
	"time"
)

// defaultCacheBytes is what a Cache holds unless told.
const defaultCacheBytes = 64 << 20

// perEntry is what an entry costs beside its key and body, roughly: the list's
// element, the map's slot, the headers.
const perEntry = 200

// Cache keeps answers beyond their request, for as long as their operation says,
// the least recently used going first when it is full.
type Cache struct {
	seed   maphash.Seed
	shards [16]cacheShard
}

type cacheShard struct {
	mu      sync.Mutex
	entries map[string]*list.Element
	recent  list.List // of *cacheEntry, the most recently used first
	bytes   int64
	limit   int64
}

type cacheEntry struct {
	key     string
	body    []byte
	expires time.Time
}

// NewCache makes a Cache that holds at most some bytes, keys and bookkeeping
// included. 0: 64 MiB.
func NewCache(bytes int64) *Cache {
	if bytes == 0 {
		bytes = defaultCacheBytes
	}
	c := &Cache{seed: maphash.MakeSeed()}
	for i := range c.shards {
		s := &c.shards[i]
		s.entries, s.limit = map[string]*list.Element{}, bytes/int64(len(c.shards))
	}
	return c
}

func (c *Cache) shard(key string) *cacheShard {
	return &c.shards[maphash.String(c.seed, key)%uint64(len(c.shards))]
}

func (c *Cache) get(key string, now time.Time) ([]byte, bool) {
	s := c.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	e, ok := s.entries[key]
	if !ok {
		return nil, false
	}
	entry := e.Value.(*cacheEntry)
	if !now.Before(entry.expires) {
		s.remove(e)
		return nil, false
	}
	s.recent.MoveToFront(e)
	return entry.body, true
}

func (c *Cache) put(key string, body []byte, expires time.Time) {
	s := c.shard(key)
	size := int64(len(key) + len(body) + perEntry)
	s.mu.Lock()
	defer s.mu.Unlock()
	if e, ok := s.entries[key]; ok {
		s.remove(e)
	}
	if size > s.limit {
		return
	}
	s.entries[key] = s.recent.PushFront(&cacheEntry{key, body, expires})
	for s.bytes += size; s.bytes > s.limit; {
		s.remove(s.recent.Back())
	}
}

func (c *Cache) drop(key string) {
	s := c.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if e, ok := s.entries[key]; ok {
		s.remove(e)
	}
}

// remove takes an entry out. s.mu is held.
func (s *cacheShard) remove(e *list.Element) {
	entry := s.recent.Remove(e).(*cacheEntry)
	delete(s.entries, entry.key)
	s.bytes -= int64(len(entry.key) + len(entry.body) + perEntry)
}

// Size is how many answers the Cache holds, and how many bytes they take.
func (c *Cache) Size() (entries int, bytes int64) {
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		entries += len(s.entries)
		bytes += s.bytes
		s.mu.Unlock()
	}
	return entries, bytes
}
