package engine

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"towpath.dev/internal/abi"
	"towpath.dev/internal/codec"
)

// callState is where a call of a request stands.
type callState uint8

const (
	callNew    callState = iota // asked, not sent
	callSent                    // on its way
	callReady                   // its answer lies in the kept part
	callFailed                  // it has none
)

// call is one question of a request. Equal ones are the same call.
type call struct {
	op     int32
	state  callState
	cell   uint32 // callReady: of the answer
	pass   int    // the last pass that asked it
	args   []byte // canonical
	err    error  // callFailed
	body   []byte // callReady: the answer, when the request is recorded
	flight *flight
	due    time.Time // callSent: the end of the operation's own `within`; zero without
}

// want says that a pass asked a call and has no answer yet.
type want struct {
	call  int32
	scope int32 // the innermost open scope, -1 without
}

// ask answers the import of the same name: the address of the answer's cell, 0
// while it is pending, 1 when the call failed.
func (in *instance) ask(op, args uint32) uint32 {
	r := in.req
	if r == nil || op >= uint32(len(in.program.args)) {
		in.corrupt()
	}
	text, err := in.program.args[op].AppendArgs(r.args[:0], in.mem, args)
	if err != nil {
		in.badArguments(op, err)
	}
	r.args = text
	c := r.callOf(in, int32(op))
	switch call := &r.calls[c]; call.state {
	case callReady:
		return call.cell
	case callFailed:
		r.failure = failure{call: c, scope: -1}
		return 1
	}
	r.wants = append(r.wants, want{c, r.innermost()})
	return 0
}

func (in *instance) badArguments(op uint32, err error) {
	if corrupt := (*codec.CorruptError)(nil); errors.As(err, &corrupt) {
		in.corrupt()
	}
	in.refuse(abi.BadArgument, fmt.Errorf("the arguments of %s: %w", in.program.manifest.Operations[op].QualifiedName(), err))
}

// callOf finds the call of an operation with the arguments in r.args, or makes
// it. Passes ask mostly the same in the same order, so the call that came next
// in the pass before is looked at first.
func (r *request) callOf(in *instance, op int32) int32 {
	if r.asked < len(r.order) {
		i := r.order[r.asked]
		if c := &r.calls[i]; c.op == op && bytes.Equal(c.args, r.args) {
			r.asked++
			c.pass = r.passes
			return i
		}
	}
	r.key = binary.LittleEndian.AppendUint32(r.key[:0], uint32(op))
	r.key = append(r.key, r.args...)
	i, known := r.byKey[string(r.key)]
	if !known {
		if len(r.calls) >= in.program.opts.Calls {
			in.exceed("calls")
		}
		i = int32(len(r.calls))
		key := string(r.key)
		if r.byKey == nil {
			r.byKey = map[string]int32{}
		}
		r.byKey[key] = i
		r.calls = append(r.calls, call{op: op, args: bytes.Clone(r.args)})
		if r.replay != nil {
			r.recall(&r.calls[i], key)
		}
	}
	r.calls[i].pass = r.passes
	// From here on the order is this pass's.
	r.order = append(r.order[:r.asked], i)
	r.asked++
	return i
}

// send hands out the calls that are wanted and new, grouped by operation.
func (r *request) send(now time.Time) {
	source := r.program.opts.Source
	for _, w := range r.wants {
		c := &r.calls[w.call]
		if c.state != callNew || !r.live(w.scope) {
			continue
		}
		if source == nil || r.replay != nil {
			r.fail(c, ErrNoSource)
			if r.replay != nil {
				c.err = ErrNotRecorded
			}
			continue
		}
		r.batch(c.op, now)
	}
	// Sources may answer at once; nothing of theirs is looked at before all
	// batches are out.
	for _, b := range r.batches {
		source.Ask(b.flight, b.batch)
	}
	clear(r.batches)
	r.batches = r.batches[:0]
}

// outgoing is a batch to be sent.
type outgoing struct {
	batch  *Batch
	flight *flight
}

