package tester

import (
	"fmt"
	"strings"

	"towpath.dev/internal/lang/core"
	"towpath.dev/internal/lang/interp"
)

// maxDifferences is how many places of two values are told apart.
const maxDifferences = 20

// differences says where a failing expectation's value is not what it should
// be, for `is` and `==` on values with parts.
func differences(p *core.Program, m *interp.Machine, x core.Expr, s *seen) []Difference {
	d := &differ{program: p, m: m}
	switch x := decisive(x, s).(type) {
	case *core.Match:
		if v, ok := s.of(x.Subject); ok && isPatternTest(x) {
			d.pattern("", x.Arms[0].Pat, v)
		}
	case *core.Prim:
		if x.Op != core.Equal {
			return nil
		}
		left, ok := s.of(x.Args[0])
		right, ok2 := s.of(x.Args[1])
		if ok && ok2 {
			d.values("", x.Args[0].TypeOf(), left, right)
		}
	}
	if len(d.out) == 1 && d.out[0].Path == "" {
		return nil // the values' list says it
	}
	return d.out
}

// decisive is the operand of `&&` that made the whole false, else the whole.
func decisive(x core.Expr, s *seen) core.Expr {
	for {
		and, ok := x.(*core.If)
		if !ok || !isLit(and.Else, false) {
			return x
		}
		x = and.Then
		if v, ok := s.of(and.Cond); ok && v == false {
			x = and.Cond
		}
	}
}

func isLit(e core.Expr, want any) bool {
	l, ok := e.(*core.Lit)
	return ok && l.Value == want
}

// isPatternTest reports whether a match is `x is pattern`.
func isPatternTest(x *core.Match) bool {
	return len(x.Arms) == 2 && isLit(x.Arms[0].Body, true) && isLit(x.Arms[1].Body, false)
}

type differ struct {
	program *core.Program
	m       *interp.Machine
	out     []Difference
}

// pattern compares a value with a pattern.
func (d *differ) pattern(path string, p core.Pattern, v interp.Value) {
	if ok, err := d.m.Match(p, v, d.m.NewEnv()); ok && err == nil {
		return
	}
	switch p := p.(type) {
	case *core.PAs:
		d.pattern(path, p.Pat, v)
		return
	case *core.PCtor:
		r, ok := v.(*interp.Record)
		if ok && r.Ctor == p.Ctor {
			for i, arg := range p.Args {
				d.pattern(path+d.member(p.Ctor, i), arg, r.Fields[i])
			}
			return
		}
	case *core.PTuple:
		if t, ok := v.(interp.Tuple); ok {
			for i, elem := range p.Elems {
				d.pattern(fmt.Sprintf("%s.%d", path, i), elem, t[i])
			}
			return
		}
	case *core.PList:
		if l, ok := v.(interp.List); ok && (l.Len() == len(p.Elems) || p.HasRest && l.Len() >= len(p.Elems)) {
			for i, elem := range p.Elems {
				d.pattern(fmt.Sprintf("%s[%d]", path, i), elem, l.Elems()[i])
			}
			return
		}
	}
	d.add(Difference{Path: path, Expected: oneLine(p.Pos().Text()), Found: d.m.Render(p.TypeOf(), v)})
}

// member is how a path goes on into a field.
func (d *differ) member(c *core.Ctor, i int) string {
	std := &d.program.Std
	switch f := c.Fields[i]; {
	case c.Def == std.Option || c.Def == std.Result:
		return "." + c.Name
	case f.Name != "":
		return "." + f.Name
	}
	return fmt.Sprintf(".%d", i)
}

// values compares two values of one type.
func (d *differ) values(path string, t core.Type, a, b interp.Value) {
	if d.m.Equal(t, a, b) {
		return
	}
	switch t := t.(type) {
	case *core.Tuple:
		x, y := a.(interp.Tuple), b.(interp.Tuple)
		for i, elem := range t.Elems {
			d.values(fmt.Sprintf("%s.%d", path, i), elem, x[i], y[i])
		}
		return
	case *core.Con:
		if d.nominal(path, t, a, b) {
			return
		}
	}
	d.add(Difference{Path: path, Sides: true, Found: d.m.Render(t, a), Expected: d.m.Render(t, b)})
}

// nominal goes into the parts of two values, if both have the same ones.
func (d *differ) nominal(path string, t *core.Con, a, b interp.Value) bool {
	std := &d.program.Std
	switch t.Def {
	case std.List:
		x, y := a.(interp.List), b.(interp.List)
		if x.Len() == y.Len() {
			for i := range x.Len() {
				d.values(fmt.Sprintf("%s[%d]", path, i), t.Args[0], x.Elems()[i], y.Elems()[i])
			}
			return true
		}
		return d.lengths(path, t, x, y)
	case std.Map:
		return d.maps(path, t, interp.Entries(a), interp.Entries(b))
	case std.Set:
		return false
	}
	x, ok := a.(*interp.Record)
	y, ok2 := b.(*interp.Record)
	if !ok || !ok2 || x.Ctor != y.Ctor {
		return false
	}
	subst := core.Bind(t.Def.Params, t.Args)
	for i, f := range x.Ctor.Fields {
		inner := path
		if t.Def.Kind != core.Wrapper {
			inner += d.member(x.Ctor, i)
		}
		d.values(inner, subst.Apply(f.Type), x.Fields[i], y.Fields[i])
	}
	return true
}

// lengths compares lists of different lengths that are too long to be taken in
// whole: it tells their lengths, and the first place where they part.
func (d *differ) lengths(path string, t *core.Con, x, y interp.List) bool {
	const whole = 60 // characters that are
	if max(len(d.m.Render(t, x)), len(d.m.Render(t, y))) <= whole {
		return false
	}
	d.add(Difference{Path: path + " length", Sides: true, Found: fmt.Sprint(x.Len()), Expected: fmt.Sprint(y.Len())})
	for i := range max(x.Len(), y.Len()) {
		at := fmt.Sprintf("%s[%d]", path, i)
		switch {
		case i >= x.Len():
			d.add(Difference{Path: at, Sides: true, Found: "nothing", Expected: d.m.Render(t.Args[0], y.Elems()[i])})
			return true
		case i >= y.Len():
			d.add(Difference{Path: at, Sides: true, Found: d.m.Render(t.Args[0], x.Elems()[i]), Expected: "nothing"})
			return true
		case !d.m.Equal(t.Args[0], x.Elems()[i], y.Elems()[i]):
			d.values(at, t.Args[0], x.Elems()[i], y.Elems()[i])
			return true
		}
	}
	return true
}

// maps compares maps that have the same keys.
func (d *differ) maps(path string, t *core.Con, x, y []interp.Entry) bool {
	if len(x) != len(y) {
		return false
	}
	for i := range x {
		if !d.m.Equal(t.Args[0], x[i].Key, y[i].Key) {
			return false
		}
	}
	for i := range x {
		key := d.m.Render(t.Args[0], x[i].Key)
		d.values(path+"["+key+"]", t.Args[1], x[i].Value, y[i].Value)
	}
	return true
}

func (d *differ) add(diff Difference) {
	if len(d.out) < maxDifferences {
		diff.Path = strings.TrimPrefix(diff.Path, " ")
		diff.Expected, diff.Found = shorten(diff.Expected, maxText), shorten(diff.Found, maxText)
		d.out = append(d.out, diff)
	}
}
