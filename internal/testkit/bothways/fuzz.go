package bothways

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"strings"
	"testing"

	"towpath.dev/internal/lang/core"
	"towpath.dev/internal/testkit/progen"
)

// rounds is how many inputs, each in a world of its own, a view is given.
const rounds = 4

// Seed generates the program of a seed and compares it on all machines. What
// they disagree on is reduced to a small program and reported, with the seed.
// It gives how the interpreter's runs ended.
func Seed(t *testing.T, seed uint64) map[string]int {
	p := progen.Generate(seed)
	s, err := New(t.Context(), p.Files(), limits(p))
	if err == nil {
		defer s.Close()
		err = RoundTrip(p.Files())
	}
	if err != nil {
		p.Reduce(300, func(p *progen.Program) bool { return sameProblem(t.Context(), p, err) })
		t.Errorf("seed %d: %v\n%s", seed, err, source(p))
		return nil
	}
	for _, view := range s.Views() {
		for round := range uint64(rounds) {
			world := seed + round<<40
			input := progen.Input(s.Program, view, world)
			if err := s.Compare(t, view, input, world); err != nil {
				reduce(t, p, view.Name, input, world, &err)
				t.Errorf("seed %d: %v\n%s", seed, err, source(p))
				return s.Kinds
			}
		}
	}
	return s.Kinds
}

func limits(p *progen.Program) Limits {
	return Limits{p.Gas, p.Depth, []int{0, -1, 1, 3}[p.Seed%4]}
}

// sameProblem reports whether a program has a problem like the one known: the
// first words are the same.
func sameProblem(ctx context.Context, p *progen.Program, known error) bool {
	s, err := New(ctx, p.Files(), limits(p))
	if err == nil {
		s.Close()
		err = RoundTrip(p.Files())
	}
	return err != nil && summary(err) == summary(known)
}

// summary is an error without places and names.
func summary(err error) string {
	words := strings.FieldsFunc(err.Error(), func(r rune) bool { return r == ' ' || r == '\n' })
	kept := words[:0]
	for _, w := range words {
		if !strings.ContainsAny(w, "0123456789`") || strings.HasPrefix(w, "TW") {
			kept = append(kept, w)
		}
	}
	return strings.Join(kept[:min(len(kept), 12)], " ")
}

// reduce makes a program on which machines disagree small. err becomes what the
// small one shows.
func reduce(t *testing.T, p *progen.Program, view string, input []byte, world uint64, err *error) {
	p.Reduce(400, func(p *progen.Program) bool {
		s, e := New(t.Context(), p.Files(), limits(p))
		if e != nil {
			return false
		}
		defer s.Close()
		f := s.entry(view)
		if f == nil || f.Kind != core.View {
			return false
		}
		e = s.Compare(t, f, input, world)
		var was, now *Disagreement
		if !errors.As(e, &now) || !errors.As(*err, &was) || !alike(was, now) {
			return false
		}
		*err = e
		return true
	})
}

// alike reports whether two disagreements are of one kind.
func alike(a, b *Disagreement) bool {
	return a.Left.Outcome.Kind == b.Left.Outcome.Kind && a.Right.Outcome.Kind == b.Right.Outcome.Kind &&
		(a.Left.Outcome.Gas == a.Right.Outcome.Gas) == (b.Left.Outcome.Gas == b.Right.Outcome.Gas)
}

// source is a program as an archive, with its limits.
func source(p *progen.Program) string {
	var b strings.Builder
	fmt.Fprintf(&b, "gas %d, depth %d\n", p.Gas, p.Depth)
	files := p.Files()
	var names []string
	for name := range files {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		fmt.Fprintf(&b, "-- %s --\n%s", name, files[name])
	}
	return b.String()
}
