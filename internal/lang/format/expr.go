package format

import (
	"slices"
	"strings"

	"towpath.dev/internal/lang/syntax"
)

// stmts prints a body that always stands on lines of its own.
func (f *formatter) stmts(stmts []syntax.Stmt, closing int) *doc {
	return f.braces(closing, func(l *lines) {
		for _, s := range stmts {
			l.add(s.Pos().Start, s.Pos().End, func() *doc { return f.stmt(s) })
		}
	})
}

func (f *formatter) stmt(s syntax.Stmt) *doc {
	switch s := s.(type) {
	case *syntax.LetStmt:
		head := concat(text("let "), f.pattern(s.Pat))
		if s.Type != nil {
			head = concat(head, text(": "+typeText(s.Type)))
		}
		return concat(head, text(" = "), f.expr(s.Value))
	case *syntax.ExprStmt:
		return f.expr(s.X)
	case *syntax.ExpectStmt:
		return concat(text("expect "), f.expr(s.X))
	case *syntax.GivenStmt:
		return f.given(s)
	}
	return text(string(f.src[s.Pos().Start:s.Pos().End]))
}

func (f *formatter) given(s *syntax.GivenStmt) *doc {
	kids := []*doc{text("given ")}
	if s.Service != nil {
		kids = append(kids, text(s.Service.Text+"."+s.Op.Text), f.patterns("(", ")", s.Args, s.ArgsAt.End-1))
	} else {
		kids = append(kids, text(s.Op.Text))
	}
	switch s.Outcome {
	case syntax.Fails:
		kids = append(kids, text(" fails"))
	case syntax.Expires:
		kids = append(kids, text(" expires"))
	case syntax.Shed:
		kids = append(kids, text(" shed"))
	default:
		kids = append(kids, text(" = "), f.expr(s.Value))
	}
	return concat(kids...)
}

func (f *formatter) expr(x syntax.Expr) *doc {
	switch x := x.(type) {
	case *syntax.Ident:
		return text(x.Name)
	case *syntax.NumberLit:
		return text(x.Text)
	case *syntax.MoneyLit:
		return text(x.Number + " " + x.Currency)
	case *syntax.DurationLit:
		return text(x.Text)
	case *syntax.InstantLit:
		return text(x.Text)
	case *syntax.DateLit:
		return text(x.Text)
	case *syntax.BoolLit:
		if x.Value {
			return text("true")
		}
		return text("false")
	case *syntax.StringLit:
		return f.stringLit(x)
	case *syntax.ListLit:
		return f.listLit(x)
	case *syntax.TupleLit:
		return f.list(elements{open: "(", close: ")", n: len(x.Elems), closing: x.Span.End - 1,
			at:   func(i int) int { return x.Elems[i].Pos().Start },
			make: func(i int) *doc { return f.expr(x.Elems[i]) }})
	case *syntax.ParenExpr:
		return f.paren(x)
	case *syntax.RecordLit:
		return f.record(x)
	case *syntax.FieldExpr:
		return f.fieldExpr(x)
	case *syntax.CallExpr:
		return f.call(x)
	case *syntax.UnaryExpr:
		return concat(text(x.Op.String()), f.expr(x.X))
	case *syntax.BinaryExpr:
		return f.binary(x)
	case *syntax.PipeExpr:
		return f.pipe(x)
	case *syntax.TryExpr:
		return f.try(x)
	case *syntax.IsExpr:
		head, pat := concat(f.expr(x.X), text(" is ")), f.pattern(x.Pat)
		return choice(group(concat(head, pat)), concat(head, breakLast(pat)))
	case *syntax.IfExpr:
		return f.ifExpr(x)
	case *syntax.MatchExpr:
		return f.match(x)
	case *syntax.LambdaExpr:
		return f.lambda(x)
	case *syntax.Block:
		return group(f.block(x))
	case *syntax.ScopeExpr:
		return f.scope(x)
	}
	return text(string(f.src[x.Pos().Start:x.Pos().End]))
}

// stringLit prints text as it was written and holes on one line.
func (f *formatter) stringLit(x *syntax.StringLit) *doc {
	var b strings.Builder
	b.WriteByte('"')
	for _, p := range x.Parts {
		if p.X == nil {
			b.WriteString(p.Raw)
			continue
		}
		f.holes++
		b.WriteByte('{')
		b.WriteString(flatText(f.expr(p.X)))
		b.WriteByte('}')
		f.holes--
	}
	b.WriteByte('"')
	return text(b.String())
}

