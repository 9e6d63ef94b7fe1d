package record

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"time"
)

const (
	// flushBytes is how much is written at once, at the most.
	flushBytes = 256 << 10
	// retryPause is how long a disk that failed is left alone.
	retryPause = time.Second
)

// writer puts a ring's entries on disk. Its goroutine alone knows it.
type writer struct {
	ring   *Ring
	encode encoder

	segment *segment // that is appended to; nil before the first entry
	file    file     // of it; nil before the first write
	listed  bool     // the ring's index has it
	named   bool     // the folder's entry of it is synced
	dirty   bool     // something is not synced

	frames  []byte   // to be written to segment
	waiting []framed // what they are
	bytes   int64    // that they held in the queue

	broken time.Time // until when the disk is left alone
	why    error     // it is
	failed error     // what kept an entry from the disk since the last Sync
}

// framed is an entry in writer.frames.
type framed struct {
	at, size int // from the beginning of frames
	head     head
}

// resume reads what the folder holds and goes on with its last segment, cut off
// behind its last entry: what a process that was killed has left there is none.
func (w *writer) resume() error {
	r := w.ring
	end, err := r.load()
	if err != nil {
		return fmt.Errorf("reading the records: %w", err)
	}
	_ = w.makeRoom(0) // else the next entry does
	if len(r.segments) == 0 {
		return nil
	}
	last := r.segments[len(r.segments)-1]
	if end >= r.opts.SegmentBytes {
		return nil
	}
	f, err := r.disk.append(last.name)
	if err != nil {
		return nil // a new segment will do
	}
	if end < last.size {
		if err := f.Truncate(end); err != nil {
			_ = f.Close()
			return nil
		}
		r.bytes -= last.size - end
		last.size = end
	}
	w.segment, w.file, w.listed, w.named = last, f, true, true
	return nil
}

// run writes until the ring is closed. The error is that of the last sync.
func (w *writer) run() error {
	q := &w.ring.queue
	var spare []item
	var due <-chan time.Time // when to sync
	for {
		items, closed := q.take(spare)
		for i := range items {
			select {
			case <-w.ring.abort:
				w.giveUp(items[i:])
				return errors.Join(errClosed, w.end())
			default:
			}
			w.item(&items[i])
		}
		w.flush()
		clear(items)
		if spare = items; len(items) > 0 {
			if w.dirty && due == nil && w.ring.opts.Sync > 0 {
				due = time.After(w.ring.opts.Sync)
			}
			continue
		}
		if closed {
			return w.end()
		}
		select {
		case <-q.wake:
		case <-due:
			due = nil
			_ = w.sync() // Stats tells
		}
	}
}

// giveUp drops what Close had no time for.
func (w *writer) giveUp(items []item) {
	for _, it := range items {
		if it.entry != nil {
			w.drop(it.size, func(s *Stats) { s.Dropped.Closed++ })
		}
	}
}

// end leaves the last segment behind.
func (w *writer) end() error {
	w.flush()
	err := w.sync()
	w.abandon()
	return err
}

func (w *writer) drop(size int64, count func(*Stats)) { w.ring.queue.release(1, size, count) }

func (w *writer) item(it *item) {
	if it.ack != nil {
		w.flush()
		err := w.sync()
		if w.failed != nil {
			err = w.failed
		}
		w.failed = nil
		it.ack <- err
		return
	}
	if time.Now().Before(w.broken) {
		w.failed = w.why
		w.drop(it.size, func(s *Stats) { s.Dropped.Disk++ })
		return
	}
	if w.segment == nil {
		w.begin()
	}
	at := len(w.frames)
	frames, err := w.encode.append(w.frames, w.segment.salt, it.entry)
	size := len(frames) - at
	switch {
	case err == errTooLarge || err == nil && int64(size) > w.ring.opts.SegmentBytes:
		w.drop(it.size, func(s *Stats) { s.Dropped.TooLarge++ })
		return
	case err != nil:
		w.drop(it.size, func(s *Stats) { s.Dropped.Unfit++ })
		return
	}
	if w.segment.size+int64(len(frames)) > w.ring.opts.SegmentBytes {
		frame := frames[at:]
		w.flush()
		w.rotate()
		frames = append(w.frames[:0], frame...)
		sign(frames, w.segment.salt)
		at = 0
	}
	w.frames = frames
	h, _, _ := parseHead(frames[at+frameHeader:]) // it was just made
	w.waiting = append(w.waiting, framed{at, size, h})
	w.bytes += it.size
	if len(w.frames) >= flushBytes {
		w.flush()
	}
}

