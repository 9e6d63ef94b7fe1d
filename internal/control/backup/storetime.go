package backup

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"towpath.dev/internal/blob"
	"towpath.dev/internal/control/backup/catalog"
)

// What a policy keeps depends on what time it is, and a machine's clock may show anything after a
// glitch: one that is a year ahead makes all look a year older. So the store is asked as well,
// whose clock nobody here sets.

// maxSkew is by how much this machine's clock and the store's may differ for anything to be deleted.
const maxSkew = 10 * time.Minute

// storeTime is the time by which a catalog is to be tidied: the store's. It also says whether
// anything may be deleted, which is when this machine's clock agrees. If there is nothing to do by
// this machine's, the store is not asked.
func (u *Uploader) storeTime(ctx context.Context, c catalog.Catalog) (at time.Time, may bool, err error) {
	before := u.o.Now()
	if c.Plan(u.o.Keep, before).Empty() {
		return before, false, nil
	}
	at, err = stamp(ctx, u.o.Store, u.shelf.place)
	if err != nil {
		return at, false, fmt.Errorf("asking the store what time it is: %w", err)
	}
	after := u.o.Now()
	if at.Before(before.Add(-maxSkew)) || at.After(after.Add(maxSkew)) {
		u.alarm(alarmCare, fmt.Sprintf("this machine's clock shows %s, and that of %s %s: nothing is deleted until they agree to within %s; put the wrong one right, with NTP or the like",
			after.UTC().Format(time.RFC3339), u.o.Store, at.UTC().Format(time.RFC3339), maxSkew))
		return at, false, nil
	}
	return at, true, nil
}

// stamp is the time that a store gives to an object that is created now. What an earlier one,
// that was killed, left goes too.
func stamp(ctx context.Context, store blob.Store, at place) (now time.Time, err error) {
	name := at.stamps() + strings.ToLower(rand.Text())
	err = store.Create(ctx, name, []byte{}, blob.Standard)
	if err != nil && !errors.Is(err, blob.ErrExists) { // which is that an answer was lost
		return now, err
	}
	var all []blob.Info
	for info, err := range store.List(ctx, at.stamps(), "") {
		if err != nil {
			return now, err
		}
		if all = append(all, info); info.Name == name {
			now = info.Modified
		}
	}
	for _, info := range all {
		if info.Name == name || now.Sub(info.Modified) > time.Hour {
			err = errors.Join(err, store.Delete(ctx, info.Name))
		}
	}
	if now.IsZero() {
		return now, fmt.Errorf("%s in %s is not listed: expected the object that was just created", name, store)
	}
	return now, nil
}