func (f *formatter) listLit(x *syntax.ListLit) *doc {
	return f.list(elements{open: "[", close: "]", n: len(x.Elems), closing: x.Span.End - 1,
		at: func(i int) int { return x.Elems[i].X.Pos().Start },
		make: func(i int) *doc {
			if x.Elems[i].Spread {
				return concat(text(".."), f.expr(x.Elems[i].X))
			}
			return f.expr(x.Elems[i].X)
		}})
}

func (f *formatter) paren(x *syntax.ParenExpr) *doc {
	inner := f.breakAt(x.X.Pos().Start, softline)
	body := f.expr(x.X)
	tail := nothing
	if f.pending(x.Span.End) {
		tail = f.trailing(x.Span.End)
		for f.pending(x.Span.End) {
			tail = concat(tail, hardline, text(f.comments[f.next].text))
			f.next++
		}
	}
	return group(text("("), nest(inner, body, tail), softline, text(")"))
}

func (f *formatter) record(x *syntax.RecordLit) *doc {
	name := ""
	if x.Type != nil {
		name = x.Type.Text + " "
		if x.Module != nil {
			name = x.Module.Text + "." + name
		}
	}
	n, shift := len(x.Fields), 0
	if x.Base != nil {
		n, shift = n+1, 1
	}
	body := f.list(elements{open: "{", close: "}", n: n, closing: x.Span.End - 1, fields: true,
		at: func(i int) int {
			if i < shift {
				return x.Base.Pos().Start
			}
			return x.Fields[i-shift].Span.Start
		},
		make: func(i int) *doc {
			if i < shift {
				return concat(text(".."), f.expr(x.Base))
			}
			field := &x.Fields[i-shift]
			if field.Value == nil {
				return text(field.Name.Text)
			}
			return concat(text(field.Name.Text+": "), f.expr(field.Value))
		}})
	return concat(text(name), body)
}

func (f *formatter) fieldExpr(x *syntax.FieldExpr) *doc {
	dot := "."
	if _, ok := x.X.(*syntax.NumberLit); ok {
		dot = " ." // `1.0` would be a number
	}
	return concat(f.expr(x.X), text(dot+x.Name.Text))
}

func (f *formatter) call(x *syntax.CallExpr) *doc {
	fn := f.expr(x.Fn)
	return concat(fn, f.list(elements{open: "(", close: ")", n: len(x.Args), closing: x.Span.End - 1,
		hug: hugs(x.Args),
		at: func(i int) int {
			if x.Args[i].Label != nil {
				return x.Args[i].Label.Span.Start
			}
			return x.Args[i].Value.Pos().Start
		},
		make: func(i int) *doc {
			if x.Args[i].Label != nil {
				return concat(text(x.Args[i].Label.Text+": "), f.expr(x.Args[i].Value))
			}
			return f.expr(x.Args[i].Value)
		}}))
}

// hugs says which arguments may open on the line of the call.
func hugs(args []syntax.Arg) bool {
	if len(args) == 0 {
		return false
	}
	switch last := args[len(args)-1].Value.(type) {
	case *syntax.LambdaExpr:
		switch last.Body.(type) {
		case *syntax.Block, *syntax.MatchExpr, *syntax.RecordLit, *syntax.IfExpr:
			return true
		}
	case *syntax.Block, *syntax.MatchExpr, *syntax.RecordLit, *syntax.ListLit:
		return len(args) == 1
	}
	return false
}

// binary prints `first op operand op operand`, one operand a line when broken.
// A minus cannot begin a line, so in its chain the operators end the lines.
func (f *formatter) binary(x *syntax.BinaryExpr) *doc {
	var first syntax.Expr
	var links []*syntax.BinaryExpr // in order of place
	prec := x.Op.Precedence()
	rightmost := syntax.Expr(nil)
	if x.Op == syntax.Coalesce {
		first = x.L
		links = append(links, x)
		for {
			r, ok := links[len(links)-1].R.(*syntax.BinaryExpr)
			if !ok || r.Op != syntax.Coalesce {
				break
			}
			links = append(links, r)
		}
		rightmost = links[len(links)-1].R
	} else {
		first = x
		for {
			l, ok := first.(*syntax.BinaryExpr)
			if !ok || l.Op.Precedence() != prec {
				break
			}
			links = append(links, l)
			first = l.L
		}
		slices.Reverse(links)
	}
	trailing := slices.ContainsFunc(links, func(l *syntax.BinaryExpr) bool { return l.Op == syntax.Minus })
	head := f.expr(first)
	kids := make([]*doc, 0, 4*len(links))
	for i, l := range links {
		operand := l.R
		if rightmost != nil {
			if i+1 < len(links) {
				operand = links[i+1].L
			} else {
				operand = rightmost
			}
		}
		start := operand.Pos().Start
		if trailing {
			kids = append(kids, text(" "+l.Op.String()), f.breakAt(start, line), f.expr(operand))
		} else {
			kids = append(kids, f.breakAt(start, line), text(l.Op.String()+" "), f.expr(operand))
		}
	}
	return group(head, nest(kids...))
}

