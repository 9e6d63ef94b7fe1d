package backup

import (
	"context"
	"errors"
	"iter"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"towpath.dev/internal/blob"
)

func openFolder(t *testing.T, dir string) blob.Store {
	t.Helper()
	store, err := blob.Open(dir, blob.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return store
}

// openS3 opens a store whose connections are closed when the test ends.
func openS3(t *testing.T, url string) blob.Store {
	t.Helper()
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	store, err := blob.Open(url, blob.Options{Transport: transport})
	if err != nil {
		t.Fatal(err)
	}
	return store
}

// A timed store has its clock go with a test's, as that passes days in a moment.
type timed struct {
	blob.Store
	now func() time.Time

	mu      sync.Mutex
	created map[string]time.Time
}

func withClock(store blob.Store, now func() time.Time) *timed {
	return &timed{Store: store, now: now, created: map[string]time.Time{}}
}

func (s *timed) Create(ctx context.Context, name string, data []byte, class blob.Class) error {
	err := s.Store.Create(ctx, name, data, class)
	s.mu.Lock()
	defer s.mu.Unlock()
	_, known := s.created[name]
	if err == nil || errors.Is(err, blob.ErrExists) && !known { // which is that an answer was lost
		s.created[name] = s.now()
	}
	return err
}

func (s *timed) List(ctx context.Context, prefix, after string) iter.Seq2[blob.Info, error] {
	return func(yield func(blob.Info, error) bool) {
		for info, err := range s.Store.List(ctx, prefix, after) {
			s.mu.Lock()
			if at, known := s.created[info.Name]; known {
				info.Modified = at
			}
			s.mu.Unlock()
			if !yield(info, err) {
				return
			}
		}
	}
}

// A deaf store takes no objects of some names.
type deaf struct {
	blob.Store
	names string
}

var errDeaf = errors.New("the store does not hear")

func (s deaf) Create(ctx context.Context, name string, data []byte, class blob.Class) error {
	if strings.Contains(name, s.names) {
		return errDeaf
	}
	return s.Store.Create(ctx, name, data, class)
}
