package storetest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"towpath.dev/election"
	"towpath.dev/internal/control"
)

// Compare does the same random things to two empty stores, as many as there are steps, and
// fails the test where they answer differently: in what they find, say or refuse, in
// revisions, and at the end in what a watch hears. No lease ends by itself.
func Compare(t *testing.T, seed uint64, steps int, one, other control.Store) {
	t.Helper()
	t.Logf("the seed is %d", seed)
	pair := [2]*side{{kit: kit{t, one, t.Context()}}, {kit: kit{t, other, t.Context()}}}
	for _, s := range pair {
		s.start = s.revision()
		s.last = s.start
		s.leases = []election.LeaseID{0}
	}
	g := &generator{Rand: rand.New(rand.NewPCG(seed, 0))}
	for i := range steps {
		step := g.step()
		a, b := pair[0].does(step), pair[1].does(step)
		if a != b {
			t.Fatalf("seed %d, step %d: %v\n%s\n%s", seed, i, step, a, b)
		}
		g.learn(pair[0])
	}
	if a, b := pair[0].heard(), pair[1].heard(); a != b {
		t.Errorf("seed %d: watches hear\n%s\n%s", seed, a, b)
	}
}

// A step is one thing to do, in terms of no store: revisions are counted from where
// the store began, and leases by when they were granted.
type step struct {
	kind     string
	txn      election.Txn
	span     election.Span
	revision int64
	lease    int
}

func (s step) String() string {
	switch s.kind {
	case "txn":
		return fmt.Sprintf("txn %+v", s.txn)
	case "range":
		return fmt.Sprintf("range %+v", s.span)
	default:
		return fmt.Sprintf("%s revision %d, lease %d", s.kind, s.revision, s.lease)
	}
}

// A generator makes steps; it knows how far the stores have come.
type generator struct {
	*rand.Rand
	revision, compacted int64
	leases              int // that were granted
}

// learn keeps track of what the steps have done.
func (g *generator) learn(s *side) {
	g.compacted, g.leases = s.compactedAt, len(s.leases)-1
	g.revision = max(s.last-s.start, g.compacted) // revoking does not say how far it came
}

func (g *generator) step() step {
	switch n := g.IntN(100); {
	case n < 60:
		return step{kind: "txn", txn: election.Txn{If: g.conditions(), Then: g.ops(), Else: g.ops()}}
	case n < 85:
		return step{kind: "range", span: election.Span{Keys: g.keys(), Limit: g.IntN(4), Revision: g.past(), KeysOnly: g.IntN(4) == 0}}
	case n < 90:
		return step{kind: "grant"}
	case n < 93:
		return step{kind: "renew", lease: g.lease()}
	case n < 97:
		return step{kind: "revoke", lease: g.lease()}
	default:
		return step{kind: "compact", revision: g.past()}
	}
}

// key is one of few, so that steps meet.
func (g *generator) key() string {
	return []string{"a", "a/1", "a/2", "a/2/x", "b", "b/1", "c", "\xff"}[g.IntN(8)]
}

func (g *generator) keys() election.Keys {
	switch key := g.key(); g.IntN(4) {
	case 0:
		return election.Prefix(key)
	case 1:
		return election.Keys{First: key, End: g.key()}
	default:
		return election.Key(key)
	}
}

// past is a revision that mostly is kept.
func (g *generator) past() int64 {
	switch g.IntN(8) {
	case 0:
		return g.Int64N(g.revision + 3) // perhaps compacted, perhaps yet to come
	case 1, 2, 3:
		return g.compacted + g.Int64N(g.revision-g.compacted+1)
	default:
		return 0
	}
}

// lease is one that was granted, mostly one that lives; 0 is none.
func (g *generator) lease() int {
	if g.leases == 0 {
		return 0
	}
	return max(0, g.leases-g.IntN(6))
}

func (g *generator) value() []byte { return []byte{"lmnopq"[g.IntN(6)]} }

func (g *generator) conditions() []election.Compare {
	var list []election.Compare
	for range g.IntN(3) {
		c := election.Compare{Key: g.key(), Field: election.Field(g.IntN(5)), Relation: election.Relation(g.IntN(4))}
		switch c.Field {
		case election.Created, election.Modified:
			c.Number = max(0, g.revision-g.Int64N(8)) // 0 stays 0
		case election.Version:
			c.Number = g.Int64N(4)
		case election.Lease:
			c.Number = int64(g.lease())
			c.Relation = election.Relation(g.IntN(2)) // leases have no order in common
		case election.Value:
			c.Value = g.value()
		}
		list = append(list, c)
	}
	return list
}

