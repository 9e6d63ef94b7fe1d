package types

import (
	"strings"

	"towpath.dev/internal/lang/core"
	"towpath.dev/internal/lang/diag"
	"towpath.dev/internal/lang/span"
	"towpath.dev/internal/lang/syntax"
)

// signature is what arguments are checked against: the parameters of a function
// or an operation, the fields of a constructor, or the bare types of a
// function-valued parameter.
type signature struct {
	name   string
	at     span.Span // where it is declared
	locals []*core.Local
	fields []*core.Field
	bare   []core.Type
	tps    []*core.Param
	targs  []core.Type
}

func (s *signature) len() int { return max(len(s.locals), len(s.fields), len(s.bare)) }

func (s *signature) param(i int) (name string, at span.Span, t core.Type) {
	switch {
	case s.locals != nil:
		return s.locals[i].Name, s.locals[i].At, s.locals[i].Type
	case s.fields != nil:
		return s.fields[i].Name, s.fields[i].At, s.fields[i].Type
	}
	return "", span.Span{}, s.bare[i]
}

func (s *signature) typ(i int) core.Type {
	_, _, t := s.param(i)
	return instance(t, s.tps, s.targs)
}

// paramName names a parameter in messages, also one without a name.
func (s *signature) paramName(i int) string {
	if name, _, _ := s.param(i); name != "" {
		return name
	}
	return itoa(i + 1)
}

// fallback is the default of a parameter or field, nil without.
func (b *body) fallback(s *signature, i int) *defaultInfo {
	switch {
	case s.locals != nil:
		return b.c.params[s.locals[i]]
	case s.fields != nil:
		return b.c.fields[s.fields[i]]
	}
	return nil
}

// argument is what a call gives, checked already when a pipe found its function
// by its type.
type argument struct {
	label *syntax.Name
	syn   syntax.Expr
	done  core.Expr
}

func (a *argument) pos() span.Span {
	if a.done != nil {
		return a.done.Pos()
	}
	if a.syn == nil {
		return span.Span{}
	}
	return a.syn.Pos()
}

func arguments(args []syntax.Arg, before ...argument) []argument {
	out := make([]argument, 0, len(args)+len(before))
	out = append(out, before...)
	for _, a := range args {
		out = append(out, argument{label: a.Label, syn: a.Value})
	}
	return out
}

func (b *body) call(e *syntax.CallExpr, want core.Type, w why) core.Expr {
	def := b.path(e.Fn)
	if def == nil {
		if id, ok := e.Fn.(*syntax.Ident); ok {
			b.unknownName(id)
		} else {
			b.notCallable(e)
		}
		return broken(e.Span, b.strayArgs(arguments(e.Args))...)
	}
	return b.apply(def, e.Span, e.Fn.Pos(), arguments(e.Args), want, w)
}

// notCallable reports a call of something that is a value.
func (b *body) notCallable(e *syntax.CallExpr) {
	if f, ok := e.Fn.(*syntax.FieldExpr); ok {
		x := b.expr(f.X, nil, why{})
		t := b.force(x.TypeOf(), f.X.Pos())
		if t == bad {
			return
		}
		d := b.errorf(codeNotCallable, e.Fn.Pos(), "values have no methods: `%s` has no `.%s(…)`", show(t), f.Name.Text)
		d.Note(span.Span{}, "write `%s |> %s(…)`", f.X.Pos().Text(), f.Name.Text)
		if !strings.Contains(f.X.Pos().Text(), "\n") {
			d.FixWith("write a pipe", span.Span{File: e.Span.File, Start: f.X.Pos().End, End: f.Name.Span.Start}, " |> ")
		}
		return
	}
	x := b.expr(e.Fn, nil, why{})
	if t := prune(x.TypeOf()); t != bad {
		b.errorf(codeNotCallable, e.Fn.Pos(), "this is `%s`, not a function", show(t))
	}
}

// strayArgs checks the arguments of a call that came to nothing, for the
// mistakes inside them.
func (b *body) strayArgs(args []argument) []core.Expr {
	var out []core.Expr
	for _, a := range args {
		if a.done != nil {
			out = append(out, a.done)
			continue
		}
		switch b.path(a.syn).(type) {
		case *funcInfo, *core.Operation, *core.Ctor, reported, debugName:
			continue
		}
		if _, ok := a.syn.(*syntax.LambdaExpr); ok {
			continue
		}
		out = append(out, b.expr(a.syn, nil, why{}))
	}
	return out
}

