package fleet

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"towpath.dev/election"
)

// shelf is a node's keys of the store.
type shelf struct {
	t    *testing.T
	keys map[string][]byte
}

// filed is what is there.
func (s *shelf) filed() *Filed {
	s.t.Helper()
	f := &Filed{}
	for _, key := range slices.Sorted(maps.Keys(s.keys)) {
		if err := f.Take(key, s.keys[key]); err != nil {
			s.t.Fatal(err)
		}
	}
	return f
}

// write puts a status there, and gives the keys that were written.
func (s *shelf) write(status *Status) (written []string) {
	s.t.Helper()
	for _, op := range s.filed().Next("prod", "n", status) {
		key := op.Keys.First
		written = append(written, key)
		if op.Kind == election.Remove {
			delete(s.keys, key)
			continue
		}
		if len(op.Value) > MaxStatus {
			s.t.Errorf("%s has %d bytes", key, len(op.Value))
		}
		s.keys[key] = op.Value
	}
	return written
}

// runningOf is what a node runs of a program: on trial or not, and with or without much to say.
func runningOf(name string, trial, wordy bool) Running {
	r := Running{Deployment: name + ".prod.17", Main: digest(name), Previous: digest("before " + name)}
	if trial {
		r.Beside, r.Share = digest("after "+name), 0.1
		r.Probed = &Probed{Deployment: r.Deployment, Round: 12}
	}
	if wordy {
		long := strings.Repeat("Why. ", maxTrouble/5)
		r.Troubles = []Trouble{{Release: r.Beside, Kind: Unfit, Text: long}, {Release: r.Main, Kind: Crashed, Count: 1, Text: long}}
		at := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
		r.Lost = []Loss{{at, r.Main}, {at.Add(time.Hour), r.Main}, {at.Add(2 * time.Hour), r.Main}}
		name := strings.Repeat("N", maxName)
		r.References = []References{{Release: r.Main, Resolve: 4, Missing: []string{name, name, name}}}
	}
	return r
}

func statusOf(n int, trial, wordy func(i int) bool) *Status {
	s := &Status{Number: 7, Cell: "eu-1", Incarnation: "i", Programs: map[string]Running{}}
	for i := range n {
		name := fmt.Sprint("shop-checkout-", i)
		s.Programs[name] = runningOf(name, trial(i), wordy(i))
	}
	return s
}

func never(int) bool  { return false }
func always(int) bool { return true }

// TestFiled: a status is read as it was written, no value is too large, and what does not change is
// not written.
func TestFiled(t *testing.T) {
	for _, n := range []int{0, 1, mostInHead, mostInHead + 1, 30, 100, 500} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			s := &shelf{t, map[string][]byte{}}
			is := statusOf(n, never, never)
			s.write(is)
			if got := s.filed().Status(); !reflect.DeepEqual(got.Programs, is.Programs) && n > 0 || got.Cell != is.Cell || got.Number != is.Number {
				t.Errorf("it reads %+v", got)
			}
			pages := len(s.keys) - 1
			if n <= mostInHead && pages > 0 || pages > n/mostInPage+1 {
				t.Errorf("there are %d pages", pages)
			}
			if written := s.write(is); len(written) != 1 {
				t.Errorf("written again are %q; expected the head alone", written)
			}
			if n == 0 {
				return
			}
			// One of them is on trial.
			is = statusOf(n, func(i int) bool { return i == n-1 }, never)
			if written := s.write(is); len(written) > 3 {
				t.Errorf("written are %q as one program has changed", written)
			}
			if got := s.filed().Status(); !reflect.DeepEqual(got.Programs, is.Programs) {
				t.Errorf("it reads %+v", got)
			}
		})
	}
}

// TestFiledIsBounded: however much a node has to say, and all at once, it is said what it runs.
func TestFiledIsBounded(t *testing.T) {
	long := strings.Repeat("\x00", maxTrouble)
	for _, n := range []int{1, mostInHead, 100} {
		s := &shelf{t, map[string][]byte{}}
		is := statusOf(n, always, always)
		is.Unready = long
		for _, k := range []Kind{Astray, Disowned, Unsaved, Forgot} {
			is.Troubles = append(is.Troubles, Trouble{Kind: k, Text: long})
		}
		s.write(is)
		got := s.filed().Status()
		for name, r := range is.Programs {
			g := got.Programs[name]
			if g.Main != r.Main || g.Beside != r.Beside || g.Deployment != r.Deployment || *g.Probed != *r.Probed || len(g.Troubles) != len(r.Troubles) || g.Troubles[0].Kind != Unfit {
				t.Errorf("of %d programs, %s reads %+v", n, name, g)
			}
		}
	}
}

// TestFiledAtRandom: so it is whatever changes, and programs come and go.
func TestFiledAtRandom(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 1))
	for range 8 {
		s := &shelf{t, map[string][]byte{}}
		is := statusOf(0, never, never)
		for range 25 {
			for range random.IntN(12) {
				name := strings.Repeat("p", 1+random.IntN(40)) + fmt.Sprint(random.IntN(60))
				if random.IntN(3) == 0 {
					delete(is.Programs, name)
				} else {
					is.Programs[name] = runningOf(name, random.IntN(2) == 0, random.IntN(8) == 0)
				}
			}
			s.write(is)
			got := s.filed().Status()
			if len(got.Programs) != len(is.Programs) {
				t.Fatalf("there are %d programs; expected %d", len(got.Programs), len(is.Programs))
			}
			for name, r := range is.Programs {
				if g := got.Programs[name]; g.Main != r.Main || g.Beside != r.Beside || g.Deployment != r.Deployment {
					t.Fatalf("%s reads %+v; expected %+v", name, g, r)
				}
			}
		}
	}
}
