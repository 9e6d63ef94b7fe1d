package core

// GasOf is what entering a function or lambda costs: 1, and 1 more for each 16
// begun expression nodes of its body beyond the first 16, lambdas not looked
// into (they pay for themselves). The interpreter and the compiler both charge
// it, so the number depends on the checked tree alone.
func GasOf(body Expr) int64 {
	nodes := int64(0)
	var count func(e Expr)
	count = func(e Expr) {
		nodes++
		if _, ok := e.(*Lambda); ok {
			return
		}
		EachChild(e, count)
	}
	if body != nil {
		count(body)
	}
	return 1 + nodes/16
}

// GasBytes is what an intrinsic or a primitive pays for reading or writing n
// bytes (strings) or elements times 8 (lists): 1 for each 64 begun beyond the
// first 64.
func GasBytes(n int64) int64 {
	if n <= 64 {
		return 0
	}
	return (n - 1) / 64
}

// EachChild calls f with each direct subexpression, in order of evaluation.
func EachChild(e Expr, f func(Expr)) {
	all := func(es []Expr) {
		for _, e := range es {
			f(e)
		}
	}
	switch e := e.(type) {
	case *Lambda:
		f(e.Body)
	case *Call:
		all(e.Args)
	case *CallParam:
		all(e.Args)
	case *CallOp:
		all(e.Args)
	case *Prim:
		all(e.Args)
	case *If:
		f(e.Cond)
		f(e.Then)
		f(e.Else)
	case *Match:
		f(e.Subject)
		for _, a := range e.Arms {
			if a.Guard != nil {
				f(a.Guard)
			}
			f(a.Body)
		}
	case *Let:
		f(e.Value)
		f(e.Body)
	case *Construct:
		all(e.Fields)
	case *GetField:
		f(e.Value)
	case *MakeTuple:
		all(e.Elems)
	case *GetTuple:
		f(e.Value)
	case *MakeList:
		for _, el := range e.Elems {
			f(el.Value)
		}
	case *Concat:
		all(e.Parts)
	case *Try:
		f(e.Value)
	case *Scope:
		if e.Within != nil {
			f(e.Within)
		}
		f(e.Body)
		if e.Else != nil {
			f(e.Else)
		}
	case *Debug:
		f(e.Value)
	}
}
