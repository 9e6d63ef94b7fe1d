package backups

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"towpath.dev/bench/members"
	"towpath.dev/internal/blob"
	"towpath.dev/internal/control/backup"
	"towpath.dev/internal/control/backup/catalog"
	"towpath.dev/internal/control/member"
)

const (
	// sharers are the clusters that share an uploader, each with some records of which a few
	// change every minute: requests do not depend on how many there are.
	sharers       = 20
	sharedRecords = 200
	sharedHours   = 1
)

// sharing is what an uploader of several clusters was counted to do.
type sharing struct{ lines []Line }

// daily is what of it a cluster has a day, for a store of another size: the requests of minutes,
// and of listing. What a minute keeps is the day's own.
func (s *sharing) daily(d *day) []Line {
	var lines []Line
	for _, l := range s.lines {
		if l.Kind != "pack" && l.Kind != "list" && l.Kind != "shared" {
			continue
		}
		for _, n := range []*int64{&l.Create, &l.Get, &l.Head, &l.List, &l.Delete} {
			*n = int64(float64(*n)*counted/sharedHours/sharers + 0.5)
		}
		l.Down, l.Up, l.ByteHours = 0, 0, 0
		lines = append(lines, l)
	}
	for _, l := range d.lines {
		if l.Kind == "log/minute" {
			lines = append(lines, Line{Kind: "pack", Class: l.Class, ByteHours: l.ByteHours})
		}
	}
	return lines
}

// A sharer is one of the clusters.
type sharer struct {
	member  *member.Member
	client  *clientv3.Client
	records *Records
}

// meterShared runs an uploader for several clusters, and counts an hour of it.
func (b *Bench) meterShared() (_ *sharing, err error) {
	progress("%d clusters that share an uploader", sharers)
	dir, err := os.MkdirTemp("", "backups-*")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	all := make([]*sharer, sharers)
	defer func() {
		for _, s := range all {
			if s != nil {
				_ = s.client.Close()
				s.member.Close()
			}
		}
	}()
	for i := range all {
		if all[i], err = startSharer(b.ctx, filepath.Join(dir, fmt.Sprint("m", i)), b.Seed+uint64(i)); err != nil {
			return nil, err
		}
	}
	return shareDay(b.ctx, all, dir)
}

func startSharer(ctx context.Context, dir string, seed uint64) (*sharer, error) {
	m, err := member.Start(ctx, member.Options{Dir: dir, UnsafeNoSync: true, Heartbeat: 500 * time.Millisecond, Election: 5 * time.Second})
	if err != nil {
		return nil, err
	}
	client, err := m.Client(ctx)
	if err != nil {
		m.Close()
		return nil, err
	}
	s := &sharer{m, client, NewRecords(seed, sharedRecords)}
	for i := range sharedRecords {
		if err := s.write(ctx, i); err != nil {
			return s, err
		}
	}
	return s, nil
}

func (s *sharer) write(ctx context.Context, i int) error {
	_, err := s.client.Put(ctx, s.records.Key(i), string(s.records.Value(i)))
	return err
}

// shareDay uploads minute by minute, and counts from the first care after an hour on.
func shareDay(ctx context.Context, all []*sharer, dir string) (*sharing, error) {
	store, scratch := filepath.Join(dir, "store"), filepath.Join(dir, "scratch")
	if err := errors.Join(os.Mkdir(store, 0o700), os.Mkdir(scratch, 0o700)); err != nil {
		return nil, err
	}
	folder, err := blob.Open(store, blob.Options{})
	if err != nil {
		return nil, err
	}
	keep, err := catalog.Parse(policy)
	if err != nil {
		return nil, err
	}
	var clock atomic.Int64
	clock.Store(dayBegins.UnixMilli())
	now := func() time.Time { return time.UnixMilli(clock.Load()).UTC() }
	meter := blob.NewMeter(folder)
	l := newLedger(meter, now)
	var options []backup.Options
	for i, s := range all {
		options = append(options, backup.Options{
			Source: backup.Source{Client: s.client, Dial: func(endpoint string) (*clientv3.Client, error) { return members.Connect(endpoint) }},
			Store:  l, Cluster: fmt.Sprintf("%s-%02d", cluster, i), Keep: keep, Scratch: scratch, Now: now,
		})
	}
	shared, err := backup.NewShared(ctx, "uploader", options)
	if err != nil {
		return nil, err
	}
	end, err := shared.Follow(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	care := func() error {
		for _, u := range shared.Uploaders() {
			if err := u.Care(ctx); err != nil {
				return err
			}
		}
		return shared.Sweep(ctx)
	}
	if err := care(); err != nil {
		return nil, err
	}
	var before []Line
	for minute := 1; minute <= 60*(1+sharedHours)+11; minute++ {
		if err := shareMinute(ctx, all, now()); err != nil {
			return nil, err
		}
		clock.Store(dayBegins.Add(time.Duration(minute) * time.Minute).UnixMilli())
		if err := shared.Upload(ctx); err != nil {
			return nil, err
		}
		if minute%60 == 11 {
			if err := care(); err != nil {
				return nil, err
			}
		}
		if minute == 60+11 {
			before = l.Lines()
		}
	}
	after := l.Lines()
	return &sharing{since(before, after)}, agrees(after, meter.Usage())
}

// shareMinute changes three records of each cluster.
func shareMinute(ctx context.Context, all []*sharer, at time.Time) error {
	failed := make([]error, len(all))
	var writing sync.WaitGroup
	for i, s := range all {
		writing.Go(func() {
			for j := range 3 {
				record := (at.Minute()*3 + j) % s.records.Len()
				s.records.Update(record, at)
				failed[i] = errors.Join(failed[i], s.write(ctx, record))
			}
		})
	}
	writing.Wait()
	return errors.Join(failed...)
}
