package engine

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"towpath.dev/internal/abi"
	"towpath.dev/internal/artifact"
)

// InputError says that a request's input is not what the view takes. Err is a
// *codec.Error with the path of the place.
type InputError struct {
	View string
	Err  error
}

func (e *InputError) Error() string { return fmt.Sprintf("the input of %s: %v", e.View, e.Err) }
func (e *InputError) Unwrap() error { return e.Err }

// Fault is the end of a request that did what a program may not.
type Fault struct {
	Kind  abi.FaultKind
	View  string
	File  string // "market/rules.tow"; "" when the place is not known
	Line  int
	Col   int
	Stack []string // functions, innermost first: "market/rules.rate"
	// Detail says more where the host knows it; "" elsewhere.
	Detail string
}

func (f *Fault) Error() string {
	var b strings.Builder
	if f.File != "" {
		fmt.Fprintf(&b, "%s:%d:%d: ", f.File, f.Line, f.Col)
	}
	b.WriteString(f.Kind.String())
	if f.Detail != "" {
		b.WriteString(": " + f.Detail)
	}
	return b.String()
}

// Reasons why a call has no answer, besides what its source says.
var (
	// ErrTimeout: the operation's own `within` went by.
	ErrTimeout = errors.New("no answer within the operation's time")
	// ErrNoSource: Options.Source is nil.
	ErrNoSource = errors.New("no source answers calls here")
	// ErrNotRecorded: a replay met a call that the record does not answer.
	ErrNotRecorded = errors.New("the record has no answer to it")
	// ErrExpired: a scope without `else` expired.
	ErrExpired = errors.New("the deadline expired")
	// ErrShed: a scope without `else` was shed.
	ErrShed = errors.New("shed under load")
	// ErrDeadline: the view's own `within` went by.
	ErrDeadline = errors.New("the view's time went by")
)

// CallError says that a request failed since a call, or a scope, that nothing
// guards had no answer; or, without both, that the view's own time went by.
type CallError struct {
	View      string
	Operation string // "market/services.Catalog.offers"; "" for a scope
	Args      string // JSON; "" for a scope
	File      string // of a scope
	Line, Col int
	Err       error
}

func (e *CallError) Error() string {
	switch {
	case e.Operation == "" && e.File == "":
		return fmt.Sprintf("%s: %v", e.View, e.Err)
	case e.Operation == "":
		return fmt.Sprintf("%s: a scope at %s:%d:%d failed: %v", e.View, e.File, e.Line, e.Col, e.Err)
	}
	return fmt.Sprintf("%s: %s failed: %v", e.View, e.Operation, e.Err)
}

func (e *CallError) Unwrap() error { return e.Err }

// LimitError says that a request met a bound of Options that is not part of
// the language: it says nothing about the program's meaning.
type LimitError struct {
	View  string
	What  string // "passes", "CPU", "calls", "kept bytes"
	Limit int64  // nanoseconds for CPU
}

func (e *LimitError) Error() string {
	switch e.What {
	case "CPU":
		return fmt.Sprintf("%s computes for more than %s", e.View, time.Duration(e.Limit))
	case "calls":
		return fmt.Sprintf("%s asks more than %d different calls", e.View, e.Limit)
	case "kept bytes":
		return fmt.Sprintf("the input of %s and the answers to its calls have more than %d bytes", e.View, e.Limit)
	}
	return fmt.Sprintf("%s takes more than %d passes: so many calls wait for each other", e.View, e.Limit)
}

// TrapError says that a module ended in a way that no program should be able
// to bring about. Its instance is thrown away.
type TrapError struct {
	View string
	Err  error
}

func (e *TrapError) Error() string {
	return fmt.Sprintf("%s ended in an unforeseen way; please report it: %v", e.View, e.Err)
}

func (e *TrapError) Unwrap() error { return e.Err }

// at fills in a place of the manifest.
func (p *Program) at(place artifact.Place) (file string, line, col int) {
	if place.Line == 0 || place.File < 0 || place.File >= len(p.manifest.Files) {
		return "", 0, 0
	}
	return p.manifest.Files[place.File], place.Line, place.Column
}

// stackOf takes the functions' names out of a trace of wazero's: lines such as
// "\tmarket/rules.rate(i32,i64) i32". The host's own functions and the module's
// ways to them are left out; a view's entry has the view's name.
func stackOf(err error) []string {
	_, trace, ok := strings.Cut(err.Error(), "wasm stack trace:\n")
	if !ok {
		return nil
	}
	var names []string
	for line := range strings.Lines(trace) {
		name, _, ok := strings.Cut(strings.TrimSpace(line), "(")
		if !ok {
			continue
		}
		name = strings.TrimPrefix(strings.TrimPrefix(name, "."), abi.ImportModule+".")
		if _, host := hostFunction(name); !host {
			names = append(names, strings.TrimPrefix(name, "view:"))
		}
	}
	return names
}

// stack joins what the site knows of the calls in whose place its code was put
// with the functions on the module's own stack. Those of the compiler, below the
// function that the site's code is part of, are left out.
func (p *Program) stack(s *artifact.Site, trace []string) []string {
	out := []string{s.Func}
	for _, t := range s.Through {
		out = append(out, p.manifest.Sites[t].Func)
	}
	whole := out[len(out)-1]
	for i, name := range trace {
		if name == whole {
			// The view's entry bears the view's name, which is then there already,
			// unless the view was put in its place.
			if n := len(trace); n-1 > i && trace[n-1] == trace[n-2] {
				trace = trace[:n-1]
			}
			return append(out, trace[i+1:]...)
		}
	}
	return out
}
