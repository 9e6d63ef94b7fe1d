//go:build unix

package backup

import (
	"flag"
	"math/rand/v2"
	"testing"
	"time"

	"towpath.dev/internal/testkit/etcd"
	"towpath.dev/internal/testkit/s3"
)

// How long uploaders are killed for, and from which seed; see make soak-backup.
var (
	killFor  = flag.Duration("kill", 8*time.Second, "kill uploaders for so `long`, in each of three tests")
	killSeed = flag.Uint64("seed", 0, "of uploaders that are killed; 0 is a random `number`")
)

// life is how long an uploader lives.
const life = time.Second

func seedOf(t *testing.T) uint64 {
	seed := *killSeed
	if seed == 0 {
		seed = rand.Uint64N(1_000_000) + 1
	}
	t.Logf("-seed %d", seed)
	return seed
}

// TestKilledOverAFolder kills an uploader every second, each time in the middle of a minute,
// of merging and of deleting: between two lives three hours pass. Nothing is lost, and it gets
// on.
func TestKilledOverAFolder(t *testing.T) { killOverAFolder(t, "") }

// TestKilledShared does so with an uploader of two clusters.
func TestKilledShared(t *testing.T) {
	if testing.Short() {
		t.Skip("another test kills uploaders")
	}
	killOverAFolder(t, "fleet")
}

func killOverAFolder(t *testing.T, shared string) {
	t.Helper()
	seed, dir := seedOf(t), t.TempDir()
	store := openFolder(t, dir)
	cluster := etcd.Start(t, 1)
	w := watchOver(t, cluster.Client(t), store, seed, 2)
	if shared != "" {
		w.others = []*shelf{newShelf(store, place{cluster: "other"})}
	}
	o := processOptions{Endpoints: cluster.Endpoints(), Store: dir, Shared: shared, Keep: "any minute for 60 days", Scratch: t.TempDir()}
	// Care comes just when a life begins.
	first := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC).Add(careAt - 100*time.Millisecond)
	killAgain(t, w, rand.New(rand.NewPCG(seed, 99)), func(n int) *process {
		o.Begin, o.Faults = first.Add(time.Duration(n)*3*time.Hour), seed+uint64(n)
		return startProcess(t, o)
	})
}

// TestKilledOverS3 does so before a server of S3, every fifth of whose answers is a failure.
func TestKilledOverS3(t *testing.T) {
	if testing.Short() {
		t.Skip("another test kills uploaders")
	}
	seed := seedOf(t)
	server := s3.Start(t)
	server.Environment(t)
	proxy := s3.NewProxy(t, server.Address, s3.Random(seed, map[s3.Break]float64{
		s3.Internal: 0.03, s3.SlowDown: 0.03, s3.Conflict: 0.02, s3.CutBefore: 0.03, s3.CutRequest: 0.03, s3.CutAfter: 0.03, s3.CutAnswer: 0.03, s3.Slow: 0.05,
	}))
	cluster := etcd.Start(t, 1)
	w := watchOver(t, cluster.Client(t), openS3(t, server.URL("bucket/kept")), seed, 2)
	// Every is longer than a life: what is late is due at once.
	o := processOptions{Endpoints: cluster.Endpoints(), Store: s3.URL(proxy.Address, server.Region, "bucket/kept"), Every: 3 * life / 2, Scratch: t.TempDir()}
	killAgain(t, w, rand.New(rand.NewPCG(seed, 99)), func(int) *process { return startProcess(t, o) })
	t.Logf("%d requests passed, %d were refused, %d were cut", proxy.Broken(s3.Nothing),
		proxy.Broken(s3.Internal)+proxy.Broken(s3.SlowDown)+proxy.Broken(s3.Conflict),
		proxy.Broken(s3.CutBefore)+proxy.Broken(s3.CutRequest)+proxy.Broken(s3.CutAfter)+proxy.Broken(s3.CutAnswer))
}

// killAgain starts uploaders one after the other and kills each after its life, until all of
// the time has passed; then one lives on, and what is in the store is judged.
func killAgain(t *testing.T, w *witness, random *rand.Rand, start func(n int) *process) {
	t.Helper()
	long := *killFor
	if testing.Short() {
		long = min(long, 4*life)
	}
	lives, moves, last := 0, 0, int64(0)
	live := func(p *process) {
		select {
		case <-p.ended:
			t.Fatalf("life %d ended by itself:\n%s", lives, p.log.tail())
		case <-time.After(life):
		}
		lives++
		for _, line := range p.log.alarms() {
			t.Errorf("life %d: %s", lives, line)
		}
		switch durable := w.durable(t); {
		case durable < last:
			t.Fatalf("life %d: revision %d was in the store, and the last one is %d now", lives, last, durable)
		case durable > last:
			moves, last = moves+1, durable
		}
	}
	for range int(long / life) {
		p := start(lives)
		live(p)
		p.kill()
		if last > 0 && random.IntN(3) == 0 {
			w.compact(t, last)
		}
	}
	t.Logf("%d lives, in %d of them the store got on, to revision %d", lives, moves, last)
	if moves < lives/3 {
		t.Errorf("the store got on in %d of %d lives", moves, lives)
	}
	w.rest()
	for p := start(lives); last < w.acked.Load(); {
		live(p)
	}
	w.judge(t, random)
}
