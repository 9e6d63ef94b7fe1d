//go:build !solo

// A control node that keeps signed snapshots of what shall run: tow serve --snapshot-key.

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"towpath.dev/election"
	"towpath.dev/internal/control/deploy"
	"towpath.dev/internal/control/fleet"
	"towpath.dev/internal/control/mirror"
	"towpath.dev/internal/control/release"
)

const (
	// snapshotEvery is how old the last snapshot may be, though nothing has changed.
	snapshotEvery = 10 * time.Minute
	// snapshotLook is how often it is looked whether one is due, and snapshotGather how long
	// changes are gathered: a deployment that ends changes many intents.
	snapshotLook   = time.Minute
	snapshotGather = time.Second
	// snapshotKept is for how long old ones are kept: nodes can be told to start from one.
	snapshotKept = 7 * 24 * time.Hour
)

// readSnapshotKey reads the file of --snapshot-key.
func (p *controlPlane) readSnapshotKey() (err error) {
	switch {
	case p.snapshotKey == "":
		return nil
	case p.objects == "":
		return usage{errors.New("snapshots are for nodes that reach no control node: name with --objects a store that they reach"), "tow serve"}
	}
	p.snapshotSigner, err = release.ReadKey(p.snapshotKey)
	return err
}

// snapshots keeps snapshots in the store of objects. Every control node with a key does: each
// looks what there is first, and writes nothing that the newest one says already. So nobody
// has to be elected for it, and two that write at once do no harm.
type snapshots struct {
	*opened
	store   election.Store
	objects *release.Objects
	signer  *release.Signer
	last    map[string]*release.Snapshot // by environment: as this node knows
	failed  string                       // what was logged last
}

// keepSnapshots keeps them until the context ends.
func (p *opened) keepSnapshots(ctx context.Context, store election.Store, objects *release.Objects) {
	if p.snapshotSigner == nil {
		return
	}
	s := &snapshots{opened: p, store: store, objects: objects, signer: p.snapshotSigner, last: map[string]*release.Snapshot{}}
	changed := make(chan struct{}, 1)
	var following sync.WaitGroup
	defer following.Wait()
	for _, prefix := range []string{fleet.IntentPrefix, deploy.PolicyKey} {
		following.Go(func() {
			mirror.Follow(ctx, store, prefix, func(mirror.Update) {
				select {
				case changed <- struct{}{}:
				default:
				}
			})
		})
	}
	timer, gathering := time.NewTimer(snapshotLook), false
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-changed:
			if !gathering {
				gathering = true
				timer.Reset(snapshotGather)
			}
		case <-timer.C:
			gathering = false
			if err := s.look(ctx, time.Now()); err != nil && ctx.Err() == nil && s.failed != err.Error() {
				s.failed = err.Error()
				p.log.Error("no snapshot can be kept now, and nodes may not be able to start in an outage", "error", err)
			} else if err == nil {
				s.failed = ""
			}
			timer.Reset(snapshotLook)
		}
	}
}

// look writes the snapshots that are due.
func (s *snapshots) look(ctx context.Context, now time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, snapshotLook)
	defer cancel()
	if _, waits, err := election.Pending(ctx, s.store, ""); err != nil || waits {
		return err // what a restored store says is for a person to see first
	}
	now = now.UTC().Truncate(time.Second) // before what is read: it is not newer than it says
	desired, signed, err := s.desired(ctx)
	if err != nil {
		return err
	}
	var policy *release.Policy
	if signed != nil {
		if policy, err = release.ReadPolicy(signed); err != nil {
			return err
		}
	}
	var failed []error
	for _, environment := range slices.Sorted(maps.Keys(desired)) {
		next := &release.Snapshot{Environment: environment, Time: now, Desired: desired[environment], Policy: signed}
		if err := s.keep(ctx, next, policy); err != nil {
			failed = append(failed, fmt.Errorf("the environment %s: %w", environment, err))
		}
	}
	return errors.Join(failed...)
}

