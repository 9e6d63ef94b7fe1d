package backup

import (
	"context"
	"sync"

	"towpath.dev/internal/blob"
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
}

// recentRoom is how many bytes are remembered.
const recentRoom = 64 << 20

func newRecent(store blob.Store) *recent {
	return &recent{Store: store, objects: map[string][]byte{}}
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
	return r.Store.Head(ctx, name, n)
}
