package types

import (
	"strconv"

	"towpath.dev/internal/lang/core"
	"towpath.dev/internal/lang/span"
	"towpath.dev/internal/lang/syntax"
)

func itoa(n int) string { return strconv.Itoa(n) }

// collect makes a core declaration for every declaration of the sources and
// enters its name in its module. What they refer to is looked up later.
func (c *checker) collect(mods []Source) {
	for _, src := range mods {
		if src.File == nil {
			continue
		}
		if other := c.byPath[src.Path]; other != nil {
			c.diags.Errorf(codeDuplicate, fileStart(src.File), "the module `%s` is there twice", src.Path).
				Note(fileStart(other.file), "the other one")
			continue
		}
		m := &module{
			core:    &core.Module{Path: src.Path, File: src.File.Source, Doc: src.File.Doc},
			file:    src.File,
			std:     isStdPath(src.Path),
			types:   map[string]*symbol{},
			values:  map[string]*symbol{},
			mods:    map[string]*importedModule{},
			implied: map[string]*symbol{},
			lost:    map[string]bool{},
		}
		m.info = c.info.addModule(m)
		c.byPath[src.Path] = m
		c.modules = append(c.modules, m)
		for _, d := range src.File.Decls {
			c.collectDecl(m, d)
		}
	}
}

func fileStart(f *syntax.File) span.Span {
	if f.Source == nil {
		return f.Span
	}
	return f.Source.Span(0, 0)
}

func (c *checker) collectDecl(m *module, d syntax.Decl) {
	switch d := d.(type) {
	case *syntax.TypeDecl:
		c.collectType(m, d)
	case *syntax.FnDecl:
		c.collectFunc(m, d)
	case *syntax.ConstDecl:
		k := &constInfo{decl: d, mod: m, c: &core.Const{
			Module: m.core, Name: d.Name.Text, Doc: d.Doc, Pub: d.Pub, At: d.Name.Span}}
		c.attrs(d.Attrs)
		m.core.Consts = append(m.core.Consts, k.c)
		m.constDecls = append(m.constDecls, k)
		c.constList = append(c.constList, k)
		k.sym = c.declareValue(m, k.c.Name, k.c.At, k.c.Pub, k)
	case *syntax.ServiceDecl:
		c.collectService(m, d)
	case *syntax.TestDecl:
		t := &testInfo{decl: d, mod: m, test: &core.Test{Module: m.core, At: d.Span, Prop: d.Prop}}
		c.attrs(d.Attrs)
		if d.Title != nil {
			t.test.At = d.Title.Span
			for _, p := range d.Title.Parts {
				t.test.Title += p.Text
			}
		}
		m.core.Tests = append(m.core.Tests, t.test)
		m.testDecls = append(m.testDecls, t)
	}
}

func (c *checker) collectType(m *module, d *syntax.TypeDecl) {
	def := &core.TypeDef{Module: m.core, Name: d.Name.Text, Doc: d.Doc, Pub: d.Pub, At: d.Name.Span}
	c.attrs(d.Attrs)
	def.Params = c.typeParams(d.Params)
	switch d.Form {
	case syntax.BuiltinForm:
		def.Kind = core.Builtin
		if !m.std {
			c.diags.Errorf(codeStdOnly, d.Name.Span, "the type `%s` has no body", d.Name.Text).
				Note(span.Span{}, "a record is written `type %s { … }`, a variant `type %s = A | B`", d.Name.Text, d.Name.Text)
		}
	case syntax.RecordForm:
		def.Kind = core.Record
		def.Ctors = []*core.Ctor{{Def: def, Name: def.Name, JSON: def.Name, Doc: d.Doc, At: d.Name.Span, Fields: c.collectFields(d.Fields)}}
	case syntax.WrapperForm:
		def.Kind = core.Wrapper
		at := d.Name.Span
		if d.Inner != nil {
			at = d.Inner.Pos()
		}
		def.Ctors = []*core.Ctor{{Def: def, Name: def.Name, JSON: def.Name, Doc: d.Doc, At: d.Name.Span,
			Fields: []*core.Field{{Name: "value", JSON: "value", At: at}}}}
	case syntax.VariantForm:
		def.Kind = core.Variant
		for i, ct := range d.Ctors {
			attrs := c.attrs(ct.Attrs, "json")
			def.Ctors = append(def.Ctors, &core.Ctor{Def: def, Name: ct.Name.Text, Doc: ct.Doc, At: ct.Name.Span,
				Tag: i, JSON: attrs.json(ct.Name.Text), Fields: c.collectFields(ct.Fields)})
		}
	}
	ti := &typeInfo{def: def, decl: d, mod: m}
	ti.con = selfType(def)
	c.types[def] = ti
	m.core.Types = append(m.core.Types, def)
	m.typeDecls = append(m.typeDecls, ti)
	c.enter(m, m.types, def.Name, &symbol{def: def, pub: def.Pub, at: def.At, mod: m})
	for _, ctor := range def.Ctors {
		c.declareValue(m, ctor.Name, ctor.At, def.Pub, ctor)
	}
}

