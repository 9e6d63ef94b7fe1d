// Package blobtest has what tests need of stores: [Run], the suite that every store has to
// pass; [Faulty], a store that fails as those over a network do; [NewMemory], a fast one.
//
//	store := blobtest.Faulty(blobtest.NewMemory(), blobtest.Random(seed, 0.1, 0.1))
package blobtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"towpath.dev/internal/blob"
)

// kit is what a test of the suite works with.
type kit struct {
	testing.TB
	ctx   context.Context
	store blob.Store
}

// Run tests a kind of store. open gives an empty one, for each test anew.
func Run(t *testing.T, open func(testing.TB) blob.Store) {
	for _, test := range []struct {
		name string
		run  func(*kit)
	}{
		{"objects", objects},
		{"absent", absent},
		{"names", names},
		{"refused-names", refusedNames},
		{"rivals", rivals},
		{"order", order},
		{"folders-come-and-go", foldersComeAndGo},
		{"pages", pages},
		{"large", large},
		{"cancelled", cancelled},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.run(&kit{t, t.Context(), open(t)})
		})
	}
}

func (k *kit) create(name, data string) {
	k.Helper()
	if err := k.store.Create(k.ctx, name, []byte(data), blob.Standard); err != nil {
		k.Fatal(err)
	}
}

func (k *kit) delete(name string) {
	k.Helper()
	if err := k.store.Delete(k.ctx, name); err != nil {
		k.Fatal(err)
	}
}

func (k *kit) list(prefix, after string) []string {
	k.Helper()
	all := []string{}
	for info, err := range k.store.List(k.ctx, prefix, after) {
		if err != nil {
			k.Fatal(err)
		}
		all = append(all, info.Name)
	}
	return all
}

func (k *kit) expect(what string, err, want error) {
	k.Helper()
	if !errors.Is(err, want) {
		k.Errorf("%s: %v; expected %v", what, err, want)
	}
}

func objects(k *kit) {
	for _, data := range []string{"", "a", strings.Repeat("block ", 10_000), "\x00\xff\r\n"} {
		for _, class := range []blob.Class{blob.Standard, blob.Infrequent} {
			name := fmt.Sprintf("objects/%d-%d", len(data), class)
			if err := k.store.Create(k.ctx, name, []byte(data), class); err != nil {
				k.Fatal(err)
			}
			k.expect("creating it again", k.store.Create(k.ctx, name, []byte("other"), class), blob.ErrExists)
			got, err := k.store.Get(k.ctx, name)
			if err != nil || string(got) != data {
				k.Errorf("get %s: %d bytes, %v", name, len(got), err)
			}
			for _, n := range []int{0, 1, 7, len(data), len(data) + 1, 1 << 20} {
				got, size, err := k.store.Head(k.ctx, name, n)
				if err != nil || size != int64(len(data)) || string(got) != data[:min(n, len(data))] {
					k.Errorf("the head of %d of %s: %d bytes of %d, %v", n, name, len(got), size, err)
				}
			}
			for info, err := range k.store.List(k.ctx, name, "") {
				if err != nil || info.Name != name || info.Size != int64(len(data)) || info.Modified.IsZero() {
					k.Errorf("listed: %+v, %v", info, err)
				}
			}
			k.delete(name)
			_, err = k.store.Get(k.ctx, name)
			k.expect("getting what was deleted", err, blob.ErrNotFound)
			k.delete(name)
		}
	}
	k.create("objects/again", "first")
	k.delete("objects/again")
	k.create("objects/again", "second")
	if got, err := k.store.Get(k.ctx, "objects/again"); err != nil || string(got) != "second" {
		k.Errorf("what was deleted and created again is %q, %v", got, err)
	}
}

func absent(k *kit) {
	k.create("there/object", "x")
	for _, name := range []string{"none", "there", "there/none", "there/none/at/all", "there/object/below"} {
		_, err := k.store.Get(k.ctx, name)
		k.expect("get "+name, err, blob.ErrNotFound)
		for _, n := range []int{0, 10} {
			_, _, err = k.store.Head(k.ctx, name, n)
			k.expect("head "+name, err, blob.ErrNotFound)
		}
		k.expect("delete "+name, k.store.Delete(k.ctx, name), nil)
	}
	if got := k.list("", ""); !slices.Equal(got, []string{"there/object"}) {
		k.Errorf("then there is %q", got)
	}
}

