package backup

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"towpath.dev/election"
	"towpath.dev/internal/blob"
	"towpath.dev/internal/control/backup/segment"
)

// Generations is the registry of a cluster's restores beside its backups: outside the
// store, as it has to be. Objects are only ever created, so nothing in it goes back.
func Generations(store blob.Store, cluster string) election.Registry {
	return &generations{store, cluster}
}

type generations struct {
	store   blob.Store
	cluster string
}

// A claimRecord is what a generation's object holds.
type claimRecord struct {
	Claim   string       `json:"claim"`
	Anew    bool         `json:"anew,omitempty"` // see [Mend]
	Restore *restorePlan `json:"restore,omitempty"`
}

// A restorePlan is what all members of a cluster that is being restored have to do alike.
type restorePlan struct {
	From     uint64            `json:"from"` // the generation whose backup it is
	Revision int64             `json:"revision"`
	Bump     uint64            `json:"bump"`
	Members  map[string]string `json:"members"` // peer URLs by name, with commas between
	Begun    time.Time         `json:"begun"`
}

// record is a generation's, in which is who began it.
func (g *generations) record(n uint64) record {
	return record{g.store, claimsOf(g.cluster) + fmt.Sprintf("%020d", n), claimCopiesOf(g.cluster) + fmt.Sprintf("%020d", n)}
}

func (g *generations) Claim(ctx context.Context, generation uint64, claim string) (bool, error) {
	return g.claim(ctx, generation, claimRecord{Claim: claim})
}

func (g *generations) claim(ctx context.Context, generation uint64, record claimRecord) (bool, error) {
	err := g.record(generation).create(ctx, record)
	if !errors.Is(err, blob.ErrExists) {
		return err == nil, err
	}
	there, err := g.read(ctx, generation)
	return there.Claim == record.Claim, err
}

func (g *generations) read(ctx context.Context, generation uint64) (record claimRecord, err error) {
	err = g.record(generation).read(ctx, &record)
	return record, err
}

// Latest implements [election.Registry].
func (g *generations) Latest(ctx context.Context) (election.Generation, error) {
	latest, err := g.progress(ctx)
	if err != nil || latest.Number == 0 {
		return latest, err
	}
	record, err := g.read(ctx, latest.Number)
	if errors.Is(err, segment.ErrDamaged) {
		err = fmt.Errorf("%w; the control nodes of a cluster with --backup, and \"tow cluster resume\", write the copy anew when they start, of what the cluster itself has: delete what is at %s first, if anything is", err, g.record(latest.Number).copy)
	}
	latest.Claim = record.Claim
	return latest, err
}

// progress is the latest generation without its claim: what names alone say. A record that is lost counts
// by its copy.
func (g *generations) progress(ctx context.Context) (latest election.Generation, err error) {
	for info, err := range g.store.List(ctx, claimsOf(g.cluster), "") {
		if err != nil {
			return latest, err
		}
		n, err := number(info.Name, claimsOf(g.cluster))
		if err != nil {
			n, err = number(info.Name, claimCopiesOf(g.cluster))
		}
		if err == nil { // others are no claims
			latest.Number = max(latest.Number, uint64(n))
		}
	}
	latest.Mark, err = g.mark(ctx, latest.Number)
	return latest, err
}

// mark is the highest revision that was noted for a generation.
func (g *generations) mark(ctx context.Context, generation uint64) (highest int64, err error) {
	for info, err := range g.store.List(ctx, g.marks(generation), "") {
		if err != nil {
			return highest, err
		}
		if mark, err := number(info.Name, g.marks(generation)); err == nil {
			highest = max(highest, mark)
		}
	}
	return highest, nil
}

func (g *generations) marks(generation uint64) string {
	return marksOf(g.cluster) + strconv.FormatUint(generation, 10) + "/"
}

func (g *generations) Raise(ctx context.Context, generation uint64, revision int64) error {
	latest, err := g.progress(ctx)
	if err != nil || generation == latest.Number && revision <= latest.Mark {
		return err
	}
	err = g.store.Create(ctx, g.marks(generation)+fmt.Sprintf("%020d", revision), []byte{}, blob.Standard)
	if err != nil && !errors.Is(err, blob.ErrExists) {
		return err
	}
	// The new mark is there: the older one says nothing any more.
	if latest.Mark != 0 && generation == latest.Number {
		return g.store.Delete(ctx, g.marks(generation)+fmt.Sprintf("%020d", latest.Mark))
	}
	return nil
}

// restoredBy says which members have been restored into a generation.
func restoredBy(ctx context.Context, store blob.Store, at place) (map[string]bool, error) {
	members := map[string]bool{}
	for info, err := range store.List(ctx, at.restores(), "") {
		if err != nil {
			return nil, err
		}
		members[memberOf(strings.TrimPrefix(info.Name, at.restores()))] = true
	}
	return members, nil
}
