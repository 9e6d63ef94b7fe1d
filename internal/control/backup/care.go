package backup

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"time"

	"towpath.dev/internal/blob"
	"towpath.dev/internal/control/backup/catalog"
	"towpath.dev/internal/control/backup/segment"
)

const (
	// careAt is when care comes after each whole hour: once the hour's objects may be merged.
	careAt = 11 * time.Minute
	// verifyEvery is how often a backup is restored and compared.
	verifyEvery = 24 * time.Hour
)

// care makes bases, merges, thins, deletes and verifies, beside the log and never in its
// way.
func (u *Uploader) care(ctx context.Context) error {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	var wanted string // why a base is, "" if none is
	var wait backoff
	for {
		now := u.o.Now()
		next := now.Truncate(time.Hour).Add(careAt)
		if !next.After(now) {
			next = next.Add(time.Hour)
		}
		timer.Reset(next.Sub(now))
		select {
		case wanted = <-u.rebase:
		case <-u.look:
			wanted = u.due(ctx)
		case <-timer.C:
			if err := u.Care(ctx); err != nil && ctx.Err() == nil {
				u.alarm(alarmCare, err.Error())
			}
		case <-ctx.Done():
			return ctx.Err()
		}
		for wanted != "" {
			err := u.base(ctx, wanted)
			if err == nil {
				wanted, wait = "", backoff{}
				break
			}
			if ctx.Err() == nil {
				u.alarm(alarmBase, err.Error())
			}
			if err := wait.sleep(ctx); err != nil {
				return err
			}
		}
	}
}

// due is why a base is due, "" if none is: the uploader before may have died before it made
// one.
func (u *Uploader) due(ctx context.Context) string {
	c, err := u.shelf.load(ctx)
	if err != nil {
		if ctx.Err() == nil {
			u.o.Log.Warn("backup: whether a base is due is not known", "cluster", u.o.Cluster, "error", err)
		}
		return ""
	}
	u.useNewest(ctx, c)
	if is, why := c.BaseDue(u.o.Keep, u.o.Now()); is {
		return why
	}
	return ""
}

// Care does once what is due: a base, merging, thinning, deleting, verifying.
func (u *Uploader) Care(ctx context.Context) error {
	c, err := u.shelf.load(ctx)
	if err != nil {
		return err
	}
	if due, why := c.BaseDue(u.o.Keep, u.o.Now()); due {
		if err := u.base(ctx, why); err != nil {
			return err
		}
	} else if changed, err := u.authChanged(ctx, c); err != nil {
		u.o.Log.Warn("backup: whether users and roles have changed is not known", "cluster", u.o.Cluster, "error", err)
	} else if changed {
		if err := u.base(ctx, "users or roles have changed, which the log does not have"); err != nil {
			return err
		}
	}
	if err := u.tidy(ctx, c); err != nil {
		return err
	}
	if c, err = u.shelf.load(ctx); err != nil {
		return err
	}
	u.note(c)
	u.setSpare(c)
	u.useNewest(ctx, c)
	return u.verifyDue(ctx, c)
}

// tidy does what a catalog's plan says.
func (u *Uploader) tidy(ctx context.Context, c catalog.Catalog) error {
	plan := c.Plan(u.o.Keep, u.o.Now())
	rewrites := append(plan.Merge, plan.Thin...)
	if len(rewrites) > 0 && !u.readable() {
		u.alarm(alarmUnchecked, "what is encrypted is not merged, thinned or verified, as there is no identity to read it with: name that of a recipient of its own with --identity")
		rewrites = nil
	}
	for _, r := range rewrites {
		if err := u.rewrite(ctx, r); err != nil {
			return fmt.Errorf("making log/%s of the revisions %d to %d: %w", r.Level, r.First, r.Last, err)
		}
		u.o.Log.Debug("backup: rewritten", "cluster", u.o.Cluster, "level", r.Level, "first", r.First, "last", r.Last, "because", r.Reason)
	}
	for _, d := range plan.Delete {
		if err := u.remove(ctx, d); err != nil {
			return err
		}
	}
	return nil
}

// readable says whether what is written can be read here.
func (u *Uploader) readable() bool { return len(u.o.Recipients) == 0 || len(u.o.Identities) > 0 }

// class is the one in which an object costs least that lives for a while, and is read once in
// it: when it is verified. See [cost.Sheet.Class].
func (u *Uploader) class(size int64, life time.Duration) blob.Class {
	return u.prices.Class(size, life, 1)
}

