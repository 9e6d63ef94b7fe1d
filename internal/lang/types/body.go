package types

import (
	"towpath.dev/internal/lang/core"
	"towpath.dev/internal/lang/diag"
	"towpath.dev/internal/lang/span"
	"towpath.dev/internal/lang/syntax"
)

// body is the state of checking one expression tree: a function's, a constant's,
// a default's or a test's.
type body struct {
	unifier
	c    *checker
	m    *module
	home string // qualified name of what the body belongs to, for its sites
	fn   *core.Func
	tps  []*core.Param
	test bool

	locals  map[string]*binding // the innermost of each name
	scope   []*binding          // all in scope, innermost last
	answers []core.Type         // of the function and lambdas around, for `?`

	literals []*meta
	sums     []*arith // every arithmetic operator
	stuck    []*arith // those whose operands are not known well enough
	matches  []matchUse
	lets     []letUse
	unused   []*core.Local // bound by lets
	start    span.Span     // for what concerns the body as a whole
	seen     int           // diagnostics that failed has looked at
	faulty   bool          // one of them is an error
	large    bool          // tooLarge has spoken

	sites    uint32 // numbered so far
	siteBase uint64 // the hash of home
}

// binding is a local in scope.
type binding struct {
	local *core.Local
	outer *binding // of the same name
	from  int      // offset from which it can be named
	warn  bool     // worth a warning when never used
	used  bool
}

func (c *checker) newBody(m *module, home string, start span.Span, tps []*core.Param) *body {
	b := c.idle
	c.idle = nil
	if b == nil {
		b = &body{c: c, locals: map[string]*binding{}}
		b.std = &c.std
	}
	b.m, b.home, b.start, b.tps, b.fn, b.test = m, home, start, tps, nil, false
	b.seen, b.faulty, b.large = len(c.diags.All), false, false
	b.sites, b.work = 0, 0
	return b
}

// freeBody hands a body back for reuse.
func (c *checker) freeBody(b *body) {
	b.leave(0, 0)
	b.answers = b.answers[:0]
	b.literals, b.sums, b.stuck = b.literals[:0], b.sums[:0], b.stuck[:0]
	b.matches, b.lets, b.unused = b.matches[:0], b.lets[:0], b.unused[:0]
	c.idle = b
}

// failed reports whether this body has had a diagnostic, after which missing
// knowledge is no news.
func (b *body) failed() bool {
	for ; b.seen < len(b.c.diags.All) && !b.faulty; b.seen++ {
		b.faulty = b.c.diags.All[b.seen].Severity == diag.Error
	}
	return b.faulty
}

// tooLarge reports, once, that a body's types have grown out of bounds.
func (b *body) tooLarge() {
	if !b.large {
		b.large = true
		b.errorf(codeInfiniteType, b.start, "the types in `%s` are too large to check", b.home).
			Note(span.Span{}, "name their parts: records keep types small")
	}
}

func (b *body) errorf(code diag.Code, at span.Span, format string, args ...any) *diag.Diagnostic {
	return b.c.diags.Errorf(code, at, format, args...)
}

func (b *body) types() typeScope { return typeScope{b.c, b.m, b.tps} }

// bind puts a local in scope from an offset on.
func (b *body) bind(l *core.Local, from int, warn bool) {
	if l.Name == "" || l.Name == "_" {
		return
	}
	n := &binding{local: l, outer: b.locals[l.Name], from: from, warn: warn}
	b.locals[l.Name] = n
	b.scope = append(b.scope, n)
}

// leave takes the locals beyond mark out of scope, which ended at an offset.
func (b *body) leave(mark, to int) {
	for i := len(b.scope) - 1; i >= mark; i-- {
		n := b.scope[i]
		if n.outer != nil {
			b.locals[n.local.Name] = n.outer
		} else {
			delete(b.locals, n.local.Name)
		}
		if n.warn && !n.used && n.local.Name[0] != '_' && n.local.At.IsValid() {
			b.unused = append(b.unused, n.local)
		}
		b.m.info.local(n.local, n.from, to)
	}
	b.scope = b.scope[:mark]
}

// badExpr stands where no checked expression could be made; parts are what
// could be made of its inside.
type badExpr struct {
	core.X
	parts []core.Expr
}

func broken(at span.Span, parts ...core.Expr) core.Expr {
	return &badExpr{core.X{At: at, Type: bad}, parts}
}

// fresh makes a type to be found.
func (b *body) fresh(at span.Span) *meta { return &meta{at: at} }

// freshAll makes one for each type parameter.
func (b *body) freshAll(params []*core.Param, at span.Span) []core.Type {
	if len(params) == 0 {
		return nil
	}
	out := make([]core.Type, len(params))
	for i := range params {
		out[i] = b.fresh(at)
	}
	return out
}

