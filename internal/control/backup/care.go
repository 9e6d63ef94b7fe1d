package backup

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"towpath.dev/internal/blob"
)

// care makes bases, merges, thins, deletes and verifies, beside the log and never in its
// way.
func (u *Uploader) care(ctx context.Context) error {
	for {
		select {
		case reason := <-u.rebase:
			if err := u.base(ctx, reason); err != nil {
				u.alarm(alarmBase, err.Error())
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// base makes a base.
func (u *Uploader) base(ctx context.Context, reason string) error {
	scratch, err := os.MkdirTemp(u.o.Scratch, "towpath-base-*")
	if err != nil {
		return fmt.Errorf("a folder for a snapshot: %w; name one with --scratch", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(scratch)) }()
	b := &baser{
		place: u.shelf.place, store: u.o.Store, class: blob.Standard, segments: u.segments(), scratch: scratch,
		client: u.o.Source.Client, dial: u.o.Source.Dial, now: u.o.now,
	}
	begun := time.Now()
	m, err := b.take(ctx)
	if err != nil {
		return fmt.Errorf("no base: %w", err)
	}
	u.o.Log.Info("backup: a base", "cluster", u.o.Cluster, "because", reason, "revision", m.Revision, "bytes", m.Size, "took", time.Since(begun).Round(time.Millisecond))
	return nil
}
