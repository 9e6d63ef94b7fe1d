package engine

import (
	"context"
	"fmt"

	"towpath.dev/internal/abi"
)

// Rehearsal is an answered request whose last pass can be run again and again:
// the decision alone, with its input decoded and all its answers known. It is
// for measuring. It is not safe for concurrent use.
type Rehearsal struct {
	r *request // nil for a view that makes no calls

	in          *instance
	view        *View
	input, heap uint32
}

// Rehearse answers a request and keeps what it knows.
func (v *View) Rehearse(ctx context.Context, input []byte) (*Rehearsal, error) {
	p := v.program
	if !v.meta.Calls {
		return v.rehearsePure(input)
	}
	r := &request{program: p, view: v, ctx: ctx, inbox: newInbox()}
	r.started = p.opts.Clock.Now()
	r.now, r.seed = r.started.UnixNano(), p.opts.Seed()
	if _, err := r.run(nil, input); err != nil {
		r.finish(input, nil, err)
		return nil, err
	}
	return &Rehearsal{r: r}, nil
}

func (v *View) rehearsePure(input []byte) (*Rehearsal, error) {
	in, err := v.program.acquire()
	if err != nil {
		return nil, err
	}
	value, heap, err := in.put(v.program.manifest.HeapBase, v.input, input)
	if err != nil {
		v.program.release(in)
		return nil, v.inputError(err)
	}
	return &Rehearsal{in: in, view: v, input: uint32(value), heap: heap}, nil
}

// Run runs the last pass n times.
func (h *Rehearsal) Run(n int) error {
	for range n {
		if h.r == nil {
			if _, err := h.in.pass(h.view, h.input, h.heap); err != nil {
				return err
			}
			continue
		}
		h.r.passes, h.r.spent = 0, 0
		_, status, err := h.r.pass()
		if err != nil {
			return err
		}
		if status != abi.Ready {
			return fmt.Errorf("a pass with all answers known ended with status %d", status)
		}
	}
	return nil
}

// Close frees what the rehearsal holds.
func (h *Rehearsal) Close() {
	if h.r == nil {
		h.view.program.release(h.in)
		return
	}
	h.r.finish(nil, nil, nil)
}
