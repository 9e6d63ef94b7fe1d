package irtest

import (
	"strings"

	"towpath.dev/internal/lang/ir"
)

// body reads statements in braces.
func (p *parser) body() []ir.Stmt {
	p.expect("{")
	return p.rest()
}

// rest reads statements up to the closing brace.
func (p *parser) rest() []ir.Stmt {
	var out []ir.Stmt
	for !p.accept("}") {
		out = append(out, p.stmt())
	}
	return out
}

func (p *parser) stmt() ir.Stmt {
	word := p.next()
	switch word {
	case "copy":
		return &ir.Copy{Dst: p.expr(), Src: p.expr(), Size: p.expr()}
	case "do":
		return &ir.Do{X: p.expr()}
	case "call":
		f := p.callee()
		return &ir.CallStmt{Func: f, Args: p.exprs(f.Params)}
	case "host":
		imp := p.host()
		return &ir.HostStmt{Import: imp, Args: p.exprs(len(imp.Params))}
	case "if":
		s := &ir.If{Test: p.expr(), Then: p.body()}
		if p.accept("else") {
			s.Else = p.body()
		}
		return s
	case "block", "loop":
		l := &ir.Label{Name: p.next()}
		p.labels = append(p.labels, l)
		body := p.body()
		p.labels = p.labels[:len(p.labels)-1]
		if word == "block" {
			return &ir.Block{Label: l, Body: body}
		}
		return &ir.Loop{Label: l, Body: body}
	case "break":
		return &ir.Break{Label: p.label(), Test: p.test()}
	case "continue":
		return &ir.Continue{Label: p.label(), Test: p.test()}
	case "switch":
		return p.switchOn()
	case "return":
		if p.fn.Result == ir.None {
			return &ir.Return{}
		}
		return &ir.Return{X: p.expr()}
	case "fault":
		return &ir.Fault{Site: int32(p.prefixed("@"))}
	case "gas":
		return &ir.Gas{Cost: p.expr(), Site: int32(p.prefixed("@"))}
	}
	return p.assignment(word)
}

func (p *parser) switchOn() ir.Stmt {
	s := &ir.Switch{X: p.expr()}
	p.expect("{")
	for p.accept("case") {
		s.Cases = append(s.Cases, p.body())
	}
	p.expect("default")
	s.Default = p.body()
	p.expect("}")
	return s
}

// assignment reads the statements that put a value somewhere.
func (p *parser) assignment(word string) ir.Stmt {
	switch {
	case strings.HasPrefix(word, "$"):
		p.expect("=")
		return &ir.Set{Local: int(p.number(word[1:])), X: p.expr()}
	case strings.HasPrefix(word, "%"):
		p.expect("=")
		return &ir.SetGlobal{Global: p.global(word[1:]), X: p.expr()}
	case strings.Contains(word, ".store"):
		_, width := accessOf(word, ".store")
		return &ir.Store{Width: width, Addr: p.expr(), Offset: p.offset(), X: p.expr()}
	}
	p.at--
	p.fail("unexpected %q", word)
	return nil
}

func (p *parser) label() *ir.Label {
	name := p.next()
	for i := len(p.labels) - 1; i >= 0; i-- {
		if p.labels[i].Name == name {
			return p.labels[i]
		}
	}
	p.at--
	p.fail("there is no label %q here", name)
	return nil
}

func (p *parser) test() ir.Expr {
	// "if" behind a break could begin a statement; on the same line it is a test.
	if p.tok() == "if" && p.sameLine() {
		p.next()
		return p.expr()
	}
	return nil
}

func (p *parser) offset() uint32 {
	if strings.HasPrefix(p.tok(), "+") {
		return uint32(p.prefixed("+"))
	}
	return 0
}

func (p *parser) exprs(n int) []ir.Expr {
	out := make([]ir.Expr, n)
	for i := range out {
		out[i] = p.expr()
	}
	return out
}

func (p *parser) expr() ir.Expr {
	word := p.next()
	switch {
	case strings.HasPrefix(word, "$"):
		n := int(p.number(word[1:]))
		if n >= len(p.fn.Locals) {
			p.fail("there is no local $%d", n)
		}
		return &ir.Get{T: p.fn.Locals[n], Local: n}
	case strings.HasPrefix(word, "%"):
		return &ir.GetGlobal{Global: p.global(word[1:])}
	case word != "(":
		return p.constant(word)
	}
	e := p.operation(p.next())
	p.expect(")")
	return e
}

// operation reads what stands behind an opening parenthesis.
func (p *parser) operation(word string) ir.Expr {
	switch word {
	case "alloc":
		return &ir.Alloc{Size: p.expr(), Site: int32(p.prefixed("@"))}
	case "call":
		f := p.callee()
		return &ir.Call{Func: f, Args: p.exprs(f.Params)}
	case "host":
		imp := p.host()
		return &ir.Host{Import: imp, Args: p.exprs(len(imp.Params))}
	case "cond":
		return &ir.Cond{Test: p.expr(), Then: p.expr(), Else: p.expr()}
	case "seq":
		return &ir.Seq{Body: p.body(), Value: p.expr()}
	}
	if strings.Contains(word, ".load") {
		word, mutable := strings.CutSuffix(word, ".mut")
		t, width := accessOf(word, ".load")
		return &ir.Load{T: t, Width: width, Mutable: mutable, Addr: p.expr(), Offset: p.offset()}
	}
	op, ok := ir.OpNamed(word)
	if !ok {
		p.at--
		p.fail("there is no operator %q", word)
	}
	if op.Arity() == 1 {
		return &ir.Unary{Op: op, X: p.expr()}
	}
	return &ir.Binary{Op: op, X: p.expr(), Y: p.expr()}
}

// accessOf reads a load's or store's name, "i32.load8".
func accessOf(word, op string) (ir.Type, uint8) {
	name, bits, _ := strings.Cut(word, op)
	t := map[string]ir.Type{"i32": ir.I32, "i64": ir.I64, "f64": ir.F64}[name]
	switch bits {
	case "8":
		return t, 1
	case "32":
		return t, 4
	}
	return t, uint8(t.Size())
}
