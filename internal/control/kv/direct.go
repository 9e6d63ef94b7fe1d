// Steps that one transaction of the store carries out.

package kv

import (
	"context"

	"towpath.dev/api/towpathv1"
	"towpath.dev/election"
)

// direct reports whether a step is one transaction of the store's. It is not where
// its answer must be known before it runs, to be kept; where it compares values, before
// which TTLs stand in the store; and where its else writes: the store's else runs also
// when there is no namespace.
func (t *step) direct() bool {
	if t.repeat != nil || !reads(t.Else) {
		return false
	}
	for _, c := range t.If {
		if c.Field == towpathv1.Comparison_FIELD_VALUE {
			return false
		}
	}
	return true
}

// runDirect runs a step as one transaction.
func (s *Service) runDirect(ctx context.Context, t *step, held map[int64]election.LeaseID) (ran, error) {
	record := namespacesAt + t.Namespace
	for {
		txn := election.Txn{If: []election.Compare{election.Present(record)}, Then: stored(t.Namespace, t.Then, held)}
		for _, c := range t.If {
			txn.If = append(txn.If, compareOf(t.Namespace, c))
		}
		txn.Else = append([]election.Op{election.Get(election.Key(record))}, stored(t.Namespace, t.Else, held)...)
		result, err := s.store.Txn(ctx, txn)
		if err != nil {
			return ran{}, err
		}
		response := &towpathv1.TxnResponse{Succeeded: result.OK, Revision: result.Revision}
		if result.OK {
			var wrote bool
			response.Results, wrote = resultsOf(t.Then, result.Outcomes)
			return ran{response, wrote}, nil
		}
		if len(result.Outcomes[0].Entries) > 0 {
			response.Results, _ = resultsOf(t.Else, result.Outcomes[1:])
			if t.mustHold {
				return ran{}, t.mismatch(response.Results)
			}
			return ran{response, false}, nil
		}
		switch there, err := s.hasNamespace(ctx, t.Namespace); {
		case err != nil:
			return ran{}, ofStore(ctx, err, false) // nothing was written
		case !there:
			return ran{}, noNamespace(t.Namespace)
		}
	}
}

// stored is a branch in the store's terms: its gets, then its writes.
func stored(namespace string, ops []*towpathv1.Operation, held map[int64]election.LeaseID) []election.Op {
	var gets, writes []election.Op
	for _, op := range ops {
		switch o := op.Operation.(type) {
		case *towpathv1.Operation_Get_:
			gets = append(gets, election.Get(election.Key(keyAt(namespace, o.Get.Key))))
		case *towpathv1.Operation_Put_:
			writes = append(writes, election.Put(keyAt(namespace, o.Put.Key), frame(o.Put.Value, o.Put.TtlSeconds), held[o.Put.TtlSeconds]))
		case *towpathv1.Operation_Delete_:
			writes = append(writes, election.Delete(election.Key(keyAt(namespace, o.Delete.Key))))
		}
	}
	return append(gets, writes...)
}

// resultsOf is the results of a branch by the outcomes of what stored made of it.
func resultsOf(ops []*towpathv1.Operation, outcomes []election.Outcome) (results []*towpathv1.OperationResult, wrote bool) {
	var gets int
	for _, op := range ops {
		if op.GetGet() != nil {
			gets++
		}
	}
	found, written := outcomes[:gets], outcomes[gets:]
	for _, op := range ops {
		result := &towpathv1.OperationResult{}
		if op.GetGet() != nil {
			if len(found[0].Entries) > 0 {
				result.Entry = entryOf(found[0].Entries[0])
			}
			found = found[1:]
		} else {
			result.Deleted = written[0].Removed > 0
			wrote = wrote || op.GetPut() != nil || result.Deleted
			written = written[1:]
		}
		results = append(results, result)
	}
	return results, wrote
}

// compareOf is a comparison of numbers in the store's terms.
func compareOf(namespace string, c *towpathv1.Comparison) election.Compare {
	return election.Compare{Key: keyAt(namespace, c.Key), Field: fields[c.Field], Relation: relations[c.Relation], Number: c.Number}
}

var fields = map[towpathv1.Comparison_Field]election.Field{
	towpathv1.Comparison_FIELD_CREATED:  election.Created,
	towpathv1.Comparison_FIELD_MODIFIED: election.Modified,
	towpathv1.Comparison_FIELD_VERSION:  election.Version,
}

var relations = map[towpathv1.Comparison_Relation]election.Relation{
	towpathv1.Comparison_RELATION_UNSPECIFIED: election.Equal,
	towpathv1.Comparison_RELATION_NOT_EQUAL:   election.NotEqual,
	towpathv1.Comparison_RELATION_LESS:        election.Less,
	towpathv1.Comparison_RELATION_GREATER:     election.Greater,
}
