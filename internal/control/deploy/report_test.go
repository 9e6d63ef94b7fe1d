package deploy

import (
	"errors"
	"slices"
	"testing"
	"time"

	"towpath.dev/election"
	"towpath.dev/internal/control/fleet"
	"towpath.dev/internal/control/memstore"
)

// reporting is a store that a node reports to.
type reporting struct {
	t     *testing.T
	store *memstore.Store
}

func newReporting(t *testing.T) *reporting {
	t.Helper()
	store := memstore.New()
	t.Cleanup(store.Close)
	return &reporting{t, store}
}

// attach attaches a run of the node's process; "" is none.
func (r *reporting) attach(incarnation string) {
	r.t.Helper()
	op := election.Delete(election.Key(NodePrefix + "n"))
	if incarnation != "" {
		op = election.Put(NodePrefix+"n", encode(map[string]string{"environment": "prod", "incarnation": incarnation}), 0)
	}
	if _, err := r.store.Txn(r.t.Context(), election.Txn{Then: []election.Op{op}}); err != nil {
		r.t.Fatal(err)
	}
}

// report is that a run's report arrives that the node runs a release.
func (r *reporting) report(incarnation string, number int64, runs string) error {
	s := &fleet.Status{Cell: "c", Incarnation: incarnation, Number: number, Programs: map[string]fleet.Running{"shop": {Deployment: "shop.prod.1", Main: digest(runs)}}}
	return Report(r.t.Context(), r.store, "prod", "n", s, time.Now())
}

func (r *reporting) runs(what string, want string) {
	r.t.Helper()
	page, err := r.store.Range(r.t.Context(), election.Span{Keys: election.Key(fleet.StatusKey("prod", "n"))})
	if err != nil || len(page.Entries) == 0 {
		r.t.Fatalf("%s: %v, %v", what, page, err)
	}
	s, err := fleet.DecodeStatus("", page.Entries[0].Value)
	if err != nil {
		r.t.Fatal(err)
	}
	if s.Programs["shop"].Main != digest(want) {
		r.t.Errorf("%s: it is said to run %s; expected %s", what, s.Programs["shop"].Main.Short(), want)
	}
}

// late is that a report is refused, as a newer one is there.
func late(t *testing.T, what string, err error) {
	t.Helper()
	if !errors.Is(err, ErrLate) {
		t.Errorf("%s: %v; expected that it comes too late", what, err)
	}
}

func good(t *testing.T, what string, err error) {
	t.Helper()
	if err != nil {
		t.Errorf("%s: %v", what, err)
	}
}

// TestLateReports: a report that hung in one control node takes no newer one's place, which came
// by another.
func TestLateReports(t *testing.T) {
	r := newReporting(t)
	r.attach("a")
	good(t, "the first", r.report("a", 1, "one"))
	good(t, "the third", r.report("a", 3, "two"))
	good(t, "the third, once more", r.report("a", 3, "two"))
	late(t, "the second", r.report("a", 2, "one"))
	r.runs("after the second", "two")
	// Of three it is the one between that hangs, and the last one says what the first did.
	good(t, "what is there already", r.report("a", 5, "two"))
	late(t, "one that came before it", r.report("a", 4, "one"))
	r.runs("after it", "two")

	late(t, "a process that is not attached yet", r.report("b", 1, "three"))
	r.attach("b")
	good(t, "the next process", r.report("b", 1, "three"))
	late(t, "the one before", r.report("a", 6, "two"))
	r.attach("")
	late(t, "the one before, where none is attached", r.report("a", 7, "two"))
	r.runs("after the next process", "three")
	good(t, "the process that was attached last", r.report("b", 2, "four"))
}

// TestUncountedReports: nodes of before say neither a number nor who is attached.
func TestUncountedReports(t *testing.T) {
	r := newReporting(t)
	for _, runs := range []string{"one", "one", "two", "one"} {
		good(t, runs, r.report("a", 0, runs))
		r.runs("of before", runs)
	}
	good(t, "another process", r.report("b", 0, "two"))
	if _, err := r.store.Txn(t.Context(), election.Txn{Then: []election.Op{election.Put(NodePrefix+"n", encode(map[string]string{"environment": "prod"}), 0)}}); err != nil {
		t.Fatal(err)
	}
	good(t, "attached by a control node of before", r.report("c", 1, "three"))
	r.runs("in the end", "three")
}

// TestForgottenNodes: the events of a node that was forgotten keep their names to themselves, and
// a report from before does not make it known again.
func TestForgottenNodes(t *testing.T) {
	r := newReporting(t)
	events := func() (keys []string) {
		t.Helper()
		page, err := r.store.Range(t.Context(), election.Span{Keys: election.Prefix(EventPrefix)})
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range page.Entries {
			keys = append(keys, e.Key)
		}
		return keys
	}
	r.attach("a")
	good(t, "before", r.report("a", 1, "one"))
	good(t, "before", r.report("a", 2, "two"))
	r.attach("")
	if _, err := r.store.Txn(t.Context(), election.Txn{Then: []election.Op{election.Delete(election.Key(fleet.StatusKey("prod", "n")))}}); err != nil {
		t.Fatal(err)
	}
	late(t, "after it was forgotten", r.report("a", 3, "one"))
	r.attach("a")
	good(t, "attached again", r.report("a", 4, "one"))
	all := events()
	if len(all) != 3 || !slices.IsSorted(all) {
		t.Errorf("the events are %v; expected three", all)
	}
}