// stage is one step of a pipe: its target and how many `?` stand behind it.
type stage struct {
	target syntax.Expr
	tries  int
}

// stages takes a pipe apart, in order of place.
func stages(x syntax.Expr) (first syntax.Expr, steps []stage) {
	tries := 0
walk:
	for {
		switch e := x.(type) {
		case *syntax.TryExpr:
			if !endsInPipe(e) {
				break walk
			}
			tries++
			x = e.X
		case *syntax.PipeExpr:
			steps = append(steps, stage{e.R, tries})
			tries = 0
			x = e.L
		default:
			break walk
		}
	}
	slices.Reverse(steps)
	return x, steps
}

// endsInPipe reports whether `?`s stand behind a pipe.
func endsInPipe(x *syntax.TryExpr) bool {
	for {
		switch e := x.X.(type) {
		case *syntax.TryExpr:
			x = e
		case *syntax.PipeExpr:
			return true
		default:
			return false
		}
	}
}

// alwaysBroken is the number of stages from which on a pipe is always broken.
const alwaysBroken = 3

func (f *formatter) pipe(x syntax.Expr) *doc {
	first, steps := stages(x)
	head := f.expr(first)
	kids := make([]*doc, 0, 4*len(steps))
	for _, s := range steps {
		kids = append(kids, f.breakAt(s.target.Pos().Start, line), text("|> "), f.expr(s.target), text(marks(s.tries)))
	}
	if len(steps) >= alwaysBroken && f.holes == 0 {
		kids = append(kids, mustBreak)
	}
	return group(head, nest(kids...))
}

// marks are n `?`, which must not run together into `??`.
func marks(n int) string {
	return strings.TrimSuffix(strings.Repeat("? ", n), " ")
}

func (f *formatter) try(x *syntax.TryExpr) *doc {
	if endsInPipe(x) {
		return f.pipe(x)
	}
	n := 1
	inner := x.X
	for t, ok := inner.(*syntax.TryExpr); ok; t, ok = inner.(*syntax.TryExpr) {
		inner = t.X
		n++
	}
	return concat(f.expr(inner), text(marks(n)))
}

// block prints a block whose lines break with the group around it.
func (f *formatter) block(b *syntax.Block) *doc {
	if len(b.Stmts) != 1 || f.pending(b.Span.End) {
		return f.stmts(b.Stmts, b.Span.End-1)
	}
	return concat(text("{"), nest(line, f.stmt(b.Stmts[0])), line, text("}"))
}

func (f *formatter) ifExpr(x *syntax.IfExpr) *doc {
	kids := []*doc{text("if "), f.expr(x.Cond), blank, f.block(x.Then)}
	chain := nested(x.Then)
	for {
		if next, ok := x.Else.(*syntax.IfExpr); ok {
			kids = append(kids, text(" else if "), f.expr(next.Cond), blank, f.block(next.Then))
			chain = true
			x = next
			continue
		}
		if b, ok := x.Else.(*syntax.Block); ok {
			kids = append(kids, text(" else "), f.block(b))
			chain = chain || nested(b)
		}
		break
	}
	if chain && f.holes == 0 {
		kids = append(kids, mustBreak)
	}
	return group(kids...)
}

// nested reports whether a branch is itself a choice, and so too much for one
// line.
func nested(b *syntax.Block) bool {
	if len(b.Stmts) != 1 {
		return true
	}
	s, ok := b.Stmts[0].(*syntax.ExprStmt)
	if !ok {
		return true
	}
	switch s.X.(type) {
	case *syntax.IfExpr, *syntax.MatchExpr:
		return true
	}
	return false
}

func (f *formatter) match(x *syntax.MatchExpr) *doc {
	head := concat(text("match "), f.expr(x.X), blank)
	if f.holes > 0 {
		return concat(head, f.list(elements{open: "{", close: "}", n: len(x.Arms), closing: x.Span.End - 1, fields: true,
			at:   func(i int) int { return x.Arms[i].Span.Start },
			make: func(i int) *doc { return f.arm(x.Arms[i]) }}))
	}
	return concat(head, f.braces(x.Span.End-1, func(l *lines) {
		for _, a := range x.Arms {
			l.add(a.Span.Start, a.Span.End, func() *doc { return f.arm(a) })
		}
	}))
}

