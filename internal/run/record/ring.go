package record

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// Options say how a Ring works. The zero value works.
type Options struct {
	// MaxBytes is what the segments may take on disk. 0: 256 MiB.
	MaxBytes int64
	// SegmentBytes is what one of them may; an entry that takes more is dropped.
	// 0: a sixteenth of MaxBytes. It is less than half of MaxBytes, and than 4 GiB.
	SegmentBytes int64
	// Sample is the share of requests that Ring.Sample picks, from 0 to 1.
	Sample float64
	// Queue is how many entries may wait for the disk. 0: 1024.
	Queue int
	// QueueBytes is what they may hold, roughly. 0: 16 MiB.
	QueueBytes int64
	// Sync is how long what is written may stay in the machine's memory alone.
	// 0: one second; less: until its segment ends.
	Sync time.Duration

	disk disk // nil: the folder
}

func (o Options) withDefaults() Options {
	if o.MaxBytes == 0 {
		o.MaxBytes = 256 << 20
	}
	if o.SegmentBytes == 0 {
		o.SegmentBytes = o.MaxBytes / 16
	}
	if o.Queue == 0 {
		o.Queue = 1024
	}
	if o.QueueBytes == 0 {
		o.QueueBytes = 16 << 20
	}
	if o.Sync == 0 {
		o.Sync = time.Second
	}
	return o
}

// Validate says all that is wrong with the options.
func (o Options) Validate() error {
	d := o.withDefaults()
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if d.MaxBytes < 0 || d.SegmentBytes < 0 || d.Queue < 0 || d.QueueBytes < 0 {
		fault("MaxBytes, SegmentBytes, Queue and QueueBytes are not negative")
	}
	if d.SegmentBytes > d.MaxBytes/2 {
		fault("SegmentBytes is %d, and MaxBytes %d: a ring has two segments at least", d.SegmentBytes, d.MaxBytes)
	}
	if d.SegmentBytes > math.MaxUint32 {
		fault("SegmentBytes is %d; a segment has less than 4 GiB", d.SegmentBytes)
	}
	if !(d.Sample >= 0 && d.Sample <= 1) {
		fault("Sample is %v; it is a share, from 0 to 1", d.Sample)
	}
	return errors.Join(faults...)
}

// Key makes stand-ins: equal private values have the same one as long as the key
// is the same. Whoever has it can tell whether a stand-in is that of a value that
// they guess.
type Key [32]byte

// The files in a ring's folder, besides segments.
const (
	lockName = "lock"
	keyName  = "key"
)

// ErrLocked says that another process writes to a ring's folder.
var ErrLocked = errors.New("the records have another writer")

// Ring is a folder of entries that one process writes to. It is safe for
// concurrent use.
type Ring struct {
	Reader
	opts      Options
	key       Key
	threshold uint64 // of Sample; 0 is none
	queue     queue
	// The goroutine that Open starts and Close ends writes. Its errors are counted,
	// and Stats and Sync tell them.
	done   chan struct{}
	abort  chan struct{}
	giveUp sync.Once
	endErr error // set before done is closed
}

// Open opens a ring's folder to write to it, and makes it when it is not there.
// The error wraps ErrLocked when another process does so already.
func Open(dir string, opts Options) (*Ring, error) {
	if err := opts.Validate(); err != nil {
		return nil, fmt.Errorf("the options of the records: %w", err)
	}
	opts = opts.withDefaults()
	if err := os.MkdirAll(dir, folderMode); err != nil {
		return nil, err
	}
	unlock, err := lockFolder(dir)
	if err != nil {
		return nil, err
	}
	if opts.disk == nil {
		opts.disk = folder(dir)
	}
	r := &Ring{opts: opts, threshold: threshold(opts.Sample), done: make(chan struct{}), abort: make(chan struct{})}
	r.queue.wake = make(chan struct{}, 1)
	r.Reader.init(opts.disk)
	w := &writer{ring: r}
	if r.key, err = keyOf(dir); err == nil {
		err = w.resume()
	}
	if err != nil {
		return nil, errors.Join(err, unlock())
	}
	go func() {
		defer close(r.done)
		r.endErr = errors.Join(w.run(), unlock())
	}()
	return r, nil
}