// apply checks a call of what a path stands for.
func (b *body) apply(def any, at, fnAt span.Span, args []argument, want core.Type, w why) core.Expr {
	switch def := def.(type) {
	case *binding:
		ft, ok := def.local.Type.(*core.FuncType)
		if !ok {
			if !isBad(def.local.Type) {
				b.errorf(codeNotCallable, fnAt, "`%s` is `%s`, not a function", def.local.Name, show(def.local.Type)).
					Note(def.local.At, "declared here")
			}
			return broken(at, b.strayArgs(args)...)
		}
		sig := &signature{name: def.local.Name, at: def.local.At, bare: ft.Params}
		out := &core.CallParam{X: core.X{At: at, Type: ft.Result}, Fn: def.local}
		return b.is(b.withArgs(sig, at, args, func(xs []core.Expr) core.Expr { out.Args = xs; return out }), want, w)
	case *funcInfo:
		return b.applyFunc(def, at, fnAt, args, want, w)
	case *core.Operation:
		sig := &signature{name: def.Service.Name + "." + def.Name, at: def.At, locals: def.Params}
		out := &core.CallOp{X: core.X{At: at, Type: def.Result}, Op: def}
		return b.is(b.withArgs(sig, at, args, func(xs []core.Expr) core.Expr { out.Args = xs; return out }), want, w)
	case *core.Ctor:
		return b.applyCtor(def, at, fnAt, args, want, w)
	case debugName:
		if len(args) != 1 || args[0].label != nil {
			b.errorf(codeArguments, at, "`debug` takes one argument, %d given", len(args))
			return broken(at, b.strayArgs(args)...)
		}
		x := args[0].done
		if x == nil {
			x = b.expr(args[0].syn, want, w)
		} else {
			x = b.is(x, want, w)
		}
		return &core.Debug{X: core.X{At: at, Type: x.TypeOf()}, Value: x}
	case *constInfo:
		b.errorf(codeNotCallable, fnAt, "`%s` is a constant, not a function", def.c.Name).Note(def.c.At, "declared here")
	case *core.Service:
		b.errorf(codeNotCallable, fnAt, "`%s` is a service, not a function", def.Name).
			Note(span.Span{}, "ask one of its operations, as in `%s`", exampleCall(def))
	case *module:
		b.errorf(codeNotCallable, fnAt, "`%s` is a module, not a function", def.core.Path)
	case nowName:
		b.errorf(codeNotCallable, fnAt, "`now` is an Instant, not a function").FixWith("write `now`", at, "now")
	case ambiguity:
		b.ambiguous(def, fnAt)
	}
	return broken(at, b.strayArgs(args)...)
}

func (b *body) applyFunc(fi *funcInfo, at, fnAt span.Span, args []argument, want core.Type, w why) core.Expr {
	fn := fi.fn
	if fn.Kind == core.View && !b.test {
		b.viewCall(fn, fnAt)
		return broken(at, b.strayArgs(args)...)
	}
	targs := b.freshAll(fn.TypeParams, at)
	result := instance(fn.Result, fn.TypeParams, targs)
	if want != nil && len(targs) > 0 {
		b.try(want, result)
	}
	sig := &signature{name: fn.Name, at: fn.At, locals: fn.Params, tps: fn.TypeParams, targs: targs}
	out := &core.Call{X: core.X{At: at, Type: result}, Func: fn, TypeArgs: targs}
	return b.is(b.withArgs(sig, at, args, func(xs []core.Expr) core.Expr { out.Args = xs; return out }), want, w)
}

func (b *body) viewCall(fn *core.Func, at span.Span) {
	b.errorf(codeViewCall, at, "`%s` is a view, which only requests and tests ask", fn.Name).
		Note(fn.At, "declared here").
		Note(span.Span{}, "move what both need to a function")
}

func (b *body) applyCtor(ctor *core.Ctor, at, fnAt span.Span, args []argument, want core.Type, w why) core.Expr {
	def := ctor.Def
	switch {
	case def.Kind == core.Record:
		d := b.errorf(codeConstruction, fnAt, "the record `%s` is built with braces", ctor.Name).
			Note(span.Span{}, "write `%s`", recordForm(ctor))
		if ctor.At.IsValid() {
			d.Note(ctor.At, "declared here")
		}
		return broken(at, b.strayArgs(args)...)
	case b.std.opaque(def, b.m):
		b.opaqueUse(fnAt, def)
		return broken(at, b.strayArgs(args)...)
	case len(ctor.Fields) == 0:
		b.errorf(codeArguments, at, "`%s` has no fields and is written without parentheses", ctor.Name).
			FixWith("remove the parentheses", span.Span{File: at.File, Start: fnAt.End, End: at.End}, "")
		return broken(at, b.strayArgs(args)...)
	}
	targs := b.freshAll(def.Params, at)
	result := b.applied(def, targs)
	if want != nil && len(targs) > 0 {
		b.try(want, result)
	}
	sig := &signature{name: ctor.Name, at: ctor.At, fields: ctor.Fields, tps: def.Params, targs: targs}
	out := &core.Construct{X: core.X{At: at, Type: result}, Ctor: ctor}
	return b.is(b.withArgs(sig, at, args, func(xs []core.Expr) core.Expr { out.Fields = xs; return out }), want, w)
}

