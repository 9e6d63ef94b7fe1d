package opt

import "towpath.dev/internal/lang/ir"

// follows moves a conditional to the end of the one before it, when only there can
// its test hold:
//
//	$1 = 0                          $1 = 0
//	if a {                          if a {
//	  $1 = b                          $1 = b
//	}                                 if $1 { c }
//	if $1 { c }                     }
//
// What a function that answers a Bool leaves, and && makes, is tested that way.
func (p *numberer) follows(first, second ir.Stmt) bool {
	s, ok := first.(*ir.If)
	next, ok2 := second.(*ir.If)
	if !ok || !ok2 || len(s.Else) > 0 || len(next.Else) > 0 || leaves(s.Then) {
		return false
	}
	test := next.Test
	if c, ok := test.(*ir.Cond); ok && isZero(c.Else) {
		test = c.Test
	}
	g, ok := test.(*ir.Get)
	if !ok || !p.is(p.resolve(p.env[g.Local]), 0) || !assigns(s.Then, g.Local) {
		return false
	}
	s.Then = append(s.Then[:len(s.Then):len(s.Then)], next)
	return true
}

func isZero(e ir.Expr) bool {
	c, ok := e.(*ir.Const)
	return ok && c.T == ir.I32 && uint32(c.Bits) == 0
}

func assigns(body []ir.Stmt, local int) bool {
	for _, s := range body {
		found := false
		switch s := s.(type) {
		case *ir.Set:
			found = s.Local == local
		case *ir.If, *ir.Block, *ir.Loop, *ir.Switch:
			ir.Bodies(s, func(b *[]ir.Stmt) { found = found || assigns(*b, local) })
		}
		if found {
			return true
		}
	}
	return false
}
