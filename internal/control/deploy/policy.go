package deploy

import (
	"context"
	"errors"
	"fmt"

	"towpath.dev/election"
	"towpath.dev/internal/control/fleet"
	"towpath.dev/internal/control/release"
)

// PolicyKey is where the trust policy in force is, signed.
const PolicyKey = fleet.Prefix + "policy"

// Policy is the trust policy in force; nil is none.
func (s *Service) Policy(ctx context.Context) ([]byte, error) {
	page, err := s.Store.Range(ctx, election.Span{Keys: election.Key(PolicyKey)})
	if err != nil || len(page.Entries) == 0 {
		return nil, err
	}
	return page.Entries[0].Value, nil
}

// SetPolicy puts a trust policy in force that follows from the one that is, and keeps it
// with the objects, so that nodes find each version.
func (s *Service) SetPolicy(ctx context.Context, objects *release.Objects, data []byte) error {
	for range tries {
		page, err := s.Store.Range(ctx, election.Span{Keys: election.Key(PolicyKey)})
		if err != nil {
			return err
		}
		var now *release.Policy
		at := int64(0)
		if len(page.Entries) > 0 {
			at = page.Entries[0].Modified
			if now, err = release.ReadPolicy(page.Entries[0].Value); err != nil {
				return fmt.Errorf("%s in the store: %w", PolicyKey, err)
			}
		}
		next, err := now.Next(data)
		if err != nil {
			return refuse("%v", err)
		}
		switch err := objects.PutPolicy(ctx, next); {
		case errors.Is(err, release.ErrTwoPolicies):
			return refuse("%v", err)
		case err != nil:
			return fmt.Errorf("%w (to keep the trust policy with them: %w)", ErrObjects, err)
		}
		r, err := s.Store.Txn(ctx, election.Txn{If: []election.Compare{unchanged(PolicyKey, at)}, Then: []election.Op{election.Put(PolicyKey, data, 0)}})
		if err != nil || r.OK {
			return err
		}
	}
	return ErrBusy
}