// selfType is a definition applied to its own parameters.
func selfType(def *core.TypeDef) core.Type {
	con := &core.Con{Def: def}
	for _, p := range def.Params {
		con.Args = append(con.Args, p)
	}
	return con
}

func (c *checker) collectFields(fields []*syntax.Field) []*core.Field {
	out := make([]*core.Field, len(fields))
	for i, f := range fields {
		attrs := c.attrs(f.Attrs, "json", "private")
		name := f.Name.Text
		if name == "" {
			name = "value"
			if len(fields) > 1 {
				name = itoa(i)
			}
		}
		out[i] = &core.Field{Name: f.Name.Text, Doc: f.Doc, At: f.Span, JSON: attrs.json(name), Private: attrs.private}
		if f.Name.Text != "" {
			out[i].At = f.Name.Span
		}
		for _, other := range out[:i] {
			if other.Name != "" && other.Name == f.Name.Text {
				c.diags.Errorf(codeDuplicate, f.Name.Span, "the field `%s` is declared twice", f.Name.Text).
					Note(other.At, "first here")
			}
		}
	}
	return out
}

func (c *checker) typeParams(names []syntax.Name) []*core.Param {
	var out []*core.Param
	for i, n := range names {
		out = append(out, &core.Param{Name: n.Text})
		for _, other := range names[:i] {
			if other.Text == n.Text && n.Text != "" {
				c.diags.Errorf(codeDuplicate, n.Span, "the type parameter `%s` is declared twice", n.Text).
					Note(other.Span, "first here")
			}
		}
	}
	return out
}

func (c *checker) collectFunc(m *module, d *syntax.FnDecl) {
	fn := &core.Func{Module: m.core, Name: d.Name.Text, Doc: d.Doc, Pub: d.Pub, At: d.Name.Span, Span: d.Span}
	attrs := c.attrs(d.Attrs, "intrinsic")
	fn.TypeParams = c.typeParams(d.TypeParams)
	switch {
	case d.View:
		fn.Kind = core.View
	case attrs.intrinsic != nil:
		fn.Kind, fn.Intrinsic = core.Intrinsic, *attrs.intrinsic
		if !m.std {
			c.diags.Errorf(codeStdOnly, d.Name.Span, "only the standard library has intrinsics").
				Note(span.Span{}, "give `%s` a body", d.Name.Text)
		}
	}
	fi := &funcInfo{fn: fn, decl: d, mod: m, index: len(c.funcList)}
	c.funcs[fn] = fi
	c.funcList = append(c.funcList, fi)
	m.core.Funcs = append(m.core.Funcs, fn)
	m.funcDecls = append(m.funcDecls, fi)
	fi.sym = c.declareValue(m, fn.Name, fn.At, fn.Pub, fi)
}

