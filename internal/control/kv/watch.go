// Watches.

package kv

import (
	"context"
	"errors"
	"sync"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	"towpath.dev/api/towpathv1"
	"towpath.dev/election"
)

const (
	// beatEvery is how often a watch without changes gives a sign of life.
	beatEvery = 10 * time.Second
	// maxMessage is about how many bytes of changes one response holds. The changes of
	// one revision are never parted: a watch is resumed at revisions.
	maxMessage = 1 << 20
	// sizeOfChange is about what a change takes in memory besides its key and value.
	sizeOfChange = 200
	// maxAhead is how many bytes wait for a caller who takes them slowly.
	maxAhead = 4 << 20
	// stalled is how long a caller may take nothing while so many wait.
	stalled = 30 * time.Second
)

// Watch is part of towpath.v1.KeyValueService. Its first response says at once from
// where the watch can be resumed.
func (s *Service) Watch(ctx context.Context, r *towpathv1.WatchRequest, stream *connect.ServerStream[towpathv1.WatchResponse]) error {
	return s.watch(ctx, r, stream.Send)
}

func (s *Service) watch(ctx context.Context, r *towpathv1.WatchRequest, send func(*towpathv1.WatchResponse) error) error {
	if err := firstOf(checkNamespace("namespace", &r.Namespace), checkRevision("from", r.From)); err != nil {
		return err
	}
	check, keys := checkKey, election.Key(keyAt(r.Namespace, r.Key))
	if r.Prefix {
		check, keys = checkPrefix, election.Prefix(keyAt(r.Namespace, r.Key))
	}
	if err := check("key", r.Key); err != nil {
		return err
	}
	caller := s.caller(ctx)
	if err := s.opened.enter(caller); err != nil {
		return err
	}
	defer s.opened.leave(caller)
	from, err := s.start(ctx, r)
	if err != nil {
		return err
	}

	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(s.ctx, func() { cancel(errClosing) })()
	w := &watch{store: s.store, keys: keys, next: from, taken: make(chan struct{}, 1), ready: make(chan struct{}, 1)}
	var reading sync.WaitGroup
	defer reading.Wait()
	defer cancel(nil) // before the wait
	reading.Go(func() { w.finish(w.read(ctx)) })

	sent := from - 1 // the last revision of which all was sent
	if err := send(&towpathv1.WatchResponse{Revision: sent}); err != nil {
		return err
	}
	beat := time.NewTimer(beatEvery)
	defer beat.Stop()
	for {
		var response *towpathv1.WatchResponse
		select {
		case <-w.ready:
			var err error
			if response, err = w.take(); err != nil {
				return ended(err, sent)
			}
		case <-beat.C:
			response = &towpathv1.WatchResponse{Revision: sent}
		}
		if response == nil {
			continue
		}
		sent = response.Revision
		if err := send(response); err != nil {
			return err
		}
		beat.Reset(beatEvery)
	}
}

// start is the first revision that a watch is to send.
func (s *Service) start(ctx context.Context, r *towpathv1.WatchRequest) (int64, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, errSlow)
	defer cancel()
	if err := s.mustBeThere(ctx, r.Namespace, 0); err != nil {
		return 0, err
	}
	// Linearizable: no caller has seen a later revision, unless it was of another store.
	page, err := s.store.Range(ctx, election.Span{Keys: election.Key(namespacesAt + r.Namespace), KeysOnly: true})
	switch {
	case err != nil:
		return 0, ofStore(ctx, err, false)
	case r.From == 0:
		return page.Revision + 1, nil
	case r.From > page.Revision+1:
		return 0, refuse(connect.CodeOutOfRange, "from: expected at most %d, found %d: the store is at %d, and may have been restored from a backup; begin again, with a list at revision 0 (now) and a watch from its revision plus one", page.Revision+1, r.From, page.Revision)
	}
	return r.From, nil
}

// errUntold is why a watch ends whose store closed it without a word, against its
// contract: a caller must not wait for what will not come.
var errUntold = errors.New("the store's watch has ended")

// errClosing is why watches end when their server does.
var errClosing = errors.New("this server is closing")

// ended is why a watch ends, as its caller hears it.
func ended(err error, sent int64) error {
	var compacted *election.CompactedError
	switch {
	case errors.As(err, new(*connect.Error)):
		return err
	case errors.As(err, &compacted):
		return forgotten(compacted)
	case errors.Is(err, errStalled):
		return refuse(connect.CodeResourceExhausted, "%w; resume from %d", err, sent+1)
	case errors.Is(err, context.Canceled):
		return refuse(connect.CodeCanceled, "%w", err)
	case errors.Is(err, context.DeadlineExceeded):
		return refuse(connect.CodeDeadlineExceeded, "%w; resume from %d", err, sent+1)
	}
	return refuse(connect.CodeUnavailable, "%w; resume from %d, at another server if need be", err, sent+1)
}

