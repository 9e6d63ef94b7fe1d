package tester

import (
	"sort"
	"strings"

	"towpath.dev/internal/lang/core"
	"towpath.dev/internal/lang/interp"
	"towpath.dev/internal/lang/span"
)

// seen is the values of an expression's parts, in the order in which they were
// worked out.
type seen struct{ parts []part }

type part struct {
	e core.Expr
	v interp.Value
}

func (s *seen) note(e core.Expr, v interp.Value) { s.parts = append(s.parts, part{e, v}) }

// of is the value of a part, if it was worked out.
func (s *seen) of(e core.Expr) (interp.Value, bool) {
	for i := len(s.parts) - 1; i >= 0; i-- {
		if s.parts[i].e == e {
			return s.parts[i].v, true
		}
	}
	return nil, false
}

// maxText bounds how much of a value is kept, in characters.
const maxText = 4000

// values lists the parts of the expression x that say more than their source
// does: outer ones first, then from left to right.
func (s *seen) values(m *interp.Machine, x core.Expr) []Value {
	byPlace := map[span.Span]Value{}
	for _, p := range s.parts {
		at := p.e.Pos()
		if p.e == x || at == x.Pos() || !telling(p.e) || !within(at, x.Pos()) {
			continue
		}
		v := Value{At: at, Source: oneLine(at.Text()), Text: shorten(m.Render(p.e.TypeOf(), p.v), maxText)}
		if v.Source == v.Text || strings.TrimPrefix(v.Source, "debug") == "("+v.Text+")" {
			delete(byPlace, at)
			continue
		}
		byPlace[at] = v // what sugar stands for has one place: the outermost counts
	}
	out := make([]Value, 0, len(byPlace))
	known := map[string]bool{}
	for _, v := range byPlace {
		out = append(out, v)
	}
	sort.Slice(out, func(i, j int) bool {
		a, b := out[i].At, out[j].At
		if a.Start != b.Start {
			return a.Start < b.Start
		}
		return a.End > b.End
	})
	kept := out[:0]
	for _, v := range out {
		if key := v.Source + "\x00" + v.Text; !known[key] {
			known[key] = true
			kept = append(kept, v)
		}
	}
	return kept
}

// telling reports whether an expression's value says something that its source
// does not.
func telling(e core.Expr) bool {
	switch e := e.(type) {
	case *core.Lit, *core.Lambda, *core.FuncRef:
		return false
	case *core.Construct:
		for _, f := range e.Fields {
			if telling(f) {
				return true
			}
		}
		return false
	}
	_, isFunc := e.TypeOf().(*core.FuncType)
	return !isFunc
}

func within(inner, outer span.Span) bool {
	return inner.File == outer.File && outer.Start <= inner.Start && inner.End <= outer.End
}

// oneLine puts a source text on one line.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// shorten cuts a text to n characters, keeping its begin and its end.
func shorten(s string, n int) string {
	if len(s) <= n {
		return s
	}
	r := []rune(s)
	if len(r) <= n {
		return s
	}
	return string(r[:n*2/3]) + " … " + string(r[len(r)-n/3:])
}
