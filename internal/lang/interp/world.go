package interp

import (
	"errors"
	"fmt"

	"towpath.dev/internal/abi"
	"towpath.dev/internal/lang/core"
	"towpath.dev/internal/lang/span"
)

// World answers what a run cannot know by itself. It must be a function:
// equal questions have equal answers.
type World interface {
	// Ask answers a call. An error means that the call failed; ErrShed that it
	// is the platform that dropped it.
	Ask(c *Call) (Answer, error)
	// Verdict decides the scope (site, path). within is its deadline in
	// nanoseconds, -1 without one; only an optional scope may be shed.
	Verdict(site core.Site, path uint64, within int64, optional bool) abi.Verdict
}

// Call is a question to a service.
type Call struct {
	Op        *core.Operation
	Args      []Value
	Canonical []byte // the JSON array of Args, by which equal calls are known
	At        span.Span
	Site      core.Site
	Path      uint64
	// Scopes are the live scopes around the call, outermost first; valid until
	// Ask returns.
	Scopes []ScopeRef
}

// ScopeRef is an instance of a scope.
type ScopeRef struct {
	Site     core.Site
	Path     uint64
	Within   int64 // nanoseconds, -1 without
	Optional bool
	HasElse  bool
}

// Answer is what a service answered: Value, or when that is nil the JSON of
// it. JSON that does not decode to the operation's type fails the call.
type Answer struct {
	Value Value
	JSON  []byte
}

// ErrShed, answered by World.Ask, sheds the nearest optional scope around the
// call as a whole, as if its verdict had been so.
var ErrShed = errors.New("shed")

// ErrNoAnswer is the failure of every call in a run without a World.
var ErrNoAnswer = errors.New("nothing answers calls here")

// ErrExpired is the reason of a scope that expired and has no `else`.
var ErrExpired = errors.New("the deadline expired")

// Failed says that a call or a scope had no answer. The nearest `else` around
// it stands in; a run that ends with a Failed had none.
type Failed struct {
	Op     *core.Operation // nil: a scope without `else` expired or was shed
	At     span.Span       // of the call or the scope
	Reason error
}

func (f *Failed) Error() string {
	if f.Op == nil {
		return fmt.Sprintf("%s: the scope failed: %v", f.At, f.Reason)
	}
	return fmt.Sprintf("%s: %s failed: %v", f.At, f.Op.QualifiedName(), f.Reason)
}

func (f *Failed) Unwrap() error { return f.Reason }

// ask evaluates a call of a service.
func (m *Machine) ask(e *core.CallOp, env *Env) (Value, error) {
	args, err := m.evalAll(e.Args, env)
	if err != nil {
		return nil, err
	}
	canonical, err := m.appendCanonical(nil, e.Op, args)
	if err != nil {
		return nil, &Fault{Kind: abi.BadArgument, At: e.At, Detail: err.Error()}
	}
	if m.opts.World == nil {
		return nil, &Failed{Op: e.Op, At: e.At, Reason: ErrNoAnswer}
	}
	answer, err := m.opts.World.Ask(&Call{
		Op: e.Op, Args: args, Canonical: canonical, At: e.At, Site: e.Site, Path: env.path, Scopes: m.scopes,
	})
	if err == nil && answer.Value == nil {
		answer.Value, err = m.DecodeJSON(e.Op.Result, answer.JSON)
	}
	if err != nil {
		return nil, &Failed{Op: e.Op, At: e.At, Reason: err}
	}
	return answer.Value, nil
}

// appendCanonical appends the arguments of a call as the JSON array of them.
func (m *Machine) appendCanonical(dst []byte, op *core.Operation, args []Value) ([]byte, error) {
	dst = append(dst, '[')
	for i, p := range op.Params {
		if i > 0 {
			dst = append(dst, ',')
		}
		var err error
		if dst, err = m.AppendJSON(dst, p.Type, args[i]); err != nil {
			return nil, err
		}
	}
	return append(dst, ']'), nil
}

// scope evaluates a guarded expression.
func (m *Machine) scope(e *core.Scope, env *Env) (Value, error) {
	ref := ScopeRef{Site: e.Site, Path: env.path, Within: -1, Optional: e.Optional, HasElse: e.Else != nil}
	if e.Within != nil {
		within, err := m.eval(e.Within, env)
		if err != nil {
			return nil, err
		}
		ref.Within = max(0, within.(int64))
	}
	if !m.mayAsk(e.Body, env) {
		return m.eval(e.Body, env) // a scope's clock starts with its first call
	}
	verdict := abi.Live
	if m.opts.World != nil {
		verdict = m.opts.World.Verdict(ref.Site, ref.Path, ref.Within, ref.Optional)
	}
	var failed *Failed
	switch verdict {
	case abi.Expired:
		failed = &Failed{At: e.At, Reason: ErrExpired}
	case abi.Shed:
		failed = &Failed{At: e.At, Reason: ErrShed}
	default:
		v, err := m.scopeBody(e, ref, env)
		var ok bool
		failed, ok = err.(*Failed)
		// A shed call takes the whole of the nearest optional scope with it.
		if !ok || failed.Op != nil && failed.Reason == ErrShed && !e.Optional {
			return v, err
		}
	}
	if e.Else == nil {
		return nil, failed
	}
	return m.eval(e.Else, env)
}

// scopeBody evaluates what a live scope guards, on the scope's own path.
func (m *Machine) scopeBody(e *core.Scope, ref ScopeRef, env *Env) (Value, error) {
	m.scopes = append(m.scopes, ref)
	env.path = mix(ref.Path, uint64(e.Site))
	v, err := m.eval(e.Body, env)
	env.path = ref.Path
	m.scopes = m.scopes[:len(m.scopes)-1]
	return v, err
}

// mix makes the path of a place x within the path h.
func mix(h, x uint64) uint64 {
	h = (h ^ x) * 0x9E3779B97F4A7C15
	return h ^ h>>32
}
