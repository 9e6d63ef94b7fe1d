package backup

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"towpath.dev/internal/control/backup/catalog"
)

// A restore begins a generation, and what was kept before it is worth as much as before: it is kept
// by the same policy, up to the instant at which the next generation began to be kept.

// careForOlder tidies the generations before this one, once a day. Until there is a base in this
// one they stay as they are: of what it was restored to, only they have something.
func (u *Uploader) careForOlder(ctx context.Context, c catalog.Catalog) error {
	now := u.o.Now()
	own := u.shelf.place.generation
	if _, broken := c.Broken(); own == 0 || broken || len(c.Bases) == 0 || now.Sub(u.sawOlder) < verifyEvery-verifyEarly && !u.sawOlder.After(now) {
		return nil
	}
	latest, err := (&generations{u.o.Store, u.o.Cluster}).progress(ctx)
	if err != nil {
		return err
	}
	if latest.Number != own {
		return nil // it is one that is over itself
	}
	next, err := readIdentity(ctx, u.o.Store, u.shelf.place)
	if err != nil {
		return err
	}
	var faults []error
	for g := int64(own) - 1; g >= 0; g-- {
		older := u.olderOne(uint64(g))
		if err := older.careForEnded(ctx, next.From); err != nil {
			faults = append(faults, fmt.Errorf("generation %d: %w", g, err))
		}
		// One that was never kept ended with the one before it.
		before, err := readIdentity(ctx, u.o.Store, older.shelf.place)
		if err != nil {
			return errors.Join(append(faults, err)...)
		}
		if before.Etcd != "" {
			next = before
		}
	}
	if len(faults) == 0 {
		u.sawOlder = now
	}
	return errors.Join(faults...)
}

// careForEnded tidies a generation that ended at an instant, or later, if its cluster is kept still.
func (u *Uploader) careForEnded(ctx context.Context, ended time.Time) error {
	c, err := u.loadEnded(ctx, ended)
	if err != nil || len(c.Logs)+len(c.Bases)+len(c.Lost)+len(c.Damaged)+len(c.Orphans)+len(c.Dictionaries) == 0 {
		return err
	}
	at, may, err := u.storeTime(ctx, c)
	if err != nil {
		return err
	}
	err = u.tidy(ctx, c, at, may)
	if c, loading := u.loadEnded(ctx, ended); loading == nil {
		u.note(c)
		u.setSpare(ctx, c, at, may)
	}
	return err
}

func (u *Uploader) loadEnded(ctx context.Context, ended time.Time) (catalog.Catalog, error) {
	c, err := u.shelf.load(ctx)
	c.Ended = ended
	for _, b := range c.Bases {
		c.Ended = later(c.Ended, b.Time)
	}
	for _, l := range c.Logs {
		c.Ended = later(c.Ended, l.To)
	}
	return c, err
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// olderOne is what cares for a generation before this one. It remembers what it has read.
func (u *Uploader) olderOne(generation uint64) *Uploader {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.older[generation] == nil {
		if u.older == nil {
			u.older = map[uint64]*Uploader{}
		}
		u.older[generation] = &Uploader{o: u.o, etcd: u.etcd, shelf: newShelf(u.o.Store, place{u.o.Cluster, generation}), gauge: u.gauge, prices: u.prices}
	}
	return u.older[generation]
}

// olderOnes are those that care for generations before this one.
func (u *Uploader) olderOnes() []*Uploader {
	u.mu.Lock()
	defer u.mu.Unlock()
	return slices.Collect(maps.Values(u.older))
}
