//go:build linux

package nemesis

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"towpath.dev/election"
	"towpath.dev/internal/control/backup"
	"towpath.dev/internal/proof/cluster"
)

// atLeader does something to the store's leader.
func atLeader(w *World, s Step, do func(leader int) error) error {
	leader, err := w.Cluster.Leader()
	if err != nil {
		return err
	}
	defer w.strike(s, fmt.Sprint("m", leader))()
	return do(leader)
}

func killLeader(ctx context.Context, w *World, s Step) error {
	return atLeader(w, s, func(leader int) error {
		w.Cluster.Process(leader).Kill()
		pause(ctx, s.For)
		return w.Cluster.Start(leader)
	})
}

func pauseLeader(ctx context.Context, w *World, s Step) error {
	return atLeader(w, s, func(leader int) error {
		if err := w.Cluster.Process(leader).Stop(); err != nil {
			return err
		}
		pause(ctx, s.For)
		return w.Cluster.Process(leader).Continue()
	})
}

func cutLeader(ctx context.Context, w *World, s Step) error {
	return atLeader(w, s, func(leader int) error {
		if err := w.Cluster.Hosts[leader].Unplug(); err != nil {
			return err
		}
		pause(ctx, s.For)
		return w.Cluster.Hosts[leader].Plug()
	})
}

// muteLeader loses what the leader sends to the other members, while it hears them and
// talks to candidates.
func muteLeader(ctx context.Context, w *World, s Step) error {
	return atLeader(w, s, func(leader int) error {
		var failed error
		from := w.Cluster.Hosts[leader]
		for i, to := range w.Cluster.Hosts {
			if i != leader {
				failed = errors.Join(failed, from.Mute(to))
			}
		}
		pause(ctx, s.For)
		for i, to := range w.Cluster.Hosts {
			if i != leader {
				failed = errors.Join(failed, from.Unmute(to))
			}
		}
		return failed
	})
}

func defrag(ctx context.Context, w *World, s Step) error {
	defer w.strike(s, "")()
	for _, endpoint := range w.Cluster.Endpoints() {
		ctx, cancel := context.WithTimeout(ctx, w.TTL)
		_, _ = w.Cluster.Client.Defragment(ctx, endpoint) // one that is slow is defragmented all the same
		cancel()
	}
	return nil
}

// compact forgets all history, so that who is behind has to read anew.
func compact(ctx context.Context, w *World, s Step) error {
	defer w.strike(s, "")()
	ctx, cancel := context.WithTimeout(ctx, w.TTL)
	defer cancel()
	r, err := w.Cluster.Client.Get(ctx, "proof")
	if err == nil {
		_, _ = w.Cluster.Client.Compact(ctx, r.Header.Revision) // it may be compacted already
	}
	return nil
}

func replace(_ context.Context, w *World, s Step) error {
	i := int(s.Pick) % len(w.Cluster.Hosts)
	defer w.strike(s, fmt.Sprint("m", i))()
	return w.Cluster.Replace(i)
}

func killRegister(ctx context.Context, w *World, s Step) error {
	defer w.strike(s, "register")()
	w.Register.Kill()
	pause(ctx, s.For/4)
	return w.Register.Begin()
}

func killUploader(ctx context.Context, w *World, s Step) error {
	defer w.strike(s, "uploader")()
	w.Uploader.Kill()
	pause(ctx, s.For/2)
	return w.Uploader.Begin()
}

// restore turns the store back to how it was at any revision that its backup has.
func restore(ctx context.Context, w *World, s Step) error {
	revision, err := w.kept(ctx, s.Pick)
	if err != nil {
		return err
	}
	return w.restore(s, backup.RestoreOptions{Revision: revision})
}

// restoreAgain turns the store back to how it was just before it was turned back last, to the
// life that had ended then: without all that happened since.
func restoreAgain(ctx context.Context, w *World, s Step) error {
	if w.turned.IsZero() {
		first := s
		first.Nemesis.Name = "restore"
		if err := restore(ctx, w, first); err != nil {
			return err
		}
		pause(ctx, s.For)
	}
	return w.restore(s, backup.RestoreOptions{At: w.turned})
}

// kept is a revision that the backup has, of the newest life of which it has any.
func (w *World) kept(ctx context.Context, pick uint32) (int64, error) {
	const patience = 20 * time.Second
	for deadline := time.Now().Add(patience); ; pause(ctx, 100*time.Millisecond) {
		lives, err := backup.List(ctx, w.Store, cluster.Name)
		if err != nil {
			return 0, err
		}
		for _, l := range slices.Backward(lives) {
			if n := uint32(len(l.Restorable)); n > 0 {
				span := l.Restorable[pick%n]
				return span.First + int64(pick)%(span.Last-span.First+1), nil
			}
		}
		if time.Now().After(deadline) || ctx.Err() != nil {
			return 0, fmt.Errorf("the backup has nothing that could be restored after %s", patience)
		}
	}
}

func (w *World) restore(s Step, o backup.RestoreOptions) error {
	defer w.strike(s, "")()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	w.observing()
	turned := time.Now()
	o.Store = w.Store
	restored, err := w.Cluster.Restore(ctx, o)
	if err != nil {
		return err
	}
	w.turned = turned
	w.observing = w.Observe()
	store := election.Etcd(w.Cluster.Client)
	if !restored.Paused { // of before the first session
		_, err = election.Restored(ctx, store, "", w.Registry)
		return err
	}
	if _, pending, err := election.Pending(ctx, store, ""); err != nil || !pending {
		return fmt.Errorf("a cluster that was restored does not wait to be resumed: %w", err)
	}
	_, err = election.Resume(ctx, store, "", w.Registry)
	return err
}