// withArgs checks arguments against a signature and makes the call, inside the
// Lets that keep the arguments' order of evaluation as it is written.
func (b *body) withArgs(sig *signature, at span.Span, args []argument, build func([]core.Expr) core.Expr) core.Expr {
	slots, ok := b.slots(sig, at, args)
	xs := b.checkArgs(sig, args, slots)
	if !ok {
		return broken(at, xs...)
	}
	order := ordering{b: b, slots: slots, xs: xs, out: make([]core.Expr, sig.len())}
	order.place(func(i int) string { name, _, _ := sig.param(i); return name })
	for i, x := range order.out {
		if x == nil {
			order.out[i] = b.useDefault(b.fallback(sig, i), sig.tps, sig.targs)
		}
	}
	call := build(order.out)
	if len(order.lets) == 0 {
		return call
	}
	return order.wrap(call)
}

// slots assigns arguments to parameters, -1 for one that has none, and reports
// whether call and signature agree.
func (b *body) slots(sig *signature, at span.Span, args []argument) ([]int, bool) {
	slots := make([]int, len(args))
	ok := true
	next, labelled := 0, false
	var taken [8]bool
	given := taken[:]
	if sig.len() > len(given) {
		given = make([]bool, sig.len())
	}
	extra := 0
	for i := range args {
		slots[i] = -1
		a := &args[i]
		if a.label == nil {
			if labelled {
				b.errorf(codeLabel, a.pos(), "arguments without a label stand before those with one")
				ok = false
				continue
			}
			if next >= sig.len() {
				extra++
				continue
			}
			slots[i], given[next] = next, true
			next++
			continue
		}
		labelled = true
		slot := b.labelSlot(sig, a.label)
		if slot < 0 {
			ok = false
			continue
		}
		if given[slot] {
			b.errorf(codeLabel, a.label.Span, "`%s` is given twice", a.label.Text)
			ok = false
			continue
		}
		slots[i], given[slot] = slot, true
	}
	if extra > 0 {
		b.wrongCount(sig, args[len(args)-extra].pos(), len(args))
		return slots, false
	}
	if !ok {
		return slots, false
	}
	var missing []string
	for i := range sig.len() {
		if !given[i] && b.fallback(sig, i) == nil {
			name := sig.paramName(i)
			missing = append(missing, name+": "+show(sig.typ(i)))
		}
	}
	if len(missing) == 0 {
		return slots, true
	}
	b.missingArgs(sig, at, missing, len(args))
	return slots, false
}

func (b *body) wrongCount(sig *signature, at span.Span, given int) {
	what := "argument"
	if sig.fields != nil {
		what = "field"
	}
	d := b.errorf(codeArguments, at, "`%s` takes %s, %d given", sig.name, plural(sig.len(), what), given)
	if sig.at.IsValid() {
		d.Note(sig.at, "declared here")
	}
}

func (b *body) missingArgs(sig *signature, at span.Span, missing []string, given int) {
	if sig.bare != nil {
		b.wrongCount(sig, at, given)
		return
	}
	d := b.errorf(codeArguments, at, "`%s` lacks %s", sig.name, list(missing))
	if sig.at.IsValid() {
		d.Note(sig.at, "declared here")
	}
}

func (b *body) labelSlot(sig *signature, label *syntax.Name) int {
	if label.Text == "" {
		return -1
	}
	var candidates []string
	for i := range sig.len() {
		name, _, _ := sig.param(i)
		if name == label.Text {
			switch {
			case sig.locals != nil:
				b.m.info.use(label.Span, sig.locals[i])
			case sig.fields != nil:
				b.m.info.use(label.Span, sig.fields[i])
			}
			return i
		}
		if name != "" {
			candidates = append(candidates, name)
		}
	}
	if sig.bare != nil {
		b.errorf(codeLabel, label.Span, "`%s` is a parameter; what it takes has no names", sig.name).Note(sig.at, "declared here")
		return -1
	}
	d := b.errorf(codeLabel, label.Span, "`%s` has no parameter `%s`", sig.name, label.Text)
	if sig.at.IsValid() {
		d.Note(sig.at, "declared here")
	}
	b.c.didYouMean(d, label.Span, label.Text, candidates)
	return -1
}

