// Package diag holds what the compiler says to the user.
//
// A Diagnostic has a stable Code, a place, what was expected and what was
// found, and where there is one the fix as an edit. Every code has a page
// (see pages.go), which `tow explain CODE` prints and whose examples the tests
// compile.
package diag

import (
	"fmt"
	"sort"

	"towpath.dev/internal/lang/span"
)

// Code names a kind of diagnostic for ever: "TW0301". The hundreds are the
// stage: 01 text and syntax, 02 names and modules, 03 types, 04 patterns,
// 05 calls, services and scopes, 06 tests, 07 project, 09 warnings.
type Code string

// Severity says whether the program can be built.
type Severity uint8

// The severities. An Error refuses the program; a Warning does not.
const (
	Error Severity = iota
	Warning
)

func (s Severity) String() string {
	if s == Warning {
		return "warning"
	}
	return "error"
}

// Diagnostic is one thing said about one place.
type Diagnostic struct {
	Code     Code
	Severity Severity
	At       span.Span
	Message  string // one sentence, no full stop, names from the source in `backquotes`
	Expected string // "" when nothing particular was
	Found    string
	Notes    []Note
	Fix      *Fix
}

// Note adds a second place or a hint. At may be nowhere.
type Note struct {
	At   span.Span
	Text string
}

// Fix is an edit that would mend the program.
type Fix struct {
	Title string // "write `??`"
	Edits []Edit
}

// Edit replaces the text at a span.
type Edit struct {
	At  span.Span
	New string
}

// Error makes a Diagnostic usable where one failure ends the work.
func (d *Diagnostic) Error() string {
	return fmt.Sprintf("%s: %s[%s]: %s", d.At, d.Severity, d.Code, d.Message)
}

// List collects diagnostics. The zero List is ready.
type List struct{ All []*Diagnostic }

// Add appends a diagnostic and returns it, so that a caller can attach notes.
func (l *List) Add(d *Diagnostic) *Diagnostic {
	l.All = append(l.All, d)
	return d
}

// Errorf adds an error.
func (l *List) Errorf(code Code, at span.Span, format string, args ...any) *Diagnostic {
	return l.Add(&Diagnostic{Code: code, At: at, Message: fmt.Sprintf(format, args...)})
}

// Warnf adds a warning.
func (l *List) Warnf(code Code, at span.Span, format string, args ...any) *Diagnostic {
	return l.Add(&Diagnostic{Code: code, Severity: Warning, At: at, Message: fmt.Sprintf(format, args...)})
}

// Note attaches a note and returns the diagnostic.
func (d *Diagnostic) Note(at span.Span, format string, args ...any) *Diagnostic {
	d.Notes = append(d.Notes, Note{At: at, Text: fmt.Sprintf(format, args...)})
	return d
}

// Expect sets what was expected and found and returns the diagnostic.
func (d *Diagnostic) Expect(expected, found string) *Diagnostic {
	d.Expected, d.Found = expected, found
	return d
}

// FixWith sets a fix of one edit and returns the diagnostic.
func (d *Diagnostic) FixWith(title string, at span.Span, text string) *Diagnostic {
	d.Fix = &Fix{Title: title, Edits: []Edit{{At: at, New: text}}}
	return d
}

// HasErrors reports whether any diagnostic is an Error.
func (l *List) HasErrors() bool {
	for _, d := range l.All {
		if d.Severity == Error {
			return true
		}
	}
	return false
}

// Sort orders by file, place, then code, and drops exact repeats.
func (l *List) Sort() {
	key := func(d *Diagnostic) string {
		path := ""
		if d.At.File != nil {
			path = d.At.File.Path
		}
		return path
	}
	sort.SliceStable(l.All, func(i, j int) bool {
		a, b := l.All[i], l.All[j]
		if ka, kb := key(a), key(b); ka != kb {
			return ka < kb
		}
		if a.At.Start != b.At.Start {
			return a.At.Start < b.At.Start
		}
		return a.Code < b.Code
	})
	kept := l.All[:0]
	for i, d := range l.All {
		if i > 0 {
			p := kept[len(kept)-1]
			if p.At == d.At && p.Code == d.Code && p.Message == d.Message {
				continue
			}
		}
		kept = append(kept, d)
	}
	l.All = kept
}
