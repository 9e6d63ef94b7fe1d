// Package source says what answers a program's calls: the contract between the
// scheduling of calls and the protocols that carry them, one package a protocol
// below this one.
//
// A [Source] is a connection that an environment names (a database, a host, a
// file). It binds operations, each with settings of its own, and gives a [Caller]
// for each:
//
//	src, err := httpjson.Open(table)
//	caller := src.Bind(source.Operation{Meta: op, Schema: schema, Settings: table})
//	caller.Call(ctx, &source.Batch{Args: args}, done)
//
// Callers neither retry, share, cache nor bound in time: fetch does that for all
// of them alike. Nor need they look whether an answer fits the operation's type:
// the engine does, and says which path does not.
package source

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"towpath.dev/internal/abi"
	"towpath.dev/internal/artifact"
	"towpath.dev/internal/settings"
)

// Source is where a service's answers come from.
type Source interface {
	// Bind makes the Caller of an operation. Mistakes in the settings are noted in
	// them; the Caller is nil then. It asks the source nothing.
	Bind(op Operation) Caller
	// Probe asks the source whether it can be reached and has what some callers need,
	// which are values that its Bind gave. It says nothing of other callers: they may
	// be another program's.
	Probe(ctx context.Context, callers []Caller) error
	// Close frees what the source holds. No call is under way then.
	Close() error
}

// Shareable is a Source that several programs, and releases of one, may ask: the
// connections are then as many as its settings say for all of them together. Its Bind
// may be called while it answers calls.
type Shareable interface {
	Source
	// Opened is the [Sum] of what was read beside the settings when the source was
	// opened, as certificates: of two sources with equal settings and sums, either
	// does for both. shared is false if it is not to be shared after all.
	Opened() (sum [sha256.Size]byte, shared bool)
}

// Sum is a SHA-256 of some parts, which tells apart where one ends and the next begins.
func Sum(parts ...[]byte) [sha256.Size]byte {
	h := sha256.New()
	for _, p := range parts {
		_, _ = h.Write(binary.AppendUvarint(nil, uint64(len(p)))) // a hash takes everything
		_, _ = h.Write(p)
	}
	return [sha256.Size]byte(h.Sum(nil))
}

// Operation is an operation to be bound.
type Operation struct {
	Meta     *artifact.Operation
	Schema   *abi.Schema
	Settings *settings.Table // never nil; may be empty
}

// Caller asks one operation.
type Caller interface {
	// Call asks a batch and returns once done was called for each of its calls,
	// exactly once, from any goroutine: with the answer as JSON, which belongs to
	// done from then on, or with the reason why there is none. It returns soon
	// after ctx ends, whose deadline is that of the batch, and leaves nothing
	// running behind.
	Call(ctx context.Context, b *Batch, done func(i int, answer []byte, err error))
}

// AtOnce is a Caller whose answers to a batch may come all together, in one
// response: nothing is won then by taking them one by one.
type AtOnce interface {
	Caller
	// AtOnce reports whether those of so many calls do.
	AtOnce(calls int) bool
}

// Batch is calls of one operation.
type Batch struct {
	// Args has the arguments of each call: a compact JSON array of them, in the
	// canonical form of docs/spec.md. They are not to be changed or kept.
	Args [][]byte
	// About says on whose behalf the calls are.
	About About
}

// About is what a call tells the service of the request behind it.
type About struct {
	Request     string // the request's id
	Caller      string // the principal; "" when not known
	Criticality string // "critical", "default", "sheddable" or "bulk"; "" is default
	TraceParent string // of the call's span, as W3C Trace Context writes it; "" without
	Within      int    // how many programs of this process ask each other for it, see viewcall
}

// Kind says what kind of failure a call met; it decides whether the call may be
// tried again, and whose fault metrics say it was.
type Kind uint8

// The kinds.
const (
	// Failed: the service answered with an error of its own.
	Failed Kind = iota
	// Unreachable: no connection came about, or it broke before an answer began.
	Unreachable
	// Unavailable: the service said that it cannot serve now (503, UNAVAILABLE).
	Unavailable
	// Refused: the service took the call to be wrong (4xx, INVALID_ARGUMENT).
	Refused
	// Unfit: what came is no answer: broken, cut off, too large.
	Unfit
	// Expired: the time was up, or nobody wanted the answer any more.
	Expired
)

var kinds = [...]string{"failed", "unreachable", "unavailable", "refused", "unfit", "expired"}

func (k Kind) String() string { return kinds[k] }

// Error is why a call has no answer.
type Error struct {
	Kind Kind
	// Message says what was expected and found, without secrets.
	Message string
	Err     error // may be nil
	// After is how long the service asked to be left alone; 0 when it did not say.
	After time.Duration
	// Own is that what is wrong came with the program: a file of its own environment, and
	// no service that others run.
	Own bool
}

func (e *Error) Error() string {
	if e.Message == "" && e.Err != nil {
		return e.Kind.String() + ": " + e.Err.Error()
	}
	return e.Kind.String() + ": " + e.Message
}

func (e *Error) Unwrap() error { return e.Err }

// Errorf makes an Error.
func Errorf(kind Kind, format string, args ...any) *Error {
	err := fmt.Errorf(format, args...)
	return &Error{Kind: kind, Message: err.Error(), Err: errors.Unwrap(err)}
}

// KindOf is the kind of an error; errors that are no *Error are of contexts that
// ended, or Failed.
func KindOf(err error) Kind {
	var e *Error
	switch {
	case errors.As(err, &e):
		return e.Kind
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return Expired
	}
	return Failed
}

// Split takes a call's arguments apart, one a parameter in declared order.
func Split(args []byte) ([]json.RawMessage, error) {
	var parts []json.RawMessage
	if err := json.Unmarshal(args, &parts); err != nil {
		return nil, Errorf(Failed, "the arguments %.100s are no JSON array: %w", args, err)
	}
	return parts, nil
}

// Params are the names of an operation's parameters, as JSON calls them.
func (o *Operation) Params() []string {
	fields := o.Schema.Types[o.Meta.Args].Fields
	names := make([]string, len(fields))
	for i, f := range fields {
		if names[i] = f.JSON; names[i] == "" {
			names[i] = f.Name
		}
	}
	return names
}
