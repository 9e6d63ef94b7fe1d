package deploy

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"towpath.dev/election"
	"towpath.dev/internal/blob"
	"towpath.dev/internal/control/fleet"
	"towpath.dev/internal/control/release"
)

// admittedPrefix begins the keys of what was admitted, by environment, before its key was retired.
// It does not begin with the policy's own key: earlier versions take all below that for the policy.
const admittedPrefix = fleet.Prefix + "admitted/"

func admittedKey(environment string) string { return admittedPrefix + environment }

// Admitted is what was admitted in an environment by keys that are retired, of what may run there.
func (s *Service) Admitted(ctx context.Context, environment string) (release.Admitted, error) {
	page, err := s.Store.Range(ctx, election.Span{Keys: election.Key(admittedKey(environment))})
	if err != nil || len(page.Entries) == 0 {
		return nil, err
	}
	return release.DecodeAdmitted(page.Entries[0].Value)
}

// A Leaning is a release that runs, or may be gone back to, and that a trust policy does not let run
// by what its signatures are worth now.
type Leaning struct {
	Environment, Program string
	Release              release.Digest
	Keys                 []string // the names of those that it was let in by, and that are retired
	Refused              string   // why it does not start any more; "": it does
}

// leaning is what leans on keys that the next policy retires, and the writes that note it: only who
// knows the policy before can say what was let in by that.
func (s *Service) leaning(ctx context.Context, objects *release.Objects, now, next *release.Policy) ([]Leaning, []election.Op, error) {
	wanted, before, err := s.wanted(ctx)
	if err != nil {
		return nil, nil, err
	}
	var all []Leaning
	var writes []election.Op
	at := s.now()
	for _, environment := range slices.Sorted(maps.Keys(wanted)) {
		var noted release.Admitted
		for _, d := range wanted[environment] {
			l, admitted, err := leans(ctx, objects, now, next, before[environment].Of(d), d, at)
			switch {
			case errors.Is(err, blob.ErrNotFound), errors.Is(err, release.ErrDamaged), errors.Is(err, release.ErrMalformed):
				continue // no node gets it
			case err != nil && retires(now, next):
				return nil, nil, fmt.Errorf("%w (which running releases lean on the keys that the policy retires; or leave these active in it: %w)", ErrObjects, err)
			case err != nil: // a key that is revoked does not wait for that
				admitted = before[environment].Of(d)
			case l != nil:
				l.Environment = environment
				all = append(all, *l)
			}
			noted = noted.With(admitted...)
		}
		if len(noted) > 0 {
			writes = append(writes, election.Put(admittedKey(environment), noted.Encode(), 0))
		} else if len(before[environment]) > 0 {
			writes = append(writes, election.Delete(election.Key(admittedKey(environment))))
		}
	}
	return all, writes, nil
}

// leans says of a release whether it leans on retired keys, and which admissions let it run then.
func leans(ctx context.Context, objects *release.Objects, now, next *release.Policy, before release.Admitted, d release.Digest, at time.Time) (*Leaning, release.Admitted, error) {
	r, err := objects.Release(ctx, d)
	if err != nil {
		return nil, nil, err
	}
	signatures, err := objects.Signatures(ctx, d)
	if err != nil {
		return nil, nil, err
	}
	_, err = next.Verify(signatures, r, nil, at)
	if err == nil {
		return nil, nil, nil // as it is
	}
	l := &Leaning{Program: r.Program, Release: d, Refused: err.Error()}
	more, err := now.Verify(signatures, r, before, at)
	if err != nil {
		return l, nil, nil
	}
	admitted := before.With(more...)
	if _, err = next.Verify(signatures, r, admitted, at); err != nil {
		l.Refused = err.Error()
		return l, nil, nil
	}
	l.Refused = ""
	for _, k := range next.Keys {
		if k.Status == release.Retired && admitted.Has(d, k.Key.ID()) {
			l.Keys = append(l.Keys, k.Name)
		}
	}
	return l, admitted, nil
}

// retires reports whether the next policy retires a key that is active now.
func retires(now, next *release.Policy) bool {
	return now != nil && slices.ContainsFunc(next.Keys, func(k release.Key) bool {
		return k.Status == release.Retired && slices.ContainsFunc(now.Keys, func(was release.Key) bool {
			return was.Key.ID() == k.Key.ID() && was.Status == release.Active
		})
	})
}

// wanted are the releases that run, that may be gone back to, or whose deployments were asked for,
// by environment; and what was noted as admitted.
func (s *Service) wanted(ctx context.Context) (map[string][]release.Digest, map[string]release.Admitted, error) {
	wanted, before := map[string][]release.Digest{}, map[string]release.Admitted{}
	want := func(environment string, all ...release.Digest) {
		if _, known := wanted[environment]; !known {
			wanted[environment] = nil
		}
		for _, d := range all {
			if d != "" && !slices.Contains(wanted[environment], d) {
				wanted[environment] = append(wanted[environment], d)
			}
		}
	}
	r, err := s.Store.Txn(ctx, election.Txn{Then: []election.Op{
		election.Get(election.Prefix(fleet.IntentPrefix)), election.Get(election.Prefix(headPrefix)), election.Get(election.Prefix(admittedPrefix)),
	}})
	if err != nil {
		return nil, nil, err
	}
	for _, e := range r.Outcomes[0].Entries {
		environment, _, _, ok := fleet.ParseIntentKey(e.Key)
		if i, err := fleet.DecodeIntent(e.Key, e.Value); ok && err == nil {
			want(environment, i.Release, i.Candidate)
		}
	}
	for _, e := range r.Outcomes[1].Entries {
		environment, _, _ := strings.Cut(strings.TrimPrefix(e.Key, headPrefix), "/")
		h, err := decode[Head](e.Key, e.Value)
		if err != nil {
			return nil, nil, err
		}
		want(environment, h.Current, h.Previous)
		for _, id := range append([]string{h.Active}, h.Queue...) {
			p, err := s.asked(ctx, id)
			if err != nil {
				return nil, nil, err
			}
			want(environment, p)
		}
	}
	for _, e := range r.Outcomes[2].Entries {
		environment := strings.TrimPrefix(e.Key, admittedPrefix)
		want(environment) // is looked at, as what is noted for nothing is deleted
		// What is damaged is written anew.
		before[environment], _ = release.DecodeAdmitted(e.Value)
	}
	return wanted, before, nil
}

// asked is the release of a deployment that has not ended; "" is none.
func (s *Service) asked(ctx context.Context, id string) (release.Digest, error) {
	if id == "" {
		return "", nil
	}
	page, err := s.Store.Range(ctx, election.Span{Keys: election.Key(planKey(id))})
	if err != nil || len(page.Entries) == 0 {
		return "", err
	}
	p, err := decode[Plan](page.Entries[0].Key, page.Entries[0].Value)
	if err != nil {
		return "", err
	}
	return p.Release, nil
}
