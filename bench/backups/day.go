package backups

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/klauspost/compress/zstd"
	clientv3 "go.etcd.io/etcd/client/v3"

	"towpath.dev/internal/blob"
	"towpath.dev/internal/control/backup"
	"towpath.dev/internal/control/backup/catalog"
	"towpath.dev/internal/control/backup/segment"
)

const (
	// dayRecords make 280 MB.
	dayRecords = 200_000
	// ahead is how many hours pass before those that are counted, so that these have all that
	// any day has: among it the merging of a whole day, and a verified restore that finds
	// that day merged.
	ahead   = 2
	counted = 24
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
	peak    int64         // bytes of the uploader's memory
	base    catalog.Base
	log     catalog.Log // a day's
	minutes []int64     // bytes of the hours' first uploads
	merged  int64       // bytes of an hour's object, the mean

	full    *snapshots
	chunks  *chunked
	zipped  []int64 // bytes of full snapshots by gzip
	deltas  []*deltas
	checked int           // revisions whose HashKV was the source's
	took    time.Duration // the restore
}

// size says of records how well they can be compressed.
type size struct {
	records         int
	bytes           int64
	zstd, gzip      float64 // all of them in a row
	zstdOne, gzOne  float64 // each by itself
	kubernetesStyle bool
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
	for range ahead {
		if err := m.hour(time.Minute, nil); err != nil {
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
	d := m.day
	var before status
	var snapshot sync.WaitGroup
	var failed error
	defer snapshot.Wait()
	hashAt := map[int]bool{}
	for len(hashAt) < hashes {
		hashAt[m.random.IntN(counted*60)] = true
	}
	for h := range counted {
		begun := time.Now()
		snapshot.Wait()
		if failed != nil {
			return failed
		}
		data, err := m.snapshot()
		if err != nil {
			return err
		}
		snapshot.Go(func() { failed = m.others(h, data) })
		uploaded := m.uploaded()
		minute := 0
		err = m.hour(time.Minute, func() error {
			// What is counted is from care to care.
			if minute++; h == 0 && minute == 11 {
				if before, err = m.up.do("report"); err != nil {
					return err
				}
			}
			if hashAt[h*60+minute-1] {
				s, err := m.hash()
				if err != nil {
					return err
				}
				m.sums = append(m.sums, s)
			}
			return m.write()
		})
		if err != nil {
			return err
		}
		d.minutes = append(d.minutes, m.uploaded()-uploaded)
		progress("hour %d of %d took %s", h+1, counted, time.Since(begun).Round(100*time.Millisecond))
	}
	snapshot.Wait()
	if failed != nil {
		return failed
	}
	return m.last(before)
}

// last is the care that ends the day, and its count.
func (m *metering) last(before status) error {
	if err := m.compact(); err != nil {
		return err
	}
	for range 11 {
		if err := m.pass(m.now.Add(time.Minute)); err != nil {
			return err
		}
	}
	if _, err := m.up.do("care"); err != nil {
		return err
	}
	after, err := m.up.do("report")
	if err != nil {
		return err
	}
	d := m.day
	d.lines, d.cpu, d.peak = since(before.Lines, after.Lines), after.CPU-before.CPU, after.Peak
	for _, n := range d.full.sizes {
		d.file += n / int64(len(d.full.sizes))
	}
	data, err := m.snapshot()
	if err != nil {
		return err
	}
	object, err := zipped(data)
	if err != nil {
		return err
	}
	d.zipped = append(d.zipped, int64(len(object)))
	return m.objects()
}

// uploaded is the bytes of the log's first uploads so far.
func (m *metering) uploaded() int64 {
	s, err := m.up.do("report")
	if err != nil {
		return 0
	}
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
	b.Grow(int(m.day.file) + 512<<20)
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
		d.zipped = append(d.zipped, int64(len(object)))
		for _, x := range d.deltas {
			if err := x.create(m.ctx, "full", object); err != nil {
				return err
			}
		}
	}
	return errors.Join(d.full.take(m.ctx, snapshot), d.chunks.take(m.ctx, snapshot))
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

// measureRecords compresses records, all of them and one by one.
func measureRecords(records *Records) (size, error) {
	encoder, err := zstd.NewWriter(io.Discard, zstd.WithEncoderLevel(zstd.SpeedDefault))
	if err != nil {
		return size{}, err
	}
	s := size{records: records.Len()}
	var zstdAll, gzipAll counter
	all, gz := encoder, gzip.NewWriter(&gzipAll)
	all.Reset(&zstdAll)
	one, _ := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedDefault))
	random := rand.New(rand.NewPCG(1, 1))
	var sample, zstdOne, gzipOne int64
	for i := range records.Len() {
		v := records.Value(i)
		s.bytes += int64(len(v))
		_, err1 := all.Write(v)
		_, err2 := gz.Write(v)
		if err := errors.Join(err1, err2); err != nil {
			return s, err
		}
		if random.IntN(100) == 0 {
			z, err := zipped(v)
			if err != nil {
				return s, err
			}
			sample, zstdOne, gzipOne = sample+int64(len(v)), zstdOne+int64(len(one.EncodeAll(v, nil))), gzipOne+int64(len(z))
		}
	}
	err = errors.Join(all.Close(), gz.Close())
	s.zstd, s.gzip = float64(s.bytes)/float64(zstdAll), float64(s.bytes)/float64(gzipAll)
	s.zstdOne, s.gzOne = float64(sample)/float64(zstdOne), float64(sample)/float64(gzipOne)
	return s, err
}

// counter counts what is written to it.
type counter int64

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}

var _ = filepath.Join
