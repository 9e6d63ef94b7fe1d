package blob_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"towpath.dev/internal/blob"
	"towpath.dev/internal/blob/blobtest"
	"towpath.dev/internal/testkit/s3"
)

// hasty tries again soon.
var hasty = blob.Policy{First: time.Millisecond, Most: 8 * time.Millisecond}

// TestFaults writes through a network that breaks about every fourth request in some way,
// several writers a name, and looks at what is there in the end.
func TestFaults(t *testing.T) {
	server := s3.Start(t)
	server.Environment(t)
	seed := rand.Uint64()
	t.Log("seed", seed)
	shares := map[s3.Break]float64{
		s3.Internal: 0.03, s3.SlowDown: 0.05, s3.Conflict: 0.02, s3.CutBefore: 0.05, s3.CutRequest: 0.03, s3.CutAfter: 0.06, s3.CutAnswer: 0.02, s3.Slow: 0.02,
	}
	proxy := s3.NewProxy(t, server.Address, s3.Random(seed, shares))
	proxy.Delay = time.Millisecond
	through := open(t, s3.URL(proxy.Address, server.Region, "bucket/faults"))
	torment(t, seed, blob.Retry(through, hasty), open(t, server.URL("bucket/faults")))
	for b := range shares {
		t.Logf("break %d: %d times", b, proxy.Broken(b))
	}
	if proxy.Broken(s3.CutAfter) == 0 || proxy.Broken(s3.CutRequest) == 0 {
		t.Error("too little went wrong for this to say anything")
	}
}

// TestFaulty does the same at the interface.
func TestFaulty(t *testing.T) {
	seed := rand.Uint64()
	t.Log("seed", seed)
	memory := blobtest.NewMemory()
	torment(t, seed, blob.Retry(blobtest.Faulty(memory, blobtest.Random(seed, 0.15, 0.15)), hasty), memory)
}

// torment has two writers of each of many names, and two deletions of some, through a
// store with faults, and compares what they heard with what the store has.
func torment(t *testing.T, seed uint64, faulty, sound blob.Store) {
	const names, workers = 160, 8
	r := rand.New(rand.NewPCG(seed, 1))
	sizes := make([]int, names)
	for i := range sizes {
		sizes[i] = int(r.ExpFloat64() * 20_000)
	}
	name := func(i int) string { return fmt.Sprintf("dir-%d/%04d", i%7, i) }
	content := func(i, writer int) []byte {
		return bytes.Repeat([]byte{byte('a' + writer), byte(i), byte(i >> 8)}, sizes[i]/3)
	}
	wrote := [names][2]bool{}
	parallel(workers, 2*names, func(n int) {
		i, writer := n/2, n%2
		switch err := faulty.Create(t.Context(), name(i), content(i, writer), blob.Standard); {
		case err == nil:
			wrote[i][writer] = true
		case !errors.Is(err, blob.ErrExists):
			t.Errorf("%s: %v", name(i), err)
		}
		if got, err := faulty.Get(t.Context(), name(i)); err != nil || !bytes.Equal(got, content(i, 0)) && !bytes.Equal(got, content(i, 1)) {
			t.Errorf("%s is neither writer's: %d bytes, %v", name(i), len(got), err)
		}
	})
	var want []string
	for i := range names {
		got, err := sound.Get(t.Context(), name(i))
		switch {
		case err != nil:
			t.Errorf("%s is lost: %v", name(i), err)
		case wrote[i][0] && wrote[i][1]:
			t.Errorf("both writers have created %s", name(i))
		case wrote[i][0] && !bytes.Equal(got, content(i, 0)), wrote[i][1] && !bytes.Equal(got, content(i, 1)):
			t.Errorf("%s is not what its creator wrote", name(i))
		}
		want = append(want, name(i))
	}
	slices.Sort(want)
	compare(t, "through the faults", faulty, want)
	compare(t, "in truth", sound, want)

	parallel(workers, names, func(i int) {
		if i%3 == 0 {
			if err := faulty.Delete(t.Context(), name(i/6*3)); err != nil {
				t.Error(err)
			}
		}
	})
	want = slices.DeleteFunc(want, func(s string) bool {
		var dir, i int
		_, _ = fmt.Sscanf(s, "dir-%d/%d", &dir, &i)
		return i%3 == 0 && i < names/2
	})
	compare(t, "after deleting", sound, want)
}

// parallel calls do with 0 to n-1, by so many workers.
func parallel(workers, n int, do func(int)) {
	next := make(chan int)
	var at sync.WaitGroup
	for range workers {
		at.Go(func() {
			for i := range next {
				do(i)
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	at.Wait()
}

func compare(t *testing.T, what string, store blob.Store, want []string) {
	t.Helper()
	var got []string
	for info, err := range store.List(t.Context(), "", "") {
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		got = append(got, info.Name)
	}
	if !slices.Equal(got, want) {
		t.Errorf("%s there is %q; expected %q", what, got, want)
	}
}

// TestBreaks says of each break alone what a call makes of it, and that it is one attempt.
func TestBreaks(t *testing.T) {
	server := s3.Start(t)
	server.Environment(t)
	proxy := s3.NewProxy(t, server.Address, nil)
	store := open(t, s3.URL(proxy.Address, server.Region, "bucket/breaks"))
	data := bytes.Repeat([]byte("0123456789"), 10_000)
	for i, test := range []struct {
		what   s3.Break
		writes bool
	}{
		{s3.Internal, false}, {s3.SlowDown, false}, {s3.Conflict, false}, {s3.CutBefore, false}, {s3.CutRequest, false}, {s3.CutAfter, true},
	} {
		name := fmt.Sprintf("create/%d", i)
		proxy.SetPlan(s3.Script(test.what))
		err := store.Create(t.Context(), name, data, blob.Standard)
		if err == nil || errors.Is(err, blob.ErrExists) || errors.Is(err, blob.ErrRefused) {
			t.Errorf("%d: the first attempt: %v", test.what, err)
		}
		second := error(nil)
		if test.writes {
			second = blob.ErrExists
		}
		if err := store.Create(t.Context(), name, data, blob.Standard); !errors.Is(err, second) {
			t.Errorf("%d: the second attempt: %v", test.what, err)
		}
		if got, err := store.Get(t.Context(), name); err != nil || !bytes.Equal(got, data) {
			t.Errorf("%d: %d bytes, %v", test.what, len(got), err)
		}
	}
	proxy.SetPlan(s3.Script(s3.CutAnswer, s3.CutAnswer, s3.CutAnswer))
	if got, err := store.Get(t.Context(), "create/0"); err == nil {
		t.Errorf("half an answer is %d bytes", len(got))
	}
	if got, _, err := store.Head(t.Context(), "create/0", 1000); err == nil {
		t.Errorf("half an answer is a head of %d bytes", len(got))
	}
	for info, err := range store.List(t.Context(), "", "") {
		if err == nil {
			t.Errorf("half an answer lists %s", info.Name)
		}
	}
	ctx, cancel := context.WithTimeoutCause(t.Context(), 30*time.Millisecond, errors.New("had enough"))
	defer cancel()
	proxy.SetPlan(s3.Script(s3.Silent))
	if _, err := store.Get(ctx, "create/0"); err == nil || !errors.Is(err, context.Cause(ctx)) {
		t.Errorf("without an answer: %v", err)
	}
}
