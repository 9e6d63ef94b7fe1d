package backups

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"towpath.dev/internal/blob"
	"towpath.dev/internal/control/backup"
	"towpath.dev/internal/control/backup/catalog"
	"towpath.dev/internal/control/backup/segment"
)

const (
	// dayRecords make 280 MB.
	dayRecords = 200_000
	// ahead is how much passes before those that are counted, so that these have all that
	// any day has: among it the merging of a whole day, and a verified restore that finds
	// that day merged.
	ahead   = 2*time.Hour + 11*time.Minute
	counted = 24
	// chunkedHours are how many consecutive snapshots are cut into chunks: what each brings is
	// the same within one per cent.
	chunkedHours = 8
	// hashes is of how many revisions the source says its HashKV.
	hashes = 50
)

// A day is what a metered one has brought.
type day struct {
	records size
	raw     int64         // bytes of the records
	file    int64         // bytes of a snapshot, the mean of those of the hours
	lines   []Line        // of the 24 hours that are counted
	cpu     time.Duration // of the uploader in these
	basing  time.Duration // the uploader's CPU time for the first base and its verified restore
	peak    int64         // bytes of the uploader's memory, with files that are mapped
	// anonymous is that without them.
	anonymous int64
	base      catalog.Base
	log       catalog.Log // a day's
	minutes   []int64     // bytes of the hours' first uploads
	merged    int64       // bytes of an hour's object, the mean

	full    *snapshots
	chunks  *chunked
	zipped  int64 // bytes of a full snapshot by gzip
	deltas  []*deltas
	sharing *sharing
	checked int           // revisions whose HashKV was the source's
	took    time.Duration // the restore
}

// size says of records how well they can be compressed.
type size struct {
	records        int
	bytes          int64
	zstd, gzip     float64 // all of them in a row
	zstdOne, gzOne float64 // each by itself
}

// meterDay simulates the day.
func (b *Bench) meterDay() (_ *day, err error) {
	progress("a member with %d records", dayRecords)
	w, err := newWorld(b.ctx, b.Seed, dayRecords)
	if err != nil {
		return nil, err
	}
	defer w.close()
	m := &metering{world: w, day: &day{}}
	if m.day.records, err = measureRecords(w.records); err != nil {
		return nil, err
	}
	if err := m.run(); err != nil {
		return nil, err
	}
	progress("restoring")
	done, err := w.restore()
	if err != nil {
		return nil, err
	}
	m.day.took = done.took
	m.day.checked, err = done.check(m.sums)
	return m.day, err
}

// metering is a day that is being simulated.
type metering struct {
	*world
	day  *day
	sums []sum

	mu     sync.Mutex
	events []*clientv3.Event
	times  map[int64]time.Time // of revisions
	seen   int64
	moved  *sync.Cond
}

func (m *metering) run() (err error) {
	m.moved, m.times = sync.NewCond(&m.mu), map[int64]time.Time{}
	m.updated = func(revision int64, at time.Time) { m.times[revision] = at }
	ctx, cancel := context.WithCancel(m.ctx)
	defer cancel()
	m.seen = m.head
	go m.watch(ctx)

	progress("the first base and its verified restore")
	if err := m.begin(); err != nil {
		return err
	}
	first, err := m.up.do("report")
	if err != nil {
		return err
	}
	m.day.basing = first.CPU
	for m.now.Before(dayBegins.Add(ahead)) {
		if err := m.minute(1); err != nil {
			return err
		}
	}
	if err := m.peers(); err != nil {
		return err
	}
	return m.countedHours()
}

// watch gathers the events for those who write them down.
func (m *metering) watch(ctx context.Context) {
	for answer := range m.client.Watch(ctx, "", clientv3.WithPrefix(), clientv3.WithRev(m.seen+1)) {
		m.mu.Lock()
		for _, e := range answer.Events {
			m.events = append(m.events, e)
			m.seen = e.Kv.ModRevision
		}
		m.moved.Broadcast()
		m.mu.Unlock()
	}
}

