package emit

import "towpath.dev/internal/lang/ir"

// uses is what of the host a module needs.
type uses struct {
	imports      map[*ir.Import]bool
	fault, yield bool
}

func scan(m *ir.Module) *uses {
	u := &uses{imports: map[*ir.Import]bool{}}
	for _, f := range m.Funcs {
		ir.Inspect(f.Body, func(s ir.Stmt) {
			switch s := s.(type) {
			case *ir.HostStmt:
				u.imports[s.Import] = true
			case *ir.Fault:
				u.fault = true
			case *ir.Gas:
				u.yield = true
			}
		}, func(e ir.Expr) {
			switch e := e.(type) {
			case *ir.Host:
				u.imports[e.Import] = true
			case *ir.Alloc:
				u.fault = true
			}
		})
	}
	return u
}
