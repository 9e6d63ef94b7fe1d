// What a store would be billed for.

package blob

import (
	"context"
	"errors"
	"iter"
	"sync"
	"time"
)

// listPage is how many objects S3 lists for one request.
const listPage = 1000

// Usage is what was asked of a store, as S3 counts it, and what it holds.
type Usage struct {
	// Requests, those that failed included. A head is a get of a range to S3.
	Create, Get, Head, ListPages, Delete int64
	// Bytes of objects that were sent and received.
	Up, Down int64
	// What is stored now, by class. It is what was created and deleted through the meter:
	// it knows nothing of what was there before, nor of what others do.
	Stored [classes]Stored
}

// Stored is what is stored in a class.
type Stored struct {
	Objects int64
	Bytes   int64
	// ByteSeconds is for how long how many bytes were stored, up to now.
	ByteSeconds float64
}

// A Meter is a store that counts what is asked of another one. Below [Retry] it counts
// attempts, as a bill does.
type Meter struct {
	inner Store

	mu      sync.Mutex
	usage   Usage
	counted time.Time         // up to when usage has ByteSeconds
	objects map[string]object // that are stored
	unsure  map[string]object // that may be: nobody knows what became of their creation
}

type object struct {
	size  int64
	class Class
}

// NewMeter counts what is asked of a store through it.
func NewMeter(store Store) *Meter {
	return &Meter{inner: store, counted: time.Now(), objects: map[string]object{}, unsure: map[string]object{}}
}

// Usage is what was asked up to now.
func (m *Meter) Usage() Usage {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.passTime()
	return m.usage
}

// passTime counts the time since it was called last. The caller holds the lock.
func (m *Meter) passTime() {
	now := time.Now()
	seconds := now.Sub(m.counted).Seconds()
	m.counted = now
	for i := range m.usage.Stored {
		s := &m.usage.Stored[i]
		s.ByteSeconds += float64(s.Bytes) * seconds
	}
}

func (m *Meter) String() string { return m.inner.String() }

func (m *Meter) Create(ctx context.Context, name string, data []byte, class Class) error {
	err := m.inner.Create(ctx, name, data, class)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.usage.Create++
	m.usage.Up += int64(len(data))
	ours := object{int64(len(data)), class}
	switch was, tried := m.unsure[name]; {
	case err == nil:
		m.store(name, ours)
	case errors.Is(err, ErrExists) && tried:
		m.store(name, was) // an attempt before this one succeeded; or somebody else did, with much the same
	case !errors.Is(err, ErrExists) && !errors.Is(err, ErrRefused):
		m.unsure[name] = ours
	}
	return err
}

// store counts an object. The caller holds the lock.
func (m *Meter) store(name string, o object) {
	delete(m.unsure, name)
	if _, known := m.objects[name]; known {
		return
	}
	m.passTime()
	m.objects[name] = o
	s := &m.usage.Stored[o.class]
	s.Objects++
	s.Bytes += o.size
}

func (m *Meter) Get(ctx context.Context, name string) ([]byte, error) {
	data, err := m.inner.Get(ctx, name)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.usage.Get++
	m.usage.Down += int64(len(data))
	return data, err
}

func (m *Meter) Head(ctx context.Context, name string, n int) ([]byte, int64, error) {
	data, size, err := m.inner.Head(ctx, name, n)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.usage.Head++
	m.usage.Down += int64(len(data))
	return data, size, err
}

func (m *Meter) List(ctx context.Context, prefix, after string) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		n := 0
		m.page()
		for info, err := range m.inner.List(ctx, prefix, after) {
			if n++; n > listPage {
				m.page()
				n = 1
			}
			if !yield(info, err) {
				return
			}
		}
	}
}

func (m *Meter) page() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.usage.ListPages++
}

func (m *Meter) Delete(ctx context.Context, name string) error {
	err := m.inner.Delete(ctx, name)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.usage.Delete++
	if err != nil {
		return err
	}
	delete(m.unsure, name)
	if o, known := m.objects[name]; known {
		m.passTime()
		delete(m.objects, name)
		s := &m.usage.Stored[o.class]
		s.Objects--
		s.Bytes -= o.size
	}
	return nil
}