// keyOf reads a ring's key, or makes one.
func keyOf(dir string) (Key, error) {
	var k Key
	path := filepath.Join(dir, keyName)
	text, err := os.ReadFile(path)
	if err == nil && len(text) == len(k) {
		return Key(text), nil
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return k, err
	}
	_, _ = rand.Read(k[:]) // it never fails
	return k, os.WriteFile(path, k[:], fileMode)
}

// Key is the ring's own, for NewRedactor. It stays the same as long as the file
// "key" lies in the folder; records that are handed on are best without it.
func (r *Ring) Key() Key { return r.key }

func threshold(share float64) uint64 {
	switch {
	case share >= 1:
		return math.MaxUint64
	case share <= 0:
		return 0
	}
	return uint64(share * (1 << 63) * 2)
}

// Sample reports whether the request with an id is among those to be recorded. It
// depends on nothing but the id and the share, so that all that work on a request
// agree; of two shares, the greater picks all that the smaller one does.
func (r *Ring) Sample(id string) bool {
	if r.threshold == math.MaxUint64 {
		return true
	}
	const prime = 1099511628211 // FNV-1a, eight bytes at a time, its bits spread as SplitMix64 does
	h := uint64(14695981039346656037)
	for ; len(id) >= 8; id = id[8:] {
		h = (h ^ uint64(id[0]) ^ uint64(id[1])<<8 ^ uint64(id[2])<<16 ^ uint64(id[3])<<24 ^
			uint64(id[4])<<32 ^ uint64(id[5])<<40 ^ uint64(id[6])<<48 ^ uint64(id[7])<<56) * prime
		h ^= h >> 29
	}
	for i := range len(id) {
		h = (h ^ uint64(id[i])) * prime
	}
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	return h^h>>31 < r.threshold
}

// Put gives an entry to the ring, redacted as it is to be kept, and reports whether
// it was taken. It never waits. The entry is the ring's from then on.
func (r *Ring) Put(e *Entry) bool { return r.queue.put(e, &r.opts) }

// Sync returns once all that Put took before is on disk and synced, with the first
// error that kept some of it from there since the last Sync; or when ctx ends.
func (r *Ring) Sync(ctx context.Context) error {
	ack := make(chan error, 1)
	if !r.queue.mark(ack) {
		return errClosed
	}
	select {
	case err := <-ack:
		return err
	case <-r.done: // given up
		return errClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

var errClosed = errors.New("the records are closed")

// Close refuses new entries and returns once those in the queue are written and
// synced. When ctx ends first they are given up, and a write that hangs is left to
// end by itself.
func (r *Ring) Close(ctx context.Context) error {
	r.queue.close()
	select {
	case <-r.done:
		return r.endErr
	case <-ctx.Done():
		r.giveUp.Do(func() { close(r.abort) })
		return ctx.Err()
	}
}

// Stats is what a ring holds and what became of the entries that it was given.
type Stats struct {
	Written int64 // since Open
	Dropped Drops // since Open
	Entries int   // on disk
	Bytes   int64 // on disk
	Oldest  time.Time
	Queued  int // on their way to the disk
	// Damaged is how many places of segments held no entries when they were read
	// at Open, and DamagedBytes what they take.
	Damaged      int
	DamagedBytes int64
	// DiskError is what the disk said last; nil once it took an entry again.
	DiskError error
}

// Drops counts the entries that were dropped, by reason.
type Drops struct {
	QueueFull int64 // the disk was slower than the requests
	TooLarge  int64 // for a segment, or the queue
	Disk      int64 // which did not take them
	Unfit     int64 // they had no JSON
	Closed    int64 // they came after Close, or it gave them up
}

// Total is all of them.
func (d Drops) Total() int64 { return d.QueueFull + d.TooLarge + d.Disk + d.Unfit + d.Closed }

// Stats counts.
func (r *Ring) Stats() Stats {
	s := r.queue.stats()
	r.mu.RLock()
	defer r.mu.RUnlock()
	s.Bytes, s.Damaged, s.DamagedBytes = r.bytes, r.damage.places, r.damage.bytes
	for _, g := range r.segments {
		s.Entries += len(g.slots)
		if s.Oldest.IsZero() && len(g.slots) > 0 {
			s.Oldest = instant(g.slots[0].begin)
		}
	}
	return s
}
