package engine

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/maphash"
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
	wanted int    // the last pass that waited for it in a live scope, see cancel
	hash   uint64 // of op and args
	image  image
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
//
// Passes ask mostly the same in the same order, so the call that came next in
// the pass before is looked at first.
func (in *instance) ask(op, args uint32, site int32) uint32 {
	r := in.req
	if r == nil || op >= uint32(len(in.program.operations)) {
		in.corrupt()
	}
	o := &in.program.operations[op]
	if uint64(args)+uint64(o.size) > uint64(len(in.mem)) {
		in.corrupt()
	}
	var i int32
	if r.asked < len(r.order) {
		i = r.order[r.asked]
		if c := &r.calls[i]; c.op == int32(op) && r.sameImage(c, o.fields, args) {
			r.asked++
			return r.outcome(i)
		}
	}
	text, err := o.args.AppendArgs(r.args[:0], in.mem, args)
	if err != nil {
		in.badArguments(op, site, err)
	}
	r.args = text
	i = r.callOf(in, int32(op))
	c := &r.calls[i]
	r.takeImage(c, o.fields, args)
	return r.outcome(i)
}

// outcome is what ask answers for a call.
func (r *request) outcome(i int32) uint32 {
	switch c := &r.calls[i]; c.state {
	case callReady:
		return c.cell
	case callFailed:
		r.failure = failure{call: i, scope: -1}
		return 1
	}
	r.wants = append(r.wants, want{i, r.innermost()})
	return 0
}

func (in *instance) badArguments(op uint32, site int32, err error) {
	if corrupt := (*codec.CorruptError)(nil); errors.As(err, &corrupt) {
		in.corrupt()
	}
	in.refuse(abi.BadArgument, site, fmt.Errorf("the arguments of %s: %w", in.program.manifest.Operations[op].QualifiedName(), err))
}

// callOf finds the call of an operation with the arguments in r.args, or makes
// it.
func (r *request) callOf(in *instance, op int32) int32 {
	if r.asked < len(r.order) {
		i := r.order[r.asked]
		if c := &r.calls[i]; c.op == op && bytes.Equal(c.args, r.args) {
			r.asked++
			return i
		}
	}
	hash := maphash.Bytes(hashSeed, r.args) ^ uint64(op)*0x9E3779B97F4A7C15
	i := r.find(hash, op)
	if i < 0 {
		if len(r.calls) >= in.program.opts.Calls {
			in.exceed("calls")
		}
		i = int32(len(r.calls))
		if r.texts == nil {
			r.texts = make([]byte, 0, r.room)
		}
		from := len(r.texts)
		r.texts = append(r.texts, r.args...)
		r.calls = append(r.calls, call{op: op, hash: hash, args: r.texts[from:len(r.texts):len(r.texts)]})
		r.enter(i)
		if r.replay != nil {
			r.recall(i)
		}
	}
	// From here on the order is this pass's.
	r.order = append(r.order[:r.asked], i)
	r.asked++
	return i
}

var hashSeed = maphash.MakeSeed()

// find looks a call up in the table: places of calls plus one, 0 where there is
// none, by hash, the next place being tried where one is taken.
func (r *request) find(hash uint64, op int32) int32 {
	if len(r.table) == 0 {
		return -1
	}
	mask := uint64(len(r.table) - 1)
	for at := hash & mask; r.table[at] != 0; at = (at + 1) & mask {
		i := r.table[at] - 1
		if c := &r.calls[i]; c.hash == hash && c.op == op && bytes.Equal(c.args, r.args) {
			return i
		}
	}
	return -1
}

// enter puts a new call into the table, which is kept at most half full.
func (r *request) enter(i int32) {
	if 2*len(r.calls) > len(r.table) {
		n := max(64, 2*len(r.table))
		if cap(r.table) >= n {
			r.table = r.table[:n]
			clear(r.table)
		} else {
			r.table = make([]int32, n)
		}
		for j := range i {
			r.place(j)
		}
	}
	r.place(i)
}

func (r *request) place(i int32) {
	mask := uint64(len(r.table) - 1)
	at := r.calls[i].hash & mask
	for r.table[at] != 0 {
		at = (at + 1) & mask
	}
	r.table[at] = i + 1
}

