package engine

import (
	"context"
	"fmt"
	"time"

	"towpath.dev/internal/abi"
)

// Rehearsal is a request that was answered once and can run its last pass
// again and again: the decision alone, without decoding, encoding and waiting.
// Measurements use it.
type Rehearsal struct{ r *request }

// Rehearse answers a request as Do does, and keeps its instance with the
// decoded input and answers. Close gives it back.
func (v *View) Rehearse(ctx context.Context, input []byte) (*Rehearsal, error) {
	r := v.begin(ctx)
	if out, err := r.run(nil, input); err != nil {
		r.finish(input, out, err)
		return nil, err
	}
	return &Rehearsal{r}, nil
}

// Run makes the last pass n times.
func (h *Rehearsal) Run(n int) error {
	r := h.r
	for range n {
		r.passes--
		r.spent, r.clock = 0, time.Time{} // the pass asks the time if it takes long
		if _, status, err := r.pass(); err != nil || status != abi.Ready {
			return fmt.Errorf("the rehearsed pass ended with status %d: %w", status, err)
		}
	}
	return nil
}

// Close gives the instance back.
func (h *Rehearsal) Close() { h.r.finish(nil, nil, nil) }