func (g *generator) ops() []election.Op {
	var list []election.Op
	for range g.IntN(4) {
		switch g.IntN(5) {
		case 0:
			list = append(list, election.Op{Kind: election.Read, Keys: g.keys(), Limit: g.IntN(3)})
		case 1:
			keys := g.keys()
			if keys.End == "\x00" {
				// Beside a write of one of these, memstore refuses it, as etcd says it does; but
				// etcd does not see that they meet, and lets both happen at one revision.
				keys.End = ""
			}
			list = append(list, election.Delete(keys))
		default:
			list = append(list, election.Put(g.key(), g.value(), election.LeaseID(g.lease()*g.IntN(2))))
		}
	}
	return list
}

// A side is one of two stores.
type side struct {
	kit
	start, last int64
	compactedAt int64 // counted from start
	leases      []election.LeaseID
}

// does does a step, and says what came of it in terms of no store.
func (s *side) does(step step) string {
	switch step.kind {
	case "txn":
		r, err := s.store.Txn(s.ctx, s.own(step.txn))
		if err != nil {
			return kindOf(err)
		}
		s.last = r.Revision
		text := fmt.Sprint(r.OK, r.Revision-s.start)
		for _, o := range r.Outcomes {
			text += fmt.Sprint(" ", o.Removed, s.shown(o.Entries))
		}
		return text
	case "range":
		span := step.span
		if span.Revision != 0 {
			span.Revision += s.start
		}
		page, err := s.store.Range(s.ctx, span)
		if err != nil {
			return kindOf(err)
		}
		s.last = page.Revision
		return fmt.Sprint(page.Revision-s.start, page.More, page.Count, s.shown(page.Entries))
	case "grant":
		id, ttl, err := s.store.Grant(s.ctx, time.Hour)
		s.leases = append(s.leases, id)
		return fmt.Sprint(ttl, kindOf(err))
	case "renew":
		ttl, err := s.store.Renew(s.ctx, s.leases[step.lease])
		return fmt.Sprint(ttl, kindOf(err))
	case "revoke":
		return kindOf(s.store.Revoke(s.ctx, s.leases[step.lease]))
	default:
		err := s.store.Compact(s.ctx, s.start+step.revision)
		if err == nil {
			s.compactedAt = step.revision
		}
		return kindOf(err)
	}
}

// own is a transaction in the store's terms.
func (s *side) own(txn election.Txn) election.Txn {
	conditions := make([]election.Compare, len(txn.If))
	for i, c := range txn.If {
		switch {
		case c.Field == election.Lease:
			c.Number = int64(s.leases[c.Number])
		case c.Number != 0 && (c.Field == election.Created || c.Field == election.Modified):
			c.Number += s.start
		}
		conditions[i] = c
	}
	own := func(ops []election.Op) []election.Op {
		list := make([]election.Op, len(ops))
		for i, op := range ops {
			op.Lease = s.leases[op.Lease]
			list[i] = op
		}
		return list
	}
	return election.Txn{If: conditions, Then: own(txn.Then), Else: own(txn.Else)}
}

func (s *side) shown(entries []election.Entry) string {
	text := ""
	for _, e := range entries {
		lease := -1
		for i, id := range s.leases {
			if id == e.Lease {
				lease = i
			}
		}
		text += fmt.Sprintf(" %q=%q created %d, modified %d, version %d, lease %d;", e.Key, e.Value, e.Created-s.start, e.Modified-s.start, e.Version, lease)
	}
	return text
}

// heard is what a watch from the oldest revision on hears.
func (s *side) heard() string {
	s.Helper()
	end := s.do(put("end", ""))
	from := s.start + cmp.Or(s.compactedAt, 1)
	batches := s.watched(everything, from, end)
	s.whole(batches)
	text := ""
	for _, e := range eventsOf(batches) {
		if e.Removed {
			text += fmt.Sprintf(" -%q at %d;", e.Entry.Key, e.Entry.Modified-s.start)
		} else {
			text += s.shown([]election.Entry{e.Entry})
		}
	}
	return text
}

// kindOf is what an error says to a program.
func kindOf(err error) string {
	if err == nil {
		return "done"
	}
	for _, kind := range []error{election.ErrNoLease, election.ErrFuture, election.ErrNoSpace, election.ErrTooLarge, election.ErrForbidden, election.ErrNotReached, context.Canceled, context.DeadlineExceeded} {
		if errors.Is(err, kind) {
			return kind.Error()
		}
	}
	if _, ok := errors.AsType[*election.CompactedError](err); ok {
		return "compacted"
	}
	return "another error"
}
