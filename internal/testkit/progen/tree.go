package progen

import (
	"cmp"
	"fmt"
	"strings"

	"towpath.dev/internal/lang/core"
)

// prec says how tightly a text binds, from scopes to what needs no parentheses
// anywhere.
type prec uint8

const (
	loose prec = iota // `x within d else y`
	piped             // `x |> f()`
	coalesced
	ored
	anded
	compared
	added
	multiplied
	negated
	tight
)

// node is a piece of the program's text with holes in which others stand. It is
// what the reducer works on: an expression may be replaced by any other of its
// type.
type node struct {
	typ   core.Type // nil: no expression
	prec  prec
	let   bool // `let` lines and a last expression, in braces where they are no block
	parts []part
}

// part is a text, a name of a declaration, or a hole.
type part struct {
	text  string
	name  *name
	kid   *node
	min   prec // what the kid must bind as tightly as, without parentheses
	block bool // the kid is a block's content
	head  bool // the kid stands where a brace opens the body of `if` or `match`
	group int  // parts of one group above 0 can be left out together
}

// name is a declaration's name; how it is written depends on the module that
// it is read in.
type name struct {
	module *core.Module // nil: in scope everywhere
	text   string
	member string // what an import names to bring it into scope
}

// make builds a node of texts, names, types, nodes and parts.
func (g *generator) make(t core.Type, p prec, items ...any) *node {
	return &node{typ: t, prec: p, parts: parts(items...)}
}

// parts makes the parts of a node: strings stand for themselves, nodes for
// holes without a demand, types for their text.
func parts(items ...any) []part {
	var out []part
	for _, item := range items {
		switch item := item.(type) {
		case nil:
		case string:
			out = append(out, part{text: item})
		case *name:
			out = append(out, part{name: item})
		case *node:
			out = append(out, part{kid: item})
		case part:
			out = append(out, item)
		case []part:
			out = append(out, item...)
		case core.Type:
			out = append(out, typeParts(item)...)
		default:
			panic(fmt.Sprintf("progen: no part of a node: %T", item))
		}
	}
	return out
}

func hole(kid *node, min prec) part { return part{kid: kid, min: min} }
func blockHole(kid *node) part      { return part{kid: kid, block: true} }
func headHole(kid *node) part       { return part{kid: kid, min: piped, head: true} }
func grouped(n int, ps []part) []part {
	out := append([]part(nil), ps...)
	for i := range out {
		out[i].group = n
	}
	return out
}

// separated puts nodes into one list with commas, any of which the reducer may
// take out.
func separated(kids []*node, first int) []part {
	var out []part
	for i, k := range kids {
		out = append(out, grouped(first+i, parts(k, ", "))...)
	}
	return out
}

// typeParts is a type as it is written.
func typeParts(t core.Type) []part {
	switch t := t.(type) {
	case *core.Con:
		if t.Def.Name == "Option" && isStd(t.Def.Module) {
			inner := typeParts(t.Args[0])
			if c, ok := t.Args[0].(*core.Con); ok && c.Def == t.Def {
				return parts("Option<", inner, ">")
			}
			return parts(inner, "?")
		}
		out := parts(nameOf(t.Def.Module, t.Def.Name))
		return append(out, bracketed("<", t.Args, ">")...)
	case *core.Tuple:
		if len(t.Elems) == 0 {
			return parts("()")
		}
		return bracketed("(", t.Elems, ")")
	case *core.FuncType:
		out := parts("fn")
		if len(t.Params) == 0 {
			out = parts("fn()")
		}
		return parts(out, bracketed("(", t.Params, ")"), " -> ", typeParts(t.Result))
	}
	return parts(t.String())
}

func bracketed(open string, ts []core.Type, closing string) []part {
	if len(ts) == 0 {
		return nil
	}
	out := parts(open)
	for i, t := range ts {
		if i > 0 {
			out = append(out, part{text: ", "})
		}
		out = append(out, typeParts(t)...)
	}
	return append(out, part{text: closing})
}

func isStd(m *core.Module) bool { return m != nil && strings.HasPrefix(m.Path, "std/") }

// nameOf is how a type, function, constant or service is called.
func nameOf(m *core.Module, text string) *name {
	if isStd(m) {
		m = nil
	}
	return &name{module: m, text: text, member: text}
}

// ctorName is how a constructor is called: importing its type brings it along.
func ctorName(c *core.Ctor) *name {
	m := c.Def.Module
	if isStd(m) {
		m = nil
	}
	return &name{module: m, text: c.Name, member: c.Def.Name}
}

// printer writes nodes as the text of one module.
type printer struct {
	b       strings.Builder
	module  *core.Module
	members map[*core.Module]bool            // the modules imported by member
	alias   string                           // what the others are called, "" for their own names
	used    map[*core.Module]map[string]bool // what was imported, by module
}

func (p *printer) parts(ps []part) {
	for _, part := range ps {
		switch {
		case part.kid != nil:
			p.kid(part)
		case part.name != nil:
			p.name(part.name)
		default:
			p.b.WriteString(part.text)
		}
	}
}

func (p *printer) name(n *name) {
	if n.module != nil && n.module != p.module {
		if p.used[n.module] == nil {
			p.used[n.module] = map[string]bool{}
		}
		p.used[n.module][n.member] = true
		if !p.members[n.module] {
			path := n.module.Path
			p.b.WriteString(cmp.Or(p.alias, path[strings.LastIndexByte(path, '/')+1:]) + ".")
		}
	}
	p.b.WriteString(n.text)
}

// kid writes a hole's content, in parentheses or braces where it needs them.
func (p *printer) kid(h part) {
	k := h.kid
	switch {
	case h.block:
		p.parts(k.parts)
	case k.let:
		p.wrap(h.head, "({\n", "\n})", "{\n", "\n}", k)
	case h.head && p.hasBrace(k):
		p.wrap(true, "(", ")", "", "", k)
	default:
		p.wrap(k.prec < h.min, "(", ")", "", "", k)
	}
}

func (p *printer) wrap(yes bool, open, closing, elseOpen, elseClosing string, k *node) {
	if !yes {
		open, closing = elseOpen, elseClosing
	}
	p.b.WriteString(open)
	p.parts(k.parts)
	p.b.WriteString(closing)
}

// hasBrace reports whether a node's text has a brace, which in a head would
// have to stand in parentheses. Those in strings count too, at no harm.
func (p *printer) hasBrace(n *node) bool {
	for _, part := range n.parts {
		if part.kid != nil && (part.kid.let || p.hasBrace(part.kid)) || strings.Contains(part.text, "{") {
			return true
		}
	}
	return false
}
