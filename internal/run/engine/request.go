package engine

import (
	"context"
	"errors"
	"time"

	"towpath.dev/internal/abi"
	"towpath.dev/internal/artifact"
)

// Request is what Do answers.
type Request struct {
	Input []byte
	// Record, when it is not nil, is filled with all that the request depended
	// on, whether it was answered or not.
	Record *Record
	// Replay answers all calls and verdicts from a record, asks no source and
	// reads no clock. Its input is the record's.
	Replay *Record
	// AnyArtifact lets Replay be of another artifact, to see what this one makes of
	// the same request. Answers to operations that it does not have are left out;
	// a verdict is found as long as its scope's function is the same.
	AnyArtifact bool
	// Source answers this request's calls. Nil: Options.Source does.
	Source Source
	// Shed decides for this request what Options.Shed does. Nil: that one.
	Shed func(s ScopeInfo) bool
	// Deadline is when the request is of no use any more; a view's own `within` may
	// end it earlier. Zero: it has none but the context's.
	Deadline time.Time
	// Trace, when it is not nil, is filled with what the request did, and when.
	Trace *Trace
}

// Trace is how a request went.
type Trace struct {
	Begin, End time.Time
	Passes     []PassTrace
	Verdicts   []VerdictTrace
	Failed     int // calls that came to no answer
}

// PassTrace is one run of the view.
type PassTrace struct {
	Begin, End time.Time
	Asked      int   // calls that it came to
	Pending    int   // those of them without an answer
	Gas        int64 // that it spent
}

// VerdictTrace is a scope that did not complete.
type VerdictTrace struct {
	At    time.Time
	Shed  bool   // else it expired
	File  string // "market/shop.tow"; "" for the view as a whole
	Place artifact.Place
}

// request is a request that may call: what its passes have found out so far.
// It is used again by later ones, for the memory that it holds.
type request struct {
	program *Program
	view    *View
	ctx     context.Context
	in      *instance // nil while it waits
	record  *Record
	replay  *replay
	trace   *Trace
	source  Source
	shed    func(s ScopeInfo) bool

	deadline time.Time // of the view; zero without
	now      int64
	seed     int64
	spent    time.Duration // by the passes so far
	passes   int
	gas      int64     // that the last pass spent
	clock    time.Time // when the next pass begins

	// The kept part: [HeapBase, kept) of the region. copied is its beginning, as
	// it was when the request last gave an instance away.
	kept   uint32
	input  uint32
	copied []byte

	calls []call
	table []int32 // finds calls by their hash
	order []int32 // calls as this pass asks them, then as the one before did
	asked int     // how many of order are of this pass
	sent  int     // calls on their way
	wants []want  // what this pass is waiting for
	args  []byte  // scratch: the arguments of the call being asked
	texts []byte  // the arguments of all calls; sources hold on to them
	room  int     // bytes that texts had at the end of the request before
	bits  []uint64

	scopes     []scope
	byScope    map[scopeKey]int32
	scopeOrder []int32
	entered    int
	open       []int32 // the scopes around what is being evaluated
	round      int     // how often decide was called
	failure    failure // the last that this pass met

	inbox   *inbox
	letters []letter
	batches []*flight // to be sent
	flights []*flight
}

// failure is a failed call, or a scope that expired or was shed; the other is -1.
type failure struct{ call, scope int32 }

// Do answers a request; see AppendCall for the errors.
func (v *View) Do(ctx context.Context, dst []byte, q Request) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return dst, err
	}
	r, err := v.begin(ctx)
	if err != nil {
		return dst, err
	}
	defer v.program.reuse(r)
	r.record, r.trace = q.Record, q.Trace
	if q.Source != nil {
		r.source = q.Source
	}
	if q.Shed != nil {
		r.shed = q.Shed
	}
	r.deadline = earlier(r.deadline, q.Deadline)
	if r.trace != nil {
		*r.trace = Trace{Begin: r.clock}
	}
	input := q.Input
	if q.Replay != nil {
		if err := r.startReplay(q.Replay, q.AnyArtifact); err != nil {
			return dst, err
		}
		input, r.deadline = q.Replay.Input, time.Time{}
	}
	out, err := r.run(dst, input)
	r.finish(input, out[len(dst):], err)
	return out, err
}