// send hands out the calls that are wanted and new, grouped by operation.
func (r *request) send(now time.Time) {
	source := r.source
	for _, w := range r.wants {
		c := &r.calls[w.call]
		if c.state != callNew || !r.live(w.scope) {
			continue
		}
		switch {
		case r.replay != nil && r.replay.expired: // nothing came of it
		case r.replay != nil:
			r.fail(c, ErrNotRecorded)
		case source == nil:
			r.fail(c, ErrNoSource)
		default:
			r.batch(c.op, now)
		}
	}
	// Sources may answer at once; nothing of theirs is looked at before all
	// batches are out.
	r.inbox.expect(r.sent)
	if !r.askHere(source) {
		for _, f := range r.batches {
			source.Ask(f, &f.batch)
		}
	}
	clear(r.batches)
	r.batches = r.batches[:0]
}

// askHere asks the only batch that there is to wait for without another
// goroutine, if the source can. Nothing but the batch's own deadline may be due
// meanwhile, since nobody would look; and nothing that the pass waits for may be
// settled already, since the next pass would come too late.
func (r *request) askHere(source Source) bool {
	direct, ok := source.(Direct)
	if !ok || len(r.batches) != 1 {
		return false
	}
	f := r.batches[0]
	if r.sent != len(f.batch.calls) || !r.nextDeadline().Equal(f.deadline) || r.settled() {
		return false
	}
	if _, machine := r.program.opts.Clock.(machineClock); !machine && !f.deadline.IsZero() {
		return false // contexts know no other clock
	}
	if r.in != nil && !r.program.spare() {
		r.leave()
	}
	ctx, cancel := r.ctx, context.CancelFunc(func() {})
	if !f.deadline.IsZero() {
		ctx, cancel = context.WithDeadline(r.ctx, f.deadline)
	}
	defer cancel()
	f.batch.here = ctx
	if !direct.AskHere(ctx, &f.batch) {
		f.batch.here = nil
		return false
	}
	f.over = ctx.Err() != nil
	return true
}

// batch makes batches of all new calls of an operation that are wanted.
func (r *request) batch(op int32, now time.Time) {
	meta := &r.program.manifest.Operations[op]
	var f *flight
	for at, w := range r.wants {
		c := &r.calls[w.call]
		if c.op != op || c.state != callNew || !r.live(w.scope) {
			continue
		}
		if f == nil || len(f.batch.calls) == cap(f.batch.calls) {
			// No more calls can come than there are wants left.
			size := max(1, min(meta.Batch, len(r.wants)-at))
			f = &flight{request: r.ctx, batch: Batch{Operation: meta, inbox: r.inbox, calls: make([]batched, 0, size)}}
			f.deadline = r.deadline
			r.flights = append(r.flights, f)
			r.batches = append(r.batches, f)
		}
		f.batch.calls = append(f.batch.calls, batched{w.call, c.args})
		f.open++
		r.sent++
		c.state, c.flight = callSent, f
		if meta.WithinNS > 0 {
			c.due = now.Add(time.Duration(meta.WithinNS))
			f.deadline = earlier(f.deadline, c.due)
		}
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
	if c.state == callSent {
		r.sent--
	}
	if f := c.flight; f != nil {
		c.flight = nil
		if f.open--; f.open == 0 {
			f.cancel(context.Canceled)
		}
	}
}

// cancel gives up the calls on their way that no live scope wants. A pass that
// a fault cut short did not get to say all that it wants.
func (r *request) cancel() {
	if r.sent == 0 {
		return
	}
	for _, w := range r.wants {
		if r.live(w.scope) {
			r.calls[w.call].wanted = r.passes
		}
	}
	for i := range r.calls {
		if c := &r.calls[i]; c.state == callSent && c.wanted != r.passes {
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
		if r.sent == 0 {
			break
		}
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
		if f := c.flight; f != nil && (l.from != &f.batch || l.err != nil && f.over) {
			continue // of a batch that was given up, or too late as well
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
	value, end, err := in.put(r.kept, r.program.operations[c.op].result, body)
	if err == codec.ErrMemory {
		return &Fault{Kind: abi.OutOfMemory, View: r.view.meta.QualifiedName(),
			Detail: "the answer of " + r.program.manifest.Operations[c.op].QualifiedName() + " does not fit"}
	}
	if err != nil {
		r.fail(c, fmt.Errorf("its answer: %w", err))
		if judge, ok := r.source.(Judge); ok {
			judge.Unfit(&r.program.manifest.Operations[c.op], c.args)
		}
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
