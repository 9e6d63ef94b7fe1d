// Package backups measures what backups of etcd cost: a metered day of ours beside snapshots,
// a deduplicating store of snapshots and the scheme of Gardener's etcd-backup-restore, all of
// them made of the same member; how long a restore takes, and whether it has what the source
// had; and what a cluster pays for being followed. See cmd/backups.
//
// A day is simulated: a real member of etcd in this process gets the updates that a day
// brings, and the uploader, a process of its own, is told by a line what time it is and what
// to do now. So 26 hours pass in two minutes, and everything but the waiting is done.
//
//	backups.Run("member", args) // one of the processes that the command starts
package backups

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"time"

	"towpath.dev/bench/members"
	"towpath.dev/bench/report"
)

// A Bench is one run of the command: what its groups share is measured once.
type Bench struct {
	// Seed is what the records and their updates come from.
	Seed uint64

	ctx   context.Context
	facts facts
	day   func() (*day, error)
}

// New makes a run. Its context ends it.
func New(ctx context.Context, seed uint64) *Bench {
	b := &Bench{Seed: seed, ctx: ctx}
	b.day = sync.OnceValues(b.meterDay)
	return b
}

// Groups are what is measured.
func (b *Bench) Groups() []report.Group {
	return []report.Group{
		{Name: "dollars", Measure: b.dollarRows},
		{Name: "bytes", Measure: b.byteRows},
		{Name: "restore", Measure: b.restoreRows},
		{Name: "cluster", Measure: b.clusterRows},
	}
}

// RunRole is one of the processes that the command starts.
func RunRole(role string, args []string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	switch role {
	case "uploader":
		return runUploader(ctx, args)
	case "busy":
		return runBusy()
	case "member":
		return members.Run(ctx, args)
	}
	return fmt.Errorf("there is no role %q", role)
}

// progress says what the command is at.
func progress(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "%s  %s\n", time.Now().Format(time.TimeOnly), fmt.Sprintf(format, args...))
}
