package interp

import (
	"fmt"
	"strings"

	"towpath.dev/internal/abi"
	"towpath.dev/internal/lang/core"
	"towpath.dev/internal/lang/span"
)

// Fault is the end of a run that did what a program may not do.
type Fault struct {
	Kind   abi.FaultKind
	At     span.Span // the operator, call or intrinsic, or the function entered
	Detail string    // "9223372036854775807 + 1"; "" where the kind says it all
	Stack  []Frame   // innermost first
	Inputs []Input   // of the function that was run
}

// Frame is a function or lambda that a fault ended.
type Frame struct {
	Func   *core.Func // the function, or the one around the lambda; nil in a test
	Lambda bool
	At     span.Span // the fault's place in the innermost, the call's in the others
}

// Input is an argument of a run.
type Input struct {
	Name  string
	Type  core.Type
	Value Value
}

func (f *Fault) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s", f.At, f.Kind)
	if f.Detail != "" {
		b.WriteString(": " + f.Detail)
	}
	return b.String()
}

// Own is the innermost place of the fault that is not in the standard library;
// without one it is where the fault happened.
func (f *Fault) Own() span.Span {
	for _, frame := range f.Stack {
		if frame.Func == nil || !strings.HasPrefix(frame.Func.Module.Path, "std/") {
			return frame.At
		}
	}
	return f.At
}

// leaves notes that the fault ends a function entered from the place at.
func (f *Fault) leaves(c *callee, at span.Span) {
	if len(f.Stack) == 0 {
		f.Stack = append(f.Stack, Frame{At: f.At})
	}
	top := &f.Stack[len(f.Stack)-1]
	top.Func, top.Lambda = c.around(), c.lambda != nil
	f.Stack = append(f.Stack, Frame{At: at})
}

// refusal is a fault whose place its maker does not know: intrinsics and
// comparisons return it, and whoever called them adds the place.
type refusal struct {
	kind   abi.FaultKind
	detail string
}

func (r *refusal) Error() string { return r.kind.String() + ": " + r.detail }

func refuse(kind abi.FaultKind, format string, args ...any) error {
	return &refusal{kind: kind, detail: fmt.Sprintf(format, args...)}
}

// place turns a refusal into the fault at a place; other errors stay.
func place(err error, at span.Span) error {
	if r, ok := err.(*refusal); ok {
		return &Fault{Kind: r.kind, At: at, Detail: r.detail}
	}
	return err
}
