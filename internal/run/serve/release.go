package serve

import (
	"context"
	"errors"
	"hash/fnv"
	"math"
	"sync/atomic"
	"time"

	"towpath.dev/internal/run/engine"
	"towpath.dev/internal/run/fetch"
	"towpath.dev/internal/run/record"
)

// Release is a program made ready to answer.
type Release struct {
	Engine  *engine.Program
	Fetcher *fetch.Fetcher // nil where no view calls anything
	// Close frees what the release holds beside its program, such as connections.
	// It is called once, after the last request. May be nil.
	Close func() error

	metrics   *metrics
	views     map[string]*view
	described func() ([]byte, error) // OpenAPI
	redactor  *record.Redactor       // where requests are recorded
	counts    Counts
	started   time.Time

	users   atomic.Int64 // requests under way, and one while it is in place
	retired atomic.Bool
	gone    chan struct{} // closed when everything is freed
}

// Counts are what a release has done since it was put in place.
type Counts struct {
	Requests, Answered         atomic.Int64
	Invalid, Faults, Limits    atomic.Int64 // the caller's, the program's, too much work
	Failed, Expired, Abandoned atomic.Int64 // a service's, out of time, the client left
	Broken                     atomic.Int64 // our own
	Fallbacks, Shed            atomic.Int64 // scopes that an else stood in for
	CPU                        atomic.Int64 // nanoseconds that views ran
}

// program is a name that is served, and the releases behind it.
type program struct {
	name string
	now  atomic.Pointer[placed]
}

// placed is what a program serves: a release, and perhaps another beside it.
type placed struct {
	main, beside *Release
	below        uint64 // requests whose hash is below go to beside
}

// errNoRelease says that a program was removed.
var errNoRelease = errors.New("the program is not served any more")

// take gives the release that a request is for, and counts the request in until
// leave. Requests of one root go to one release.
func (p *program) take(root string) (*Release, error) {
	for {
		at := p.now.Load()
		if at == nil {
			return nil, errNoRelease
		}
		r := at.main
		if at.beside != nil && hashOf(root) < at.below {
			r = at.beside
		}
		if r.enter() {
			return r, nil
		}
		// It was replaced between the two steps: look again.
	}
}

func hashOf(root string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(root))
	// FNV's high bits hardly move with the last letters.
	x := h.Sum64()
	x ^= x >> 32
	x *= 0xd6e8feb86659fd93
	return x ^ x>>32
}

func (r *Release) enter() bool {
	for {
		n := r.users.Load()
		if n == 0 {
			return false
		}
		if r.users.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

func (r *Release) leave() {
	if r.users.Add(-1) == 0 {
		go r.free()
	}
}

// free gives everything back, after the last request.
func (r *Release) free() {
	defer close(r.gone)
	if r.Fetcher != nil {
		r.Fetcher.Wait()
	}
	r.metrics.forget(r)
	_ = r.Engine.Close(context.Background())
	if r.Close != nil {
		_ = r.Close()
	}
}

// retire takes a release out of its place.
func (r *Release) retire() {
	if !r.retired.Swap(true) {
		r.leave()
	}
}

// Gone is closed when a release that was replaced has ended its last request and
// freed what it held.
func (r *Release) Gone() <-chan struct{} { return r.gone }

// prepare makes a release known to the server.
func (s *Server) prepare(name string, r *Release) {
	if r.gone != nil {
		panic("serve: a release is put in place once")
	}
	r.metrics, r.gone, r.started = s.metrics, make(chan struct{}), time.Now()
	r.users.Store(1)
	r.described = r.describe(name)
	r.views = map[string]*view{}
	if ring := s.opts.Records; ring != nil {
		r.redactor = record.NewRedactor(r.Engine.Manifest(), ring.Key())
	}
	for _, v := range r.Engine.Views() {
		w := s.viewOf(name, r, v)
		r.views[v.Meta().QualifiedName()] = w
		if same, err := r.Engine.View(v.Meta().Name); err == nil && same == v {
			r.views[v.Meta().Name] = w
		}
	}
}

// Place serves a program by one release, and by another one beside it to a share of the
// requests, from 0 to 1, told by a hash of the root request. Either may be in place already;
// beside may be nil. What was in place and is not any more ends the requests that it has, and
// is freed afterwards.
func (s *Server) Place(name string, main, beside *Release, share float64) {
	for _, r := range []*Release{main, beside} {
		if r != nil && r.gone == nil {
			s.prepare(name, r)
		}
	}
	s.place(name, func(*placed) *placed { return &placed{main: main, beside: beside, below: part(share)} })
}

// Put serves a program by a release alone.
func (s *Server) Put(name string, r *Release) { s.Place(name, r, nil, 0) }

// part is the hashes below which a share of all is.
func part(share float64) uint64 {
	if share < 1 {
		return uint64(max(share, 0) * math.MaxUint64)
	}
	return math.MaxUint64
}

// Remove serves a program no more.
func (s *Server) Remove(name string) { s.place(name, func(*placed) *placed { return nil }) }

// place changes what a program serves, from what change is told, and retires what is
// not in it any more. nil is nothing.
func (s *Server) place(name string, change func(at *placed) *placed) {
	s.mu.Lock()
	defer s.mu.Unlock()
	known := s.programs.Load()
	p := known.byName[name]
	var old *placed
	if p != nil {
		old = p.now.Load()
	}
	next := change(old)
	if next == old {
		return
	}
	if p == nil {
		p = &program{name: name}
	}
	p.now.Store(next)
	switch {
	case next == nil:
		s.programs.Store(known.without(name))
	case old == nil:
		s.programs.Store(known.with(name, p))
	}
	if old == nil {
		return
	}
	for _, r := range []*Release{old.main, old.beside} {
		if r != nil && (next == nil || r != next.main && r != next.beside) {
			r.retire()
		}
	}
}

// programs is an immutable table of what is served.
type programs struct{ byName map[string]*program }

func (t *programs) with(name string, p *program) *programs {
	next := &programs{map[string]*program{name: p}}
	for n, q := range t.byName {
		if n != name {
			next.byName[n] = q
		}
	}
	return next
}

func (t *programs) without(name string) *programs {
	next := &programs{map[string]*program{}}
	for n, q := range t.byName {
		if n != name {
			next.byName[n] = q
		}
	}
	return next
}

// wait returns when a release is gone, or the context ends.
func wait(ctx context.Context, gone []<-chan struct{}) error {
	for _, g := range gone {
		select {
		case <-g:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// Close removes all programs and waits until their releases are gone.
func (s *Server) Close(ctx context.Context) error {
	var gone []<-chan struct{}
	s.mu.Lock()
	for _, p := range s.programs.Load().byName {
		if at := p.now.Load(); at != nil {
			gone = append(gone, at.main.gone)
			if at.beside != nil {
				gone = append(gone, at.beside.gone)
			}
		}
	}
	var names []string
	for name := range s.programs.Load().byName {
		names = append(names, name)
	}
	s.mu.Unlock()
	for _, name := range names {
		s.Remove(name)
	}
	return wait(ctx, gone)
}
