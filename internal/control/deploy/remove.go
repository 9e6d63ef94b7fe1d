package deploy

import (
	"context"
	"slices"

	"towpath.dev/election"
	"towpath.dev/internal/control/fleet"
	"towpath.dev/internal/control/release"
)

// Remove takes a program out of service: no cell is to run it any more. It gives the cells that were to. current
// is the release that runs as who asks has seen it: another one is refused, as is a program of which
// a deployment is under way or waits. What was deployed stays known, and it may be deployed again.
//
// The head is written first, so that no controller gives it to a cell anew; whoever asks again after a
// call that was cut off goes on where that ended.
func (s *Service) Remove(ctx context.Context, environment, program string, current release.Digest) ([]string, error) {
	if program == release.Tow {
		return nil, refuse("tow itself is no program that could be removed: \"tow deploy rollback\" takes an upgrade back")
	}
	key := headKey(environment, program)
	head, at, err := s.head(ctx, environment, program)
	if err != nil {
		return nil, err
	}
	cells, err := s.cellsOf(ctx, environment, program)
	switch {
	case err != nil:
		return nil, err
	case head.Active != "":
		return nil, refuse("%s is under way: wait until it has ended, or take it back with \"tow deploy rollback %s\"", head.Active, head.Active)
	case head.Current == "" && len(cells) == 0:
		return nil, refuse("nothing of a program %.80q runs in %s; \"tow deploy list --env %s\" shows which there are", program, environment, environment)
	case head.Current != current:
		return nil, refuse("%s of %s runs in %s by now, and not %s: look at it again", ranBy(program, head.Current), program, environment, ranBy(program, current))
	}
	head.Current, head.Previous = "", ""
	for rest := range slices.Chunk(append([]string{""}, cells...), mostIntents) {
		txn := election.Txn{If: []election.Compare{unchanged(key, at)}, Then: []election.Op{election.Put(key, encode(head), 0)}}
		for _, cell := range rest {
			if cell != "" { // which only has the head be written where there is no cell
				txn.Then = append(txn.Then, election.Delete(election.Key(fleet.IntentKey(environment, cell, program))))
			}
		}
		r, err := s.Store.Txn(ctx, txn)
		if err != nil {
			return nil, err
		}
		if !r.OK {
			return nil, ErrBusy
		}
		at = r.Revision
	}
	return cells, nil
}

// cellsOf are the cells that have an intent of a program, in order.
func (s *Service) cellsOf(ctx context.Context, environment, program string) ([]string, error) {
	page, err := s.Store.Range(ctx, election.Span{Keys: election.Prefix(fleet.IntentPrefix + environment + "/")})
	if err != nil {
		return nil, err
	}
	var all []string
	for _, e := range page.Entries {
		if _, cell, of, ok := fleet.ParseIntentKey(e.Key); ok && of == program {
			all = append(all, cell)
		}
	}
	slices.Sort(all)
	return all, nil
}
