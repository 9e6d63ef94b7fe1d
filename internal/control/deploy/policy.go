package deploy

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"towpath.dev/election"
	"towpath.dev/internal/control/fleet"
	"towpath.dev/internal/control/release"
)

// PolicyKey is where the trust policy in force is, signed.
const PolicyKey = fleet.Prefix + "policy"

// mostOps is how many writes are in one transaction, at most.
const mostOps = 100

// Policy is the trust policy in force; nil is none.
func (s *Service) Policy(ctx context.Context) ([]byte, error) {
	page, err := s.Store.Range(ctx, election.Span{Keys: election.Key(PolicyKey)})
	if err != nil || len(page.Entries) == 0 {
		return nil, err
	}
	return page.Entries[0].Value, nil
}

// SetPolicy puts a trust policy in force that follows from the one that is, and keeps it
// with the objects, so that nodes find each version. It notes which releases were admitted by keys
// that the policy retires, as nodes that have not run them would not know, and gives those.
func (s *Service) SetPolicy(ctx context.Context, objects *release.Objects, data []byte) ([]Leaning, error) {
	for range tries {
		page, err := s.Store.Range(ctx, election.Span{Keys: election.Key(PolicyKey)})
		if err != nil {
			return nil, err
		}
		var now *release.Policy
		at := int64(0)
		if len(page.Entries) > 0 {
			at = page.Entries[0].Modified
			if now, err = release.ReadPolicy(page.Entries[0].Value); err != nil {
				return nil, fmt.Errorf("%s in the store: %w", PolicyKey, err)
			}
		}
		next, err := now.Next(data)
		if err != nil {
			return nil, refuse("%v", err)
		}
		leaning, notes, err := s.leaning(ctx, objects, now, next)
		if err != nil {
			return nil, err
		}
		switch err := objects.PutPolicy(ctx, next); {
		case errors.Is(err, release.ErrTwoPolicies):
			return nil, refuse("%v", err)
		case err != nil:
			return nil, fmt.Errorf("%w (to keep the trust policy with them: %w)", ErrObjects, err)
		}
		// Noted first: who hears of the policy is to have heard of that.
		writes, done := append(slices.Collect(slices.Chunk(notes, mostOps)), []election.Op{election.Put(PolicyKey, data, 0)}), true
		for _, puts := range writes {
			r, err := s.Store.Txn(ctx, election.Txn{If: []election.Compare{unchanged(PolicyKey, at)}, Then: puts})
			if err != nil {
				return nil, err
			}
			done = done && r.OK
		}
		if done {
			return leaning, nil
		}
	}
	return nil, ErrBusy
}