// begin makes the request of a view, at this instant.
func (v *View) begin(ctx context.Context) (*request, error) {
	o := &v.program.opts
	r, err := v.program.newRequest()
	if err != nil {
		return nil, err
	}
	r.view, r.ctx, r.inbox, r.source, r.shed = v, ctx, newInbox(), o.Source, o.Shed
	r.clock = o.Clock.Now()
	r.now, r.seed = r.clock.UnixNano(), o.Seed()
	if v.meta.WithinNS > 0 {
		r.deadline = r.clock.Add(time.Duration(v.meta.WithinNS))
	}
	return r, nil
}

// finish gives back what the request held.
func (r *request) finish(input, answer []byte, err error) {
	r.inbox.close()
	for _, f := range r.flights {
		f.cancel(context.Canceled)
	}
	if r.in != nil {
		r.give()
	}
	if r.trace != nil {
		r.trace.End = r.program.opts.Clock.Now()
		for i := range r.calls {
			if r.calls[i].state == callFailed {
				r.trace.Failed++
			}
		}
		if errors.Is(err, ErrDeadline) {
			r.trace.Verdicts = append(r.trace.Verdicts, VerdictTrace{At: r.trace.End})
		}
	}
	if r.record != nil {
		r.fill(r.record, input, answer, err)
	}
}

// take gets an instance, with the kept part in it.
func (r *request) take() error {
	if r.in != nil {
		return nil
	}
	in, err := r.program.acquire()
	if err != nil {
		return err
	}
	base := r.program.manifest.HeapBase
	copy(in.mem[base:], r.copied)
	in.high = max(in.high, base+uint32(len(r.copied)))
	if in.now != nil {
		in.now.Set(uint64(r.now))
	}
	if in.seed != nil {
		in.seed.Set(uint64(r.seed))
	}
	in.req, r.in = r, in
	return nil
}

// give hands the instance back.
func (r *request) give() {
	r.program.release(r.in)
	r.in = nil
}

// leave copies what is new in the kept part and gives the instance back, while
// the request waits.
func (r *request) leave() {
	base := r.program.manifest.HeapBase
	r.copied = append(r.copied, r.in.mem[base+uint32(len(r.copied)):r.kept]...)
	r.give()
}

// run makes passes until one ends with an answer, a failure or a fault.
func (r *request) run(dst, input []byte) ([]byte, error) {
	if err := r.take(); err != nil {
		return dst, err
	}
	r.kept = r.program.manifest.HeapBase
	r.in.decoder.Strict = r.program.opts.Strict
	value, end, err := r.in.put(r.kept, r.view.input, input)
	if err != nil {
		return dst, r.view.inputError(err)
	}
	r.input, r.kept = uint32(value), end
	if int64(end-r.program.manifest.HeapBase) > int64(r.program.opts.Kept) {
		return dst, r.limit("kept bytes", int64(r.program.opts.Kept))
	}
	for {
		cell, status, err := r.pass()
		if err != nil {
			return dst, err
		}
		switch status {
		case abi.Ready:
			return r.in.read(r.view, dst, cell)
		case abi.Failed:
			return dst, r.failed()
		}
		if err := r.wait(); err != nil {
			return dst, err
		}
	}
}

func (r *request) limit(what string, limit int64) error {
	return &LimitError{View: r.view.meta.QualifiedName(), What: what, Limit: limit}
}

