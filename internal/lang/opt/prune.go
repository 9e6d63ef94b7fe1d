package opt

import (
	"slices"

	"towpath.dev/internal/lang/ir"
)

// prune drops functions that no export reaches, and the imports and globals that
// are then without use. What the host knows by name stays: exported globals, and
// the imports that charging gas and faulting call without naming them.
func prune(m *ir.Module) {
	funcs := map[*ir.Func]bool{}
	imports := map[*ir.Import]bool{}
	globals := map[*ir.Global]bool{}
	var reach func(f *ir.Func)
	reach = func(f *ir.Func) {
		if funcs[f] {
			return
		}
		funcs[f] = true
		ir.Inspect(f.Body, func(s ir.Stmt) {
			switch s := s.(type) {
			case *ir.CallStmt:
				reach(s.Func)
			case *ir.HostStmt:
				imports[s.Import] = true
			case *ir.SetGlobal:
				globals[s.Global] = true
			}
		}, func(e ir.Expr) {
			switch e := e.(type) {
			case *ir.Call:
				reach(e.Func)
			case *ir.Host:
				imports[e.Import] = true
			case *ir.GetGlobal:
				globals[e.Global] = true
			}
		})
	}
	for _, x := range m.Exports {
		reach(x.Func)
	}
	m.Funcs = slices.DeleteFunc(m.Funcs, func(f *ir.Func) bool { return !funcs[f] })
	m.Imports = slices.DeleteFunc(m.Imports, func(i *ir.Import) bool {
		return !imports[i] && i.Name != "fault" && i.Name != "yield"
	})
	m.Globals = slices.DeleteFunc(m.Globals, func(g *ir.Global) bool { return !globals[g] && g.Export == "" })
}
