//go:build !solo

// A node that starts for the first time while no control node answers: tow serve --role
// responder with --objects, and --trust-roots or --snapshot-key.

package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"connectrpc.com/connect"

	"towpath.dev/api/towpathv1"
	"towpath.dev/internal/blob"
	"towpath.dev/internal/control/fleet"
	"towpath.dev/internal/control/release"
)

// outage is what a node has when it has no control node.
type outage struct {
	log     *slog.Logger
	objects *release.Objects    // nil: no store was named
	roots   []release.PublicKey // whose policies it believes
	keys    []release.PublicKey // whose snapshots
}

// outage reads what the flags name.
func (s *serving) outage() (*outage, error) {
	o := &outage{log: s.logger()}
	switch store, err := blob.Open(s.plane.objects, blob.Options{}); {
	case s.plane.objects == "" && s.plane.snapshotKey != "":
		return nil, usage{errors.New("--snapshot-key is for snapshots: name with --objects the store that they are in"), "tow serve"}
	case s.plane.objects == "":
	case err != nil:
		return nil, usage{fmt.Errorf("--objects: %w", err), "tow serve"}
	default:
		o.objects = release.NewObjects(store) // the agent tries again
	}
	for _, file := range s.trustRoots {
		key, err := release.ReadPublicKey(file)
		if err != nil {
			return nil, fmt.Errorf("--trust-roots: %w", err)
		}
		o.roots = append(o.roots, key)
	}
	if file := s.plane.snapshotKey; file != "" {
		key, err := release.ReadPublicKey(file)
		if err != nil {
			return nil, fmt.Errorf("--snapshot-key: %w", err)
		}
		o.keys = append(o.keys, key)
	}
	return o, nil
}

// trust is who has to have signed the first trust policy; nobody, where no root keys were given.
func (o *outage) trust() release.Roots {
	return release.Roots{Keys: o.roots, Threshold: len(o.roots)}
}

// policies gets the versions of a trust policy between two; nil where no store was named.
func (o *outage) policies() func(context.Context, *release.Policy, release.Roots) (*release.Policy, error) {
	if o.objects == nil {
		return nil
	}
	return o.objects.Policy
}

// sources are where releases can be had besides from control nodes.
func (o *outage) sources() []release.Source {
	if o.objects == nil {
		return nil
	}
	return []release.Source{bounded{o.objects}}
}

// bounded is a source that does not keep others from being asked when it hangs.
type bounded struct{ release.Source }

// objectTime bounds getting an object: the largest at 4 MiB a second.
const objectTime = time.Minute

func (b bounded) Object(ctx context.Context, kind release.Kind, digest release.Digest) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, objectTime)
	defer cancel()
	return b.Source.Object(ctx, kind, digest)
}

func (b bounded) Signatures(ctx context.Context, d release.Digest) ([]*release.Envelope, error) {
	ctx, cancel := context.WithTimeout(ctx, objectTime)
	defer cancel()
	return b.Source.Signatures(ctx, d)
}

const (
	reachTime    = 3 * time.Second  // for each control node to answer
	snapshotTime = 30 * time.Second // for the store of objects
)

// begin gives a node that knows nothing what a snapshot says, when no control node can tell
// it. The error is why it cannot.
func (o *outage) begin(ctx context.Context, link *fleetLink, stock *fleet.Stock, keeper fleet.Keeper, cell string) error {
	memory, err := keeper.Load()
	if err != nil || !memory.New() {
		return err
	}
	away := link.reach(ctx)
	if away == nil {
		return nil
	}
	if o.objects == nil {
		return fmt.Errorf("no control node can be reached (%w), and it was given no --objects to begin from", away)
	}
	asking, cancel := context.WithTimeout(ctx, snapshotTime)
	defer cancel()
	snapshot, policy, err := o.snapshot(asking, stock.Environment)
	if err == nil {
		memory, err = fleet.FromSnapshot(snapshot, policy, cell)
	}
	if err == nil {
		_, err = stock.Believe(snapshot.Admitted)
	}
	if err == nil {
		err = keeper.Save(memory)
	}
	if err != nil {
		return fmt.Errorf("no control node can be reached (%w): %w", away, err)
	}
	o.log.Warn("no control node can be reached: the node begins with what a snapshot says", "of", snapshot.Time.Format(time.RFC3339), "cell", cell, "programs", len(memory.Intents), "error", away)
	return nil
}

// snapshot is the newest good one. Where root keys have been replaced, the policies between
// tell how.
func (o *outage) snapshot(ctx context.Context, environment string) (*release.Snapshot, *release.Policy, error) {
	t := release.Trust{Environment: environment, Keys: o.keys, Now: time.Now().UTC()}
	if len(o.roots) > 0 {
		t.Roots = o.trust()
		var err error
		if t.Policy, err = o.objects.Policy(ctx, nil, t.Roots); err != nil { // the keys may be of a later one
			o.log.Debug("not all trust policies follow from the root keys", "error", err)
		}
	}
	return o.objects.Snapshot(ctx, t)
}

// reach asks one control node after the other for something that it needs its store for. Nil
// is that one has answered, a refusal too.
func (l *fleetLink) reach(ctx context.Context) error {
	all, err := l.clients()
	for _, c := range all {
		asking, cancel := context.WithTimeout(ctx, reachTime)
		_, err = c.Deploy.GetPolicy(asking, &towpathv1.GetPolicyRequest{})
		cancel()
		switch connect.CodeOf(err) {
		case connect.CodeUnavailable, connect.CodeDeadlineExceeded:
		default:
			return nil
		}
	}
	return err
}
