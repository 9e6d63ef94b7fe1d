package ir

import (
	"errors"
	"fmt"
)

// Verify checks what every stage may rely on: operands have their types, calls
// their arguments, locals and labels exist where they are used, functions,
// imports and globals are those that the module lists, and a function with a
// result returns one on every path. It reports the first fault of each function;
// any is a fault of the compiler.
func Verify(m *Module) error {
	v := &verifier{funcs: map[*Func]bool{}, imports: map[*Import]bool{}, globals: map[*Global]bool{}}
	var errs []error
	for _, f := range m.Funcs {
		if v.funcs[f] {
			errs = append(errs, fmt.Errorf("%s is listed twice", f.Name))
		}
		v.funcs[f] = true
	}
	for _, i := range m.Imports {
		v.imports[i] = true
	}
	for _, g := range m.Globals {
		v.globals[g] = true
	}
	for _, x := range m.Exports {
		if !v.funcs[x.Func] {
			errs = append(errs, fmt.Errorf("export %q: its function is not in the module", x.Name))
		}
	}
	for _, f := range m.Funcs {
		if err := v.function(f); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", f.Name, err))
		}
	}
	return errors.Join(errs...)
}

type verifier struct {
	funcs   map[*Func]bool
	imports map[*Import]bool
	globals map[*Global]bool

	fn     *Func
	labels []label // open, innermost last
	seqs   int     // open Seqs, which control does not leave but by a fault
	outer  int     // the labels that are open outside of the innermost of them
	err    error
}

// label is an open Block or Loop.
type label struct {
	*Label
	loop   bool
	broken bool // a Break that may be taken leaves it
}

func (v *verifier) fail(format string, args ...any) {
	if v.err == nil {
		v.err = fmt.Errorf(format, args...)
	}
}

func (v *verifier) function(f *Func) error {
	v.fn, v.labels, v.seqs, v.outer, v.err = f, v.labels[:0], 0, 0, nil
	if f.Params > len(f.Locals) {
		return fmt.Errorf("%d parameters, but %d locals", f.Params, len(f.Locals))
	}
	for i, t := range f.Locals {
		if t < I32 || t > F64 {
			v.fail("the local $%d has no type", i)
		}
	}
	if falls := v.stmts(f.Body); falls && f.Result != None {
		v.fail("a path ends without a result")
	}
	return v.err
}

// stmts checks statements in a row and reports whether control can reach their
// end.
func (v *verifier) stmts(body []Stmt) bool {
	falls := true
	for _, s := range body {
		if !v.stmt(s) {
			falls = false
		}
	}
	return falls
}

// stmt checks a statement and reports whether control can go on behind it.
func (v *verifier) stmt(s Stmt) bool {
	switch s := s.(type) {
	case *Set:
		if s.Local < 0 || s.Local >= len(v.fn.Locals) {
			v.fail("there is no local $%d", s.Local)
			return true
		}
		v.want(v.fn.Locals[s.Local], s.X, "the value of a local")
	case *SetGlobal:
		v.global(s.Global)
		v.want(s.Global.Type, s.X, "the value of a global")
	case *Store:
		v.want(I32, s.Addr, "the address of a store")
		t := v.expr(s.X)
		if s.Width != 1 && s.Width != 4 && s.Width != 8 || uint32(s.Width) > t.Size() || t == F64 && s.Width != 8 {
			v.fail("a store of %d bytes of an %s", s.Width, TypeName(t))
		}
	case *Copy:
		v.want(I32, s.Dst, "the destination of a copy")
		v.want(I32, s.Src, "the source of a copy")
		v.want(I32, s.Size, "the size of a copy")
	case *Do:
		v.expr(s.X)
	case *CallStmt:
		v.call(s.Func, s.Args, true)
	case *HostStmt:
		v.host(s.Import, s.Args, true)
		return s.Import == nil || !s.Import.NoReturn
	case *Return:
		v.returns(s)
		return false
	case *Fault:
		return false
	case *Gas:
		v.want(I64, s.Cost, "the cost of gas")
	default:
		return v.control(s)
	}
	return true
}

func (v *verifier) returns(s *Return) {
	switch {
	case v.seqs > 0:
		v.fail("a return within a seq")
	case s.X == nil && v.fn.Result != None:
		v.fail("a return without a value")
	case s.X != nil:
		v.want(v.fn.Result, s.X, "the value of a return")
	}
}

// control checks the statements that hold or leave bodies.
func (v *verifier) control(s Stmt) bool {
	switch s := s.(type) {
	case *If:
		v.want(I32, s.Test, "the test of an if")
		then := v.stmts(s.Then)
		return v.stmts(s.Else) || then
	case *Block:
		v.open(s.Label, false)
		falls := v.stmts(s.Body)
		falls = falls || v.labels[len(v.labels)-1].broken
		v.labels = v.labels[:len(v.labels)-1]
		return falls
	case *Loop:
		v.open(s.Label, true)
		falls := v.stmts(s.Body)
		v.labels = v.labels[:len(v.labels)-1]
		return falls
	case *Break:
		return v.branch(s.Label, s.Test, false)
	case *Continue:
		return v.branch(s.Label, s.Test, true)
	case *Switch:
		v.want(I32, s.X, "the subject of a switch")
		falls := v.stmts(s.Default)
		for _, c := range s.Cases {
			falls = v.stmts(c) || falls
		}
		return falls
	}
	v.fail("no such statement: %T", s)
	return true
}

