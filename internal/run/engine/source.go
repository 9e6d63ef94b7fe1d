package engine

import (
	"context"
	"slices"
	"sync"
	"time"

	"towpath.dev/internal/artifact"
)

// Source answers calls. Ask is handed a batch, starts whatever it takes and
// returns soon: answers may come later, one by one, from any goroutine, or at
// once, before Ask returns. A request waits on all its batches together, so a
// Source that answers within Ask makes it wait for nothing else meanwhile.
//
// ctx ends when the request does, or when nothing wants any of the batch's
// calls any more; answers that come then are dropped. Its deadline is when the
// last of the calls stops to be of use.
type Source interface {
	Ask(ctx context.Context, b *Batch)
}

// Judge is a Source that wants to hear of its answers that do not fit their
// operation's type.
type Judge interface {
	Source
	Unfit(op *artifact.Operation, args []byte)
}

// Direct is a Source that can answer a batch within a call of it.
type Direct interface {
	Source
	// AskHere answers the whole batch before it returns, which is soon after ctx
	// ends, or reports false and leaves the batch to Ask. A request that waits for
	// nothing else has it called in its own goroutine: handing a batch to another
	// and the answers back costs more than many an answer does.
	AskHere(ctx context.Context, b *Batch) bool
}

// SourceFunc is a function as a Source.
type SourceFunc func(ctx context.Context, b *Batch)

// Ask calls the function.
func (f SourceFunc) Ask(ctx context.Context, b *Batch) { f(ctx, b) }

// Batch is calls of one operation, no two with the same arguments, and no more
// than the operation's declaration allows.
type Batch struct {
	Operation *artifact.Operation
	calls     []batched
	inbox     *inbox
	here      context.Context // of a Direct source that is at it; nil otherwise
}

type batched struct {
	call int32  // in the request
	args []byte // canonical
}

// Len is how many calls there are.
func (b *Batch) Len() int { return len(b.calls) }

// Args is the arguments of the i'th call: a compact JSON array, fields in
// declared order. It is not to be changed.
func (b *Batch) Args(i int) []byte { return b.calls[i].args }

// Answer gives the i'th call's answer, as JSON. The body belongs to the engine
// from then on. Only the first Answer or Fail of a call counts.
func (b *Batch) Answer(i int, body []byte) {
	if b.here != nil && b.here.Err() != nil {
		return // too late: a request that waited would have gone on without it
	}
	b.inbox.put(letter{call: b.calls[i].call, body: body, from: b})
}

// Fail says that the i'th call has no answer, and why.
func (b *Batch) Fail(i int, err error) {
	if err == nil {
		err = ErrNoSource
	}
	b.inbox.put(letter{call: b.calls[i].call, err: err, from: b})
}

// letter is an answer on its way.
type letter struct {
	call int32
	body []byte
	err  error  // nil for an answer
	from *Batch // a call that was given up and asked again is of several; nil in a replay
}

// inbox is where the answers of a request arrive, from any goroutine. It
// outlives the request, for those that come too late.
type inbox struct {
	arrived chan struct{} // holds one token while letters lie there

	mu      sync.Mutex
	letters []letter
	closed  bool
}

func newInbox() *inbox { return &inbox{arrived: make(chan struct{}, 1)} }

func (b *inbox) put(l letter) {
	b.mu.Lock()
	if b.closed {
		b.mu.Unlock()
		return
	}
	b.letters = append(b.letters, l)
	b.mu.Unlock()
	select {
	case b.arrived <- struct{}{}:
	default:
	}
}

// expect makes room for n letters.
func (b *inbox) expect(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if cap(b.letters) < n {
		b.letters = append(make([]letter, 0, n), b.letters...)
	}
}

// take empties the inbox into letters. The token goes first: a letter that
// comes meanwhile then at worst wakes the request for nothing.
func (b *inbox) take(letters []letter) []letter {
	select {
	case <-b.arrived:
	default:
	}
	b.mu.Lock()
	letters = append(letters, b.letters...)
	clear(b.letters)
	b.letters = b.letters[:0]
	b.mu.Unlock()
	return letters
}

// empty reports whether no letter lies there.
func (b *inbox) empty() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.letters) == 0
}

func (b *inbox) close() {
	b.mu.Lock()
	b.closed, b.letters = true, nil
	b.mu.Unlock()
}

// flight is a batch that was sent, and its context: done when the request is,
// or cancelled when no call of it is wanted.
type flight struct {
	request  context.Context
	deadline time.Time
	batch    Batch
	open     int  // calls that are still wanted; the request's goroutine owns it
	over     bool // it was asked directly until its time was up: what failed is late

	mu    sync.Mutex
	done  chan struct{} // made when it is first asked for
	after []*func()     // AfterFunc's
	err   error
}

func (f *flight) Deadline() (time.Time, bool) {
	deadline, _ := f.request.Deadline()
	deadline = earlier(deadline, f.deadline)
	return deadline, !deadline.IsZero()
}

func (f *flight) Done() <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.done == nil {
		f.done = make(chan struct{})
		if f.err != nil {
			close(f.done)
		}
	}
	return f.done
}

func (f *flight) Err() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err
}

func (f *flight) Value(key any) any { return f.request.Value(key) }

// cancel ends the context. The first reason stays.
func (f *flight) cancel(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		return
	}
	f.err = err
	if f.done != nil {
		close(f.done)
	}
	for _, run := range f.after {
		go (*run)()
	}
	f.after = nil
}

// AfterFunc is context.AfterFunc for those who derive a context of this one: it
// saves them a goroutine that waits.
func (f *flight) AfterFunc(run func()) (stop func() bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		go run()
		return func() bool { return false }
	}
	entry := &run
	f.after = append(f.after, entry)
	return func() bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		i := slices.Index(f.after, entry)
		if i < 0 {
			return false
		}
		f.after = slices.Delete(f.after, i, i+1)
		return true
	}
}