func names(k *kit) {
	all := []string{
		"0", "a", "a.b", "a-b/c", "a_b", "z", "x..y", "x.", "x-", "x_",
		"00000000000000004711", strings.Repeat("n", 255), strings.Repeat("deep/", 20) + "down",
		strings.TrimSuffix(strings.Repeat(strings.Repeat("p", 95)+"/", 8), "/"),
	}
	for _, name := range all {
		k.create(name, name)
	}
	for _, name := range all {
		got, err := k.store.Get(k.ctx, name)
		if err != nil || string(got) != name {
			k.Errorf("get %s: %q, %v", name, got, err)
		}
	}
	slices.Sort(all)
	if got := k.list("", ""); !slices.Equal(got, all) {
		k.Errorf("listed %q", got)
	}
}

func refusedNames(k *kit) {
	for _, name := range []string{"", "/", "/a", "a/", "a//b", ".", "..", "../a", "a/../b", "a/..", ".a", "a/.b", "-a", "_a", "A", "a b", "a\x00", "ä", "a\\b", "a+b", strings.Repeat("a/", 512)} {
		for what, err := range map[string]error{
			"create": k.store.Create(k.ctx, name, nil, blob.Standard),
			"get":    second(k.store.Get(k.ctx, name)),
			"head":   third(k.store.Head(k.ctx, name, 1)),
			"delete": k.store.Delete(k.ctx, name),
		} {
			k.expect(fmt.Sprintf("%s %q", what, name), err, blob.ErrRefused)
		}
	}
	if got := k.list("", ""); len(got) != 0 {
		k.Errorf("then there is %q", got)
	}
}

func second[A, B any](_ A, b B) B { return b }

func third[A, B, C any](_ A, _ B, c C) C { return c }

// rivals has several writers create the same names, each its own bytes: one succeeds, all
// others hear so, and readers never see anything but the whole of what will stay.
func rivals(k *kit) {
	const writers, rounds = 8, 10
	for round := range rounds {
		name := fmt.Sprintf("rivals/%d/claim", round)
		var won [writers]error
		var at sync.WaitGroup
		seen := make([][]byte, writers)
		for w := range writers {
			at.Go(func() {
				won[w] = k.store.Create(k.ctx, name, bytes.Repeat([]byte{byte('a' + w)}, 100_000), blob.Standard)
			})
			at.Go(func() { seen[w], _ = k.store.Get(k.ctx, name) })
		}
		at.Wait()
		winner := -1
		for w, err := range won {
			switch {
			case err == nil && winner < 0:
				winner = w
			case err == nil:
				k.Errorf("both %d and %d have created %s", winner, w, name)
			case errors.Is(err, blob.ErrExists):
			default:
				k.Errorf("%d: %v", w, err)
			}
		}
		if winner < 0 {
			k.Fatalf("nobody has created %s: %v", name, won)
		}
		got, err := k.store.Get(k.ctx, name)
		want := bytes.Repeat([]byte{byte('a' + winner)}, 100_000)
		if err != nil || !bytes.Equal(got, want) {
			k.Errorf("%s is not what its creator wrote: %d bytes, %v", name, len(got), err)
		}
		for _, s := range seen {
			if len(s) != 0 && !bytes.Equal(s, want) {
				k.Errorf("somebody saw %d other bytes in %s", len(s), name)
			}
		}
	}
}