func (c *checker) collectService(m *module, d *syntax.ServiceDecl) {
	s := &core.Service{Module: m.core, Name: d.Name.Text, Doc: d.Doc, Pub: d.Pub, At: d.Name.Span}
	c.attrs(d.Attrs)
	for _, od := range d.Ops {
		op := &core.Operation{Service: s, Name: od.Name.Text, Doc: od.Doc, At: od.Name.Span}
		c.attrs(od.Attrs)
		for _, other := range s.Ops {
			if other.Name == op.Name && op.Name != "" {
				c.diags.Errorf(codeDuplicate, op.At, "`%s.%s` is declared twice", s.Name, op.Name).
					Note(other.At, "first here")
			}
		}
		s.Ops = append(s.Ops, op)
		m.opDecls = append(m.opDecls, &opInfo{op: op, decl: od, mod: m})
	}
	m.core.Services = append(m.core.Services, s)
	c.declareValue(m, s.Name, s.At, s.Pub, s)
}

func (c *checker) declareValue(m *module, name string, at span.Span, pub bool, def any) *symbol {
	s := &symbol{def: def, pub: pub, at: at, mod: m}
	c.enter(m, m.values, name, s)
	return s
}

// enter puts a name in a table; the first declaration of a name keeps it.
func (c *checker) enter(m *module, table map[string]*symbol, name string, s *symbol) {
	if name == "" {
		return
	}
	other := table[name]
	if other == nil {
		table[name] = s
		return
	}
	at, verb := s.at, "declared"
	if s.via != nil {
		at, verb = s.via.at, "imported"
	}
	// A record's or wrapper's constructor goes by the name of its type, whose
	// repetition was reported already.
	if ctor, ok := s.def.(*core.Ctor); ok && ctor.Def.Kind != core.Variant && m.types[name] != nil &&
		m.types[name].at != s.at {
		return
	}
	otherAt := other.at
	if other.via != nil {
		otherAt = other.via.at
	}
	if other.via != nil && s.via == nil {
		at, otherAt = otherAt, at
	}
	c.diags.Errorf(codeDuplicate, at, "`%s` is %s twice in this module", name, verb).Note(otherAt, "first here")
}

// attributes are the values of a declaration's attributes.
type attributes struct {
	name      *string // @json("…")
	intrinsic *string // @intrinsic("…")
	private   bool    // @private
}

func (a attributes) json(name string) string {
	if a.name != nil {
		return *a.name
	}
	return name
}

// attrs reads attributes and refuses those that are not allowed where they stand.
func (c *checker) attrs(attrs []*syntax.Attr, allowed ...string) attributes {
	var out attributes
	for _, a := range attrs {
		if !contains(allowed, a.Name.Text) {
			d := c.diags.Errorf(codeAttribute, a.Name.Span, "there is no attribute `@%s` here", a.Name.Text)
			c.didYouMean(d, a.Name.Span, a.Name.Text, allowed)
			continue
		}
		switch a.Name.Text {
		case "private":
			out.private = true
			if len(a.Args) > 0 {
				c.diags.Errorf(codeAttribute, a.Span, "`@private` takes no argument")
			}
		case "json":
			out.name = c.attrText(a)
		case "intrinsic":
			out.intrinsic = c.attrText(a)
			if out.intrinsic == nil {
				out.intrinsic = new(string)
			}
		}
	}
	return out
}

// attrText is the text of an attribute's only argument, nil when it has none.
func (c *checker) attrText(a *syntax.Attr) *string {
	if len(a.Args) == 1 {
		if lit, ok := a.Args[0].(*syntax.StringLit); ok {
			text := ""
			for _, p := range lit.Parts {
				if p.X != nil {
					c.diags.Errorf(codeAttribute, p.X.Pos(), "an attribute's text is written out, without `{…}`")
				}
				text += p.Text
			}
			if text != "" {
				return &text
			}
		}
	}
	c.diags.Errorf(codeAttribute, a.Span, "`@%s` takes one text, such as `@%s(\"seller_id\")`", a.Name.Text, a.Name.Text)
	return nil
}

func contains(names []string, name string) bool {
	for _, n := range names {
		if n == name {
			return true
		}
	}
	return false
}

// names lists a table's names for suggestions.
func names(tables ...map[string]*symbol) []string {
	var out []string
	for _, t := range tables {
		for n := range t {
			out = append(out, n)
		}
	}
	return out
}
