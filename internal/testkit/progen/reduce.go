package progen

import (
	"slices"

	"towpath.dev/internal/lang/core"
)

// Reduce makes the program smaller as long as bad says that it still shows the
// problem: it drops declarations, arms and elements, and puts in an
// expression's place a part of it of the same type or the type's simplest value.
// bad is asked at most so many times; what it refuses, since it does not build
// or is well, is undone.
func (p *Program) Reduce(tries int, bad func(p *Program) bool) {
	r := &reducer{Program: p, bad: bad, tries: tries}
	for r.changed = true; r.changed && r.tries > 0; {
		r.changed = false
		r.dropDecls()
		for _, m := range p.modules {
			for _, d := range m.decls {
				r.reduce(d)
			}
		}
	}
}

type reducer struct {
	*Program
	bad     func(p *Program) bool
	tries   int
	changed bool
}

// still reports whether the program as it is now shows the problem.
func (r *reducer) still() bool {
	if r.tries <= 0 {
		return false
	}
	r.tries--
	if r.bad(r.Program) {
		r.changed = true
		return true
	}
	return false
}

func (r *reducer) dropDecls() {
	for _, m := range r.modules {
		for i := len(m.decls) - 1; i >= 0; i-- {
			saved := m.decls
			m.decls = slices.Delete(slices.Clone(m.decls), i, i+1)
			if !r.still() {
				m.decls = saved
			}
		}
	}
}

// reduce makes a node smaller, then what is left of its parts.
func (r *reducer) reduce(n *node) {
	if n.typ != nil {
		r.replace(n)
	}
	r.dropGroups(n)
	for _, p := range n.parts {
		if p.kid != nil {
			r.reduce(p.kid)
		}
	}
}

// replace tries the simplest value and then the parts, largest first.
func (r *reducer) replace(n *node) {
	if len(n.parts) == 1 && n.parts[0].kid == nil {
		return // as small as can be
	}
	saved := *n
	if x := simplest(n.typ); x != nil && !sameText(x, n) {
		if *n = *x; r.still() {
			return
		}
		*n = saved
	}
	for _, part := range within(&saved, n.typ) {
		if *n = *part; r.still() {
			r.replace(n)
			return
		}
		*n = saved
	}
}

func sameText(a, b *node) bool {
	return slices.Equal(texts(a), texts(b))
}

func texts(n *node) []string {
	var out []string
	for _, p := range n.parts {
		switch {
		case p.kid != nil:
			out = append(out, texts(p.kid)...)
		case p.name != nil:
			out = append(out, p.name.text)
		default:
			out = append(out, p.text)
		}
	}
	return out
}

// within finds the expressions of a type in a node, nearest first.
func within(n *node, t core.Type) []*node {
	var out []*node
	level := []*node{n}
	for len(level) > 0 && len(out) < 12 {
		var next []*node
		for _, n := range level {
			for _, p := range n.parts {
				if p.kid == nil {
					continue
				}
				next = append(next, p.kid)
				if p.kid.typ != nil && core.Identical(p.kid.typ, t) {
					out = append(out, p.kid)
				}
			}
		}
		level = next
	}
	return out
}

// dropGroups tries to do without each arm or element.
func (r *reducer) dropGroups(n *node) {
	seen := map[int]bool{0: true}
	for _, p := range slices.Clone(n.parts) {
		if seen[p.group] {
			continue
		}
		seen[p.group] = true
		saved := n.parts
		n.parts = slices.DeleteFunc(slices.Clone(n.parts), func(q part) bool { return q.group == p.group })
		if !r.still() {
			n.parts = saved
		}
	}
}
