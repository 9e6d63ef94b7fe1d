package blob_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"towpath.dev/internal/blob"
	"towpath.dev/internal/blob/blobtest"
)

// TestRetryPauses looks at when attempts are made.
func TestRetryPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		faulty := blobtest.Faulty(blobtest.NewMemory(), func(c blobtest.Call) blobtest.Fault {
			if c.Count <= 10 {
				return blobtest.Fault{Before: blobtest.ErrUnreached}
			}
			return blobtest.Fault{}
		})
		var pauses []time.Duration
		n := 0
		store := blob.Retry(faulty, blob.Policy{
			First: time.Second, Most: 30 * time.Second,
			Random: func() float64 { return 0.5 },
			Failed: func(f blob.Failure) {
				n++
				if f.Attempt != n || f.Operation != "create" || f.Name != "a" || !errors.Is(f.Err, blobtest.ErrUnreached) {
					t.Errorf("%+v", f)
				}
				pauses = append(pauses, f.Pause*2/time.Second)
			},
		})
		start := time.Now()
		if err := store.Create(t.Context(), "a", []byte("x"), blob.Standard); err != nil {
			t.Error(err)
		}
		if want := []time.Duration{1, 2, 4, 8, 16, 30, 30, 30, 30, 30}; !slices.Equal(pauses, want) {
			t.Errorf("pauses of %d", pauses)
		}
		if took := time.Since(start); took != 181*time.Second/2 {
			t.Errorf("it took %v", took)
		}
	})
}

// TestRetryTries has a store that never answers, for so many times.
func TestRetryTries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		faulty := blobtest.Faulty(blobtest.NewMemory(), func(blobtest.Call) blobtest.Fault {
			calls++
			return blobtest.Fault{Before: blobtest.ErrUnreached}
		})
		store := blob.Retry(faulty, blob.Policy{Tries: 3})
		if _, err := store.Get(t.Context(), "a"); !errors.Is(err, blobtest.ErrUnreached) || calls != 3 {
			t.Errorf("get: %d attempts, %v", calls, err)
		}
		calls = 0
		for _, err := range store.List(t.Context(), "", "") {
			if !errors.Is(err, blobtest.ErrUnreached) || calls != 3 {
				t.Errorf("list: %d attempts, %v", calls, err)
			}
		}
	})
}

// TestRetryDefaults has a store that never answers, until the context ends.
func TestRetryDefaults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := blob.Retry(blobtest.Faulty(blobtest.NewMemory(), blobtest.On(blobtest.Get, blobtest.Fault{Before: blobtest.ErrUnreached})), blob.Policy{})
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		_, err := store.Get(ctx, "a")
		if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, blobtest.ErrUnreached) {
			t.Error(err)
		}
		var attempts int
		if _, failed := fmt.Sscanf(err.Error(), "context deadline exceeded, after attempts that failed: %d, the last one so: the store was not reached", &attempts); failed != nil || attempts < 100 || attempts > 2000 {
			t.Error(err)
		}
	})
}

func TestRetryAnswers(t *testing.T) {
	for _, final := range []error{blob.ErrExists, blob.ErrNotFound, blob.ErrRefused} {
		faulty := blobtest.Faulty(blobtest.NewMemory(), blobtest.On(blobtest.Head, blobtest.Fault{Before: fmt.Errorf("so: %w", final)}))
		_, _, err := blob.Retry(faulty, blob.Policy{}).Head(t.Context(), "a", 1)
		if !errors.Is(err, final) || faulty.Calls(blobtest.Head) != 1 {
			t.Errorf("%v: %v after %d attempts", final, err, faulty.Calls(blobtest.Head))
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	memory := blobtest.Faulty(blobtest.NewMemory(), nil)
	if err := blob.Retry(memory, blob.Policy{}).Delete(ctx, "a"); !errors.Is(err, context.Canceled) || memory.Calls(blobtest.Delete) > 1 {
		t.Errorf("%v, after %d attempts", err, memory.Calls(blobtest.Delete))
	}
}

// TestRetryLostAnswer has an attempt that succeeded and was not answered.
func TestRetryLostAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		faulty := blobtest.Faulty(blobtest.NewMemory(), blobtest.Nth(blobtest.Create, 1, blobtest.Fault{After: blobtest.ErrLost}))
		if err := blob.Retry(faulty, blob.Policy{}).Create(t.Context(), "a", nil, blob.Standard); !errors.Is(err, blob.ErrExists) {
			t.Error(err)
		}
	})
}

