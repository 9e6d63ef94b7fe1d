package towpath

import (
	"context"
	"encoding/json"
	"time"

	"towpath.dev/internal/run/engine"
)

// Options say how a Program runs. The zero value works for programs that make
// no calls.
type Options struct {
	// Source answers calls. Nil: every call fails.
	Source Source
	// Shed decides whether an optional scope is left out of its request, to
	// lighten the load. It is asked once a scope, before the scope's first calls
	// are sent, and must be fast. Nil: nothing is shed.
	Shed func(s Scope) bool
	// Strict refuses members of an input that its type does not know.
	Strict bool

	// Clock tells the time and wakes waiting requests. Nil: the machine's.
	Clock Clock
	// Seed gives each request the seed of its random values. Nil: random ones.
	Seed func() int64

	// CacheDir keeps compiled code between processes. "": it is not kept.
	CacheDir string
	// Idle bounds the instances that are kept ready, each with at most some
	// 64 KiB. 0: 64.
	Idle int

	// Gas is what one run of a view may spend. 0: 50,000,000.
	Gas int64
	// Depth is how deep calls of recursive functions may nest. 0: 10,000.
	Depth int
	// Memory is how many bytes a request may use. 0: all that the artifact asks.
	Memory int
	// CPU bounds the time that a request computes, waiting not counted. 0: one
	// second.
	CPU time.Duration
	// Calls bounds the different calls of a request. 0: 10,000.
	Calls int
}

func (o *Options) engine() engine.Options {
	e := engine.Options{
		Clock: o.Clock, Seed: o.Seed, Strict: o.Strict, CacheDir: o.CacheDir, Idle: o.Idle,
		Gas: o.Gas, Depth: o.Depth, Memory: o.Memory, CPU: o.CPU, Calls: o.Calls,
	}
	if source := o.Source; source != nil {
		e.Source = engine.SourceFunc(func(ctx context.Context, b *engine.Batch) { source.Ask(ctx, Batch{b}) })
	}
	if shed := o.Shed; shed != nil {
		e.Shed = func(s engine.ScopeInfo) bool {
			return shed(Scope{View: s.View.QualifiedName(), File: s.File, Line: s.Place.Line, Column: s.Place.Column})
		}
	}
	return e
}

// Clock is where a Program's time comes from.
type Clock interface {
	Now() time.Time
	// After gives a channel that receives once d has gone by, and what stops it.
	After(d time.Duration) (fired <-chan time.Time, stop func() bool)
}

// Scope is an optional scope of a view.
type Scope struct {
	View         string // "market/shop.featured"
	File         string // "market/rules.tow", which may be another module's
	Line, Column int    // where it begins in the file, from 1
}

// Source answers calls.
//
// Ask is handed a batch of calls of one operation and returns soon: answers may
// come later, one by one and from any goroutine, or at once. ctx ends when the
// request does, or when nothing wants the batch's calls any more; its deadline
// is when the last of them stops to be of use.
type Source interface {
	Ask(ctx context.Context, b Batch)
}

// SourceFunc is a function that answers single calls, at once: the arguments
// are a JSON array, the answer is JSON.
type SourceFunc func(ctx context.Context, operation string, args []byte) ([]byte, error)

// Ask answers each call of a batch in a goroutine of its own, which ends with
// the function.
func (f SourceFunc) Ask(ctx context.Context, b Batch) {
	for i := range b.Len() {
		go func() {
			body, err := f(ctx, b.Operation(), b.Args(i))
			if err != nil {
				b.Fail(i, err)
				return
			}
			b.Answer(i, body)
		}()
	}
}

// Batch is calls of one operation, no two with the same arguments, and no more
// than the operation's `batch` allows.
type Batch struct{ engine *engine.Batch }

// Operation is what is called: "market/services.Catalog.offers".
func (b Batch) Operation() string { return b.engine.Operation.QualifiedName() }

// Len is how many calls there are.
func (b Batch) Len() int { return b.engine.Len() }

// Args is the arguments of the i'th call: a compact JSON array, objects with
// their members in declared order. It is not to be changed.
func (b Batch) Args(i int) []byte { return b.engine.Args(i) }

// Answer gives the i'th call's answer, as JSON, which must not be changed
// after. Only the first Answer or Fail of a call counts.
func (b Batch) Answer(i int, body []byte) { b.engine.Answer(i, body) }

// Fail says that the i'th call has no answer, and why.
func (b Batch) Fail(i int, err error) { b.engine.Fail(i, err) }

// Record is all that a request depended on: input, answers, what expired, the
// clock, the seed and the artifact. It marshals to JSON and back.
type Record struct{ engine engine.Record }

// View is the qualified name of the request's view.
func (r *Record) View() string { return r.engine.View }

// MarshalJSON implements json.Marshaler.
func (r *Record) MarshalJSON() ([]byte, error) { return json.Marshal(&r.engine) }

// UnmarshalJSON implements json.Unmarshaler.
func (r *Record) UnmarshalJSON(text []byte) error { return json.Unmarshal(text, &r.engine) }
