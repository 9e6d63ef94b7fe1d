//go:build linux

package nemesis

import (
	"context"
	"errors"
	"fmt"
	"time"

	"towpath.dev/election"
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

// restore turns the store back to how it was a while ago.
func restore(ctx context.Context, w *World, s Step) error {
	if err := w.Cluster.Backup(w.Backup); err != nil {
		return err
	}
	w.backedUp = true
	pause(ctx, s.For)
	return w.restore(s)
}

// restoreAgain restores the backup that was restored before, without all that happened
// since.
func restoreAgain(ctx context.Context, w *World, s Step) error {
	if !w.backedUp {
		first := s
		first.Nemesis.Name = "restore"
		if err := restore(ctx, w, first); err != nil {
			return err
		}
		pause(ctx, s.For)
	}
	return w.restore(s)
}

func (w *World) restore(s Step) error {
	defer w.strike(s, "")()
	w.observing()
	if err := w.Cluster.Restore(w.Backup); err != nil {
		return err
	}
	w.observing = w.Observe()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	_, err := election.Restored(ctx, election.Etcd(w.Cluster.Client), "", election.RegistryDir(w.Registry))
	return err
}
