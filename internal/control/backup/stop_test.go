//go:build unix

package backup

import (
	"math/rand/v2"
	"syscall"
	"testing"
	"time"

	"towpath.dev/internal/control/backup/catalog"
	"towpath.dev/internal/testkit/etcd"
)

// TestStopped has a process stand still wherever it is just then, and go on when another
// one has uploaded, merged and deleted for hours, and the cluster was compacted.
func TestStopped(t *testing.T) {
	if testing.Short() {
		t.Skip("processes do not race")
	}
	seed, dir := seedOf(t), t.TempDir()
	cluster := etcd.Start(t, 1)
	w := watchOver(t, cluster.Client(t), openFolder(t, dir), seed, 2)
	o := processOptions{Endpoints: cluster.Endpoints(), Store: dir, Every: 50 * time.Millisecond, Scratch: t.TempDir()}
	// The next one's clock is hours later, just before care comes: what a process takes to begin
	// on a busy machine, as care that is missed comes an hour later.
	clock := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC).Add(careAt - 5*time.Second)
	next := func() *process {
		o.Begin, clock = clock, clock.Add(3*time.Hour)
		return startProcess(t, o)
	}
	begins := func(level catalog.Level) (starts []int64) {
		c, err := w.shelf.load(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range c.Logs {
			if l.Level == level {
				starts = append(starts, l.Start)
			}
		}
		return starts
	}

	stopped := next()
	await(t, func() bool { return len(begins(catalog.Minute)) > 3 })
	if err := stopped.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	before := begins(catalog.Minute)[0]
	merging := next()
	await(t, func() bool { return len(begins(catalog.Hour)) > 0 })
	merging.kill()
	deleting := next()
	await(t, func() bool { m := begins(catalog.Minute); return len(m) > 0 && m[0] > before })
	w.compact(t, w.durable(t))

	if err := stopped.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	until := w.acked.Load() + 300
	await(t, func() bool { return w.durable(t) >= until })
	deleting.kill() // the other one goes on alone
	until = w.acked.Load() + 300
	await(t, func() bool { return w.durable(t) >= until })
	w.rest()
	await(t, func() bool { return w.durable(t) >= w.acked.Load() })
	for _, p := range []*process{stopped, merging, deleting} {
		p.kill()
		for _, line := range p.log.alarms() {
			t.Error(line)
		}
	}
	w.judge(t, rand.New(rand.NewPCG(seed, 99)))
}
