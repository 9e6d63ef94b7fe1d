package backup

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"towpath.dev/internal/blob"
	"towpath.dev/internal/control/backup/catalog"
	"towpath.dev/internal/control/backup/segment"
)

const (
	// careAt is when care comes after each whole hour: once the hour's objects may be merged.
	careAt = 11 * time.Minute
	// verifyEvery is how often a backup is restored and compared. Care comes each hour, some
	// seconds sooner or later: with verifyEarly it does not come an hour late each time.
	verifyEvery = 24 * time.Hour
	verifyEarly = 30 * time.Minute
	// baseTime is for how long a base is waited for, which all other care waits for meanwhile: of
	// 100 GiB with 5 MiB a second.
	baseTime = 6 * time.Hour
)

// care makes bases, merges, thins, deletes and verifies, beside the log and never in its
// way. A base that cannot be made is tried again and again, and in nobody's way either.
func (u *Uploader) care(ctx context.Context) error {
	u.sweepScratch()
	hourly, retry := time.NewTimer(time.Hour), time.NewTimer(time.Hour)
	defer hourly.Stop()
	defer retry.Stop()
	var wanted string // why a base is, "" if none is
	var wait backoff
	for {
		now := u.o.Now()
		next := now.Truncate(time.Hour).Add(careAt)
		if !next.After(now) {
			next = next.Add(time.Hour)
		}
		hourly.Reset(next.Sub(now))
		select {
		case wanted = <-u.rebase:
		case <-u.look:
			wanted = cmp.Or(wanted, u.due(ctx))
		case <-hourly.C:
			if err := u.Care(ctx); err == nil {
				wanted = "" // a base that is due was made
			} else if ctx.Err() == nil {
				u.alarm(alarmCare, err.Error())
			}
			continue
		case <-retry.C:
		case <-ctx.Done():
			return ctx.Err()
		}
		if wanted == "" {
			continue
		}
		err := u.base(ctx, wanted)
		if err == nil {
			wanted, wait = "", backoff{}
			continue
		}
		if ctx.Err() == nil {
			u.alarm(alarmBase, err.Error())
		}
		retry.Reset(wait.longer())
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
	u.based(c)
	u.useNewest(ctx, c)
	if is, why := c.BaseDue(u.o.Keep, u.o.Now()); is {
		return why
	}
	return ""
}

// Care does once what is due: merging, thinning, deleting, verifying, and a base. One that
// what is there is worth little without comes first, and any other one last. Whatever fails, the
// rest is done.
func (u *Uploader) Care(ctx context.Context) error {
	c, err := u.shelf.load(ctx)
	if err != nil {
		return err
	}
	u.based(c)
	_, broken := c.Broken()
	first := broken || len(c.Bases) == 0
	var faults []error
	if first {
		faults = append(faults, u.baseDue(ctx, c))
	}
	at, may, err := u.storeTime(ctx, c)
	if err == nil {
		err = u.tidy(ctx, c, at, may)
	}
	faults = append(faults, err)
	if c, err = u.shelf.load(ctx); err != nil {
		return errors.Join(append(faults, err)...)
	}
	u.note(c)
	u.gauges(c)
	u.based(c)
	u.setSpare(ctx, c, at, may)
	u.useNewest(ctx, c)
	faults = append(faults, u.verifyDue(ctx, c))
	faults = append(faults, u.careForOlder(ctx, c))
	if !first {
		faults = append(faults, u.baseDue(ctx, c))
	}
	return errors.Join(faults...)
}

// baseDue makes a base, if one is due.
func (u *Uploader) baseDue(ctx context.Context, c catalog.Catalog) error {
	if due, why := c.BaseDue(u.o.Keep, u.o.Now()); due {
		return u.base(ctx, why)
	}
	why, err := u.readersDue(ctx, c)
	if err != nil {
		u.o.Log.Warn("backup: who can read the newest base is not known", "cluster", u.o.Cluster, "error", err)
	} else if why != "" {
		return u.base(ctx, why)
	}
	changed, err := u.authChanged(ctx, c)
	if err != nil {
		u.o.Log.Warn("backup: whether users and roles have changed is not known", "cluster", u.o.Cluster, "error", err)
		return nil
	}
	if changed {
		return u.base(ctx, "users or roles have changed, which the log does not have")
	}
	return nil
}

// tidy does what a catalog's plan of an instant says, deletions only if it may. What is damaged keeps
// nobody from the rest.
func (u *Uploader) tidy(ctx context.Context, c catalog.Catalog, at time.Time, may bool) error {
	plan := c.Plan(u.o.Keep, at)
	rewrites := append(plan.Merge, plan.Thin...)
	if len(rewrites) > 0 && !u.readable() {
		u.alarm(alarmUnchecked, "what is encrypted is not merged, thinned or verified, as there is no identity to read it with: name that of a recipient of its own with --identity")
		rewrites = nil
	}
	var faults []error
	for _, r := range rewrites {
		err := u.rewrite(ctx, r)
		if err == nil {
			u.o.Log.Debug("backup: rewritten", "cluster", u.o.Cluster, "level", r.Level, "first", r.First, "last", r.Last, "because", r.Reason)
			continue
		}
		faults = append(faults, fmt.Errorf("making log/%s of the revisions %d to %d: %w", r.Level, r.First, r.Last, err))
		if !isOwn(err) {
			return errors.Join(faults...)
		}
	}
	if !may {
		return errors.Join(faults...)
	}
	for _, d := range plan.Delete {
		permitted, err := u.permits(ctx, d)
		if err == nil && permitted {
			err = u.remove(ctx, d)
		}
		if err != nil {
			faults = append(faults, err)
		}
		if err != nil && !isOwn(err) {
			break
		}
	}
	return errors.Join(faults...)
}

// isOwn says whether what failed is about one object: damaged, gone, or of recipients of before. With
// others it may go well.
func isOwn(err error) bool {
	return isGone(err) || errors.Is(err, segment.ErrEncrypted) || errors.Is(err, segment.ErrWrongIdentity)
}

// permits says whether what others have may be deleted: once this process has read these others,
// whole. Without an identity it cannot.
func (u *Uploader) permits(ctx context.Context, d catalog.Deletion) (bool, error) {
	if len(d.By) > 0 && !u.readable() {
		return false, nil
	}
	sound, err := u.shelf.soundLogs(ctx, d.By, u.o.Identities)
	if sound && d.Behind != nil {
		sound, err = u.shelf.soundBase(ctx, *d.Behind)
	}
	if err != nil {
		err = fmt.Errorf("%s, and what else that has, is not deleted: %w", d, err)
	}
	return sound, err
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
		u.shelf.drop(u.shelf.place.log(d.Log.Level, d.Log.Start))
		return u.o.Store.Delete(ctx, u.shelf.place.log(d.Log.Level, d.Log.Start))
	case d.Orphan != nil:
		return u.o.Store.Delete(ctx, d.Orphan.Name)
	case d.Dictionary != nil:
		return u.o.Store.Delete(ctx, u.shelf.place.dictionary(d.Dictionary.Name))
	}
	// The manifest first: what is left of a base without one is orphans.
	folder := d.Base.Folder()
	m, err := u.shelf.manifest(ctx, folder)
	if err != nil {
		return err
	}
	if err := u.o.Store.Delete(ctx, u.shelf.place.manifest(folder)); err != nil {
		return err
	}
	for _, c := range m.Chunks {
		if err := u.o.Store.Delete(ctx, u.shelf.place.chunk(folder, c.SHA256)); err != nil {
			return err
		}
	}
	return nil
}