var errStalled = errors.New("nothing of the watch was taken for 30 s while 4 MiB were waiting")

// A watch reads ahead of its caller, a bounded amount. When so much is waiting it lets
// the store's watch go, and begins another one from there when the caller has caught
// up: the store's history is the queue. A caller who stays too slow for too long meets
// its compaction.
type watch struct {
	store interface {
		Watch(context.Context, election.Keys, int64) <-chan election.Batch
	}
	keys  election.Keys
	next  int64         // the first revision not read yet; the reader's alone
	taken chan struct{} // something was taken
	ready chan struct{} // something is waiting, or the reading has ended

	mu      sync.Mutex
	waiting []piece
	bytes   int
	err     error // why the reading has ended
}

// A piece is a response with its size.
type piece struct {
	*towpathv1.WatchResponse
	bytes int
}

// read reads until ctx is done or the store's history is at its end.
func (w *watch) read(ctx context.Context) error {
	for {
		full, err := w.readUntilFull(ctx)
		if !full {
			return err
		}
		if err := w.drain(ctx); err != nil {
			return err
		}
	}
}

// readUntilFull reports whether it ended since too much is waiting.
func (w *watch) readUntilFull(ctx context.Context) (bool, error) {
	reading, cancel := context.WithCancel(ctx)
	defer cancel()
	for batch := range w.store.Watch(reading, w.keys, w.next) {
		if batch.Err != nil {
			if ctx.Err() != nil {
				return false, context.Cause(ctx)
			}
			return false, batch.Err
		}
		w.next = batch.Revision + 1
		if w.add(batch) >= maxAhead {
			return true, nil
		}
	}
	if ctx.Err() == nil {
		return false, errUntold
	}
	return false, context.Cause(ctx)
}

// drain waits until all that is waiting was taken.
func (w *watch) drain(ctx context.Context) error {
	patience := time.NewTimer(stalled)
	defer patience.Stop()
	for {
		w.mu.Lock()
		left := len(w.waiting)
		w.mu.Unlock()
		if left == 0 {
			return nil
		}
		select {
		case <-w.taken:
			patience.Reset(stalled)
		case <-patience.C:
			return errStalled
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// add puts a batch in the queue and returns how many bytes are waiting.
func (w *watch) add(batch election.Batch) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, p := range piecesOf(batch) {
		w.bytes += p.bytes
		if n := len(w.waiting); n > 0 && w.waiting[n-1].bytes+p.bytes <= maxMessage {
			last := &w.waiting[n-1]
			last.Changes = append(last.Changes, p.Changes...)
			last.Revision, last.bytes = p.Revision, last.bytes+p.bytes
			continue
		}
		w.waiting = append(w.waiting, p)
	}
	poke(w.ready)
	return w.bytes
}

// piecesOf parts a batch between revisions, where it is large.
func piecesOf(batch election.Batch) []piece {
	var pieces []piece
	last := piece{WatchResponse: &towpathv1.WatchResponse{}}
	for _, e := range batch.Events {
		revision := e.Entry.Modified
		if last.bytes >= maxMessage && revision > last.Revision {
			pieces = append(pieces, last)
			last = piece{WatchResponse: &towpathv1.WatchResponse{}}
		}
		change := &towpathv1.WatchResponse_Change{Deleted: e.Removed, Entry: entryOf(e.Entry)}
		last.Changes = append(last.Changes, change)
		last.Revision = revision
		last.bytes += proto.Size(change) + sizeOfChange
	}
	last.Revision = batch.Revision
	return append(pieces, last)
}

// take takes what waits longest; nil if nothing does. The error comes last.
func (w *watch) take() (*towpathv1.WatchResponse, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.waiting) == 0 {
		return nil, w.err
	}
	p := w.waiting[0]
	w.waiting[0] = piece{}
	w.waiting = w.waiting[1:]
	w.bytes -= p.bytes
	poke(w.taken)
	if len(w.waiting) > 0 || w.err != nil {
		poke(w.ready)
	}
	return p.WatchResponse, nil
}

// finish says why the reading has ended. Who took nothing for so long is not sent what
// waits: it is to resume.
func (w *watch) finish(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.err = err
	if errors.Is(err, errStalled) {
		w.waiting, w.bytes = nil, 0
	}
	poke(w.ready)
}

func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
