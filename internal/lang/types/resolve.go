package types

import (
	"bytes"

	"towpath.dev/internal/lang/core"
	"towpath.dev/internal/lang/diag"
	"towpath.dev/internal/lang/span"
	"towpath.dev/internal/lang/syntax"
)

// typeScope is what a type may refer to: the module's names and the type
// parameters of the declaration around it.
type typeScope struct {
	c      *checker
	m      *module
	params []*core.Param
}

// of gives the type that a type expression names.
func (s typeScope) of(te syntax.TypeExpr) core.Type {
	switch te := te.(type) {
	case *syntax.NamedType:
		return s.named(te)
	case *syntax.OptionType:
		return s.c.std.option(s.of(te.Elem))
	case *syntax.TupleType:
		if len(te.Elems) == 0 {
			return s.c.std.unitT
		}
		elems := make([]core.Type, len(te.Elems))
		for i, e := range te.Elems {
			elems[i] = s.of(e)
		}
		return &core.Tuple{Elems: elems}
	case *syntax.FuncType:
		s.c.diags.Errorf(codeFunctionValue, te.Span, "a function type stands only as the type of a function's parameter").
			Note(span.Span{}, "functions are given as arguments; they are not stored, returned or passed to services")
		return bad
	}
	return bad
}

// param is of for a function's parameter, which may be a function itself.
func (s typeScope) param(te syntax.TypeExpr) core.Type {
	ft, ok := te.(*syntax.FuncType)
	if !ok {
		return s.of(te)
	}
	out := &core.FuncType{Params: make([]core.Type, len(ft.Params)), Result: s.of(ft.Result)}
	for i, p := range ft.Params {
		out.Params[i] = s.of(p)
	}
	return out
}

func (s typeScope) named(te *syntax.NamedType) core.Type {
	if te.Name.Text == "" {
		return bad
	}
	if te.Module == nil {
		for _, p := range s.params {
			if p.Name == te.Name.Text {
				if len(te.Args) > 0 {
					s.c.diags.Errorf(codeTypeArgs, te.Span, "the type parameter `%s` takes no arguments", p.Name)
				}
				s.m.info.use(te.Name.Span, p)
				return p
			}
		}
	}
	def := s.def(te.Module, te.Name)
	if def == nil {
		for _, a := range te.Args {
			s.of(a)
		}
		return bad
	}
	s.m.info.use(te.Name.Span, def)
	if len(te.Args) != len(def.Params) {
		s.c.typeArity(te, def)
		for _, a := range te.Args {
			s.of(a)
		}
		return bad
	}
	if len(def.Params) == 0 {
		if ti := s.c.types[def]; ti != nil {
			return ti.con
		}
		return &core.Con{Def: def}
	}
	args := make([]core.Type, len(te.Args))
	for i, a := range te.Args {
		args[i] = s.of(a)
	}
	return &core.Con{Def: def, Args: args}
}

func (c *checker) typeArity(te *syntax.NamedType, def *core.TypeDef) {
	d := c.diags.Errorf(codeTypeArgs, te.Span, "`%s` takes %s, %d given", def.Name,
		plural(len(def.Params), "type argument"), len(te.Args))
	d.Expect(selfType(def).String(), te.Span.Text())
	if def.At.IsValid() {
		d.Note(def.At, "declared here")
	}
}

// def finds a type's definition, or reports that there is none.
func (s typeScope) def(module *syntax.Name, name syntax.Name) *core.TypeDef {
	if module == nil {
		if sym := s.lookup(name.Text); sym != nil {
			return sym.def.(*core.TypeDef)
		}
		s.unknownType(name)
		return nil
	}
	target := s.c.moduleNamed(s.m, module.Text)
	if target == nil {
		s.c.unknownModuleName(s.m, *module)
		return nil
	}
	s.m.info.use(module.Span, target.core)
	sym := target.own(target.types, name.Text)
	if sym == nil {
		var candidates []string
		for n, t := range target.types {
			if t.via == nil && t.pub {
				candidates = append(candidates, n)
			}
		}
		d := s.c.diags.Errorf(codeUnknownMember, name.Span, "the module `%s` has no type `%s`", target.core.Path, name.Text)
		s.c.didYouMean(d, name.Span, name.Text, candidates)
		return nil
	}
	if !sym.pub && target != s.m {
		s.c.private(name.Span, sym, name.Text)
		return nil
	}
	return sym.def.(*core.TypeDef)
}

