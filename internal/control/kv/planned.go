// Steps whose answer is worked out before they run.

package kv

import (
	"bytes"
	"cmp"
	"context"
	"math/rand/v2"
	"time"

	"connectrpc.com/connect"

	"towpath.dev/api/towpathv1"
	"towpath.dev/election"
)

// runPlanned reads all that a step's answer depends on, works the answer out, and
// writes if nothing of it was written since; if something was, it begins again. So the
// answer is known before it is written, and can be kept beside it.
func (s *Service) runPlanned(ctx context.Context, t *step, held map[int64]election.LeaseID) (ran, error) {
	for try := range tries {
		if try > 2 {
			// Who comes back at once meets the same others.
			select {
			case <-time.After(rand.N(time.Duration(try) * time.Millisecond)):
			case <-ctx.Done():
				return ran{}, refuse(connect.CodeAborted, "others were writing the same keys all the time, and nothing was written: send this again")
			}
		}
		before, err := s.before(ctx, t)
		if err != nil {
			return ran{}, ofStore(ctx, err, false) // nothing was written
		}
		p := t.plan(before)
		if !p.Succeeded && t.mustHold {
			return ran{}, t.mismatch(p.Results)
		}
		if t.repeat == nil && reads(p.ops) {
			p.Revision = before.revision
			return ran{p.TxnResponse, false}, nil
		}
		record := namespacesAt + t.Namespace
		txn := election.Txn{If: []election.Compare{election.Present(record)}, Then: stored(t.Namespace, writesOf(p.ops), held)}
		for key := range before.read {
			txn.If = append(txn.If, election.ModifiedAt(keyAt(t.Namespace, key), before.read[key].Modified))
		}
		txn.Else = []election.Op{election.Get(election.Key(record))}
		if t.repeat != nil {
			kept, err := t.repeat.record(p.TxnResponse)
			if err != nil {
				return ran{}, err
			}
			txn.If = append(txn.If, election.Absent(t.repeat.at))
			txn.Then = append(txn.Then, election.Put(t.repeat.at, kept, held[repeatFor]))
			txn.Else = append(txn.Else, election.Get(election.Key(t.repeat.at)))
		}
		result, err := s.store.Txn(ctx, txn)
		switch {
		case err != nil:
			return ran{}, err
		case result.OK:
			p.Revision = result.Revision
			return ran{p.TxnResponse, t.repeat != nil || p.writes()}, nil
		case t.repeat != nil && len(result.Outcomes[1].Entries) > 0:
			response, err := t.repeat.answer(ctx, result.Outcomes[1].Entries[0])
			return ran{response, false}, err
		case len(result.Outcomes[0].Entries) > 0:
			continue // a key has changed
		}
		switch there, err := s.hasNamespace(ctx, t.Namespace); {
		case err != nil:
			return ran{}, ofStore(ctx, err, false)
		case !there:
			return ran{}, noNamespace(t.Namespace)
		}
	}
	return ran{}, refuse(connect.CodeAborted, "others wrote the same keys %d times meanwhile, and nothing was written: send this again", tries)
}

// snapshot is what a step's answer depends on, at one revision.
type snapshot struct {
	revision int64
	read     map[string]election.Entry // by the user's key; the zero value if it is absent
}

// before reads what a step depends on: what it compares, gets and deletes.
func (s *Service) before(ctx context.Context, t *step) (snapshot, error) {
	read := map[string]election.Entry{}
	var keys []string
	need := func(key string) {
		if _, twice := read[key]; key != "" && !twice {
			read[key] = election.Entry{}
			keys = append(keys, key)
		}
	}
	for _, c := range t.If {
		need(c.Key)
	}
	for _, branch := range [][]*towpathv1.Operation{t.Then, t.Else} {
		for _, op := range branch {
			need(op.GetGet().GetKey())
			need(op.GetDelete().GetKey())
		}
	}
	if len(keys) == 0 {
		return snapshot{}, nil
	}
	txn := election.Txn{Then: []election.Op{election.Get(election.Key(namespacesAt + t.Namespace))}}
	for _, key := range keys {
		txn.Then = append(txn.Then, election.Get(election.Key(keyAt(t.Namespace, key))))
	}
	result, err := s.store.Txn(ctx, txn)
	if err != nil {
		return snapshot{}, err
	}
	if len(result.Outcomes[0].Entries) == 0 {
		if err := s.mustBeThere(ctx, t.Namespace, 0); err != nil {
			return snapshot{}, err
		}
	}
	for i, key := range keys {
		if e := result.Outcomes[i+1].Entries; len(e) > 0 {
			read[key] = e[0]
		}
	}
	return snapshot{result.Revision, read}, nil
}

// A plan is what a step will do, and answer.
type plan struct {
	*towpathv1.TxnResponse
	ops []*towpathv1.Operation
}

func (t *step) plan(before snapshot) plan {
	p := plan{&towpathv1.TxnResponse{Succeeded: true}, t.Then}
	for _, c := range t.If {
		p.Succeeded = p.Succeeded && holds(c, before.read[c.Key])
	}
	if !p.Succeeded {
		p.ops = t.Else
	}
	for _, op := range p.ops {
		result := &towpathv1.OperationResult{}
		if e, ok := before.read[op.GetGet().GetKey()]; ok && e.Modified != 0 {
			result.Entry = entryOf(e)
		}
		result.Deleted = before.read[op.GetDelete().GetKey()].Modified != 0
		p.Results = append(p.Results, result)
	}
	return p
}

// writes reports whether a plan changes a key.
func (p plan) writes() bool {
	for i, op := range p.ops {
		if op.GetPut() != nil || p.Results[i].Deleted {
			return true
		}
	}
	return false
}

// holds reports whether a comparison holds for an entry; that of an absent key is the
// zero value, and its value equals nothing.
func holds(c *towpathv1.Comparison, e election.Entry) bool {
	var relation int
	switch c.Field {
	case towpathv1.Comparison_FIELD_VALUE:
		if e.Modified == 0 {
			return c.Relation == towpathv1.Comparison_RELATION_NOT_EQUAL
		}
		value, _ := unframe(e.Value)
		relation = bytes.Compare(value, c.Value)
	case towpathv1.Comparison_FIELD_CREATED:
		relation = cmp.Compare(e.Created, c.Number)
	case towpathv1.Comparison_FIELD_MODIFIED:
		relation = cmp.Compare(e.Modified, c.Number)
	case towpathv1.Comparison_FIELD_VERSION:
		relation = cmp.Compare(e.Version, c.Number)
	}
	switch c.Relation {
	case towpathv1.Comparison_RELATION_NOT_EQUAL:
		return relation != 0
	case towpathv1.Comparison_RELATION_LESS:
		return relation < 0
	case towpathv1.Comparison_RELATION_GREATER:
		return relation > 0
	}
	return relation == 0
}

// writesOf is a branch without its gets, whose answers are known.
func writesOf(ops []*towpathv1.Operation) []*towpathv1.Operation {
	var writes []*towpathv1.Operation
	for _, op := range ops {
		if op.GetGet() == nil {
			writes = append(writes, op)
		}
	}
	return writes
}
