package engine

import (
	"time"

	"towpath.dev/internal/abi"
	"towpath.dev/internal/artifact"
)

// ScopeInfo describes an optional scope that may be shed.
type ScopeInfo struct {
	View  *artifact.View
	Site  uint64 // of the manifest's Scopes
	Path  uint64
	File  string // "market/shop.tow"
	Place artifact.Place
}

// scope is an instance of a scope: a place in the source, and the path by which
// evaluation came there.
type scope struct {
	site, path uint64
	verdict    abi.Verdict
	optional   bool
	offered    bool  // Options.Shed was asked
	waiting    int   // request.round when it was last seen to wait for a call
	outer      int32 // the scope around it in the last pass, -1 without
	within     int64 // nanoseconds, negative without
	deadline   time.Time
}

type scopeKey struct{ site, path uint64 }

// scope answers the import of the same name.
func (in *instance) scope(site, path uint64, within int64, flags uint32) uint32 {
	r := in.req
	if r == nil { // of a view that asks nothing: a scope around a function that might
		return uint32(abi.Live)
	}
	i := r.scopeOf(site, path)
	s := &r.scopes[i]
	if s.verdict != abi.Live {
		r.failure = failure{call: -1, scope: i}
		return uint32(s.verdict)
	}
	s.outer, s.within, s.optional = r.innermost(), within, flags&abi.ScopeOptional != 0
	if within < -1 {
		s.within = 0
	}
	r.open = append(r.open, i)
	return uint32(abi.Live)
}

// closeScope answers the import "close".
func (in *instance) closeScope() {
	r := in.req
	if r == nil {
		return
	}
	if len(r.open) == 0 {
		in.corrupt()
	}
	r.open = r.open[:len(r.open)-1]
}

// scopeOf finds a scope, or makes it. As with calls, the one that came next in
// the pass before is looked at first.
func (r *request) scopeOf(site, path uint64) int32 {
	if r.entered < len(r.scopeOrder) {
		i := r.scopeOrder[r.entered]
		if s := &r.scopes[i]; s.site == site && s.path == path {
			r.entered++
			return i
		}
	}
	key := scopeKey{site, path}
	i, known := r.byScope[key]
	if !known {
		i = int32(len(r.scopes))
		if r.byScope == nil {
			r.byScope = map[scopeKey]int32{}
		}
		r.byScope[key] = i
		r.scopes = append(r.scopes, scope{site: site, path: path, outer: -1, within: -1})
		if r.replay != nil {
			r.scopes[i].verdict = r.replayVerdict(key)
		}
	}
	r.scopeOrder = append(r.scopeOrder[:r.entered], i)
	r.entered++
	return i
}

// innermost is the innermost open scope, -1 without.
func (r *request) innermost() int32 {
	if n := len(r.open); n > 0 {
		return r.open[n-1]
	}
	return -1
}

// live reports whether a scope and all around it may still complete.
func (r *request) live(i int32) bool {
	for ; i >= 0; i = r.scopes[i].outer {
		if r.scopes[i].verdict != abi.Live {
			return false
		}
	}
	return true
}

// decide gives the verdicts that are due. Only a scope that waits for a call
// can expire or be shed: time spent computing expires none. Its clock starts
// here, after the first pass of which it waits. It reports whether there was a
// verdict.
func (r *request) decide(now time.Time) bool {
	if r.replay != nil {
		return false // the record has them
	}
	r.round++
	for _, w := range r.wants {
		if state := r.calls[w.call].state; state != callNew && state != callSent {
			continue
		}
		for i := w.scope; i >= 0; i = r.scopes[i].outer {
			s := &r.scopes[i]
			if s.waiting == r.round {
				break // those around it too
			}
			s.waiting = r.round
			if s.within >= 0 && s.deadline.IsZero() {
				s.deadline = now.Add(time.Duration(s.within))
			}
		}
	}
	any := false
	for i := range r.scopes {
		s := &r.scopes[i]
		if s.verdict != abi.Live || s.waiting != r.round {
			continue
		}
		switch {
		case s.within >= 0 && !now.Before(s.deadline):
			s.verdict = abi.Expired
		case s.optional && !s.offered:
			s.offered = true
			if r.shed == nil || !r.shed(r.info(s)) {
				continue
			}
			s.verdict = abi.Shed
		default:
			continue
		}
		any = true
		if r.trace != nil {
			at := r.info(s)
			r.trace.Verdicts = append(r.trace.Verdicts, VerdictTrace{At: now, Shed: s.verdict == abi.Shed, File: at.File, Place: at.Place})
		}
	}
	return any
}

func (r *request) info(s *scope) ScopeInfo {
	place := r.program.scopePlace(s.site)
	file, _, _ := r.program.at(place)
	return ScopeInfo{View: r.view.meta, Site: s.site, Path: s.path, File: file, Place: place}
}

func (p *Program) scopePlace(site uint64) artifact.Place {
	for i := range p.manifest.Scopes {
		if p.manifest.Scopes[i].Site == site {
			return p.manifest.Scopes[i].Place
		}
	}
	return artifact.Place{}
}

// nextDeadline is when the next scope, call or the view runs out of time; zero
// when nothing does.
func (r *request) nextDeadline() time.Time {
	next := r.deadline
	for i := range r.scopes {
		if s := &r.scopes[i]; s.verdict == abi.Live && s.waiting == r.round && s.within >= 0 {
			next = earlier(next, s.deadline)
		}
	}
	for i := range r.calls {
		if c := &r.calls[i]; c.state == callSent && !c.due.IsZero() {
			next = earlier(next, c.due)
		}
	}
	return next
}