// checkArgs checks arguments left to right, functions after the values, which
// may tell what the functions take.
func (b *body) checkArgs(sig *signature, args []argument, slots []int) []core.Expr {
	xs := make([]core.Expr, len(args))
	functions := false
	for i := range args {
		a := &args[i]
		if slots[i] < 0 {
			if stray := b.strayArgs(args[i : i+1]); len(stray) > 0 {
				xs[i] = stray[0]
			} else {
				xs[i] = broken(a.pos())
			}
			continue
		}
		name, at, t := sig.param(slots[i])
		if _, ok := t.(*core.FuncType); ok {
			functions = true
			continue
		}
		t = instance(t, sig.tps, sig.targs)
		w := why{kind: whyArg, name: name, of: sig.name, at: at}
		if sig.fields != nil && name != "" {
			w.kind = whyField
		} else if name == "" {
			w = why{}
		}
		if a.done != nil {
			xs[i] = b.is(a.done, t, w)
		} else {
			xs[i] = b.expr(a.syn, t, w)
		}
	}
	for i := range args {
		if !functions || xs[i] != nil {
			continue
		}
		t := sig.typ(slots[i])
		if args[i].done != nil {
			xs[i] = b.is(args[i].done, t, why{})
			continue
		}
		xs[i] = b.functionArg(args[i].syn, t.(*core.FuncType), sig, slots[i])
	}
	return xs
}

// useDefault copies a default into the body.
func (b *body) useDefault(di *defaultInfo, tps []*core.Param, targs []core.Type) core.Expr {
	if di == nil {
		return broken(span.Span{})
	}
	return copyExpr(b.c.defaultOf(di), tps, targs)
}

// ordering places checked arguments or fields, which stand in source order, in
// their declared order.
type ordering struct {
	b     *body
	slots []int
	xs    []core.Expr
	out   []core.Expr
	lets  []*core.Let
}

// place fills out. Where the two orders differ for expressions whose evaluation
// can be told apart, all of these are bound by Lets first.
func (o *ordering) place(name func(slot int) string) {
	last, inOrder := -1, true
	for i, slot := range o.slots {
		if slot < 0 || isTrivial(o.xs[i]) {
			continue
		}
		if slot < last {
			inOrder = false
			break
		}
		last = slot
	}
	for i, slot := range o.slots {
		if slot < 0 {
			continue
		}
		x := o.xs[i]
		if !inOrder && !isTrivial(x) {
			x = o.bind(x, name(slot))
		}
		o.out[slot] = x
	}
}

func (o *ordering) bind(x core.Expr, name string) core.Expr {
	l := &core.Local{Name: name, At: x.Pos(), Type: x.TypeOf()}
	o.lets = append(o.lets, &core.Let{X: core.X{At: x.Pos()},
		Pat: &core.PVar{P: core.P{At: x.Pos(), Type: l.Type}, Local: l}, Value: x})
	return &core.Ref{X: core.X{At: x.Pos(), Type: l.Type}, Local: l}
}

func (o *ordering) wrap(x core.Expr) core.Expr {
	t := x.TypeOf()
	for i := len(o.lets) - 1; i >= 0; i-- {
		o.lets[i].Type, o.lets[i].Body = t, x
		x = o.lets[i]
	}
	return x
}

// isTrivial reports whether evaluating x can neither call, fault nor cost, so
// that it may be evaluated at any time; functions are not evaluated at all.
func isTrivial(x core.Expr) bool {
	switch x := x.(type) {
	case *core.Lit, *core.Ref, *core.Lambda, *core.FuncRef, *core.Now:
		return true
	case *core.GetField:
		return isTrivial(x.Value)
	case *core.GetTuple:
		return isTrivial(x.Value)
	}
	return false
}

// differentSignature reports a function other than the parameter takes.
func (b *body) differentSignature(at span.Span, what string, want, got *core.FuncType, sig *signature, slot int) *diag.Diagnostic {
	name, paramAt, _ := sig.param(slot)
	ws, gs := b.c.typeNames(want, got)
	var d *diag.Diagnostic
	switch {
	case len(want.Params) != len(got.Params):
		d = b.errorf(codeMismatch, at, "%s takes %s, `%s` gives it %d", what,
			plural(len(got.Params), "argument"), sig.name, len(want.Params))
	case sizeOf(want, maxShown) > maxShown || sizeOf(got, maxShown) > maxShown:
		d = b.errorf(codeMismatch, at, "%s is not what `%s` takes", what, sig.name)
	default:
		d = b.errorf(codeMismatch, at, "%s is not what `%s` takes", what, sig.name)
		for i := range want.Params {
			if !sameShape(want.Params[i], got.Params[i]) {
				d.Note(span.Span{}, "its argument %d is `%s`, given is `%s`", i+1, show(got.Params[i]), show(want.Params[i]))
			}
		}
		if !sameShape(want.Result, got.Result) {
			d.Note(span.Span{}, "it answers `%s`, needed is `%s`", show(got.Result), show(want.Result))
		}
	}
	d.Expect(ws, gs)
	if name != "" {
		d.Note(paramAt, "`%s` is declared here", name)
	}
	return d
}
