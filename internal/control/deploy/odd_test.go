package deploy

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"towpath.dev/election"
	"towpath.dev/internal/control/fleet"
	"towpath.dev/internal/control/memstore"
	"towpath.dev/internal/control/mirror"
)

// oddCells are such as no key can have, or none should.
var oddCells = []string{"", "/", "us/1", "a/b/c", "../prod", "us/", strings.Repeat("x", 300), "EU 1", "é", "a\nb", "ENVIRONMENT"}

// TestOddStatuses: nodes whose statuses say what no node should, written by a control node
// that took them, keep no deployment of others from going, and have nothing written again and again.
func TestOddStatuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		s := &simulation{world: newWorld(t, ctx, 1, 1, 4), random: rand.New(rand.NewPCG(1, 2))}
		s.judge = newJudge(s)
		s.start()
		for i, cell := range oddCells {
			if fleet.Keyed(cell) { // it is a cell as others are, and waited for
				continue
			}
			odd := &fleet.Status{Seq: 1, Cell: cell, Region: cell, Programs: map[string]fleet.Running{
				testProgram: {Deployment: cell, Main: digest("three")}, "a/b": {Deployment: "shop.prod.1/x"},
			}}
			name := string(rune('a' + i))
			if _, err := s.inner.Txn(ctx, election.Txn{Then: []election.Op{
				election.Put(fleet.StatusKey(testEnvironment, name), odd.Encode(), 0),
				election.Put(NodePrefix+name, encode(map[string]string{"environment": testEnvironment}), 0),
			}}); err != nil {
				t.Fatal(err)
			}
		}
		s.judge.await(s.deploy("one"), time.Hour)
		id := s.deploy("two")
		s.judge.await(id, time.Hour)
		d, err := (&Service{Store: s.inner}).Get(ctx, id)
		if err != nil || d.State.Outcome == nil || d.State.Outcome.Result != Succeeded {
			t.Errorf("%+v, %v", d, err)
		}
		time.Sleep(time.Minute) // events have gone to object storage
		before := s.revision()
		time.Sleep(time.Minute)
		if wrote := s.revision() - before; wrote > 60 { // elections
			t.Errorf("%d writes in a minute in which nothing happens", wrote)
		}
		s.stop()
		cancel()
		s.judge.close()
	})
}

// FuzzReport: whatever a node says, it is refused or has keys alone that are read as they were
// written; and what is in the store all the same, no deployment is stopped by.
func FuzzReport(f *testing.F) {
	for _, cell := range append(oddCells, "eu-1") {
		f.Add((&fleet.Status{Cell: cell, Programs: map[string]fleet.Running{
			"shop": {Deployment: "shop.prod.2", Main: digest("one"), Troubles: []fleet.Trouble{{Release: "x", Kind: "?"}}, Probed: &fleet.Probed{Deployment: "shop.prod.2", Round: -1}},
		}}).Encode())
	}
	for _, text := range []string{
		`{"cell":"c","programs":{"a/b":{"deployment":"shop.prod.2"}}}`, `{"cell":"c","programs":{"shop":{"deployment":"shop.prod.2/node/x"}}}`,
		`{"cell":"c","programs":{"shop":{"deployment":"shop.test.2"}}}`, `{"cell":"c","programs":{"shop":{"deployment":"shop.prod.02"}}}`,
		`{"cell":"c","seq":9223372036854775807,"number":-1,"abi":-1,"capacity":1e300,"programs":{"shop":{"lost":[{"at":"9999-12-31T23:59:59-01:00"}]}}}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		status, err := fleet.DecodeStatus("the status", text)
		if err != nil || len(text) > fleet.MaxStatus {
			return
		}
		if CheckStatus("prod", status) == nil {
			reported(t, status)
		}
		beside(t, text)
	})
}

// reported reports a status, and sees that all that it wrote is read as it was written.
func reported(t *testing.T, s *fleet.Status) {
	store := memstore.New()
	defer store.Close()
	if !fleet.Keyed(s.Cell) {
		t.Errorf("the cell %q is taken, and can have no intents", s.Cell)
	}
	if err := Report(t.Context(), store, "prod", "n1", s, time.Unix(0, 0)); err != nil && s.Number == 0 {
		t.Errorf("it is not taken: %v", err)
	}
	page, err := store.Range(t.Context(), election.Span{Keys: election.Prefix("")})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range page.Entries {
		if rest, ok := strings.CutPrefix(e.Key, EventPrefix); ok {
			id, of, _ := strings.Cut(rest, "/")
			if _, environment, _, err := ParseID(id); err != nil || environment != "prod" || !strings.HasPrefix(of, "node/n1/") || strings.Count(of, "/") != 2 {
				t.Errorf("an event is at %q", e.Key)
			}
		} else if e.Key == fleet.JoinedKey("prod") {
			continue
		} else if environment, node, ok := fleet.ParseNodeKey(e.Key); !ok || environment != "prod" || node != "n1" {
			t.Errorf("it writes %q", e.Key)
		}
	}
}

// beside has a status be in the store of a node that is attached, while a deployment is under way:
// whatever is decided, it comes to an end, and cells are named alone whose intents can be found.
func beside(t *testing.T, status []byte) {
	r := newReplica(slog.New(slog.DiscardHandler))
	r.see(Prefix, mirror.Update{Reset: true, Events: []election.Event{{Entry: election.Entry{Key: fleet.StatusKey("prod", "odd"), Value: status}}}})
	s := newScene()
	for name, n := range r.nodes["prod"] {
		if n.Programs == nil {
			n.Programs = map[string]fleet.Running{}
		}
		s.world.Nodes[name] = &Node{Status: n, Attached: true}
	}
	for range 30 {
		s.settle()
		s.obey()
		s.heard(0)
		s.pass(10 * time.Second)
		s.count(1000)
	}
	for cell := range s.world.Intents {
		environment, read, program, ok := fleet.ParseIntentKey(fleet.IntentKey("prod", cell, "shop"))
		if !ok || environment != "prod" || read != cell || program != "shop" {
			t.Errorf("intents of the cell %q are not found again", cell)
		}
	}
	if s.state.Phase != Ended {
		t.Errorf("it stands in %s, %s, and waits for %+v", s.state.Phase, s.state.Step, s.state.Wait)
	}
}