// block checks `{ let … value }`. Lets nest in the tree but not in this
// function's recursion.
func (b *body) block(blk *syntax.Block, want core.Type, w why) core.Expr {
	mark := len(b.scope)
	var lets []*core.Let
	var result core.Expr
	for i, st := range blk.Stmts {
		switch st := st.(type) {
		case *syntax.LetStmt:
			pat, value := b.let(st)
			lets = append(lets, &core.Let{X: core.X{At: st.Span}, Pat: pat, Value: value})
		case *syntax.ExprStmt:
			if i == len(blk.Stmts)-1 {
				result = b.expr(st.X, want, w)
				break
			}
			b.expr(st.X, nil, why{})
			b.errorf(codeUnusedValue, st.X.Pos(), "nothing uses this value").
				Note(span.Span{}, "a block has one value, that of its last line; nothing else in it can have an effect")
		}
	}
	b.leave(mark, blk.Span.End)
	if result == nil {
		result = broken(blk.Span)
	}
	t := result.TypeOf()
	for i := len(lets) - 1; i >= 0; i-- {
		lets[i].Type, lets[i].Body = t, result
		result = lets[i]
	}
	return result
}

// let checks a let statement and binds its names.
func (b *body) let(st *syntax.LetStmt) (core.Pattern, core.Expr) {
	var t core.Type
	var value core.Expr
	if st.Type != nil {
		t = b.types().of(st.Type)
		value = b.expr(st.Value, t, why{kind: whyLet, at: st.Type.Pos()})
	} else {
		value = b.expr(st.Value, nil, why{})
		t = value.TypeOf()
	}
	pat := b.bindPattern(st.Pat, t, st.Span.End, true)
	b.lets = append(b.lets, letUse{pat, st.Pat, "let"})
	return pat, value
}

// checkBodies checks every function, constant, default and test.
func (c *checker) checkBodies() {
	for _, m := range c.modules {
		for _, k := range m.constDecls {
			c.constType(k)
		}
		for _, ti := range m.typeDecls {
			for _, ctor := range ti.def.Ctors {
				for _, f := range ctor.Fields {
					if di := c.fields[f]; di != nil {
						f.Default = c.defaultOf(di)
					}
				}
			}
		}
		for _, fi := range m.funcDecls {
			c.checkParamDefaults(fi.fn.Params)
			c.checkFunc(fi)
		}
		for _, oi := range m.opDecls {
			c.checkParamDefaults(oi.op.Params)
		}
		for _, t := range m.testDecls {
			c.checkTest(t)
		}
	}
}

func (c *checker) checkParamDefaults(params []*core.Local) {
	for _, p := range params {
		if di := c.params[p]; di != nil {
			p.Default = c.defaultOf(di)
		}
	}
}

func (c *checker) checkFunc(fi *funcInfo) {
	fn, d := fi.fn, fi.decl
	if d.Body == nil {
		if fn.Kind != core.Intrinsic {
			c.quietly(codeStdOnly, d.Name.Span, "`%s` has no body", fn.Name)
		}
		return
	}
	b := c.newBody(fi.mod, fn.QualifiedName(), fn.At, fn.TypeParams)
	b.fn = fn
	for _, p := range fn.Params {
		b.bind(p, d.Span.Start, false)
	}
	b.answers = append(b.answers, fn.Result)
	w := why{kind: whyResult, name: fn.Name, at: d.Name.Span}
	if d.Result != nil {
		w.at = d.Result.Pos()
	}
	x := b.block(d.Body, fn.Result, w)
	b.leave(0, d.Span.End)
	b.settle()
	fn.Body = b.finish(x, &fi.calls)
	b.conclude()
	fn.Gas = core.GasOf(fn.Body)
	fn.Loop = fi.calls.loop
	c.freeBody(b)
}

// constType gives a constant's type, checking the constant first when that is
// not known yet.
func (c *checker) constType(k *constInfo) core.Type {
	switch k.state {
	case checking:
		if k.c.Type == nil {
			c.constCycle(k)
			k.c.Type = bad
		}
	case unchecked:
		k.state = checking
		c.constStack = append(c.constStack, k)
		b := c.newBody(k.mod, k.mod.core.Path+"."+k.c.Name, k.c.At, nil)
		w := why{}
		if k.decl.Type != nil {
			w = why{kind: whyLet, at: k.decl.Type.Pos()}
		}
		x := b.expr(k.decl.Value, k.c.Type, w)
		b.settle()
		k.c.Value = b.finish(x, &k.calls)
		b.conclude()
		if k.c.Type == nil {
			k.c.Type = k.c.Value.TypeOf()
		}
		c.freeBody(b)
		c.constStack = c.constStack[:len(c.constStack)-1]
		k.state = checked
	}
	return k.c.Type
}

// constCycle reports a constant that is wanted while it is being checked.
func (c *checker) constCycle(k *constInfo) {
	path := ""
	for _, other := range c.constStack {
		if path != "" || other == k {
			path += other.c.Name + " → "
		}
	}
	c.diags.Errorf(codeConstCycle, k.c.At, "the constant `%s` depends on itself: %s%s", k.c.Name, path, k.c.Name)
}

// defaultOf gives a default's checked expression.
func (c *checker) defaultOf(di *defaultInfo) core.Expr {
	switch di.state {
	case checking:
		c.diags.Errorf(codeConstCycle, di.expr.Pos(), "this default depends on itself")
		di.out = broken(di.expr.Pos())
	case unchecked:
		di.state = checking
		b := c.newBody(di.mod, di.home, di.expr.Pos(), di.tps)
		x := b.expr(di.expr, di.want, why{})
		b.settle()
		x = b.finish(x, &di.calls)
		b.conclude()
		if di.out == nil {
			di.out = x
		}
		c.freeBody(b)
		di.state = checked
	}
	return di.out
}
