package record

import "sync"

// queue is the entries on their way to the disk. What the writer has taken but not
// written yet still counts.
type queue struct {
	wake chan struct{} // holds one token while something waits

	mu     sync.Mutex
	items  []item
	held   int
	bytes  int64
	closed bool
	counts Stats // Written, Dropped and DiskError
}

// item is an entry, or the mark of a Sync.
type item struct {
	entry *Entry
	size  int64
	ack   chan error
}

// sizeOf is what an entry takes in memory, roughly.
func sizeOf(e *Entry) int64 {
	const fixed, perAnswer = 512, 128
	n := fixed + len(e.ID) + len(e.Record.Input) + len(e.Record.Output) + len(e.Record.Error) + len(e.Trace)
	for i := range e.Record.Answers {
		a := &e.Record.Answers[i]
		n += perAnswer + len(a.Args) + len(a.Body) + len(a.Error)
	}
	return int64(n)
}

func (q *queue) put(e *Entry, opts *Options) bool {
	size := sizeOf(e)
	q.mu.Lock()
	defer q.mu.Unlock()
	drops := &q.counts.Dropped
	switch {
	case q.closed:
		drops.Closed++
	case size > opts.QueueBytes:
		drops.TooLarge++
	case q.held >= opts.Queue, q.bytes+size > opts.QueueBytes:
		drops.QueueFull++
	default:
		q.items = append(q.items, item{entry: e, size: size})
		q.held++
		q.bytes += size
		q.signal()
		return true
	}
	return false
}

// mark puts a Sync behind all that is queued; it reports false on a closed ring.
func (q *queue) mark(ack chan error) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return false
	}
	q.items = append(q.items, item{ack: ack})
	q.signal()
	return true
}

func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.signal()
}

func (q *queue) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// take gives what waits, and the queue the memory of items to go on with.
func (q *queue) take(items []item) (taken []item, closed bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	taken, q.items = q.items, items[:0]
	return taken, q.closed
}

// release makes room for as many entries and bytes, and counts.
func (q *queue) release(entries int, bytes int64, count func(*Stats)) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.held -= entries
	q.bytes -= bytes
	count(&q.counts)
}

// note counts.
func (q *queue) note(count func(*Stats)) { q.release(0, 0, count) }

func (q *queue) stats() Stats {
	q.mu.Lock()
	defer q.mu.Unlock()
	s := q.counts
	s.Queued = q.held
	return s
}
