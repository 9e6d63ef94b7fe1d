// Trying again.

package blob

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"time"
)

// A Policy says how long to wait before the next attempt: a random part of a time that
// doubles, so that many who failed together do not come back together.
// https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter ("full jitter")
type Policy struct {
	// The longest pause before the second attempt, 100 ms without it, and before any, 20 s
	// without it.
	First, Most time.Duration
	// Tries is how many attempts there are at most, in a list since it last got on. Without it
	// only the context bounds them.
	Tries int
	// Failed hears of each attempt that failed and is followed by another. It is called
	// by whoever calls the store, several at a time.
	Failed func(Failure)
	// Random is how much of its time a pause takes, from 0 to 1. The default is random.
	Random func() float64
}

// A Failure is an attempt that failed.
type Failure struct {
	Operation string // create, get, head, list, delete
	Name      string // of the object; of a list its prefix
	Attempt   int    // counted from one, in a list since it last got on
	Err       error
	Pause     time.Duration // until the next attempt
}

// Retry is a store that tries again, until an attempt succeeds, the store refuses, the policy's
// tries are used up or the context ends: a context without a deadline has all the time. That an object exists or does not
// is an answer, and so is ErrRefused.
//
// A Create whose first attempt's answer was lost may get ErrExists for its own object. Retry
// cannot tell, as somebody else may have written the very same bytes and count on being
// the only one; the caller looks at what is there.
func Retry(store Store, p Policy) Store {
	if p.First <= 0 {
		p.First = 100 * time.Millisecond
	}
	if p.Most <= 0 {
		p.Most = 20 * time.Second
	}
	if p.Random == nil {
		p.Random = rand.Float64
	}
	return &retrying{store, p}
}

type retrying struct {
	inner Store
	Policy
}

func (r *retrying) String() string { return r.inner.String() }

// do makes attempts.
func (r *retrying) do(ctx context.Context, operation, name string, attempt func() error) error {
	for n := 1; ; n++ {
		err := attempt()
		if err == nil {
			return nil
		}
		if err := r.pause(ctx, Failure{Operation: operation, Name: name, Attempt: n, Err: err}); err != nil {
			return err
		}
	}
}

// pause waits until the next attempt, or says why there is none.
func (r *retrying) pause(ctx context.Context, f Failure) error {
	if errors.Is(f.Err, ErrExists) || errors.Is(f.Err, ErrNotFound) || errors.Is(f.Err, ErrRefused) {
		return f.Err
	}
	if f.Attempt == r.Tries {
		return fmt.Errorf("%w (attempts that failed: %d)", f.Err, f.Attempt)
	}
	longest := r.Most
	if doublings := f.Attempt - 1; doublings < 30 && r.First<<doublings < r.Most {
		longest = r.First << doublings
	}
	f.Pause = time.Duration(r.Random() * float64(longest))
	if ctx.Err() == nil {
		if r.Failed != nil {
			r.Failed(f)
		}
		timer := time.NewTimer(f.Pause)
		defer timer.Stop()
		select {
		case <-timer.C:
			return nil
		case <-ctx.Done():
		}
	}
	if f.Attempt == 1 && errors.Is(f.Err, context.Cause(ctx)) {
		return f.Err
	}
	return fmt.Errorf("%w, after attempts that failed: %d, the last one so: %w", context.Cause(ctx), f.Attempt, f.Err)
}

func (r *retrying) Create(ctx context.Context, name string, data []byte, class Class) error {
	return r.do(ctx, "create", name, func() error { return r.inner.Create(ctx, name, data, class) })
}

func (r *retrying) Get(ctx context.Context, name string) (data []byte, err error) {
	err = r.do(ctx, "get", name, func() error { data, err = r.inner.Get(ctx, name); return err })
	return data, err
}

func (r *retrying) Head(ctx context.Context, name string, n int) (data []byte, size int64, err error) {
	err = r.do(ctx, "head", name, func() error { data, size, err = r.inner.Head(ctx, name, n); return err })
	return data, size, err
}

func (r *retrying) Delete(ctx context.Context, name string) error {
	return r.do(ctx, "delete", name, func() error { return r.inner.Delete(ctx, name) })
}

// List goes on behind what it had when an attempt failed.
func (r *retrying) List(ctx context.Context, prefix, after string) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		for after, n := after, 1; ; n++ {
			var failed error
			for info, err := range r.inner.List(ctx, prefix, after) {
				if err != nil {
					failed = err
					break
				}
				after, n = info.Name, 1
				if !yield(info, nil) {
					return
				}
			}
			if failed == nil {
				return
			}
			if err := r.pause(ctx, Failure{Operation: "list", Name: prefix, Attempt: n, Err: failed}); err != nil {
				yield(Info{}, err)
				return
			}
		}
	}
}
