package opt

import (
	"slices"

	"towpath.dev/internal/lang/ir"
)

// unblock is the body of a block that can do without its label, nil when it
// cannot: what a conditional jumps over becomes its other side.
//
//	block end {                     if a {
//	  if a {                          $1 = 0
//	    $1 = 0                      } else {
//	    break end                     $1 = 1
//	  }                             }
//	  $1 = 1
//	}
//
// A function's early answers come that way when it is inlined.
func unblock(b *ir.Block) []ir.Stmt {
	body, changed := aside(b.Body, b.Label)
	if !changed && !endsIn(body, b.Label) {
		return nil
	}
	breaks := breaksTo(body, b.Label)
	body = withoutTail(body, b.Label, &breaks)
	if breaks > 0 {
		b.Body = body
		return nil
	}
	if body == nil {
		body = []ir.Stmt{}
	}
	return body
}

// aside moves what follows a conditional jump out of the block into the side
// that does not jump. It goes from the end to the start, so that what follows
// has been seen to.
func aside(body []ir.Stmt, l *ir.Label) ([]ir.Stmt, bool) {
	changed := false
	var back []ir.Stmt // what has been seen, the last first
	rest := func() []ir.Stmt {
		list := slices.Clone(back)
		slices.Reverse(list)
		return list
	}
	for i := len(body) - 1; i >= 0; i-- {
		s := body[i]
		var instead *ir.If
		switch s := s.(type) {
		case *ir.Break:
			if s.Label == l && s.Test != nil {
				instead = &ir.If{Test: eqz(s.Test), Then: rest()}
			}
		case *ir.If:
			switch {
			case len(back) == 0:
			case endsIn(s.Then, l):
				then, _ := aside(s.Then, l)
				instead = &ir.If{Test: s.Test, Then: then, Else: append(s.Else[:len(s.Else):len(s.Else)], rest()...)}
			case endsIn(s.Else, l):
				other, _ := aside(s.Else, l)
				instead = &ir.If{Test: s.Test, Then: append(s.Then[:len(s.Then):len(s.Then)], rest()...), Else: other}
			}
		}
		if instead != nil {
			back, changed = append(back[:0], instead), true
			continue
		}
		back = append(back, s)
	}
	if !changed {
		return body, false
	}
	return rest(), true
}

// endsIn reports that a body ends in a jump to the label.
func endsIn(body []ir.Stmt, l *ir.Label) bool {
	if len(body) == 0 {
		return false
	}
	b, ok := body[len(body)-1].(*ir.Break)
	return ok && b.Label == l && b.Test == nil
}

// breaksTo counts the jumps to a label.
func breaksTo(body []ir.Stmt, l *ir.Label) int {
	n := 0
	for _, s := range body {
		switch s := s.(type) {
		case *ir.Break:
			if s.Label == l {
				n++
			}
		case *ir.If, *ir.Block, *ir.Loop, *ir.Switch:
			ir.Bodies(s, func(b *[]ir.Stmt) { n += breaksTo(*b, l) })
		}
	}
	return n
}

// withoutTail drops the jumps to a block's end that stand right before it and
// counts them off.
func withoutTail(body []ir.Stmt, l *ir.Label, breaks *int) []ir.Stmt {
	if len(body) == 0 || *breaks == 0 {
		return body
	}
	last := len(body) - 1
	switch s := body[last].(type) {
	case *ir.Break:
		if s.Label == l {
			*breaks--
			return withoutTail(body[:last], l, breaks)
		}
	case *ir.If:
		s.Then, s.Else = withoutTail(s.Then, l, breaks), withoutTail(s.Else, l, breaks)
		if len(s.Then)+len(s.Else) == 0 {
			return withoutTail(body[:last], l, breaks)
		}
	case *ir.Block:
		s.Body = withoutTail(s.Body, l, breaks)
	}
	return body
}
