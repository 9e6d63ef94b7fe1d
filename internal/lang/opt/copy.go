package opt

import "towpath.dev/internal/lang/ir"

// copier copies a body from one function into another, or into itself.
type copier struct {
	nodes  *nodes
	base   int // what the locals' numbers rise by
	labels map[*ir.Label]*ir.Label
	// leave makes what stands for a Return; last says that nothing follows it.
	leave func(out []ir.Stmt, x ir.Expr, last bool) []ir.Stmt
	// module and call number the copied sites, when call, the site of the call in
	// whose place the body is put, is not negative.
	module *ir.Module
	call   int32
}

func (c *copier) site(n int32) int32 {
	if c.module == nil || c.call < 0 {
		return n
	}
	return c.module.InlineSite(n, c.call)
}

// at is site for a call's place.
func (c *copier) at(n int32) int32 {
	if n == 0 {
		return 0
	}
	return c.site(n-1) + 1
}

func (c *copier) label(l *ir.Label) *ir.Label {
	if n, ok := c.labels[l]; ok {
		return n
	}
	return l
}

func (c *copier) open(l *ir.Label) *ir.Label {
	n := &ir.Label{Name: l.Name}
	c.labels[l] = n
	return n
}

func (c *copier) body(in []ir.Stmt, last bool) []ir.Stmt {
	if in == nil {
		return nil
	}
	out := make([]ir.Stmt, 0, len(in))
	for i, s := range in {
		if ret, ok := s.(*ir.Return); ok && c.leave != nil {
			return c.leave(out, c.expr(ret.X), last && i == len(in)-1)
		}
		out = append(out, c.stmt(s))
	}
	return out
}

func (c *copier) stmt(s ir.Stmt) ir.Stmt {
	switch s := s.(type) {
	case *ir.Set:
		return &ir.Set{Local: s.Local + c.base, X: c.expr(s.X)}
	case *ir.SetGlobal:
		return &ir.SetGlobal{Global: s.Global, X: c.expr(s.X)}
	case *ir.Store:
		return &ir.Store{Width: s.Width, Addr: c.expr(s.Addr), Offset: s.Offset, X: c.expr(s.X)}
	case *ir.Copy:
		return &ir.Copy{Dst: c.expr(s.Dst), Src: c.expr(s.Src), Size: c.expr(s.Size)}
	case *ir.Do:
		return &ir.Do{X: c.expr(s.X)}
	case *ir.CallStmt:
		return &ir.CallStmt{Func: s.Func, Args: c.exprs(s.Args)}
	case *ir.HostStmt:
		return &ir.HostStmt{Import: s.Import, Args: c.exprs(s.Args)}
	case *ir.If:
		return &ir.If{Test: c.expr(s.Test), Then: c.body(s.Then, false), Else: c.body(s.Else, false)}
	case *ir.Block:
		l := c.open(s.Label)
		return &ir.Block{Label: l, Body: c.body(s.Body, false)}
	case *ir.Loop:
		l := c.open(s.Label)
		return &ir.Loop{Label: l, Body: c.body(s.Body, false)}
	case *ir.Break:
		return &ir.Break{Label: c.label(s.Label), Test: c.expr(s.Test)}
	case *ir.Continue:
		return &ir.Continue{Label: c.label(s.Label), Test: c.expr(s.Test)}
	case *ir.Switch:
		n := &ir.Switch{X: c.expr(s.X), Cases: make([][]ir.Stmt, len(s.Cases)), Default: c.body(s.Default, false)}
		for i := range s.Cases {
			n.Cases[i] = c.body(s.Cases[i], false)
		}
		return n
	case *ir.Return:
		return &ir.Return{X: c.expr(s.X)}
	case *ir.Gas:
		return &ir.Gas{Cost: c.expr(s.Cost), Site: c.site(s.Site)}
	case *ir.Fault:
		return &ir.Fault{Site: c.site(s.Site)}
	}
	return s
}

func (c *copier) exprs(in []ir.Expr) []ir.Expr {
	out := make([]ir.Expr, len(in))
	for i, e := range in {
		out[i] = c.expr(e)
	}
	return out
}

func (c *copier) expr(e ir.Expr) ir.Expr {
	switch e := e.(type) {
	case *ir.Get:
		return c.nodes.get(e.T, e.Local+c.base)
	case *ir.Unary:
		t := c.nodes.unary()
		*t = ir.Unary{Op: e.Op, X: c.expr(e.X)}
		return t
	case *ir.Binary:
		t := c.nodes.binary()
		*t = ir.Binary{Op: e.Op, X: c.expr(e.X), Y: c.expr(e.Y)}
		return t
	case *ir.Load:
		t := c.nodes.load()
		*t = *e
		t.Addr = c.expr(e.Addr)
		return t
	case *ir.Cond:
		t := c.nodes.cond()
		*t = ir.Cond{Test: c.expr(e.Test), Then: c.expr(e.Then), Else: c.expr(e.Else)}
		return t
	case *ir.Alloc:
		return &ir.Alloc{Size: c.expr(e.Size), Site: c.site(e.Site)}
	case *ir.Call:
		return &ir.Call{Func: e.Func, Args: c.exprs(e.Args), At: c.at(e.At)}
	case *ir.Host:
		return &ir.Host{Import: e.Import, Args: c.exprs(e.Args)}
	}
	return e // a constant, a global, or nil
}