// TestRetryList goes on where it was, and counts attempts from there.
func TestRetryList(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory := blobtest.NewMemory()
		for i := range 2500 {
			if err := memory.Create(t.Context(), fmt.Sprintf("%04d", i), nil, blob.Standard); err != nil {
				t.Fatal(err)
			}
		}
		faulty := blobtest.Faulty(memory, func(c blobtest.Call) blobtest.Fault {
			if c.Count%3 != 0 {
				return blobtest.Fault{Before: blobtest.ErrUnreached}
			}
			return blobtest.Fault{}
		})
		store := blob.Retry(faulty, blob.Policy{Failed: func(f blob.Failure) {
			if f.Operation != "list" || f.Attempt > 2 {
				t.Errorf("%+v", f)
			}
		}})
		n := 0
		for info, err := range store.List(t.Context(), "", "") {
			if err != nil || info.Name != fmt.Sprintf("%04d", n) {
				t.Fatalf("%+v, %v", info, err)
			}
			n++
		}
		if n != 2500 || faulty.Calls(blobtest.List) != 9 {
			t.Errorf("%d objects of %d calls", n, faulty.Calls(blobtest.List))
		}
	})
}

// TestMeter counts what a store was asked, and for how long it kept what.
func TestMeter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		faulty := blobtest.Faulty(blobtest.NewMemory(), blobtest.Nth(blobtest.Create, 2, blobtest.Fault{After: blobtest.ErrLost}))
		meter := blob.NewMeter(faulty)
		store := blob.Retry(meter, blob.Policy{Random: func() float64 { return 1 }})
		create := func(name string, size int, class blob.Class, want error) {
			t.Helper()
			if err := store.Create(t.Context(), name, make([]byte, size), class); !errors.Is(err, want) {
				t.Errorf("%s: %v", name, err)
			}
		}
		create("a", 100, blob.Standard, nil)
		time.Sleep(10 * time.Second)
		create("b", 50, blob.Infrequent, blob.ErrExists) // its own, as the answer was lost
		create("a", 7, blob.Standard, blob.ErrExists)
		time.Sleep(10 * time.Second)
		_, _ = store.Get(t.Context(), "a")
		_, _ = store.Get(t.Context(), "none")
		_, _, _ = store.Head(t.Context(), "b", 20)
		for range store.List(t.Context(), "", "") {
		}
		if err := store.Delete(t.Context(), "a"); err != nil {
			t.Error(err)
		}
		time.Sleep(10 * time.Second)
		got := meter.Usage()
		want := blob.Usage{Create: 4, Get: 2, Head: 1, ListPages: 1, Delete: 1, Up: 100 + 50 + 50 + 7, Down: 120}
		want.Stored[blob.Standard] = blob.Stored{ByteSeconds: 100 * 20.1}
		want.Stored[blob.Infrequent] = blob.Stored{Objects: 1, Bytes: 50, ByteSeconds: 50 * 20}
		if got != want {
			t.Errorf("\n found    %+v\n expected %+v", got, want)
		}
	})
}

func TestMeterPages(t *testing.T) {
	memory := blobtest.NewMemory()
	for i := range 2000 {
		if err := memory.Create(t.Context(), fmt.Sprintf("%04d", i), nil, blob.Standard); err != nil {
			t.Fatal(err)
		}
	}
	for after, want := range map[string]int64{"": 2, "0000": 2, "0998": 2, "0999": 1, "1999": 1} {
		meter := blob.NewMeter(memory)
		for range meter.List(t.Context(), "", after) {
		}
		if got := meter.Usage().ListPages; got != want {
			t.Errorf("after %q: %d pages; expected %d", after, got, want)
		}
	}
	meter := blob.NewMeter(memory)
	for range meter.List(t.Context(), "", "") {
		break
	}
	if got := meter.Usage().ListPages; got != 1 {
		t.Errorf("for the first object: %d pages", got)
	}
}
