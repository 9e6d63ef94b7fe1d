package types

import (
	"sort"

	"towpath.dev/internal/lang/core"
	"towpath.dev/internal/lang/span"
)

// checkUnused warns about imports and private declarations that nothing uses. In a
// program with mistakes, what was to use them may be what is wrong.
func (c *checker) checkUnused() {
	if c.diags.HasErrors() {
		return
	}
	for _, m := range c.modules {
		if m.std {
			continue
		}
		whole := map[any]int{}
		for _, use := range m.imports {
			whole[use.decl]++
		}
		for _, use := range m.imports {
			if use.used {
				continue
			}
			d := c.diags.Warnf(codeUnusedImport, use.at, "the import `%s` is never used", use.name)
			if whole[use.decl] == 1 {
				d.FixWith("remove the import", use.decl.Span, "")
			}
		}
		c.unusedDecls(m)
	}
}

func (c *checker) unusedDecls(m *module) {
	type unused struct {
		at   span.Span
		what string
		name string
	}
	var found []unused
	add := func(name string, s *symbol) {
		if !s.used && !s.pub && s.via == nil && s.at.IsValid() {
			found = append(found, unused{s.at, s.what(), name})
		}
	}
	for name, s := range m.values {
		switch def := s.def.(type) {
		case *funcInfo:
			if def.fn.Kind == core.Fn {
				add(name, s)
			}
		case *constInfo, *core.Service:
			add(name, s)
		}
	}
	for name, s := range m.types {
		def := s.def.(*core.TypeDef)
		used := s.used
		for _, ctor := range def.Ctors {
			if v := m.values[ctor.Name]; v != nil && v.def == any(ctor) && v.used {
				used = true
			}
		}
		if !used {
			add(name, s)
		}
	}
	sort.Slice(found, func(i, j int) bool { return found[i].at.Start < found[j].at.Start })
	for _, u := range found {
		c.diags.Warnf(codeUnusedDecl, u.at, "the %s `%s` is never used", u.what, u.name).
			Note(span.Span{}, "write `pub` before it if other modules are to use it")
	}
}
