package backup

import (
	"context"
	"errors"
	"time"

	"towpath.dev/election"
	"towpath.dev/internal/control/elected"
)

// Group is the election's group of a cluster's uploaders.
const Group = "backup"

// RunElected runs an uploader while this process is elected to: of several, one uploads.
// Two of them would lose nothing either, and so a cluster whose election cannot be had,
// such as one that was restored and not resumed yet, is backed up without.
func RunElected(ctx context.Context, o Options) error {
	o, err := o.filled()
	if err != nil {
		return err
	}
	o.Metrics.Keeps(o.Cluster, o.Every)
	if err := mayBeRead(ctx, o); err != nil {
		return err
	}
	return whileElected(ctx, o, Group, func(ctx context.Context) error {
		return saying(ctx, []Options{o}, func() error {
			u, err := NewUploader(ctx, o)
			if err != nil {
				return err
			}
			return u.Run(ctx)
		})
	})
}

// RunAlone runs an uploader without an election: nothing is written to the cluster. When the
// cluster is restored, it begins anew in the new generation.
func RunAlone(ctx context.Context, o Options) error {
	var wait backoff
	for {
		u, err := NewUploader(ctx, o)
		if err != nil {
			return err
		}
		if err = u.Run(ctx); !errors.Is(err, ErrAnother) {
			return err
		}
		u.o.Log.Warn("backup: beginning anew", "cluster", o.Cluster, "error", err)
		if err := wait.sleep(ctx); err != nil {
			return err
		}
	}
}

// RunShared runs a shared uploader of several clusters while this process is elected to, in
// the first one's election.
func RunShared(ctx context.Context, name string, all []Options) error {
	if len(all) == 0 {
		return errors.New("no cluster to keep")
	}
	all, err := filledAll(all)
	if err != nil {
		return err
	}
	for _, o := range all {
		o.Metrics.Keeps(o.Cluster, o.Every)
		if err := mayBeRead(ctx, o); err != nil {
			return err
		}
	}
	return whileElected(ctx, all[0], Group+"."+name, func(ctx context.Context) error {
		return saying(ctx, all, func() error {
			s, err := NewShared(ctx, name, all)
			if err != nil {
				return err
			}
			return s.Run(ctx)
		})
	})
}

// whileElected runs something while this process is elected, until the context ends.
func whileElected(ctx context.Context, o Options, group string, run func(context.Context) error) error {
	var wait backoff
	for {
		err := electedOnce(ctx, o, group, run)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if isForReaders(err) {
			return err
		}
		o.Log.Warn("backup: beginning anew", "cluster", o.Cluster, "error", err)
		if err := wait.sleep(ctx); err != nil {
			return err
		}
	}
}

func electedOnce(ctx context.Context, o Options, group string, run func(context.Context) error) error {
	err := elected.Once(ctx, election.Etcd(o.Source.Client), election.Options{Log: o.Log}, func(session *election.Session) error {
		seats, err := session.Seats(group, election.SeatsOptions{})
		if err != nil {
			return err
		}
		return seats.Run(ctx, func(ctx context.Context, _ *election.Leadership) error { return run(ctx) })
	})
	if errors.Is(err, election.ErrTurnedBack) {
		o.Log.Warn("backup: uploading without being elected, until the restored cluster is resumed", "cluster", o.Cluster, "error", err)
		ctx, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		return run(ctx)
	}
	return err
}