// lookup finds a type by its unqualified name.
func (s typeScope) lookup(name string) *symbol {
	sym := s.m.types[name]
	if sym == nil {
		sym = s.c.stdTypes[name]
	}
	if sym == nil {
		if def := s.c.standIns()[name]; def != nil {
			return &symbol{def: def, pub: true, mod: s.m}
		}
		return nil
	}
	sym.use()
	return sym
}

// standIns are the well-known types by name, for sources without a library.
func (c *checker) standIns() map[string]*core.TypeDef {
	if c.std.standIns == nil {
		c.std.standIns = map[string]*core.TypeDef{}
		for _, w := range wellKnown {
			c.std.standIns[w.name] = *w.slot(&c.prog.Std)
		}
	}
	return c.std.standIns
}

func (s typeScope) unknownType(name syntax.Name) {
	if s.m.lost[name.Text] {
		return
	}
	candidates := names(s.m.types, s.c.stdTypes)
	for _, p := range s.params {
		candidates = append(candidates, p.Name)
	}
	d := s.c.diags.Errorf(codeUnknownType, name.Span, "there is no type `%s` here", name.Text)
	if v := s.m.values[name.Text]; v != nil {
		d.Note(v.at, "`%s` is a %s", name.Text, v.what())
		return
	}
	if home := s.c.homeOf(name.Text, s.m); home != nil {
		s.m.importFix(d, home, name.Text)
		return
	}
	s.c.didYouMean(d, name.Span, name.Text, candidates)
}

// homeOf finds a project's module that exports a name which is unknown in m.
func (c *checker) homeOf(name string, m *module) *symbol {
	for _, other := range c.modules {
		if other == m || other.std {
			continue
		}
		for _, table := range []map[string]*symbol{other.types, other.values} {
			if s := other.own(table, name); s != nil && s.pub {
				return s
			}
		}
	}
	return nil
}

// importFix adds to a diagnostic about an unknown name where it is exported from
// and the import that brings it in. Other uses of the name are no news.
func (m *module) importFix(d *diag.Diagnostic, home *symbol, name string) *diag.Diagnostic {
	m.lost[name] = true // one missing import is one mistake
	path := home.mod.core.Path
	d.Note(home.at, "the module `%s` has one", path)
	d.Note(span.Span{}, "write `import %s.{%s}`", path, name)
	title := "import it from `" + path + "`"
	last := 0
	for _, imp := range m.file.Imports {
		if n := len(imp.Members); n > 0 && imp.ModulePath() == path {
			at := localName(&imp.Members[n-1]).Span
			return d.FixWith(title, span.Span{File: at.File, Start: at.End, End: at.End}, ", "+name)
		}
		last = imp.Span.End
	}
	text := "import " + path + ".{" + name + "}"
	if last == 0 {
		if len(m.file.Decls) == 0 {
			return d
		}
		return d.FixWith(title, m.core.File.Span(m.top(), m.top()), text+"\n\n")
	}
	return d.FixWith(title, m.core.File.Span(last, last), "\n"+text)
}

// top is the offset of the first line of code: after the module's documentation.
func (m *module) top() int {
	text, at := m.core.File.Text, 0
	for at < len(text) {
		line, _, _ := bytes.Cut(text[at:], []byte("\n"))
		if trimmed := bytes.TrimSpace(line); len(trimmed) > 0 && !bytes.HasPrefix(trimmed, []byte("////")) {
			break
		}
		at = min(at+len(line)+1, len(text))
	}
	return at
}

// moduleNamed finds a module by the name that it goes by in m.
func (c *checker) moduleNamed(m *module, name string) *module {
	if imp := m.mods[name]; imp != nil {
		imp.via.used = true
		return imp.mod
	}
	if std := c.stdModules[name]; std != nil {
		return std
	}
	return nil
}

func (c *checker) unknownModuleName(m *module, name syntax.Name) {
	if name.Text == "" || m.lost[name.Text] {
		return
	}
	var candidates []string
	for n := range m.mods {
		candidates = append(candidates, n)
	}
	for n := range c.stdModules {
		candidates = append(candidates, n)
	}
	d := c.diags.Errorf(codeUnknownModule, name.Span, "no module goes by the name `%s` here", name.Text)
	for path := range c.byPath {
		if !isStdPath(path) && lastPart(path) == name.Text {
			d.Note(span.Span{}, "write `import %s` at the top", path)
			return
		}
	}
	c.didYouMean(d, name.Span, name.Text, candidates)
}
