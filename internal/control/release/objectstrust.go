// Policies and snapshots in a store of blobs.

package release

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"towpath.dev/internal/blob"
)

// policiesAt is the prefix of the names of policies, which have the order of their versions.
const policiesAt = "policies/"

func policyName(version int64) string { return fmt.Sprintf(policiesAt+"%012d", version) }

// PutPolicy keeps a signed policy. There is one of each version: who comes second with
// another is refused.
func (o *Objects) PutPolicy(ctx context.Context, p *Policy) error {
	if p.Envelope() == nil {
		return errors.New("a trust policy: it is not signed")
	}
	data, err := p.envelope.Encode()
	if err != nil {
		return err
	}
	name := policyName(p.Version)
	err = o.store.Create(ctx, name, data, blob.Standard)
	if !errors.Is(err, blob.ErrExists) {
		return err
	}
	have, err := o.store.Get(ctx, name)
	if err != nil {
		return err
	}
	before, err := ReadPolicy(have)
	if err != nil {
		return fmt.Errorf("%s: %s: %w; delete it", o, name, err)
	}
	_, err = before.Next(data)
	return err
}

// Policy is the last policy that follows from the one that is known, version by version: so
// root keys can have been replaced more than once meanwhile. From nil, root keys are what is
// known. What does not follow ends the way: the policy is then the last that does, and the error
// says why there is none behind it.
func (o *Objects) Policy(ctx context.Context, known *Policy, roots Roots) (*Policy, error) {
	after := ""
	if known != nil {
		after = policyName(known.Version)
	}
	for info, err := range o.store.List(ctx, policiesAt, after) {
		if err != nil {
			return known, err
		}
		data, err := o.store.Get(ctx, info.Name)
		if err != nil {
			return known, err
		}
		next, err := known.follow(data, roots)
		if err != nil {
			return known, fmt.Errorf("%s: %s: %w", o, info.Name, err)
		}
		known = next
	}
	return known, nil
}

func (p *Policy) follow(data []byte, roots Roots) (*Policy, error) {
	if p == nil && len(roots.Keys) > 0 {
		return roots.First(data)
	}
	return p.Next(data)
}

// snapshotsAt is the prefix of the names of an environment's snapshots, which have the
// order of their times.
func snapshotsAt(environment string) string { return "snapshots/" + environment + "/" }

func snapshotName(environment string, at time.Time) string {
	return snapshotsAt(environment) + strings.ToLower(at.UTC().Format("20060102T150405Z"))
}

// PutSnapshot keeps a signed snapshot. Where there is one of the same second, it is as good.
func (o *Objects) PutSnapshot(ctx context.Context, e *Envelope) error {
	s := new(Snapshot)
	if err := decode("a snapshot", e.Payload, MaxSnapshot, s); err != nil {
		return err
	}
	data, err := e.Encode()
	if err != nil {
		return err
	}
	err = o.store.Create(ctx, snapshotName(s.Environment, s.Time), data, blob.Standard)
	if errors.Is(err, blob.ErrExists) {
		return nil
	}
	return err
}

// triedSnapshots is how many are looked at, from the newest on, for one that is good.
const triedSnapshots = 5

// Snapshot is the newest good snapshot of an environment, and the policy in force. The
// error says of those that were looked at what is wrong with them.
func (o *Objects) Snapshot(ctx context.Context, t Trust) (*Snapshot, *Policy, error) {
	if err := CheckEnvironment(t.Environment); err != nil {
		return nil, nil, err
	}
	age := t.MaxAge
	if age <= 0 {
		age = SnapshotAge
	}
	var names []string
	for info, err := range o.store.List(ctx, snapshotsAt(t.Environment), snapshotName(t.Environment, t.Now.Add(-age-time.Second))) {
		if err != nil {
			return nil, nil, err
		}
		if names = append(names, info.Name); len(names) > triedSnapshots {
			names = names[1:]
		}
	}
	var wrong []error
	for i := len(names) - 1; i >= 0; i-- {
		data, err := o.store.Get(ctx, names[i])
		if err == nil {
			var s *Snapshot
			var p *Policy
			if s, p, err = OpenSnapshot(data, t); err == nil {
				return s, p, nil
			}
		}
		wrong = append(wrong, fmt.Errorf("%s: %s: %w", o, names[i], err))
	}
	if len(wrong) == 0 {
		wrong = []error{fmt.Errorf("%s: %w", o, blob.ErrNotFound)}
	}
	return nil, nil, fmt.Errorf("there is no good snapshot of %s of the last %s: %w", t.Environment, age, errors.Join(wrong...))
}

// PruneSnapshots deletes an environment's snapshots from before a time, but for the newest of
// all.
func (o *Objects) PruneSnapshots(ctx context.Context, environment string, before time.Time) error {
	var old []string
	end := snapshotName(environment, before)
	newest := ""
	for info, err := range o.store.List(ctx, snapshotsAt(environment), "") {
		if err != nil {
			return err
		}
		if info.Name < end {
			old = append(old, info.Name)
		}
		newest = info.Name
	}
	for _, name := range old {
		if name == newest {
			continue
		}
		if err := o.store.Delete(ctx, name); err != nil {
			return err
		}
	}
	return nil
}
