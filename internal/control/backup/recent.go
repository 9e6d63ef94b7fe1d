package backup

import (
	"context"
	"strings"
	"sync"

	"towpath.dev/internal/blob"
	"towpath.dev/internal/control/backup/segment"
)

// A recent store remembers the minutes that were written to it lately, so that merging them
// an hour later costs no request. It may: objects do not change. What is merged is not
// remembered, as it is read back to see that the store has it.
type recent struct {
	blob.Store

	mu      sync.Mutex
	objects map[string][]byte
	names   []string // the oldest first
	bytes   int
	indexes map[string]beginning // of packs, which all clusters of an uploader look at
}

// A beginning is the first bytes of an object, and how many it has.
type beginning struct {
	data []byte
	size int64
}

// maxIndexes is how many are remembered; then all are forgotten. Those of an hour or two are
// looked at.
const maxIndexes = 1000

// recentRoom is how many bytes are remembered.
const recentRoom = 64 << 20

func newRecent(store blob.Store) *recent {
	return &recent{Store: store, objects: map[string][]byte{}, indexes: map[string]beginning{}}
}

func (r *recent) Create(ctx context.Context, name string, data []byte, class blob.Class) error {
	err := r.Store.Create(ctx, name, data, class)
	if err == nil && len(data) < recentRoom/16 && isMinute(name) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.objects[name] = data
		r.names = append(r.names, name)
		r.bytes += len(data)
		for r.bytes > recentRoom {
			r.bytes -= len(r.objects[r.names[0]])
			delete(r.objects, r.names[0])
			r.names = r.names[1:]
		}
	}
	return err
}

func (r *recent) Delete(ctx context.Context, name string) error {
	r.mu.Lock()
	r.bytes -= len(r.objects[name])
	delete(r.objects, name)
	delete(r.indexes, name)
	r.mu.Unlock()
	return r.Store.Delete(ctx, name)
}

func (r *recent) get(name string) ([]byte, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	data, known := r.objects[name]
	return data, known
}

func (r *recent) Get(ctx context.Context, name string) ([]byte, error) {
	if data, known := r.get(name); known {
		return data, nil
	}
	return r.Store.Get(ctx, name)
}

func (r *recent) Head(ctx context.Context, name string, n int) ([]byte, int64, error) {
	if data, known := r.get(name); known {
		return data[:min(n, len(data))], int64(len(data)), nil
	}
	if n != segment.MaxHeader || !strings.HasPrefix(name, sharedRoot) {
		return r.Store.Head(ctx, name, n)
	}
	r.mu.Lock()
	b, known := r.indexes[name]
	r.mu.Unlock()
	if known {
		return b.data, b.size, nil
	}
	data, size, err := r.Store.Head(ctx, name, n)
	if err == nil {
		r.mu.Lock()
		defer r.mu.Unlock()
		if len(r.indexes) >= maxIndexes {
			clear(r.indexes)
		}
		r.indexes[name] = beginning{data, size}
	}
	return data, size, err
}
