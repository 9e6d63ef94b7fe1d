package interp

import (
	"fmt"

	"towpath.dev/internal/lang/core"
)

// match tries the arms in order.
func (m *Machine) match(e *core.Match, env *Env) (Value, error) {
	v, err := m.eval(e.Subject, env)
	if err != nil {
		return nil, err
	}
	for _, arm := range e.Arms {
		ok, err := m.Match(arm.Pat, v, env)
		if ok && err == nil && arm.Guard != nil {
			var guard Value
			if guard, err = m.eval(arm.Guard, env); err == nil {
				ok = guard.(bool)
			}
		}
		if err != nil {
			return nil, err
		}
		if ok {
			return m.eval(arm.Body, env)
		}
	}
	return nil, fmt.Errorf("%s: no arm of a `match` matches", e.At)
}

// orMismatch is err, or when that is nil the mistake of a checker that let a
// refutable pattern through.
func orMismatch(err error, p core.Pattern) error {
	if err != nil {
		return err
	}
	return fmt.Errorf("%s: an irrefutable pattern does not match", p.Pos())
}

// Match matches a value and binds the pattern's names in env. After a pattern
// that does not match, names of it may be bound; nothing reads those. The error
// is a *Fault: comparing with a literal may run out of gas.
func (m *Machine) Match(p core.Pattern, v Value, env *Env) (bool, error) {
	switch p := p.(type) {
	case *core.PWild:
		return true, nil
	case *core.PVar:
		env.Bind(p.Local, v)
		return true, nil
	case *core.PLit:
		ok, err := m.comparer(p.At).equal(m.shape(env.resolve(p.Type)), v, p.Value, -1)
		return ok, place(err, p.At)
	case *core.PAs:
		env.Bind(p.Local, v)
		return m.Match(p.Pat, v, env)
	case *core.POr:
		for _, alt := range p.Alts {
			if ok, err := m.Match(alt, v, env); ok || err != nil {
				return ok, err
			}
		}
		return false, nil
	case *core.PCtor:
		r := v.(*Record)
		if r.Ctor != p.Ctor {
			return false, nil
		}
		return m.matchAll(p.Args, r.Fields, env)
	case *core.PTuple:
		return m.matchAll(p.Elems, v.(Tuple), env)
	case *core.PList:
		return m.matchList(p, v.(List), env)
	}
	return false, fmt.Errorf("%s: a pattern of unknown kind %T", p.Pos(), p)
}

func (m *Machine) matchAll(ps []core.Pattern, vs []Value, env *Env) (bool, error) {
	for i, p := range ps {
		if ok, err := m.Match(p, vs[i], env); !ok || err != nil {
			return false, err
		}
	}
	return true, nil
}

func (m *Machine) matchList(p *core.PList, l List, env *Env) (bool, error) {
	n := len(p.Elems)
	if l.Len() < n || l.Len() > n && !p.HasRest {
		return false, nil
	}
	if ok, err := m.matchAll(p.Elems, l.elems[:n], env); !ok || err != nil {
		return false, err
	}
	if p.Rest != nil {
		env.Bind(p.Rest, l.Slice(n, l.Len()))
	}
	return true, nil
}
