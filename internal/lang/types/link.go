package types

import (
	"strings"

	"towpath.dev/internal/lang/core"
	"towpath.dev/internal/lang/span"
	"towpath.dev/internal/lang/syntax"
)

// link resolves imports and puts the modules in order of dependence: the
// standard library's first, then the project's, imported before importing.
func (c *checker) link() {
	for _, m := range c.modules {
		for _, imp := range m.file.Imports {
			c.resolveImport(m, imp)
		}
	}
	ordered := make([]*module, 0, len(c.modules))
	for _, m := range c.modules {
		if m.std {
			ordered = append(ordered, m)
		}
	}
	o := &importOrder{c: c, state: map[*module]checkState{}, out: ordered}
	for _, m := range c.modules {
		if !m.std && o.state[m] == unchecked {
			o.visit(m)
		}
	}
	c.modules = o.out
	for _, m := range c.modules {
		c.prog.Modules = append(c.prog.Modules, m.core)
	}
}

// importOrder sorts modules and finds cycles.
type importOrder struct {
	c     *checker
	state map[*module]checkState
	stack []*module
	out   []*module
}

func (o *importOrder) visit(m *module) {
	o.state[m] = checking
	o.stack = append(o.stack, m)
	for i, need := range m.needs {
		switch {
		case need.std:
		case o.state[need] == unchecked:
			o.visit(need)
		case o.state[need] == checking:
			o.cycle(m, need, m.importOf(i))
		}
	}
	o.stack = o.stack[:len(o.stack)-1]
	o.state[m] = checked
	o.out = append(o.out, m)
}

func (o *importOrder) cycle(m, back *module, at span.Span) {
	var path []string
	for i := len(o.stack) - 1; i >= 0; i-- {
		path = append([]string{o.stack[i].core.Path}, path...)
		if o.stack[i] == back {
			break
		}
	}
	path = append(path, back.core.Path)
	o.c.diags.Errorf(codeImportCycle, at, "modules import each other in a circle: %s", strings.Join(path, " → ")).
		Note(span.Span{}, "move what both need to a module of its own")
}

// importOf is the place of the import that m.needs[i] came from.
func (m *module) importOf(i int) span.Span {
	path := m.needs[i].core.Path
	for _, imp := range m.file.Imports {
		if imp.ModulePath() == path {
			return imp.Span
		}
	}
	return fileStart(m.file)
}

func (c *checker) resolveImport(m *module, imp *syntax.Import) {
	path := imp.ModulePath()
	if path == "" || imp.Path[len(imp.Path)-1].Text == "" {
		return // the parser has spoken
	}
	at := imp.Path[0].Span.To(imp.Path[len(imp.Path)-1].Span)
	target := c.byPath[path]
	if target == nil {
		m.lose(imp)
		var paths []string
		for p := range c.byPath {
			if !isStdPath(p) && p != m.core.Path {
				paths = append(paths, p)
			}
		}
		d := c.diags.Errorf(codeUnknownModule, at, "there is no module `%s`", path)
		if c.byPath["std/"+path] != nil {
			d.Note(span.Span{}, "the standard library's `%s` is in scope everywhere without an import", path)
			d.FixWith("remove the import", imp.Span, "")
			return
		}
		c.didYouMean(d, at, path, paths)
		return
	}
	m.info.use(at, target.core)
	m.needs = append(m.needs, target)
	if !imp.Braces || imp.As != nil {
		name := imp.Path[len(imp.Path)-1]
		if imp.As != nil {
			name = *imp.As
		}
		use := &importUse{at: imp.Span, decl: imp, name: name.Text}
		m.imports = append(m.imports, use)
		if other := m.mods[name.Text]; other != nil {
			c.diags.Errorf(codeDuplicate, name.Span, "`%s` names two imported modules", name.Text).
				Note(other.via.at, "first here").
				Note(span.Span{}, "give one of them another name with `as`")
		} else {
			m.mods[name.Text] = &importedModule{mod: target, via: use}
		}
	}
	for i := range imp.Members {
		c.importMember(m, target, imp, &imp.Members[i])
	}
	if imp.Braces && len(imp.Members) == 0 && imp.As == nil {
		m.imports = append(m.imports, &importUse{at: imp.Span, decl: imp, name: path})
	}
}

// lose remembers the names of an import that failed.
func (m *module) lose(imp *syntax.Import) {
	if imp.As != nil {
		m.lost[imp.As.Text] = true
	} else if !imp.Braces {
		m.lost[lastPart(imp.ModulePath())] = true
	}
	for _, member := range imp.Members {
		m.lost[localName(&member).Text] = true
	}
}

func (c *checker) importMember(m, target *module, imp *syntax.Import, member *syntax.ImportMember) {
	name := member.Name.Text
	if name == "" {
		return
	}
	local := localName(member)
	t, v := target.own(target.types, name), target.own(target.values, name)
	if t == nil && v == nil {
		m.lost[local.Text] = true
		d := c.diags.Errorf(codeUnknownMember, member.Name.Span, "the module `%s` has no `%s`", target.core.Path, name)
		c.didYouMean(d, member.Name.Span, name, target.exports())
		return
	}
	for _, s := range []*symbol{t, v} {
		if s != nil && !s.pub {
			m.lost[local.Text] = true
			c.private(member.Name.Span, s, name)
			return
		}
	}
	use := &importUse{at: member.Name.Span.To(local.Span), decl: imp, name: local.Text}
	m.imports = append(m.imports, use)
	if v != nil {
		m.info.use(member.Name.Span, defOf(v.def))
		c.enter(m, m.values, local.Text, &symbol{def: v.def, at: v.at, mod: v.mod, via: use})
	}
	if t == nil {
		return
	}
	m.info.use(member.Name.Span, t.def)
	if v == nil || m.values[local.Text] == nil || m.values[local.Text].via == use {
		c.enter(m, m.types, local.Text, &symbol{def: t.def, at: t.at, mod: t.mod, via: use})
	}
	def := t.def.(*core.TypeDef)
	if def.Kind != core.Variant {
		return
	}
	for _, ctor := range def.Ctors {
		s := &symbol{def: ctor, at: ctor.At, mod: t.mod, via: use}
		if other := m.implied[ctor.Name]; other != nil && other.def != s.def {
			s = &symbol{def: ambiguity{other.def, ctor}, at: ctor.At, mod: t.mod, via: use}
		}
		m.implied[ctor.Name] = s
	}
}

// localName is what an imported member goes by.
func localName(member *syntax.ImportMember) syntax.Name {
	if member.As != nil {
		return *member.As
	}
	return member.Name
}

// ambiguity stands for a constructor that came along with two imported types.
type ambiguity struct{ a, b any }

// own looks a name up among what a module itself declares.
func (m *module) own(table map[string]*symbol, name string) *symbol {
	if s := table[name]; s != nil && s.via == nil {
		return s
	}
	return nil
}

// exports lists the names that a module offers.
func (m *module) exports() []string {
	var out []string
	for _, table := range []map[string]*symbol{m.types, m.values} {
		for n, s := range table {
			if s.via == nil && s.pub {
				out = append(out, n)
			}
		}
	}
	return out
}

func (c *checker) private(at span.Span, s *symbol, name string) {
	c.diags.Errorf(codePrivate, at, "the %s `%s` is private to the module `%s`", s.what(), name, s.mod.core.Path).
		Note(s.at, "declared here, without `pub`")
}
