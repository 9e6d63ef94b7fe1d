package backup

import (
	"context"
	"errors"
	"time"

	"towpath.dev/election"
)

// Group is the election's group of a cluster's uploaders.
const Group = "backup"

// RunElected runs an uploader while this process is elected to: of several, one uploads.
// Two of them would lose nothing either, and so a cluster whose election cannot be had,
// such as one that was restored and not resumed yet, is backed up without.
func RunElected(ctx context.Context, o Options, name string) error {
	o, err := o.filled()
	if err != nil {
		return err
	}
	var wait backoff
	for {
		err := runElected(ctx, o, name)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		o.Log.Warn("backup: trying again", "cluster", o.Cluster, "error", err)
		if err := wait.sleep(ctx); err != nil {
			return err
		}
	}
}

func runElected(ctx context.Context, o Options, name string) error {
	opening, cancel := context.WithTimeout(ctx, answerTime)
	session, err := election.Open(opening, election.Etcd(o.Source.Client), election.Options{Name: name, Log: o.Log})
	cancel()
	if errors.Is(err, election.ErrTurnedBack) {
		o.Log.Warn("backup: uploading without being elected, until the restored cluster is resumed", "cluster", o.Cluster, "error", err)
		return runFor(ctx, o, time.Minute)
	}
	if err != nil {
		return err
	}
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), answerTime)
		defer cancel()
		_ = session.Close(closing) // its lease ends it otherwise
	}()
	seats, err := session.Seats(Group, election.SeatsOptions{})
	if err != nil {
		return err
	}
	return seats.Run(ctx, func(ctx context.Context, _ *election.Leadership) error {
		u, err := NewUploader(ctx, o)
		if err != nil {
			return err
		}
		return u.Run(ctx)
	})
}

// runFor uploads for a while.
func runFor(ctx context.Context, o Options, d time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	u, err := NewUploader(ctx, o)
	if err != nil {
		return err
	}
	return u.Run(ctx)
}