// desired is what shall run, by environment, and the trust policy, as they were at one time.
func (s *snapshots) desired(ctx context.Context) (map[string][]release.Desired, []byte, error) {
	r, err := s.store.Txn(ctx, election.Txn{Then: []election.Op{election.Get(election.Prefix(fleet.IntentPrefix)), election.Get(election.Key(deploy.PolicyKey))}})
	if err != nil {
		return nil, nil, err
	}
	all := map[string][]release.Desired{}
	for _, e := range r.Outcomes[0].Entries {
		environment, cell, program, ok := fleet.ParseIntentKey(e.Key)
		i, err := fleet.DecodeIntent(e.Key, e.Value)
		if ok && err == nil && i.Release != "" && release.CheckCell(cell) == nil {
			all[environment] = append(all[environment], release.Desired{Cell: cell, Program: program, Release: i.Release})
		}
	}
	for _, desired := range all { // as a signed snapshot has it, which is not the order of keys
		slices.SortFunc(desired, func(a, b release.Desired) int {
			return cmp.Or(strings.Compare(a.Cell, b.Cell), strings.Compare(a.Program, b.Program))
		})
	}
	if policy := r.Outcomes[1].Entries; len(policy) > 0 {
		return all, policy[0].Value, nil
	}
	return all, nil, nil
}

// keep writes a snapshot unless the newest one is as good.
func (s *snapshots) keep(ctx context.Context, next *release.Snapshot, policy *release.Policy) error {
	if current(s.last[next.Environment], next) {
		return nil
	}
	// Another control node may have been faster; and what was admitted before is in the last one.
	before, _, err := s.objects.Snapshot(ctx, release.Trust{
		Environment: next.Environment, Policy: policy, Keys: []release.PublicKey{s.signer.Public()}, Now: next.Time, MaxAge: snapshotKept,
	})
	if err != nil {
		s.log.Debug("there is no snapshot before this one", "environment", next.Environment, "error", err)
		before = nil
	}
	if current(before, next) {
		s.last[next.Environment] = before
		return nil
	}
	next.Admitted = s.admitted(ctx, next, before, policy)
	e, err := release.SignSnapshot(next, s.signer)
	if err != nil {
		return err
	}
	if err := s.objects.PutSnapshot(ctx, e); err != nil {
		return err
	}
	// The next look reads it: where another was written in the same second, that one stands.
	return s.objects.PruneSnapshots(ctx, next.Environment, next.Time.Add(-snapshotKept))
}

// current reports whether a snapshot says the same as another, and is not old.
func current(is, next *release.Snapshot) bool {
	return is != nil && next.Time.Sub(is.Time) < snapshotEvery && reflect.DeepEqual(is.Desired, next.Desired) && string(is.Policy) == string(next.Policy)
}

// admitted is by which keys the desired releases were let in: now, and before, by keys that
// are retired meanwhile.
func (s *snapshots) admitted(ctx context.Context, next, before *release.Snapshot, policy *release.Policy) release.Admitted {
	if policy == nil {
		return nil
	}
	var all release.Admitted
	if before != nil {
		all = before.Admitted
	}
	noted, err := (&deploy.Service{Store: s.store}).Admitted(ctx, next.Environment)
	if err != nil {
		s.log.Warn("what was admitted before keys were retired is not known now", "environment", next.Environment, "error", err)
	}
	all = all.With(noted...)
	var desired []release.Digest
	for _, d := range next.Desired {
		if slices.Contains(desired, d.Release) {
			continue
		}
		desired = append(desired, d.Release)
		r, signatures, err := s.document(ctx, d.Release)
		if err != nil { // nodes find out for themselves
			s.log.Warn("whether a release is trusted is not known now", "release", d.Release.Short(), "error", err)
			continue
		}
		if more, err := policy.Verify(signatures, r, all, next.Time); err == nil {
			all = all.With(more...)
		} // else nodes refuse it, and say why
	}
	return all.Of(desired...)
}

// document is a release's document, and its signatures.
func (s *snapshots) document(ctx context.Context, d release.Digest) (*release.Release, []*release.Envelope, error) {
	text, err := s.objects.Object(ctx, release.KindRelease, d)
	if err != nil {
		return nil, nil, err
	}
	r, err := release.Decode(text)
	if err != nil {
		return nil, nil, err
	}
	signatures, err := s.objects.Signatures(ctx, d)
	return r, signatures, err
}
