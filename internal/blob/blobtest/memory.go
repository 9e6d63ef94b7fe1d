// A store in memory.

package blobtest

import (
	"bytes"
	"context"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"towpath.dev/internal/blob"
)

// memory keeps objects while the test runs.
type memory struct {
	mu      sync.Mutex
	objects map[string]kept
}

type kept struct {
	data []byte
	at   time.Time
}

// NewMemory is an empty store in memory, for tests that have no time for disks.
func NewMemory() blob.Store { return &memory{objects: map[string]kept{}} }

func (m *memory) String() string { return "memory" }

// check is what every call looks at first.
func check(ctx context.Context, name string) error {
	if err := blob.CheckName(name); err != nil {
		return err
	}
	return context.Cause(ctx)
}

func (m *memory) Create(ctx context.Context, name string, data []byte, _ blob.Class) error {
	if err := check(ctx, name); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, taken := m.objects[name]; taken {
		return blob.ErrExists
	}
	m.objects[name] = kept{bytes.Clone(data), time.Now()}
	return nil
}

func (m *memory) Get(ctx context.Context, name string) ([]byte, error) {
	if err := check(ctx, name); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	o, there := m.objects[name]
	if !there {
		return nil, blob.ErrNotFound
	}
	return append([]byte{}, o.data...), nil
}

func (m *memory) Head(ctx context.Context, name string, n int) ([]byte, int64, error) {
	data, err := m.Get(ctx, name)
	if err != nil {
		return nil, 0, err
	}
	return data[:min(max(n, 0), len(data))], int64(len(data)), nil
}

func (m *memory) List(ctx context.Context, prefix, after string) iter.Seq2[blob.Info, error] {
	return func(yield func(blob.Info, error) bool) {
		m.mu.Lock()
		objects := maps.Clone(m.objects)
		m.mu.Unlock()
		for _, name := range slices.Sorted(maps.Keys(objects)) {
			if !strings.HasPrefix(name, prefix) || name <= after {
				continue
			}
			if err := context.Cause(ctx); err != nil {
				yield(blob.Info{}, err)
				return
			}
			if !yield(blob.Info{Name: name, Size: int64(len(objects[name].data)), Modified: objects[name].at}, nil) {
				return
			}
		}
	}
}

func (m *memory) Delete(ctx context.Context, name string) error {
	if err := check(ctx, name); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.objects, name)
	return nil
}
