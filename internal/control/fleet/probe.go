// How an agent probes what releases call.

package fleet

import (
	"context"
	"errors"
	"slices"

	"towpath.dev/internal/control/release"
)

// probing is a probe that is under way. A program has one at a time.
type probing struct {
	deployment string
	round      int64
	of         []release.Digest
	cancel     context.CancelFunc
	ended      bool          // nobody asks for its answer any more
	over       chan struct{} // closed when it has returned
}

// probe tries out what answers the calls of both releases, once they are ready.
func (p *program) probe(ctx context.Context, a *Agent, i *Intent, round int64) {
	sides := []release.Digest{i.Release, i.Candidate}
	for _, d := range sides {
		if d != "" && p.ready[d] == nil && !p.hopeless(d) {
			return // when it is
		}
	}
	ready := [2]Prepared{p.ready[sides[0]], p.ready[sides[1]]}
	ctx, cancel := context.WithCancel(ctx)
	r := &probing{deployment: i.Deployment, round: round, of: sides, cancel: cancel, over: make(chan struct{})}
	p.probing = r
	a.ends.Go(func() {
		defer cancel()
		var texts [2]string
		var own [2]bool
		for k, r := range ready {
			if r == nil {
				continue // what is wrong is told as trouble
			}
			texts[k], own[k] = a.probeOne(ctx, r)
		}
		close(r.over)
		a.done(loaded{program: p, probed: &Probed{r.deployment, r.round, texts[0], texts[1], own[1]}})
	})
}

// probeOne says what is wrong with what answers a release's calls, and whether all of it came
// with the release itself; "" is nothing.
func (a *Agent) probeOne(ctx context.Context, r Prepared) (text string, own bool) {
	ctx, cancel := context.WithTimeout(ctx, a.o.ProbeTime)
	defer cancel()
	if err := r.Probe(ctx); err != nil {
		var whose interface{ Own() bool }
		return cut(err.Error(), maxTrouble), errors.As(err, &whose) && whose.Own()
	}
	return "", false
}

// in reports whether it is of a round of a deployment.
func (r *probing) in(deployment string, round int64) bool {
	return r != nil && r.deployment == deployment && r.round == round
}

// end has a probe return, if one is under way, and does not wait for it.
func (r *probing) end() {
	if r != nil {
		r.ended = true
		r.cancel()
	}
}

// free closes a release that was made ready, is not in place, and is not needed any more. A probe
// of it is ended, and waited for, but not by the loop, which has more to do.
func (p *program) free(a *Agent, d release.Digest, r Prepared) {
	delete(p.ready, d)
	if p.probing == nil || !slices.Contains(p.probing.of, d) {
		r.Close()
		return
	}
	p.probing.end()
	over := p.probing.over
	a.ends.Go(func() {
		<-over
		r.Close()
	})
}