// MakeBase makes a base now.
func (u *Uploader) MakeBase(ctx context.Context, reason string) (Manifest, error) {
	scratch, remove, err := workFolder(u.o.Scratch, baseFolders)
	if err != nil {
		return Manifest{}, fmt.Errorf("a folder for a snapshot: %w; name one with --scratch", err)
	}
	b := &baser{
		place: u.shelf.place, store: u.o.Store, segments: u.segments(), scratch: scratch,
		client: u.o.Source.Client, dial: u.o.Source.Dial, same: u.same, now: u.o.Now,
		class: func(size int64) blob.Class { return u.class(size, u.o.Keep.Reach()) },
	}
	begun := time.Now()
	taking, cancel := context.WithTimeoutCause(ctx, baseTime, fmt.Errorf("it took longer than %s", baseTime))
	defer cancel()
	m, err := b.take(taking)
	if err != nil && ctx.Err() == nil && taking.Err() != nil {
		err = fmt.Errorf("%w: %w", context.Cause(taking), err)
	}
	if err = errors.Join(err, remove()); err != nil {
		return m, fmt.Errorf("no base: %w", err)
	}
	u.o.Log.Info("backup: a base", "cluster", u.o.Cluster, "because", reason, "revision", m.Revision, "bytes", m.Size, "took", time.Since(begun).Round(time.Millisecond))
	if err := u.makeDictionary(ctx, b.sample); err != nil {
		u.lessWell(err)
	}
	if c, err := u.shelf.load(ctx); err == nil {
		u.based(c)
		u.gauges(c)
	} else if ctx.Err() == nil {
		u.o.Log.Warn("backup: what the base leads to is not known", "cluster", u.o.Cluster, "error", err)
	}
	return m, nil
}

func (u *Uploader) base(ctx context.Context, reason string) error {
	_, err := u.MakeBase(ctx, reason)
	return err
}

// authChanged says whether users and roles are other than in the newest base.
func (u *Uploader) authChanged(ctx context.Context, c catalog.Catalog) (bool, error) {
	newest, _ := c.Newest()
	m, err := u.shelf.manifest(ctx, newest.Folder())
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

// maxTold is how many damaged objects an alarm names; "tow backup verify" names all.
const maxTold = 5

// note tells of what cannot be read.
func (u *Uploader) note(c catalog.Catalog) {
	if all := damages(c); len(all) > 0 {
		u.alarm(alarmCare, fmt.Sprintf("of the backup %d objects cannot be read: %s", len(all), strings.Join(all[:min(len(all), maxTold)], "; ")))
	}
}

// gauges says what there is.
func (u *Uploader) gauges(c catalog.Catalog) {
	newest, _ := c.Newest()
	if spans := c.Restorable(); len(spans) > 0 {
		u.gauge.catalog(newest.Time, knownBy(c, spans[0].First), len(c.Gaps()))
	}
}

// setSpare notes which minutes are not needed any more, for who keeps them in packs: those that
// may be deleted.
func (u *Uploader) setSpare(ctx context.Context, c catalog.Catalog, at time.Time, may bool) {
	spare := map[string]int64{}
	for _, d := range c.Plan(u.o.Keep, at).Delete {
		if !may || d.Log == nil || d.Log.Level != catalog.Minute {
			continue
		}
		if permitted, err := u.permits(ctx, d); permitted && err == nil {
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
