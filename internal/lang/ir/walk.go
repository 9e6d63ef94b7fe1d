package ir

// Subs calls f with the place of each direct subexpression of e, in order of
// evaluation. The statements of a Seq are not expressions: see Inspect.
func Subs(e Expr, f func(*Expr)) {
	switch e := e.(type) {
	case *Unary:
		f(&e.X)
	case *Binary:
		f(&e.X)
		f(&e.Y)
	case *Load:
		f(&e.Addr)
	case *Alloc:
		f(&e.Size)
	case *Call:
		each(e.Args, f)
	case *Host:
		each(e.Args, f)
	case *Cond:
		f(&e.Test)
		f(&e.Then)
		f(&e.Else)
	case *Seq:
		f(&e.Value)
	}
}

// Operands calls f with the place of each expression that s evaluates itself,
// in order; those of the bodies within s are left out.
func Operands(s Stmt, f func(*Expr)) {
	switch s := s.(type) {
	case *Set:
		f(&s.X)
	case *SetGlobal:
		f(&s.X)
	case *Store:
		f(&s.Addr)
		f(&s.X)
	case *Copy:
		f(&s.Dst)
		f(&s.Src)
		f(&s.Size)
	case *Do:
		f(&s.X)
	case *CallStmt:
		each(s.Args, f)
	case *HostStmt:
		each(s.Args, f)
	case *If:
		f(&s.Test)
	case *Break:
		if s.Test != nil {
			f(&s.Test)
		}
	case *Continue:
		if s.Test != nil {
			f(&s.Test)
		}
	case *Switch:
		f(&s.X)
	case *Return:
		if s.X != nil {
			f(&s.X)
		}
	case *Gas:
		f(&s.Cost)
	}
}

// Bodies calls f with the place of each body directly within s.
func Bodies(s Stmt, f func(*[]Stmt)) {
	switch s := s.(type) {
	case *If:
		f(&s.Then)
		f(&s.Else)
	case *Block:
		f(&s.Body)
	case *Loop:
		f(&s.Body)
	case *Switch:
		for i := range s.Cases {
			f(&s.Cases[i])
		}
		f(&s.Default)
	}
}

func each(es []Expr, f func(*Expr)) {
	for i := range es {
		f(&es[i])
	}
}

// Inspect calls stmt with every statement and expr with every expression of the
// body, those within others included, outer before inner, in order. Either may
// be nil.
func Inspect(body []Stmt, stmt func(Stmt), expr func(Expr)) {
	var inExpr func(p *Expr)
	inExpr = func(p *Expr) {
		if expr != nil {
			expr(*p)
		}
		if seq, ok := (*p).(*Seq); ok {
			Inspect(seq.Body, stmt, expr)
		}
		Subs(*p, inExpr)
	}
	for _, s := range body {
		if stmt != nil {
			stmt(s)
		}
		Operands(s, inExpr)
		Bodies(s, func(b *[]Stmt) { Inspect(*b, stmt, expr) })
	}
}