// remove deletes what a plan says.
func (u *Uploader) remove(ctx context.Context, d catalog.Deletion) error {
	switch {
	case d.Log != nil && u.shelf.packedAlone(u.shelf.place.log(d.Log.Level, d.Log.Start)):
		return nil // the pack is deleted when nothing in it is needed
	case d.Log != nil:
		return u.o.Store.Delete(ctx, u.shelf.place.log(d.Log.Level, d.Log.Start))
	case d.Orphan != nil:
		return u.o.Store.Delete(ctx, d.Orphan.Name)
	case d.Dictionary != nil:
		return u.o.Store.Delete(ctx, u.shelf.place.dictionary(d.Dictionary.Name))
	}
	// The manifest first: what is left of a base without one is orphans.
	m, err := u.shelf.manifest(ctx, d.Base.Revision)
	if err != nil {
		return err
	}
	if err := u.o.Store.Delete(ctx, u.shelf.place.manifest(m.Revision)); err != nil {
		return err
	}
	for _, c := range m.Chunks {
		if err := u.o.Store.Delete(ctx, u.shelf.place.chunk(m.Revision, c.SHA256)); err != nil {
			return err
		}
	}
	return nil
}

// MakeBase makes a base now.
func (u *Uploader) MakeBase(ctx context.Context, reason string) (Manifest, error) {
	scratch, err := os.MkdirTemp(u.o.Scratch, "towpath-base-*")
	if err != nil {
		return Manifest{}, fmt.Errorf("a folder for a snapshot: %w; name one with --scratch", err)
	}
	b := &baser{
		place: u.shelf.place, store: u.o.Store, segments: u.segments(), scratch: scratch,
		client: u.o.Source.Client, dial: u.o.Source.Dial, same: u.same, now: u.o.Now,
		class: func(size int64) blob.Class { return u.class(size, u.o.Keep.Reach()) },
	}
	begun := time.Now()
	m, err := b.take(ctx)
	if err = errors.Join(err, os.RemoveAll(scratch)); err != nil {
		return m, fmt.Errorf("no base: %w", err)
	}
	u.o.Log.Info("backup: a base", "cluster", u.o.Cluster, "because", reason, "revision", m.Revision, "bytes", m.Size, "took", time.Since(begun).Round(time.Millisecond))
	u.based()
	if err := u.makeDictionary(ctx, b.sample); err != nil {
		u.lessWell(err)
	}
	return m, nil
}

func (u *Uploader) base(ctx context.Context, reason string) error {
	_, err := u.MakeBase(ctx, reason)
	return err
}

// authChanged says whether users and roles are other than in the newest base.
func (u *Uploader) authChanged(ctx context.Context, c catalog.Catalog) (bool, error) {
	var newest int64
	for _, b := range c.Bases {
		newest = max(newest, b.Revision)
	}
	m, err := u.shelf.manifest(ctx, newest)
	if err != nil {
		return false, err
	}
	asking, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	status, err := u.o.Source.Client.AuthStatus(asking)
	if err != nil {
		return false, err
	}
	return status.AuthRevision != m.AuthRevision, nil
}

// note says what there is, as metrics and alarms.
func (u *Uploader) note(c catalog.Catalog) {
	var newest catalog.Base
	for _, b := range c.Bases {
		if b.Revision >= newest.Revision {
			newest = b
		}
	}
	spans := c.Restorable()
	if len(spans) == 0 {
		return
	}
	gaps := c.Gaps()
	if err := c.LostError(0, math.MaxInt64); err != nil {
		u.alarm(alarmCare, fmt.Sprintf("of the log %d objects are lost: %v", len(c.Lost), err))
	}
	u.gauge.catalog(newest.Time, knownBy(c, spans[0].First), len(gaps))
}

// setSpare notes which minutes are not needed any more, for who keeps them in packs.
func (u *Uploader) setSpare(c catalog.Catalog) {
	spare := map[string]int64{}
	for _, d := range c.Plan(u.o.Keep, u.o.Now()).Delete {
		if d.Log != nil && d.Log.Level == catalog.Minute {
			spare[u.shelf.place.log(d.Log.Level, d.Log.Start)] = d.Log.End
		}
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.spare = spare
}

// isSpare says whether a minute was not needed any more when care came last. What has come since
// then is.
func (u *Uploader) isSpare(h segment.Header) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	end, spare := u.spare[u.shelf.place.log(catalog.Minute, h.Start)]
	return spare && h.End <= end
}