// arm prints `pattern if guard -> body`. What does not fit breaks in the body,
// or before it, rather than in the pattern.
func (f *formatter) arm(a *syntax.MatchArm) *doc {
	kids := []*doc{f.pattern(a.Pat)}
	if a.Guard != nil {
		kids = append(kids, text(" if "), f.expr(a.Guard))
	}
	head := concat(append(kids, text(" ->"))...)
	tail := f.after(a.Body)
	flat := concat(head, tail)
	if head.broken || f.holes > 0 {
		return flat
	}
	if tail.kind == groupDoc || opens(a.Body) {
		return choice(flat, concat(head, breakLast(tail)))
	}
	return choice(flat, concat(head, nest(hardline, tail.kids[1])))
}

// opens reports that what breaks inside x is closed on a line of its own.
func opens(x syntax.Expr) bool {
	switch x.(type) {
	case *syntax.Block, *syntax.IfExpr, *syntax.MatchExpr, *syntax.RecordLit, *syntax.ListLit, *syntax.TupleLit:
		return true
	}
	return false
}

// after prints what stands behind an arrow: a chain that does not fit begins
// on the next line.
func (f *formatter) after(x syntax.Expr) *doc {
	switch x := x.(type) {
	case *syntax.PipeExpr, *syntax.BinaryExpr, *syntax.ScopeExpr:
		return group(nest(f.breakAt(x.Pos().Start, line), f.expr(x)))
	case *syntax.TryExpr:
		if endsInPipe(x) {
			return group(nest(f.breakAt(x.Pos().Start, line), f.expr(x)))
		}
	}
	return concat(blank, f.expr(x))
}

func (f *formatter) lambda(x *syntax.LambdaExpr) *doc {
	var head *doc
	if len(x.Params) == 1 && x.Params[0].Type == nil && simple(x.Params[0].Pat) {
		head = f.pattern(x.Params[0].Pat)
	} else {
		head = f.list(elements{open: "(", close: ")", n: len(x.Params), closing: x.ParamsAt.End - 1,
			at: func(i int) int { return x.Params[i].Span.Start },
			make: func(i int) *doc {
				d := f.pattern(x.Params[i].Pat)
				if x.Params[i].Type == nil {
					return d
				}
				return concat(d, text(": "+typeText(x.Params[i].Type)))
			}})
	}
	return concat(head, text(" =>"), f.after(x.Body))
}

func simple(p syntax.Pattern) bool {
	switch p.(type) {
	case *syntax.VarPat, *syntax.WildPat:
		return true
	}
	return false
}

// scope prints `X within D else F`, broken before its words. A block as the
// fallback opens on the line of the `else` where the rest fits it.
func (f *formatter) scope(x *syntax.ScopeExpr) *doc {
	head := f.expr(x.X)
	if x.Optional {
		head = concat(text("optional "), head)
	}
	kids := f.within(nil, x)
	for x.Else != nil { // `a else b else c` breaks as one
		next, ok := x.Else.(*syntax.ScopeExpr)
		if !ok || next.Optional {
			break
		}
		kids = append(kids, f.breakAt(next.X.Pos().Start, line), text("else "), f.expr(next.X))
		kids = f.within(kids, next)
		x = next
	}
	if x.Else == nil {
		return group(head, nest(kids...))
	}
	lead := f.breakAt(x.Else.Pos().Start, line)
	tail := f.expr(x.Else)
	whole := group(head, nest(append(kids, lead, text("else "), tail)...))
	switch x.Else.(type) {
	case *syntax.Block, *syntax.IfExpr, *syntax.MatchExpr, *syntax.RecordLit, *syntax.ListLit:
		front := concat(head, concat(kids...), lead, text("else "))
		if !front.broken && f.holes == 0 {
			tight := concat(group(front), breakLast(tail))
			if tail.broken {
				return choice(tight, whole)
			}
			return choice(group(concat(front, tail)), choice(tight, whole))
		}
	}
	return whole
}

// within appends the deadline of a scope, if it has one.
func (f *formatter) within(kids []*doc, x *syntax.ScopeExpr) []*doc {
	if x.Within == nil {
		return kids
	}
	return append(kids, f.breakAt(x.Within.Pos().Start, line), text("within "), f.expr(x.Within))
}
