package wasm

import (
	"bufio"
	"fmt"
	"io"
	"strings"
)

// Fprint writes a module's bytes in WebAssembly's text format, for people and
// golden files. Expressions are folded: an instruction stands around the
// instructions that leave its operands.
//
//	(module
//	  (import "tow" "yield" (func $yield (param i32)))
//	  (memory (export "memory") 2 2)
//	  (global $gas (export "gas") (mut i64) (i64.const 0))
//
//	  (func $shop.next (param i64) (result i64)
//	    (i64.add (local.get 0) (i64.const 1)))
//	)
//
// Locals and blocks have no names: they go by number, as in the binary format,
// a block's counting from the start of its function ($1 is the first).
func Fprint(w io.Writer, data []byte) error {
	m, err := Decode(data)
	if err != nil {
		return err
	}
	p := newPrinter(w, m)
	p.module()
	if err := p.w.Flush(); err != nil {
		return err
	}
	return p.err
}

// printer writes the text format.
type printer struct {
	w       *bufio.Writer
	m       *Module
	names   []string // of all functions, the imported ones first
	globals []string
	err     error
}

func newPrinter(w io.Writer, m *Module) *printer {
	p := &printer{w: bufio.NewWriter(w), m: m}
	seen := map[string]int{}
	for i := range m.Imports {
		p.names = append(p.names, unique(seen, m.Imports[i].Module+"."+m.Imports[i].Name, i))
	}
	for i := range m.Funcs {
		p.names = append(p.names, unique(seen, m.Funcs[i].Name, len(m.Imports)+i))
	}
	clear(seen)
	for i := range m.Globals {
		name := ""
		for _, e := range m.Exports {
			if e.Kind == ExportGlobal && int(e.Index) == i {
				name = e.Name
			}
		}
		p.globals = append(p.globals, unique(seen, name, i))
	}
	return p
}

// unique is an identifier for a thing with a name, or else a number, that may
// not be the only one of that name.
func unique(seen map[string]int, name string, number int) string {
	if name == "" {
		name = fmt.Sprint(number)
	}
	if seen[name]++; seen[name] > 1 {
		name = fmt.Sprintf("%s#%d", name, seen[name])
	}
	return identifier(name)
}

func (p *printer) printf(format string, args ...any) { fmt.Fprintf(p.w, format, args...) }

// identifier is a name as the text format writes it: $name, or quoted where it
// has characters that stand for something else.
func identifier(s string) string {
	plain := strings.IndexFunc(s, func(r rune) bool {
		return r <= ' ' || r > '~' || strings.ContainsRune("\",;()[]{}", r)
	}) < 0
	if plain {
		return "$" + s
	}
	return "$" + quoted(s)
}

// quoted is a string of the text format.
func quoted(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			fmt.Fprintf(&b, "\\%02x", c)
		} else {
			b.WriteByte(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}

func (p *printer) module() {
	p.printf("(module\n")
	for i, imp := range p.m.Imports {
		p.printf("  (import %s %s (func %s%s))\n", quoted(imp.Module), quoted(imp.Name), p.names[i], signature(imp.Type))
	}
	if mem := p.m.Memory; mem != nil {
		p.printf("  (memory%s %d %d)\n", p.exportsOf(ExportMemory, 0), mem.Min, mem.Max)
	}
	for i, g := range p.m.Globals {
		p.printf("  (global %s%s (mut %s) (%s.const %s))\n", p.globals[i], p.exportsOf(ExportGlobal, uint32(i)), g.Type, g.Type, literal(g.Type, g.Init))
	}
	for i := range p.m.Funcs {
		p.printf("\n")
		p.function(i, 2)
	}
	for _, d := range p.m.Data {
		p.printf("\n  (data (i32.const %d) %s)\n", int32(d.Offset), quoted(string(d.Bytes)))
	}
	p.printf(")\n")
}

// exportsOf are the names under which a thing is exported.
func (p *printer) exportsOf(kind Kind, index uint32) string {
	var b strings.Builder
	for _, e := range p.m.Exports {
		if e.Kind == kind && e.Index == index {
			fmt.Fprintf(&b, " (export %s)", quoted(e.Name))
		}
	}
	return b.String()
}

func signature(t FuncType) string { return list(" (param", t.Params) + list(" (result", t.Results) }

func list(head string, ts []ValType) string {
	if len(ts) == 0 {
		return ""
	}
	for _, t := range ts {
		head += " " + t.String()
	}
	return head + ")"
}

// function writes the i-th of the module's own functions.
func (p *printer) function(i, indent int) {
	f := &p.m.Funcs[i]
	number := len(p.m.Imports) + i
	body := &folder{printer: p, code: reader{b: f.Code}, results: len(f.Type.Results)}
	nodes := body.block(0)
	if body.code.err == nil && body.closing != 0 {
		body.code.err = fmt.Errorf("an end or else without a block")
	}
	if body.code.err != nil && p.err == nil {
		p.err = fmt.Errorf("wasm: the code of %s: %w", p.names[number], body.code.err)
	}
	p.printf("%*s(func %s%s%s", indent, "", p.names[number], p.exportsOf(ExportFunc, uint32(number)), signature(f.Type))
	if len(f.Locals) > 0 {
		p.printf("\n%*s%s", indent+2, "", list("(local", f.Locals))
	}
	for _, n := range nodes {
		p.printf("\n")
		p.node(n, indent+2)
	}
	p.printf(")\n")
}

// maxWidth is the length of the lines that hold more than one instruction.
const maxWidth = 96

// node writes an instruction with what it stands around, on one line where that
// fits.
func (p *printer) node(n *node, indent int) {
	p.printf("%*s", indent, "")
	if flat := n.flat(maxWidth - indent); flat != "" {
		p.printf("%s", flat)
		return
	}
	p.printf("(%s", n.head)
	for i, k := range n.kids {
		if i == 0 && strings.HasPrefix(n.head, "if ") { // on the line of the `if` where it fits
			if test := k.flat(maxWidth - indent - len(n.head) - 2); test != "" {
				p.printf(" %s", test)
				continue
			}
		}
		p.printf("\n")
		p.node(k, indent+2)
	}
	p.printf(")")
}

// node is an instruction of the folded form.
type node struct {
	head  string // "i64.add", "local.get 0", "then"
	kids  []*node
	body  bool // the kids are statements, which begin lines
	depth int  // of the operands' trees; blocks count as leaves
}

// flat is the node on one line, "" where that is longer than so many bytes.
func (n *node) flat(room int) string {
	if n.body && len(n.kids) > 1 {
		return ""
	}
	s := "(" + n.head
	for _, k := range n.kids {
		kid := ""
		if len(s) < room {
			kid = k.flat(room - len(s) - 2)
		}
		if kid == "" {
			return ""
		}
		s += " " + kid
	}
	if len(s)+1 > room && len(n.kids) > 0 {
		return ""
	}
	return s + ")"
}
