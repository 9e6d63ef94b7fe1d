package engine

import (
	"context"
	"errors"
)

// ErrClosed says that the Program was closed.
var ErrClosed = errors.New("engine: the program is closed")

// Close refuses new requests, and waits for those under way until the context
// ends. The memory of all is freed when the last one has ended, before Close
// returns or, when the context's error is what it returns, after.
func (p *Program) Close(ctx context.Context) error {
	p.mu.Lock()
	if !p.closed {
		p.closed = true
		p.closeIfUnused()
	}
	p.mu.Unlock()
	select {
	case <-p.ended:
		return p.endErr
	default:
	}
	select {
	case <-p.ended:
		return p.endErr
	case <-ctx.Done():
		return ctx.Err()
	}
}

// closeIfUnused frees everything, if the Program is closed and nothing is under
// way. Code that runs on memory that is given back would bring the process
// down. p.mu is held.
func (p *Program) closeIfUnused() {
	if !p.closed || p.active > 0 {
		return
	}
	p.idle, p.requests = nil, nil
	var errs []error
	if p.runtime != nil {
		errs = append(errs, p.runtime.Close(context.Background()))
	}
	if p.cache != nil {
		errs = append(errs, p.cache.Close(context.Background()))
	}
	p.endErr = errors.Join(errs...)
	close(p.ended)
}

// enter begins something that needs instances; p.mu is held. end is its end.
func (p *Program) enter() error {
	if p.closed {
		return ErrClosed
	}
	p.active++
	return nil
}

func (p *Program) end() {
	p.mu.Lock()
	p.active--
	p.closeIfUnused()
	p.mu.Unlock()
}

// begin is acquire at the beginning of a request of one pass; releaseLast is
// its end.
func (p *Program) begin() (*instance, error) {
	p.mu.Lock()
	if err := p.enter(); err != nil {
		p.mu.Unlock()
		return nil, err
	}
	in, err := p.take()
	if err != nil {
		p.end()
	}
	return in, err
}

// acquire takes an idle instance, or makes one, for something that is under way.
func (p *Program) acquire() (*instance, error) {
	p.mu.Lock()
	return p.take()
}

// take is acquire when p.mu is held, which it gives up.
func (p *Program) take() (*instance, error) {
	if n := len(p.idle); n > 0 {
		in := p.idle[n-1]
		p.idle = p.idle[:n-1]
		p.mu.Unlock()
		return in, nil
	}
	p.mu.Unlock()
	return p.newInstance()
}

// spare reports whether other requests find an instance, so that one which waits a
// moment may keep its own. As none is made for that, no more than Options.Idle wait
// with one.
func (p *Program) spare() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.idle) > 0
}

// release wipes an instance and keeps it for the next request, or closes it.
func (p *Program) release(in *instance) { p.put(in, 0) }

// releaseLast is release at the end of what begin began.
func (p *Program) releaseLast(in *instance) { p.put(in, 1) }

// put takes an instance back from something under way, of which ended end.
func (p *Program) put(in *instance, ended int) {
	in.req = nil
	keep := !in.broken
	if keep {
		in.wipe()
	}
	p.mu.Lock()
	if keep = keep && !p.closed && len(p.idle) < p.opts.Idle; keep {
		p.idle = append(p.idle, in)
	}
	p.active -= ended
	p.closeIfUnused()
	p.mu.Unlock()
	if !keep {
		in.close()
	}
}

// Warm makes instances until n are idle, at most Options.Idle, so that the
// first requests after a start or a swap do not pay for them.
func (p *Program) Warm(n int) error {
	p.mu.Lock()
	err := p.enter()
	missing := min(n, p.opts.Idle) - len(p.idle)
	p.mu.Unlock()
	if err != nil {
		return err
	}
	defer p.end()
	for range missing {
		in, err := p.newInstance()
		if err != nil {
			return err
		}
		p.release(in)
	}
	return nil
}

// newRequest begins a request that may call, on the memory of one that has
// ended if there is such. reuse is its end.
func (p *Program) newRequest() (*request, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.enter(); err != nil {
		return nil, err
	}
	if n := len(p.requests); n > 0 {
		r := p.requests[n-1]
		p.requests = p.requests[:n-1]
		return r, nil
	}
	return &request{program: p}, nil
}

// keepCalls is how many calls a request may have had to be used again: the
// memory of larger ones is not worth keeping.
const keepCalls = 1000

// reuse ends a request, and keeps its memory for another.
func (p *Program) reuse(r *request) {
	if len(r.calls) <= keepCalls && len(r.scopes) <= keepCalls && cap(r.copied) <= keepResident {
		r.forget()
		p.mu.Lock()
		if len(p.requests) < p.opts.Idle {
			p.requests = append(p.requests, r)
		}
		p.mu.Unlock()
	}
	p.end()
}

// forget forgets all of the request but its memory.
func (r *request) forget() {
	clear(r.calls)
	clear(r.table)
	clear(r.byScope)
	clear(r.flights)
	clear(r.copied)
	clear(r.args[:cap(r.args)])
	clear(r.bits)
	*r = request{
		program: r.program, room: len(r.texts), copied: r.copied[:0], calls: r.calls[:0], table: r.table, order: r.order[:0],
		wants: r.wants[:0], args: r.args[:0], bits: r.bits[:0], scopes: r.scopes[:0], byScope: r.byScope, scopeOrder: r.scopeOrder[:0],
		open: r.open[:0], letters: r.letters[:0], batches: r.batches[:0], flights: r.flights[:0],
	}
}
