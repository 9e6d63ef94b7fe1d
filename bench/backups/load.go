package backups

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"towpath.dev/bench/members"
	"towpath.dev/bench/process"
	"towpath.dev/bench/report"
)

const (
	// loadRecords are what is written, over and over.
	loadRecords = 20_000
	writers     = 32
	// A round is so long, and there are so many pairs of one that is followed and one that
	// is not.
	roundTime  = 2 * time.Second
	roundPairs = 24
)

// A round is what the members did in one.
type round struct {
	rate   float64       // puts a second that were acknowledged
	each   time.Duration // of the members' CPU time for one
	follow time.Duration // of the uploader's CPU time for one
}

// clusterRows are what a cluster of three pays for being followed.
func (b *Bench) clusterRows() ([]report.Row, error) {
	c, err := members.Start()
	if err != nil {
		return nil, err
	}
	defer c.Stop()
	client, err := c.Client()
	if err != nil {
		return nil, err
	}
	defer client.Close()
	l := &load{ctx: b.ctx, members: c, client: client, records: NewRecords(b.Seed, loadRecords)}
	if l.up, err = l.startUploader(); err != nil {
		return nil, err
	}
	defer l.up.Stop()
	if l.busy, err = process.Start("busy"); err != nil {
		return nil, err
	}
	defer l.busy.Stop()
	for range 3 { // warm
		if _, err := l.round(true); err != nil {
			return nil, err
		}
	}
	var with, without []round
	for pair := range roundPairs {
		// Neither is always first.
		for _, followed := range []bool{pair%2 == 0, pair%2 != 0} {
			r, err := l.round(followed)
			if err != nil {
				return nil, err
			}
			if followed {
				with = append(with, r)
			} else {
				without = append(without, r)
			}
		}
		if pair%8 == 7 {
			progress("%d of %d pairs", pair+1, roundPairs)
		}
	}
	return b.compareRounds(with, without), nil
}

func (b *Bench) compareRounds(with, without []round) []report.Row {
	var cpu, rate, followed []float64
	for i := range with {
		cpu = append(cpu, float64(with[i].each)/float64(without[i].each))
		rate = append(rate, with[i].rate/without[i].rate)
		followed = append(followed, float64(with[i].follow))
	}
	of := func(rounds []round, what func(round) float64) float64 {
		var all []float64
		for _, r := range rounds {
			all = append(all, what(r))
		}
		return middle(all)
	}
	each := func(r round) float64 { return float64(r.each.Microseconds()) }
	per := func(r round) float64 { return r.rate }
	spread := func(all []float64) string {
		sorted := slices.Sorted(slices.Values(all))
		return fmt.Sprintf("medians of %d pairs of rounds of %s in turns; half of the ratios are %.3f to %.3f", len(all), roundTime, sorted[len(all)/4], sorted[len(all)*3/4])
	}
	b.facts.note("Following takes %.0f µs of the uploader's CPU a put at %.0f puts a second, in a process of its own; where it does not follow, another process takes as much.", middle(followed)/1000, of(with, per))
	return []report.Row{
		{Name: "followed by an uploader: members' CPU a put", Value: fmt.Sprintf("%.0f ÷ %.0f µs", of(with, each), of(without, each)), Ratio: middle(cpu), Bar: 1.03, Note: spread(cpu)},
		{Name: "the same, puts a second", Value: fmt.Sprintf("%.0f ÷ %.0f", of(with, per), of(without, per)), Ratio: middle(rate), Bar: 0.97, Least: true, Note: spread(rate)},
	}
}

func middle(all []float64) float64 {
	sorted := slices.Sorted(slices.Values(all))
	return (sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]) / 2
}

// load writes to a cluster.
type load struct {
	ctx     context.Context
	members *members.Members
	client  *clientv3.Client
	records *Records
	up      *uploader
	busy    *process.Process
	share   float64 // of a processor that the uploader took in the last round
}

func (l *load) startUploader() (*uploader, error) {
	store, scratch := filepath.Join(l.members.Dir, "store"), filepath.Join(l.members.Dir, "scratch")
	for _, dir := range []string{store, scratch} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			return nil, err
		}
	}
	return startUploader(l.members.Endpoints, store, scratch, policy)
}

// round is one with an uploader that follows, or with a process in its place that is as busy.
// The uploader has caught up when the round begins, and uploads once in it, sixty times as
// often as it would.
func (l *load) round(followed bool) (r round, err error) {
	share, answer := 0.0, 0
	if !followed {
		share = l.share
	}
	if err := l.busy.Ask(fmt.Sprintf("%.0f", share*1e6), &answer); err != nil {
		return r, err
	}
	if followed {
		for _, what := range []string{"follow", "upload"} {
			if _, err := l.up.do(what); err != nil {
				return r, err
			}
		}
	}
	before, err1 := l.members.CPU()
	own, err2 := l.up.CPU()
	begun := time.Now()
	n, err3 := l.run(roundTime)
	r.rate = float64(n) / time.Since(begun).Seconds()
	if err := errors.Join(err1, err2, err3); err != nil {
		return r, err
	}
	if followed { // up to the last change
		if _, err := l.up.do("upload"); err != nil {
			return r, err
		}
	}
	after, err1 := l.members.CPU()
	ownAfter, err2 := l.up.CPU()
	if err := errors.Join(err1, err2); err != nil {
		return r, err
	}
	r.each = (after - before) / time.Duration(n)
	if followed {
		r.follow = (ownAfter - own) / time.Duration(n)
		l.share = (ownAfter - own).Seconds() / roundTime.Seconds()
		_, err = l.up.do("unfollow")
	}
	return r, err
}

// run writes for a while, each writer one record after the other, and counts what was
// acknowledged.
func (l *load) run(span time.Duration) (int64, error) {
	ctx, cancel := context.WithTimeout(l.ctx, time.Minute)
	defer cancel()
	var count atomic.Int64
	var writing sync.WaitGroup
	var failed atomic.Pointer[error]
	until := time.Now().Add(span)
	for range writers {
		writing.Go(func() {
			for time.Now().Before(until) {
				i := rand.IntN(l.records.Len())
				if _, err := l.client.Put(ctx, l.records.Key(i), string(l.records.Value(i))); err != nil {
					failed.Store(&err)
					return
				}
				count.Add(1)
			}
		})
	}
	writing.Wait()
	if err := failed.Load(); err != nil {
		return 0, *err
	}
	return count.Load(), nil
}