// begin names the next segment.
func (w *writer) begin() {
	r := w.ring
	number := uint64(1)
	r.mu.RLock()
	if n := len(r.segments); n > 0 {
		number = r.segments[n-1].number + 1
	}
	r.mu.RUnlock()
	var salt [4]byte
	_, _ = rand.Read(salt[:]) // it never fails
	s := &segment{number: number, salt: binary.BigEndian.Uint32(salt[:]), byID: map[uint64]int32{}}
	s.name = segmentName(number, s.salt)
	w.segment, w.file, w.listed, w.named = s, nil, false, false
}

// rotate leaves a segment that is full, and begins the next.
func (w *writer) rotate() {
	if w.file != nil {
		_ = w.sync() // Stats tells
	}
	w.abandon()
	w.begin()
}

// abandon leaves a segment as it is.
func (w *writer) abandon() {
	if w.file != nil {
		_ = w.file.Close() // it is synced, or has failed already
		if !w.listed {
			_ = w.ring.disk.remove(w.segment.name)
		}
	}
	w.segment, w.file, w.dirty = nil, nil, false
}

// flush writes the frames that wait, or drops them all.
func (w *writer) flush() {
	if len(w.waiting) == 0 {
		return
	}
	n, bytes := len(w.waiting), w.bytes
	if err := w.write(); err != nil {
		w.fail(err)
		w.ring.queue.release(n, bytes, func(s *Stats) { s.Dropped.Disk += int64(n) })
	} else {
		w.ring.queue.release(n, bytes, func(s *Stats) { s.Written += int64(n); s.DiskError = nil })
	}
	w.frames, w.waiting, w.bytes = w.frames[:0], w.waiting[:0], 0
	const kept = 4 * flushBytes
	if cap(w.frames) > kept {
		w.frames = nil // of an entry that was unlike the others
	}
}

func (w *writer) write() error {
	r := w.ring
	if err := w.makeRoom(int64(len(w.frames))); err != nil {
		return err
	}
	if w.file == nil {
		f, err := r.disk.append(w.segment.name)
		if err != nil {
			return err
		}
		w.file = f
	}
	if _, err := w.file.Write(w.frames); err != nil {
		if cut := w.file.Truncate(w.segment.size); cut != nil {
			w.abandon() // readers skip what there is of a frame
		}
		return err
	}
	w.dirty = true
	r.mu.Lock()
	defer r.mu.Unlock()
	s := w.segment
	if !w.listed {
		r.segments = append(r.segments, s)
		w.listed = true
	}
	for _, f := range w.waiting {
		r.enter(s, int(s.size)+f.at, f.size, f.head)
	}
	s.size += int64(len(w.frames))
	r.bytes += int64(len(w.frames))
	return nil
}

// makeRoom removes the oldest segments until there is room for as many bytes.
func (w *writer) makeRoom(bytes int64) error {
	r := w.ring
	for {
		r.mu.Lock()
		if r.bytes+bytes <= r.opts.MaxBytes || len(r.segments) == 0 || r.segments[0] == w.segment {
			r.mu.Unlock()
			return nil
		}
		oldest := r.segments[0]
		r.mu.Unlock()
		if err := r.disk.remove(oldest.name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("making room: %w", err)
		}
		r.mu.Lock()
		r.forget(oldest)
		r.mu.Unlock()
	}
}

// sync makes what is written outlast the machine. A segment whose sync failed is
// left behind: what of it the disk has nobody can say.
func (w *writer) sync() error {
	if !w.dirty {
		return nil
	}
	err := w.file.Sync()
	if err == nil && !w.named {
		err = w.ring.disk.sync()
		w.named = err == nil
	}
	if err != nil {
		err = fmt.Errorf("syncing: %w", err)
		w.fail(err)
		w.abandon()
		return err
	}
	w.dirty = false
	return nil
}

// fail notes what the disk said, and leaves it alone for a while.
func (w *writer) fail(err error) {
	w.broken, w.why, w.failed = time.Now().Add(retryPause), err, err
	w.ring.queue.note(func(s *Stats) { s.DiskError = err })
}