// pass runs the view once with what is known. A fault that something pending
// stands before does not count: the request waits.
func (r *request) pass() (cell uint32, status abi.Status, err error) {
	if r.passes == r.program.opts.Passes {
		return 0, 0, r.limit("passes", int64(r.passes))
	}
	if err := r.take(); err != nil {
		return 0, 0, err
	}
	in := r.in
	r.passes++
	r.asked, r.entered = 0, 0
	r.wants, r.open = r.wants[:0], r.open[:0]
	r.failure = failure{-1, -1}
	in.spent, in.started = r.spent, r.clock
	cell, err = in.pass(r.view, r.input, r.kept)
	r.gas = in.spentGas()
	if r.trace != nil {
		r.trace.Passes = append(r.trace.Passes, PassTrace{r.clock, r.program.opts.Clock.Now(), r.asked, len(r.wants), r.gas})
	}
	if err == nil && cell != 0 {
		return cell, abi.Ready, nil
	}
	now := r.program.opts.Clock.Now()
	if r.spent += now.Sub(in.started); r.spent > r.program.opts.CPU && err == nil {
		return 0, 0, r.limit("CPU", int64(r.program.opts.CPU))
	}
	if err != nil {
		if _, fault := err.(*Fault); !fault || len(r.wants) == 0 {
			return 0, 0, err
		}
		r.decide(now)
		r.send(now)
		return 0, abi.Pending, nil
	}
	status = abi.Status(in.status.Get())
	if status == abi.Pending && len(r.wants) == 0 || status > abi.Failed {
		in.broken = true
		return 0, 0, &TrapError{View: r.view.meta.QualifiedName(), Err: errors.New("it waits for nothing")}
	}
	if status == abi.Pending {
		r.decide(now)
		r.send(now)
		if r.replay == nil {
			r.cancel()
		}
	}
	return cell, status, nil
}

// wait waits until there is something new to run the view with: an answer, a
// failure or a verdict.
func (r *request) wait() error {
	for {
		now := r.program.opts.Clock.Now()
		if !r.deadline.IsZero() && !now.Before(r.deadline) {
			return r.tooLate()
		}
		if err := r.ctx.Err(); err != nil {
			return err
		}
		fresh, err := r.receive()
		if err != nil {
			return err
		}
		if r.replay != nil && r.replay.expired && !fresh {
			return r.tooLate()
		}
		r.clock = now
		fresh = r.timeOut(now) || fresh
		fresh = r.decide(now) || fresh
		if fresh || r.settled() {
			return nil
		}
		r.sleep(now)
	}
}

// tooLate is the error when the view's own time has gone by.
func (r *request) tooLate() error {
	return &CallError{View: r.view.meta.QualifiedName(), Err: ErrDeadline}
}

// settled reports whether something that the last pass waited for is known
// meanwhile.
func (r *request) settled() bool {
	for _, w := range r.wants {
		if s := r.calls[w.call].state; s == callReady || s == callFailed || !r.live(w.scope) {
			return true
		}
	}
	return false
}

// sleep gives the instance away and waits for an answer, the next deadline, or
// the end of the context.
func (r *request) sleep(now time.Time) {
	if !r.inbox.empty() {
		return
	}
	if r.in != nil {
		r.leave()
	}
	var fired <-chan time.Time
	if next := r.nextDeadline(); !next.IsZero() {
		var stop func() bool
		fired, stop = r.program.opts.Clock.After(next.Sub(now))
		defer stop()
	}
	select {
	case <-r.inbox.arrived:
	case <-fired:
	case <-r.ctx.Done():
	}
}

// failed is the error of a pass that ended failed.
func (r *request) failed() error {
	e := &CallError{View: r.view.meta.QualifiedName()}
	switch f := r.failure; {
	case f.call >= 0:
		c := &r.calls[f.call]
		e.Operation = r.program.manifest.Operations[c.op].QualifiedName()
		e.Args, e.Err = string(c.args), c.err
	case f.scope >= 0:
		s := &r.scopes[f.scope]
		e.File, e.Line, e.Col = r.program.at(r.program.scopePlace(s.site))
		e.Err = ErrExpired
		if s.verdict == abi.Shed {
			e.Err = ErrShed
		}
	default:
		e.Err = errors.New("a call failed")
	}
	return e
}
