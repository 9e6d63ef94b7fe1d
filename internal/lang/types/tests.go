package types

import (
	"towpath.dev/internal/lang/core"
	"towpath.dev/internal/lang/span"
	"towpath.dev/internal/lang/syntax"
)

// checkTest checks a test or a prop. All its lines are one body.
func (c *checker) checkTest(t *testInfo) {
	d, test := t.decl, t.test
	for _, other := range t.mod.testDecls {
		if other == t {
			break
		}
		if other.test.Title == test.Title && test.Title != "" {
			c.diags.Errorf(codeTestTitle, test.At, "another test of this module has this title").Note(other.test.At, "it is here")
			break
		}
	}
	b := c.newBody(t.mod, t.mod.core.Path+".test:"+test.Title, test.At, nil)
	b.test = true
	if d.Title != nil {
		for _, p := range d.Title.Parts {
			if p.X != nil {
				b.errorf(codeTestTitle, p.X.Pos(), "a test's title is written out, without `{…}`").
					Note(span.Span{}, "a brace is written `\\{`")
			}
		}
	}
	test.Params = c.declareParams(b.types(), d.Params, t.mod.core.Path+".test", false)
	c.checkParamDefaults(test.Params)
	for i, p := range test.Params {
		b.bind(p, d.Span.Start, false)
		c.checkGenerated(p.Type, d.Params[i].Span)
	}
	for _, st := range d.Stmts {
		b.testStmt(test, st)
	}
	b.leave(0, d.Span.End)
	b.settle()
	f := &finisher{b: b, into: &t.calls}
	for _, st := range test.Stmts {
		switch st := st.(type) {
		case *core.TestLet:
			f.pattern(st.Pat)
			st.Value = f.expr(st.Value, false)
		case *core.Expect:
			st.X = f.expr(st.X, false)
		case *core.Given:
			for _, a := range st.Args {
				f.pattern(a)
			}
			if st.Value != nil {
				st.Value = f.expr(st.Value, false)
			}
		}
	}
	b.conclude()
	c.freeBody(b)
}

func (b *body) testStmt(test *core.Test, st syntax.Stmt) {
	switch st := st.(type) {
	case *syntax.LetStmt:
		pat, value := b.let(st)
		test.Stmts = append(test.Stmts, &core.TestLet{At: st.Span, Pat: pat, Value: value})
	case *syntax.ExpectStmt:
		x := b.expr(st.X, b.std.boolT, why{kind: whyCond})
		test.Stmts = append(test.Stmts, &core.Expect{At: st.Span, X: x})
	case *syntax.GivenStmt:
		if g := b.given(st); g != nil {
			test.Stmts = append(test.Stmts, g)
		}
	case *syntax.ExprStmt:
		b.expr(st.X, nil, why{})
		b.errorf(codeUnusedValue, st.X.Pos(), "nothing uses this value").
			Note(span.Span{}, "a test says what it wants with `expect`")
	}
}

var outcomes = map[syntax.Outcome]core.Outcome{
	syntax.Answers: core.Answers, syntax.Fails: core.Fails, syntax.Expires: core.Expires, syntax.Shed: core.Shed,
}

func (b *body) given(st *syntax.GivenStmt) *core.Given {
	g := &core.Given{At: st.Span, Outcome: outcomes[st.Outcome]}
	if st.Service == nil {
		t := b.std.intT
		switch st.Op.Text {
		case "now":
			g.Target, t = core.GivenNow, b.std.instantT
		case "seed":
			g.Target = core.GivenSeed
		default:
			if st.Op.Text != "" {
				b.errorf(codeGiven, st.Op.Span, "`given` stubs an operation, `now` or `seed`, not `%s`", st.Op.Text)
			}
			return nil
		}
		if st.Outcome != syntax.Answers || st.Value == nil {
			b.errorf(codeGiven, st.Span, "`%s` has a value: write `given %s = …`", st.Op.Text, st.Op.Text)
			return nil
		}
		g.Value = b.expr(st.Value, t, why{})
		return g
	}
	op := b.givenOp(st)
	if op == nil {
		if st.Value != nil {
			b.expr(st.Value, nil, why{})
		}
		return nil
	}
	g.Op = op
	mark := len(b.scope)
	if len(st.Args) != len(op.Params) {
		b.errorf(codeGiven, st.Op.Span, "`%s.%s` takes %s, %d matched", op.Service.Name, op.Name,
			plural(len(op.Params), "argument"), len(st.Args)).Note(op.At, "declared here")
	}
	binder := patBinder{b: b}
	for i, p := range op.Params {
		if i < len(st.Args) {
			g.Args = append(g.Args, binder.pattern(st.Args[i], p.Type))
		} else {
			g.Args = append(g.Args, &core.PWild{P: core.P{At: st.Span, Type: p.Type}})
		}
	}
	for _, l := range binder.locals {
		b.bind(l, st.Op.Span.End, false)
	}
	if st.Outcome == syntax.Answers && st.Value != nil {
		g.Value = b.expr(st.Value, op.Result, why{kind: whyResult, name: op.Service.Name + "." + op.Name, at: op.At})
	}
	b.leave(mark, st.Span.End)
	return g
}

// givenOp finds the operation that a stub stands for.
func (b *body) givenOp(st *syntax.GivenStmt) *core.Operation {
	if st.Service.Text == "" {
		return nil
	}
	s, ok := b.name(st.Service.Text, st.Service.Span).(*core.Service)
	if !ok {
		var candidates []string
		for n, v := range b.m.values {
			if _, ok := v.def.(*core.Service); ok {
				candidates = append(candidates, n)
			}
		}
		d := b.errorf(codeGiven, st.Service.Span, "there is no service `%s` here", st.Service.Text)
		if home := b.c.homeOf(st.Service.Text, b.m); home != nil {
			b.m.importFix(d, home, st.Service.Text)
			return nil
		}
		b.c.didYouMean(d, st.Service.Span, st.Service.Text, candidates)
		return nil
	}
	op, _ := b.operation(s, st.Op).(*core.Operation)
	return op
}

// checkGenerated refuses a prop's parameter whose values cannot be made up.
func (c *checker) checkGenerated(t core.Type, at span.Span) {
	seen := map[*core.TypeDef]bool{}
	var fault func(t core.Type) core.Type
	fault = func(t core.Type) core.Type {
		var parts []core.Type
		switch t := t.(type) {
		case *core.Tuple:
			parts = t.Elems
		case *core.Con:
			if t.Def == c.std.Json {
				return t
			}
			parts = append(parts, t.Args...)
			if !seen[t.Def] {
				seen[t.Def] = true
				for _, ctor := range t.Def.Ctors {
					for _, f := range ctor.Fields {
						parts = append(parts, f.Type)
					}
				}
			}
		}
		for _, p := range parts {
			if f := fault(p); f != nil {
				return f
			}
		}
		return nil
	}
	if f := fault(t); f != nil {
		c.diags.Errorf(codeGenerate, at, "no values of `%s` can be made up, because of `%s`", show(t), show(f)).
			Note(span.Span{}, "take simpler inputs and build it from them")
	}
}
