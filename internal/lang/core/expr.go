package core

import "towpath.dev/internal/lang/span"

// Expr is a checked expression.
type Expr interface {
	Pos() span.Span
	TypeOf() Type
}

// X is embedded in every expression: its place and its type.
type X struct {
	At   span.Span
	Type Type
}

// Pos is where the expression stands in the source.
func (x X) Pos() span.Span { return x.At }

// TypeOf is the expression's type.
func (x X) TypeOf() Type { return x.Type }

// Site names a place where a path can fork: a call, a scope, a loop's lambda.
// It is the hash of the qualified name of the function around it and the
// site's ordinal there, so that it survives changes to other functions.
type Site uint64

type (
	// Lit is a literal: bool, int64 (Int, Duration in ns, Instant in ns since the
	// Unix epoch, Date in days since it), float64, string, decimal.Decimal, Money.
	Lit struct {
		X
		Value any
	}
	// Ref reads a local. Function-typed locals are read only by CallParam and as
	// arguments handed on.
	Ref struct {
		X
		Local *Local
	}
	// ConstRef reads a module's constant.
	ConstRef struct {
		X
		Const *Const
	}
	// FuncRef is a function given as an argument for a function-typed parameter.
	FuncRef struct {
		X
		Func *Func
		Args []Type
	}
	// Lambda is given as an argument for a function-typed parameter. Patterns in
	// its parameters have become Lets in its body.
	Lambda struct {
		X
		Params []*Local
		Body   Expr
		Gas    int64 // what entering it costs
	}
	// Call calls a function, one argument a parameter, in order.
	Call struct {
		X
		Func     *Func
		TypeArgs []Type // one a type parameter
		Args     []Expr
		Site     Site
		// TailSelf marks a call of the function around it, in tail position and
		// outside any scope, with the same type arguments and with its own
		// function-typed parameters handed on: it runs as a loop.
		TailSelf bool
	}
	// CallParam calls a function-typed parameter.
	CallParam struct {
		X
		Fn   *Local
		Args []Expr
		Site Site
	}
	// CallOp asks a service.
	CallOp struct {
		X
		Op   *Operation
		Args []Expr
		Site Site
	}
	// Prim applies a primitive operator. Generic operators (Equal and the
	// comparisons) take their meaning from the type of Args[0].
	Prim struct {
		X
		Op   Op
		Args []Expr
	}
	// If chooses. `a && b` is If(a, b, false), `a || b` is If(a, true, b).
	If struct {
		X
		Cond, Then, Else Expr
	}
	// Match tries its arms in order; they are exhaustive.
	Match struct {
		X
		Subject Expr
		Arms    []*Arm
	}
	// Let binds an irrefutable pattern.
	Let struct {
		X
		Pat   Pattern
		Value Expr
		Body  Expr
	}
	// Construct builds a record, a variant's alternative or a wrapper; Fields in
	// declared order.
	Construct struct {
		X
		Ctor   *Ctor
		Fields []Expr
	}
	// GetField reads a record's field, or a wrapper's value (Index 0).
	GetField struct {
		X
		Value Expr
		Ctor  *Ctor
		Index int
	}
	// MakeTuple builds a tuple; with no elements the unit value.
	MakeTuple struct {
		X
		Elems []Expr
	}
	// GetTuple reads a tuple's element.
	GetTuple struct {
		X
		Value Expr
		Index int
	}
	// MakeList builds a list.
	MakeList struct {
		X
		Elems []ListElem
	}
	// Concat joins an interpolated string's parts, all of type String.
	Concat struct {
		X
		Parts []Expr
	}
	// Try is `x?` on an Option or a Result: the payload, or at once the answer of
	// the nearest function or lambda around it: None, or the same Err.
	Try struct {
		X
		Value    Expr
		IsOption bool
		Return   Type // the type of the answer it may leave with
	}
	// Scope bounds and guards Body. Within is evaluated first, outside it.
	Scope struct {
		X
		Within   Expr // a Duration; nil without
		Body     Expr
		Else     Expr // evaluated outside the scope; nil without
		Optional bool // may be shed
		Site     Site
	}
	// Debug prints its value under tests and is its value.
	Debug struct {
		X
		Value Expr
	}
	// Now is the request's instant, Seed its seed (an Int, standard library only).
	Now struct{ X }
	// Seed is the request's seed.
	Seed struct{ X }
)

// Arm is one arm of a Match.
type Arm struct {
	At    span.Span
	Pat   Pattern
	Guard Expr // nil without
	Body  Expr
}

// ListElem is an element, or with Spread a list whose elements are.
type ListElem struct {
	Spread bool
	Value  Expr
}

// Pattern is a checked pattern.
type Pattern interface {
	Pos() span.Span
	TypeOf() Type
}

// P is embedded in every pattern: its place and the type that it matches.
type P struct {
	At   span.Span
	Type Type
}

// Pos is where the pattern stands.
func (p P) Pos() span.Span { return p.At }

// TypeOf is the type that it matches.
func (p P) TypeOf() Type { return p.Type }

type (
	// PWild matches anything.
	PWild struct{ P }
	// PVar matches anything and binds it.
	PVar struct {
		P
		Local *Local
	}
	// PLit matches an equal value (Lit.Value as in Lit).
	PLit struct {
		P
		Value any
	}
	// PCtor matches one constructor; Args in declared order, one a field.
	PCtor struct {
		P
		Ctor *Ctor
		Args []Pattern
	}
	// PTuple matches a tuple.
	PTuple struct {
		P
		Elems []Pattern
	}
	// PList matches a list of exactly, or with HasRest at least, so many elements.
	PList struct {
		P
		Elems   []Pattern
		HasRest bool
		Rest    *Local // nil: the rest is ignored
	}
	// POr matches any alternative; each binds the same Locals.
	POr struct {
		P
		Alts []Pattern
	}
	// PAs matches and binds the whole.
	PAs struct {
		P
		Pat   Pattern
		Local *Local
	}
)

// Op is a primitive operator.
type Op uint8

// The operators. Those on Int, Decimal, Money, Duration, Instant and Date fault
// on overflow; Int division and remainder truncate toward zero and fault on a
// zero divisor; Float's are IEEE 754's.
const (
	BadOp Op = iota

	IntAdd
	IntSub
	IntMul
	IntDiv
	IntRem
	IntNeg

	FloatAdd
	FloatSub
	FloatMul
	FloatDiv
	FloatNeg

	DecimalAdd
	DecimalSub
	DecimalMul
	DecimalNeg

	MoneyAdd // faults on mixed currencies, as MoneySub and the comparisons do
	MoneySub
	MoneyMul // Money × Decimal, Args[0] the Money
	MoneyNeg

	DurationAdd
	DurationSub
	DurationMul // Duration × Int, Args[0] the Duration
	DurationDiv // Duration ÷ Int
	DurationNeg
	InstantAdd  // Instant + Duration
	InstantSub  // Instant − Duration
	InstantDiff // Instant − Instant: a Duration
	DateDiff    // Date − Date: days, an Int
	DateAdd     // Date + Int days
	DateSub     // Date − Int days

	Not

	// Structural equality and order, on any type without functions.
	Equal
	NotEqual
	Less
	LessEq
	Greater
	GreaterEq
	Compare // -1, 0 or 1 as an Int; standard library only

	// Show gives the text of a Bool, Int, Float, Decimal, Money, Duration,
	// Instant, Date or String, as interpolation prints it; a wrapper's is its
	// value's, an all-nullary variant's its constructor's name.
	Show
)
