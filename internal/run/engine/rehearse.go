package engine

import (
	"context"
	"fmt"
	"time"

	"towpath.dev/internal/abi"
)

// Rehearsal is a request that was answered once and can run its last pass
// again and again: the decision alone, without decoding, encoding and waiting.
// Measurements use it. It is not for concurrent use.
type Rehearsal struct{ r *request }

// Rehearse answers a request as Do does, and keeps its instance with the
// decoded input and answers. Close gives it back; Program.Close does not wait
// for that.
func (v *View) Rehearse(ctx context.Context, input []byte) (*Rehearsal, error) {
	r, err := v.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer v.program.end()
	if out, err := r.run(nil, input); err != nil {
		r.finish(input, out, err)
		return nil, err
	}
	return &Rehearsal{r}, nil
}

// Run makes the last pass n times.
func (h *Rehearsal) Run(n int) error {
	if err := h.enter(); err != nil {
		return err
	}
	defer h.r.program.end()
	if !h.r.view.meta.Calls { // its requests are a pass and nothing around it, see answerPure
		in := h.r.in
		for range n {
			in.spent, in.started = 0, time.Time{}
			if _, err := in.pass(h.r.view, h.r.input, h.r.kept); err != nil {
				return fmt.Errorf("the rehearsed pass: %w", err)
			}
		}
		return nil
	}
	for range n {
		h.r.passes--
		h.r.spent, h.r.clock = 0, time.Time{} // the pass asks the time if it takes long
		if _, status, err := h.r.pass(); err != nil || status != abi.Ready {
			return fmt.Errorf("the rehearsed pass ended with status %d: %w", status, err)
		}
	}
	return nil
}

func (h *Rehearsal) enter() error {
	p := h.r.program
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.enter()
}

// Close gives the instance back, unless it went with the program.
func (h *Rehearsal) Close() {
	if h.r.in == nil || h.enter() != nil {
		return
	}
	h.r.finish(nil, nil, nil)
	h.r.program.end()
}
