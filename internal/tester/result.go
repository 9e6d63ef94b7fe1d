package tester

import (
	"towpath.dev/internal/lang/core"
	"towpath.dev/internal/lang/span"
)

// Result is what one test came to.
type Result struct {
	Module string
	Title  string
	At     span.Span
	Prop   bool
	// Failures has every expectation of a test that does not hold, or what
	// ended it; of a prop, those of the smallest failing case.
	Failures []*Failure
	Debug    []Debug // of a prop, those of the smallest failing case

	// Of a prop:
	Cases   int   // tried, the failing one included
	Seed    int64 // that they came from
	Shrinks int   // times that the counterexample became smaller
	Case    []Named
}

// Passed reports whether nothing failed.
func (r *Result) Passed() bool { return len(r.Failures) == 0 }

// Kind is why something failed.
type Kind string

// The kinds of failure.
const (
	NotTrue    Kind = "expect"   // an expectation that does not hold
	Fault      Kind = "fault"    // the program did what it may not, such as dividing by zero
	CallFailed Kind = "call"     // a call without an answer, and no `else` around it
	NoStub     Kind = "no stub"  // a call that no `given` answers
	Unforeseen Kind = "internal" // a mistake of ours
)

// Failure is one thing that went wrong in a test.
type Failure struct {
	Kind    Kind
	At      span.Span
	Message string // one sentence, no full stop
	// Values are the expectation's parts in the order of the source.
	Values []Value
	// Differences are the places where a value is not what was expected.
	Differences []Difference
	Stack       []Frame // innermost first
	Hidden      int     // frames left out of a long stack, behind its first innerFrames
	// Add is the line that would answer the call; "" when it is not that.
	Add string
	// Note is a hint; "" without.
	Note string
}

// Value is an expression and what it was.
type Value struct {
	At     span.Span
	Source string // on one line
	Text   string // in Tow's notation
}

// Difference is a part of a value that is not what was expected.
type Difference struct {
	Path     string // ".offers[3].price"; "" for the value itself
	Expected string // for `==` the right side
	Found    string // for `==` the left side
	Sides    bool   // `==`: neither side is the one expected
}

// Frame is a function, a lambda or the test itself, and a place in it.
type Frame struct {
	Name string // "shop.total", "a lambda in shop.total", "the test"
	At   span.Span
}

// Named is one of a prop's inputs.
type Named struct {
	Name string
	Text string // in Tow's notation
}

// Debug is what `debug(x)` printed.
type Debug struct {
	At     span.Span
	Source string
	Text   string
}

func frameName(f *core.Func, lambda bool) string {
	switch {
	case f == nil && lambda:
		return "a lambda in the test"
	case f == nil:
		return "the test"
	case lambda:
		return "a lambda in " + f.QualifiedName()
	}
	return f.QualifiedName()
}