func order(k *kit) {
	// '-' and '.' sort before '/', digits and letters behind it.
	all := []string{"a-b", "a-b.c", "a.b", "a/a", "a/b-c", "a/b/c", "a/b/d", "a/b0", "a0", "ab", "b/a", "b/b", "b0/c"}
	shuffled := slices.Clone(all)
	seed := rand.Uint64()
	k.Log("seed", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	r.Shuffle(len(all), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	for _, name := range shuffled {
		k.create(name, "")
	}
	for _, prefix := range []string{"", "a", "a/", "a/b", "a/b/", "a/b/c", "a.", "b", "b/a/", "c", "/", ".."} {
		for _, after := range append([]string{"", "0", "a", "a/", "a/b", "a/b/", "a/b/cc", "a0/", "b/", "bb", "z"}, all...) {
			want := []string{}
			for _, name := range all {
				if strings.HasPrefix(name, prefix) && name > after {
					want = append(want, name)
				}
			}
			if got := k.list(prefix, after); !slices.Equal(got, want) {
				k.Errorf("list %q after %q: %q; expected %q", prefix, after, got, want)
			}
		}
	}
	for info, err := range k.store.List(k.ctx, "a/", "") {
		if err != nil || info.Name != "a/a" {
			k.Errorf("the first is %+v, %v", info, err)
		}
		break
	}
}

// foldersComeAndGo creates and deletes the only objects of folders at the same time. A
// store may fail meanwhile, as stores do, but then do as it is told.
func foldersComeAndGo(k *kit) {
	store := blob.Retry(k.store, blob.Policy{First: time.Millisecond})
	var at sync.WaitGroup
	for w := range 4 {
		at.Go(func() {
			for i := range 25 {
				name := fmt.Sprintf("come/and/go/%d", w)
				if err := store.Create(k.ctx, name, []byte{byte(i)}, blob.Standard); err != nil {
					k.Error(err)
				}
				if got, err := store.Get(k.ctx, name); err != nil || len(got) != 1 || got[0] != byte(i) {
					k.Errorf("%s: %v, %v", name, got, err)
				}
				if err := store.Delete(k.ctx, name); err != nil {
					k.Error(err)
				}
			}
		})
	}
	at.Wait()
	if got := k.list("", ""); len(got) != 0 {
		k.Errorf("then there is %q", got)
	}
}

// pages lists more than S3 lists at once.
func pages(k *kit) {
	const n = 2100
	var at sync.WaitGroup
	for w := range 8 {
		at.Go(func() {
			for i := w; i < n; i += 8 {
				if err := k.store.Create(k.ctx, fmt.Sprintf("pages/%05d", i), []byte("x"), blob.Standard); err != nil {
					k.Error(err)
					return
				}
			}
		})
	}
	at.Wait()
	for _, from := range []int{-1, 0, 50, 1098, 1099, 1100, n - 2, n - 1} {
		next := from + 1
		for _, name := range k.list("pages/", fmt.Sprintf("pages/%05d", from)) {
			if name != fmt.Sprintf("pages/%05d", next) {
				k.Fatalf("behind %d, after %d, there is %s", from, next-1, name)
			}
			next++
		}
		if next != n {
			k.Errorf("behind %d, the list ends after %d", from, next-1)
		}
	}
}

func large(k *kit) {
	data := make([]byte, 70<<20)
	r := rand.NewChaCha8([32]byte{1})
	_, _ = r.Read(data) // never fails
	if err := k.store.Create(k.ctx, "large", data, blob.Infrequent); err != nil {
		k.Fatal(err)
	}
	got, err := k.store.Get(k.ctx, "large")
	if err != nil || !bytes.Equal(got, data) {
		k.Errorf("%d bytes, %v", len(got), err)
	}
	head, size, err := k.store.Head(k.ctx, "large", 100)
	if err != nil || size != int64(len(data)) || !bytes.Equal(head, data[:100]) {
		k.Errorf("a head of %d bytes of %d, %v", len(head), size, err)
	}
}

func cancelled(k *kit) {
	k.create("there", "x")
	ctx, cancel := context.WithCancel(k.ctx)
	cancel()
	for what, err := range map[string]error{
		"create": k.store.Create(ctx, "cancelled", []byte("x"), blob.Standard),
		"get":    second(k.store.Get(ctx, "there")),
		"head":   third(k.store.Head(ctx, "there", 1)),
		"delete": k.store.Delete(ctx, "there"),
	} {
		k.expect(what, err, context.Canceled)
	}
	listed := false
	for _, err := range k.store.List(ctx, "", "") {
		k.expect("list", err, context.Canceled)
		listed = true
	}
	if !listed {
		k.Error("a list that was cancelled said nothing")
	}
	if got := k.list("", ""); !slices.Equal(got, []string{"there"}) {
		k.Errorf("then there is %q", got)
	}
}