// peers begins the other ways.
func (m *metering) peers() (err error) {
	d := m.day
	d.full = &snapshots{peer: newPeer("full")}
	if d.chunks, err = newChunked(); err != nil {
		return err
	}
	for _, period := range []time.Duration{20 * time.Second, time.Minute} {
		d.deltas = append(d.deltas, newDeltas(period, m.now))
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.drop()
	return nil
}

// drop waits for all events up to now, and takes them. The caller holds the lock.
func (m *metering) drop() []*clientv3.Event {
	for m.seen < m.head {
		m.moved.Wait()
	}
	events := m.events
	m.events = nil
	return events
}

// countedHours are the 24 hours that are billed.
func (m *metering) countedHours() error {
	before, err := m.up.do("report")
	if err != nil {
		return err
	}
	asked := map[int]bool{}
	for len(asked) < hashes {
		asked[m.random.IntN(counted*60)] = true
	}
	var made sync.WaitGroup
	defer made.Wait()
	var failed error
	uploaded, begun := m.uploaded(before), time.Now()
	for n := range counted * 60 {
		if n%60 == 0 {
			if made.Wait(); failed != nil {
				return failed
			}
			data, err := m.snapshot()
			if err != nil {
				return err
			}
			made.Go(func() { failed = m.others(n/60, data) })
		}
		if err := m.minute(1); err != nil {
			return err
		}
		if err := m.write(); err != nil {
			return err
		}
		if asked[n] {
			s, err := m.hash()
			if err != nil {
				return err
			}
			m.sums = append(m.sums, s)
		}
		if n%60 == 59 {
			now, err := m.up.do("report")
			if err != nil {
				return err
			}
			m.day.minutes = append(m.day.minutes, m.uploaded(now)-uploaded)
			uploaded = m.uploaded(now)
			progress("hour %d of %d took %s", n/60+1, counted, time.Since(begun).Round(100*time.Millisecond))
			begun = time.Now()
		}
	}
	if made.Wait(); failed != nil {
		return failed
	}
	after, err := m.up.do("report")
	if err != nil {
		return err
	}
	m.count(before, after)
	return m.objects()
}

// count is what the counted hours were.
func (m *metering) count(before, after status) {
	d := m.day
	d.lines, d.cpu = since(before.Lines, after.Lines), after.CPU-before.CPU
	d.peak, d.anonymous = after.Peak, after.Anonymous
	for _, n := range d.full.sizes {
		d.file += n / int64(len(d.full.sizes))
	}
}

// uploaded is the bytes of the log's first uploads so far.
func (m *metering) uploaded(s status) int64 {
	for _, l := range s.Lines {
		if l.Kind == "log/minute" {
			return l.Up
		}
	}
	return 0
}

// write hands the minute's events on.
func (m *metering) write() error {
	m.mu.Lock()
	events := m.drop()
	m.mu.Unlock()
	for _, d := range m.day.deltas {
		for _, e := range events {
			if err := d.take(m.ctx, e, m.times[e.Kv.ModRevision]); err != nil {
				return err
			}
		}
		if err := d.pass(m.ctx, m.now); err != nil {
			return err
		}
	}
	clear(m.times)
	return nil
}

// snapshot is what the member gives who asks for one.
func (m *metering) snapshot() ([]byte, error) {
	r, err := m.client.Snapshot(m.ctx)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	var b bytes.Buffer
	b.Grow(512 << 20)
	_, err = io.Copy(&b, r)
	return b.Bytes(), err
}

// others make what they make of a snapshot.
func (m *metering) others(hour int, snapshot []byte) error {
	d := m.day
	if hour == 0 {
		object, err := zipped(snapshot)
		if err != nil {
			return err
		}
		d.zipped = int64(len(object))
		for _, x := range d.deltas {
			if err := x.create(m.ctx, "full", object); err != nil {
				return err
			}
		}
	}
	if hour < chunkedHours {
		if err := d.chunks.take(m.ctx, snapshot); err != nil {
			return err
		}
	}
	return d.full.take(m.ctx, snapshot)
}

// objects reads what the store has: the base, and the log of the day.
func (m *metering) objects() error {
	store, err := blob.Open(m.store(), blob.Options{})
	if err != nil {
		return err
	}
	var hours []int64
	for info, err := range store.List(m.ctx, cluster+"/", "") {
		if err != nil {
			return err
		}
		switch kind := kindOfObject(info.Name); {
		case strings.HasSuffix(info.Name, "/manifest"):
			text, err := store.Get(m.ctx, info.Name)
			if err != nil {
				return err
			}
			var manifest backup.Manifest
			if err := json.Unmarshal(text, &manifest); err != nil {
				return err
			}
			m.day.base = catalog.Base{Revision: manifest.Revision, Size: manifest.Size + int64(len(text)), Raw: manifest.Raw}
		case kind == "log/day":
			first, size, err := store.Head(m.ctx, info.Name, segment.MaxHeader)
			if err != nil {
				return err
			}
			h, _, err := segment.ReadHeader(first)
			if err != nil {
				return fmt.Errorf("%s: %w", info.Name, err)
			}
			m.day.log = catalog.Log{Level: catalog.Day, Start: h.Start, End: h.End, Size: size, Raw: h.Raw}
		case kind == "log/hour":
			hours = append(hours, info.Size)
		}
	}
	for _, n := range hours {
		m.day.merged += n / int64(len(hours))
	}
	return nil
}