func (v *verifier) open(l *Label, loop bool) {
	for i := range v.labels {
		if l == nil || v.labels[i].Label == l {
			v.fail("a block without a label, or with that of a block around it")
		}
	}
	v.labels = append(v.labels, label{Label: l, loop: loop})
}

func (v *verifier) branch(l *Label, test Expr, loop bool) bool {
	if test != nil {
		v.want(I32, test, "the test of a branch")
	}
	for i := len(v.labels) - 1; i >= 0; i-- {
		if v.labels[i].Label != l {
			continue
		}
		if v.labels[i].loop != loop {
			v.fail("a break leaves blocks and a continue restarts loops; %q is the other", l.Name)
		}
		if i < v.outer {
			v.fail("a branch to %q out of a seq", l.Name)
		}
		v.labels[i].broken = true
		return test != nil
	}
	v.fail("a branch to a label that is not open here")
	return true
}

func (v *verifier) want(t Type, e Expr, what string) {
	if e == nil {
		v.fail("%s is missing", what)
		return
	}
	if got := v.expr(e); got != t {
		v.fail("%s is an %s, not an %s", what, TypeName(got), TypeName(t))
	}
}

func (v *verifier) wantOf(t Type, e Expr, what string, op Op) {
	if e == nil || v.expr(e) != t {
		v.fail("%s of %s is missing or no %s", what, op, TypeName(t))
	}
}

// expr checks an expression and answers its type.
func (v *verifier) expr(e Expr) Type {
	switch e := e.(type) {
	case *Const:
		if e.T < I32 || e.T > F64 {
			v.fail("a constant without a type")
		}
		if e.T == I32 && e.Bits>>32 != 0 && e.Bits>>32 != 1<<32-1 {
			v.fail("the constant %#x is no i32", e.Bits)
		}
	case *Get:
		if e.Local < 0 || e.Local >= len(v.fn.Locals) {
			v.fail("there is no local $%d", e.Local)
		} else if v.fn.Locals[e.Local] != e.T {
			v.fail("the local $%d is an %s, not an %s", e.Local, TypeName(v.fn.Locals[e.Local]), TypeName(e.T))
		}
	case *GetGlobal:
		v.global(e.Global)
	case *Unary:
		v.op(e.Op, 1)
		v.wantOf(e.Op.Operand(), e.X, "the operand", e.Op)
	case *Binary:
		v.op(e.Op, 2)
		v.wantOf(e.Op.Operand(), e.X, "the left operand", e.Op)
		v.wantOf(e.Op.Operand(), e.Y, "the right operand", e.Op)
	case *Load:
		v.want(I32, e.Addr, "the address of a load")
		if e.Width != 1 && e.Width != 4 && e.Width != 8 || uint32(e.Width) > e.T.Size() || e.T == F64 && e.Width != 8 {
			v.fail("a load of %d bytes as an %s", e.Width, TypeName(e.T))
		}
	case *Alloc:
		v.want(I32, e.Size, "the size of an allocation")
	case *Call:
		v.call(e.Func, e.Args, false)
	case *Host:
		v.host(e.Import, e.Args, false)
	case *Cond:
		v.want(I32, e.Test, "the test of a cond")
		if then, other := v.expr(e.Then), v.expr(e.Else); then != other {
			v.fail("the sides of a cond are an %s and an %s", TypeName(then), TypeName(other))
		}
	case *Seq:
		outer := v.outer
		v.outer = len(v.labels)
		v.seqs++
		v.stmts(e.Body)
		v.seqs--
		v.outer = outer
		return v.expr(e.Value)
	default:
		v.fail("no such expression: %T", e)
		return None
	}
	return e.Type()
}

func (v *verifier) op(op Op, arity int) {
	if op == NoOp || op >= opCount || op.Arity() != arity {
		v.fail("the operator %d does not take %d operands", op, arity)
	}
}

func (v *verifier) global(g *Global) {
	if !v.globals[g] {
		v.fail("the global %q is not in the module", nameOf(g))
	}
}

func nameOf(g *Global) string {
	if g == nil {
		return "nil"
	}
	return g.Name
}

func (v *verifier) call(f *Func, args []Expr, statement bool) {
	if !v.funcs[f] {
		v.fail("a call of a function that is not in the module")
		return
	}
	if (f.Result == None) != statement {
		v.fail("%s: only functions without a result are called as statements", f.Name)
	}
	v.args(f.Name, f.Locals[:f.Params], args)
}

func (v *verifier) host(imp *Import, args []Expr, statement bool) {
	if !v.imports[imp] {
		v.fail("a call of an import that is not in the module")
		return
	}
	if (imp.Result == None) != statement {
		v.fail("%s: only imports without a result are called as statements", imp.Name)
	}
	v.args(imp.Name, imp.Params, args)
}

func (v *verifier) args(name string, params []Type, args []Expr) {
	if len(args) != len(params) {
		v.fail("%s takes %d arguments and gets %d", name, len(params), len(args))
		return
	}
	for i, t := range params {
		if got := v.expr(args[i]); got != t {
			v.fail("argument %d of %s is an %s, not an %s", i, name, TypeName(got), TypeName(t))
		}
	}
}
