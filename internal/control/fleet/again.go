// What was refused is looked at again, as its cause may be gone.

package fleet

import (
	"context"
	"errors"
	"time"

	"towpath.dev/internal/control/release"
)

// lookEvery is how often, about: a signature may have come, or a secret's file.
const lookEvery = time.Minute

// lookAt is when a release is looked at again: nodes at various times, so that they do not ask
// for signatures all at once.
func (a *Agent) lookAt(d release.Digest) time.Time {
	return time.Now().Add(time.Duration(float64(lookEvery) * (0.75 + Order(string(d), a.o.Node)/2)))
}

// mendable reports whether the trouble with a release may end without another deployment.
func (p *program) mendable(d release.Digest) bool {
	t := p.troubles[d]
	return t != nil && (t.Kind == Distrust || t.Kind == Unbound)
}

// due reports whether a release that was refused is to be looked at again.
func (p *program) due(d release.Digest) bool { return p.mendable(d) && !p.looks[d].After(time.Now()) }

// review has everything looked at at once that another trust policy may say something else of.
func (p *program) review(a *Agent) {
	p.lookAnew()
	for d, r := range p.ready {
		if d == p.main || d == p.beside {
			p.vets[d] = time.Now()
		} else { // it was let run by the policy before
			p.free(a, d, r)
		}
	}
}

// lookAnew has what nobody trusted was said to have signed looked at again at once.
func (p *program) lookAnew() {
	for d, t := range p.troubles {
		if t.Kind == Distrust {
			delete(p.looks, d)
		}
	}
}

// refused are the releases that the node would have a use for, was it not for a trouble that may
// end.
func (p *program) refused(of ...release.Digest) []release.Digest {
	var all []release.Digest
	for _, d := range of {
		if d != "" && p.mendable(d) {
			all = append(all, d)
		}
	}
	return all
}

// vet looks whether what is in place may still run by the trust policy: when that has changed, and
// as long as the answer is no. It runs on all the same, as ending it helps nobody.
func (p *program) vet(ctx context.Context, a *Agent) {
	for d, at := range p.vets {
		switch {
		case d != p.main && d != p.beside:
			delete(p.vets, d)
			delete(p.disowned, d)
			continue
		case at.After(time.Now()):
			continue
		}
		p.vets[d] = a.lookAt(d)
		policy := a.memory.Policy
		a.ends.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, a.o.LoadTime)
			defer cancel()
			l := loaded{program: p, release: d, policy: policy, vetted: true}
			_, l.err = a.get(ctx, p.name, d, policy)
			a.done(l)
		})
	}
}

// vetted takes over what came of it.
func (p *program) vetted(l loaded) {
	fault := (*Fault)(nil)
	switch {
	case l.err == nil:
		delete(p.vets, l.release)
		delete(p.disowned, l.release)
	case errors.As(l.err, &fault) && fault.Kind == Distrust:
		p.disowned[l.release] = cut(fault.Error(), maxTrouble)
	}
}
