package towpath

import (
	"errors"
	"fmt"
	"strings"

	"towpath.dev/internal/codec"
	"towpath.dev/internal/run/engine"
)

// InputError says that a request's input is not what the view takes.
type InputError struct {
	View     string
	Path     string // "$.offers[3].price"
	Expected string // "Int"
	Found    string // `string "12"`
}

func (e *InputError) Error() string {
	return fmt.Sprintf("the input of %s: at %s: expected %s, found %s", e.View, e.Path, e.Expected, e.Found)
}

// Fault is the end of a request that did what a program may not.
type Fault struct {
	// Kind is "overflow", "division by zero", "mixed currencies", "out of gas",
	// "too deep", "out of memory" or "bad argument".
	Kind   string
	View   string
	File   string // "market/rules.tow"; "" when the place is not known
	Line   int
	Column int
	Stack  []string // functions, innermost first: "market/rules.rate"
	Detail string   // "" when the kind says it all
}

func (f *Fault) Error() string {
	var b strings.Builder
	if f.File != "" {
		fmt.Fprintf(&b, "%s:%d:%d: ", f.File, f.Line, f.Column)
	}
	b.WriteString(f.Kind)
	if f.Detail != "" {
		b.WriteString(": " + f.Detail)
	}
	return b.String()
}

// CallError says that a request failed since a call, or a scope, that nothing
// guards had no answer, or since the view's own time went by. It unwraps to what
// the source said, or to one of ErrTimeout, ErrNoSource, ErrExpired, ErrShed and
// ErrDeadline.
type CallError struct {
	View      string
	Operation string // "market/services.Catalog.offers"; "" for a scope or the view
	Args      string // JSON; "" for a scope or the view
	err       error  // of the engine
}

func (e *CallError) Error() string { return e.err.Error() }
func (e *CallError) Unwrap() error { return errors.Unwrap(e.err) }

// Reasons of a CallError, besides what a source says.
var (
	ErrTimeout  = engine.ErrTimeout  // the operation's `within` went by
	ErrNoSource = engine.ErrNoSource // Options.Source is nil
	ErrExpired  = engine.ErrExpired  // a scope without `else` expired
	ErrShed     = engine.ErrShed     // a scope without `else` was shed
	ErrDeadline = engine.ErrDeadline // the view's `within` went by
)

var (
	// ErrClosed is the error of a request to a Program that was closed.
	ErrClosed = engine.ErrClosed
	// ErrArtifact is the error of Replay when the record is of another artifact.
	ErrArtifact = engine.ErrArtifact
)

// LimitError says that a request met a bound of Options that is not part of
// the language.
type LimitError struct {
	View  string
	What  string // "passes", "CPU", "calls", "kept bytes"
	Limit int64  // nanoseconds for CPU
	err   error
}

func (e *LimitError) Error() string { return e.err.Error() }

// public turns an engine's error into one of this package.
func public(err error) error {
	switch err := err.(type) {
	case *engine.InputError:
		if e, ok := err.Err.(*codec.Error); ok {
			in := &InputError{View: err.View, Path: e.Path, Expected: e.Expected, Found: e.Found}
			if in.Path == "$" && in.Expected == err.View {
				in.Expected = "an object with a member for each parameter" // its type has no name of its own
			}
			return in
		}
	case *engine.Fault:
		return &Fault{Kind: err.Kind.String(), View: err.View, File: err.File, Line: err.Line, Column: err.Col, Stack: err.Stack, Detail: err.Detail}
	case *engine.CallError:
		return &CallError{View: err.View, Operation: err.Operation, Args: err.Args, err: err}
	case *engine.LimitError:
		return &LimitError{View: err.View, What: err.What, Limit: err.Limit, err: err}
	}
	return err
}