// batch makes batches of all new calls of an operation that are wanted.
func (r *request) batch(op int32, now time.Time) {
	meta := &r.program.manifest.Operations[op]
	most := max(meta.Batch, 1)
	var b *Batch
	var f *flight
	for _, w := range r.wants {
		c := &r.calls[w.call]
		if c.op != op || c.state != callNew || !r.live(w.scope) {
			continue
		}
		if b == nil || len(b.calls) == most {
			b = &Batch{Operation: meta, inbox: r.inbox}
			f = &flight{Context: r.ctx, done: make(chan struct{})}
			r.flights = append(r.flights, f)
			r.batches = append(r.batches, outgoing{b, f})
		}
		b.calls = append(b.calls, batched{w.call, c.args})
		f.open++
		c.state, c.flight = callSent, f
		if meta.WithinNS > 0 {
			c.due = now.Add(time.Duration(meta.WithinNS))
			f.deadline = c.due
		}
		f.deadline = earlier(f.deadline, r.deadline)
	}
}

// earlier is the earlier of two times, zero ones being none.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// fail says that a call has no answer.
func (r *request) fail(c *call, err error) {
	r.land(c)
	c.state, c.err = callFailed, err
}

// land takes a call out of its batch, which ends when it was the last.
func (r *request) land(c *call) {
	if f := c.flight; f != nil {
		c.flight = nil
		if f.open--; f.open == 0 {
			f.cancel(errNotWanted)
		}
	}
}

var errNotWanted = errors.New("no call of the batch is wanted any more")

// cancel gives up the calls on their way that no live scope wants. A pass that
// a fault cut short did not get to say all that it wants.
func (r *request) cancel() {
	for i := range r.calls {
		if c := &r.calls[i]; c.state == callSent {
			c.pass = -c.pass // unless wanted below
		}
	}
	for _, w := range r.wants {
		if c := &r.calls[w.call]; c.state == callSent && c.pass < 0 && r.live(w.scope) {
			c.pass = -c.pass
		}
	}
	for i := range r.calls {
		if c := &r.calls[i]; c.state == callSent && c.pass < 0 {
			c.pass = -c.pass
			r.land(c)
			c.state = callNew
		}
	}
}

// timeOut fails the calls whose operation's time went by, and reports whether
// there was one.
func (r *request) timeOut(now time.Time) bool {
	any := false
	for i := range r.calls {
		if c := &r.calls[i]; c.state == callSent && !c.due.IsZero() && !now.Before(c.due) {
			r.fail(c, ErrTimeout)
			any = true
		}
	}
	return any
}

// receive takes the answers that have arrived into the kept part, and reports
// whether there was one. The error ends the request.
func (r *request) receive() (bool, error) {
	r.letters = r.inbox.take(r.letters[:0])
	any := false
	for _, l := range r.letters {
		c := &r.calls[l.call]
		if c.state != callSent {
			continue // too late, or a second one
		}
		any = true
		if l.err != nil {
			r.fail(c, l.err)
			continue
		}
		if err := r.take(); err != nil {
			return true, err
		}
		if err := r.answer(c, l.body); err != nil {
			return true, err
		}
	}
	clear(r.letters)
	return any, nil
}

// answer decodes a call's answer into the kept part. An answer that is not what
// the operation's type says fails the call; the error ends the request.
func (r *request) answer(c *call, body []byte) error {
	in := r.in
	in.decoder.Strict = false
	value, end, err := in.put(r.kept, r.program.results[c.op], body)
	if err == codec.ErrMemory {
		return &Fault{Kind: abi.OutOfMemory, View: r.view.meta.QualifiedName(),
			Detail: "the answer of " + r.program.manifest.Operations[c.op].QualifiedName() + " does not fit"}
	}
	if err != nil {
		r.fail(c, fmt.Errorf("its answer: %w", err))
		if r.record != nil {
			c.body = body
		}
		return nil
	}
	if end+8 > r.program.limit || int64(end+8-r.program.manifest.HeapBase) > int64(r.program.opts.Kept) {
		return &LimitError{View: r.view.meta.QualifiedName(), What: "kept bytes", Limit: int64(r.program.opts.Kept)}
	}
	binary.LittleEndian.PutUint64(in.mem[end:], value)
	r.land(c)
	c.state, c.cell = callReady, end
	r.kept = end + 8
	in.high = max(in.high, r.kept)
	if r.record != nil {
		c.body = body
	}
	return nil
}
