package deploy

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"towpath.dev/election"
	"towpath.dev/internal/control/fleet"
	"towpath.dev/internal/control/memstore"
	"towpath.dev/internal/control/release"
)

// TestRemove: a program that is removed is in no cell any more, whatever the number of them, and may be
// deployed again under the next number; others stay.
func TestRemove(t *testing.T) {
	store := memstore.New()
	defer store.Close()
	s := &Service{Store: store}
	put := func(key string, value []byte) {
		t.Helper()
		if _, err := store.Txn(t.Context(), election.Txn{Then: []election.Op{election.Put(key, value, 0)}}); err != nil {
			t.Fatal(err)
		}
	}
	var want []string
	for k := range 2*mostIntents + 50 {
		cell := fmt.Sprintf("cell-%03d", k)
		want = append(want, cell)
		for _, program := range []string{"shop", "pricing"} {
			i := fleet.Intent{Deployment: idOf(program, "prod", 7), Seq: 1, Release: digest("one")}
			put(fleet.IntentKey("prod", cell, program), i.Encode())
		}
	}
	head := &Head{Last: 7, Current: digest("one"), Previous: digest("nought"), Recent: []string{"shop.prod.7"}}
	for _, c := range []struct {
		program, current string
		active           string
		says             string
	}{
		{"shop", "one", "shop.prod.8", "shop.prod.8 is under way"},
		{"shop", "two", "", "look at it again"},
		{"shpo", "one", "", "nothing of a program \"shpo\" runs in prod"},
		{release.Tow, "one", "", "tow itself is no program"},
	} {
		head.Active = c.active
		put(headKey("prod", "shop"), encode(head))
		if _, err := s.Remove(t.Context(), "prod", c.program, digest(c.current)); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%+v: it says %v", c, err)
		}
	}
	cells, err := s.Remove(t.Context(), "prod", "shop", digest("one"))
	if err != nil || !slices.Equal(cells, want) {
		t.Fatalf("removed from %d cells (%v); expected %d", len(cells), err, len(want))
	}
	for program, n := range map[string]int{"shop": 0, "pricing": len(want)} {
		if left, err := s.cellsOf(t.Context(), "prod", program); err != nil || len(left) != n {
			t.Errorf("%s is still in %d cells (%v); expected %d", program, len(left), err, n)
		}
	}
	heads, err := s.Heads(t.Context(), "prod")
	if h := heads["shop"]; err != nil || h.Current != "" || h.Previous != "" || h.Last != 7 || len(h.Recent) != 1 {
		t.Errorf("the head is %+v (%v)", h, err)
	}
	id, err := s.Create(t.Context(), Plan{Program: "shop", Environment: "prod", Release: digest("one"), Request: "r", Pipeline: simPipeline()})
	if err != nil || id != "shop.prod.8" {
		t.Errorf("deployed again it is %q (%v)", id, err)
	}
}
