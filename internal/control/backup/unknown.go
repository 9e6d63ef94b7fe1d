package backup

import (
	"context"
	"errors"
	"fmt"
	"time"

	"towpath.dev/internal/blob"
	"towpath.dev/internal/control/backup/catalog"
	"towpath.dev/internal/control/backup/segment"
)

// An Unknown is a generation whose record nobody can read any more. What it says is derived, so that
// a restore goes on above all that there can have been.
type Unknown struct {
	Generation uint64
	Why        error
	Reached    int64 // the revision that it is supposed to have come to
}

// A course is what is known of a generation beside what it has kept.
type course struct {
	record  claimRecord
	reached int64 // the last revision that it is known, or has to be supposed, to have come to
	unknown error // why its record is not known
}

// courseOf reads a generation's record. Of one that cannot be read the number is in its name, and how far
// it came is in marks and in what was kept of it; or else it was begun above all generations before it,
// by as much as restores add.
func courseOf(ctx context.Context, g *generations, n uint64, c catalog.Catalog, bump uint64) (is course, err error) {
	is.record, err = g.read(ctx, n)
	switch {
	case errors.Is(err, segment.ErrDamaged):
		is.unknown = err
	case err == nil && is.record.Anew:
		is.unknown = fmt.Errorf("%s was damaged, and written anew by the cluster that was restored, which does not know what else it said", g.record(n).name)
	case err != nil && !errors.Is(err, blob.ErrNotFound): // the first one has none
		return is, err
	}
	mark, err := g.mark(ctx, n)
	if err != nil {
		return is, err
	}
	is.reached = max(mark, reachedBy(c, is.record))
	if is.unknown == nil {
		return is, nil
	}
	for older := range n {
		c, err := newShelf(g.store, place{g.cluster, older}).load(ctx)
		if err != nil {
			return is, err
		}
		before, err := courseOf(ctx, g, older, c, bump)
		if err != nil {
			return is, err
		}
		is.reached = max(is.reached, before.reached+int64(bump))
	}
	return is, nil
}

// mayLookBelow refuses to look for an instant in what was kept before a generation that nobody knows:
// until when it was the state that it was restored to, and which one, cannot be told.
func (r *Restore) mayLookBelow(n uint64, is course, at time.Time) error {
	if is.unknown == nil || at.IsZero() {
		return nil
	}
	return fmt.Errorf("what there was at %s cannot be told, as nothing says when generation %d of %s began, nor as of what: %w; name a revision with --revision: \"tow backup list\" says which there are",
		at.UTC().Format(time.RFC3339), n, r.o.Cluster, is.unknown)
}

// mayBegin refuses to begin a generation behind one of which nobody can say whether other members are
// being restored into it, until a person does with --again.
func (r *Restore) mayBegin(u Unknown) error {
	return fmt.Errorf("generation %d of %s has begun, and into which members cannot be told: %w; if they are being restored just now, put back a copy of it, so that the others join. Otherwise restore all members, the first one with --again: that begins generation %d, whose revisions are above %d, the last that generation %d is supposed to have come to, and whose fencing tokens are above all of before. It gives up the members that were restored into generation %d. If that restore was made with --bump, name no lower one",
		u.Generation, r.o.Cluster, u.Why, u.Generation+1, u.Reached, u.Generation, u.Generation)
}

// Mend writes the record of a generation anew that nobody can read, from what the store of a cluster
// says that was restored into it: only who claimed the generation has it there. It does nothing where
// the record can be read, or another generation is the latest.
func Mend(ctx context.Context, store blob.Store, cluster string, generation uint64, claim string) error {
	g := &generations{store, cluster}
	latest, err := g.progress(ctx)
	if err != nil || generation == 0 || generation != latest.Number {
		return err
	}
	if _, err = g.read(ctx, generation); !errors.Is(err, segment.ErrDamaged) {
		return err
	}
	text, sealing := sealRecord(claimRecord{Claim: claim, Anew: true})
	if sealing != nil {
		return sealing
	}
	r := g.record(generation)
	if err := store.Create(ctx, r.copy, text, blob.Standard); !errors.Is(err, blob.ErrExists) {
		return err
	}
	return fmt.Errorf("%w; delete %s, and start this again: it is written anew of what the cluster has", err, r.copy)
}
