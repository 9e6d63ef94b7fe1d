// Package syntax turns source text into a syntax tree.
//
// The scanner cuts text into tokens, the parser builds a File of declarations
// and recovers at each mistake, so that one broken declaration never hides the
// errors of the next. The tree keeps every comment and every choice of form
// that the formatter needs; it knows nothing of names or types.
//
//	file, diags := syntax.Parse(span.NewFile("shop.tow", text))
package syntax

import "towpath.dev/internal/lang/span"

// Node is anything with a place in the text.
type Node interface{ Pos() span.Span }

// At is embedded in every node and holds its place.
type At struct{ Span span.Span }

// Pos is the node's place.
func (a At) Pos() span.Span { return a.Span }

// File is one module's text.
type File struct {
	At
	Source   *span.File
	Doc      string // `////` lines that open the file: the module's documentation
	Imports  []*Import
	Decls    []Decl
	Comments []*Comment // all `//`, `///` and `////` comments, in order of place
}

// Comment is one comment, to the end of its line, with its slashes.
type Comment struct {
	At
	Text string
	// Doc comments (`///`) also stand in the Doc field of what they document.
	Doc bool
}

// Name is an identifier and its place.
type Name struct {
	At
	Text string // "" when the parser expected a name and found none
}

// Import is `import market/types.{Offer, OfferId as Id}` or
// `import market/types as t`.
type Import struct {
	At
	Path    []Name
	As      *Name // nil without `as`
	Members []ImportMember
	Braces  bool // `.{…}` was written, maybe empty
	// MembersAt covers the braces.
	MembersAt span.Span
}

// ModulePath joins the path with slashes: "market/types".
func (i *Import) ModulePath() string {
	s := ""
	for n, p := range i.Path {
		if n > 0 {
			s += "/"
		}
		s += p.Text
	}
	return s
}

// ImportMember is one name in an import's braces.
type ImportMember struct {
	Name Name
	As   *Name
}

// Decl is a declaration at the top of a file.
type Decl interface {
	Node
	decl()
}

// Head is what declarations share. Its Span covers the whole declaration,
// without its doc comment.
type Head struct {
	At
	Doc   string // text of the `///` lines above, without the slashes and one space
	Attrs []*Attr
	Pub   bool
	Name  Name
}

// Attr is `@json("seller_id")` or `@private`.
type Attr struct {
	At
	Name Name
	Args []Expr
}

// ConstDecl is `pub const maxOffers: Int = 20`; the type may be left out.
type ConstDecl struct {
	Head
	Type  TypeExpr // nil when inferred
	Value Expr
}

// TypeDecl is a record, a variant, a wrapper, or an alias of none of these:
//
//	type Offer { id: OfferId, price: Money = 0 USD }
//	type Condition = New | Used(grade: Int) | Refurbished
//	type OfferId(String)
type TypeDecl struct {
	Head
	Params []Name // type parameters
	Form   TypeForm
	Fields []*Field // of a record; newline or comma separated
	Ctors  []*Ctor  // of a variant
	Inner  TypeExpr // of a wrapper; nil in the standard library's builtin types
}

// TypeForm says which of the forms a type declaration has.
type TypeForm uint8

// The forms. BuiltinForm is a body-less `type Int`, in the standard library only.
const (
	RecordForm TypeForm = iota
	VariantForm
	WrapperForm
	BuiltinForm
)

// Field is a field of a record or of a constructor. A constructor's field may
// go without a name (`Some(T)`): then Name.Text is "".
type Field struct {
	At
	Doc     string
	Attrs   []*Attr
	Name    Name
	Type    TypeExpr
	Default Expr // nil without
}

// Ctor is one alternative of a variant.
type Ctor struct {
	At
	Doc    string
	Attrs  []*Attr
	Name   Name
	Fields []*Field
	Parens bool // `New()` was written with parentheses
}

// Param is a parameter of a function, a view or an operation.
type Param struct {
	At
	Name    Name
	Type    TypeExpr // nil only in lambdas and after a mistake
	Default Expr     // nil without; later parameters with defaults may be left out
}

// FnDecl is a function or a view. A body-less function stands in the standard
// library only, under `@intrinsic("list.length")`.
type FnDecl struct {
	Head
	View       bool
	TypeParams []Name
	Params     []*Param
	ParamsAt   span.Span // the parentheses
	Result     TypeExpr  // nil when left out, which the checker refuses
	Within     Expr      // a view's deadline, nil without
	Body       *Block    // nil only for intrinsics and after a mistake
}

// ServiceDecl is `service Catalog { fn offers(product: Product) -> List<Offer> … }`.
type ServiceDecl struct {
	Head
	Ops []*OpDecl
}

// OpDecl is one remote read of a service, with its defaults.
type OpDecl struct {
	Head
	Params   []*Param
	ParamsAt span.Span // the parentheses
	Result   TypeExpr
	Clauses  []Clause // in the order written
}

// Clause is `batch 100`, `within 40ms`, `cache 5s shared`, `cache 5s per caller`
// or `idempotent`.
type Clause struct {
	At
	Kind    ClauseKind
	Value   Expr   // batch's number, within's and cache's duration
	Sharing string // cache: "shared", "per caller", or "" when left out
}

// ClauseKind names a clause of an operation.
type ClauseKind uint8

// The clauses.
const (
	BatchClause ClauseKind = iota
	WithinClause
	CacheClause
	IdempotentClause
)

// TestDecl is `test "…" { … }`, or with Prop `prop "…" (a: Int, b: Int) { … }`.
type TestDecl struct {
	Head  // Name is unused
	Prop  bool
	Title *StringLit
	// Params are a prop's generated inputs.
	Params   []*Param
	ParamsAt span.Span // the parentheses
	Stmts    []Stmt
}

// BadDecl stands where no declaration could be read.
type BadDecl struct{ Head }

func (*ConstDecl) decl()   {}
func (*TypeDecl) decl()    {}
func (*FnDecl) decl()      {}
func (*ServiceDecl) decl() {}
func (*TestDecl) decl()    {}
func (*BadDecl) decl()     {}

// TypeExpr is a type as written.
type TypeExpr interface {
	Node
	typeExpr()
}

type (
	// NamedType is `Int`, `List<Offer>` or `types.Offer`.
	NamedType struct {
		At
		Module *Name // nil without
		Name   Name
		Args   []TypeExpr
	}
	// OptionType is `T?`.
	OptionType struct {
		At
		Elem TypeExpr
	}
	// TupleType is `(A, B)`; `()` is the unit type.
	TupleType struct {
		At
		Elems []TypeExpr
	}
	// FuncType is `fn(A, B) -> C`, in parameters only.
	FuncType struct {
		At
		Params []TypeExpr
		Result TypeExpr
	}
	// BadType stands where no type could be read.
	BadType struct{ At }
)

func (*NamedType) typeExpr()  {}
func (*OptionType) typeExpr() {}
func (*TupleType) typeExpr()  {}
func (*FuncType) typeExpr()   {}
func (*BadType) typeExpr()    {}

// Stmt is a line of a block or of a test.
type Stmt interface {
	Node
	stmt()
}

type (
	// LetStmt is `let pattern: Type = value`.
	LetStmt struct {
		At
		Pat   Pattern
		Type  TypeExpr // nil when inferred
		Value Expr
	}
	// ExprStmt is an expression: a block's last line, which is its value.
	// Elsewhere the checker refuses it.
	ExprStmt struct {
		At
		X Expr
	}
	// ExpectStmt is `expect EXPR`, in tests.
	ExpectStmt struct {
		At
		X Expr
	}
	// GivenStmt stubs an operation, the clock or the seed, in tests:
	//
	//	given Catalog.offers(_) = [a, b]
	//	given Pricing.lowest(p) fails      (or: expires, shed)
	//	given now = 2026-01-01T00:00:00Z
	//	given seed = 7
	GivenStmt struct {
		At
		Service *Name // nil for now and seed
		Op      Name  // the operation, or "now", or "seed"
		Args    []Pattern
		ArgsAt  span.Span // the parentheses
		Outcome Outcome
		Value   Expr // when Outcome is Answers
	}
	// BadStmt stands where no statement could be read.
	BadStmt struct{ At }
)

// Outcome is what a stub does.
type Outcome uint8

// The outcomes of a stubbed call.
const (
	Answers Outcome = iota
	Fails
	Expires
	Shed
)

func (*LetStmt) stmt()    {}
func (*ExprStmt) stmt()   {}
func (*ExpectStmt) stmt() {}
func (*GivenStmt) stmt()  {}
func (*BadStmt) stmt()    {}

// Expr is an expression.
type Expr interface {
	Node
	expr()
}

type (
	// Ident is a lower-case or upper-case name standing alone: a local, a
	// constant, a function, a constructor, a module or a service.
	Ident struct {
		At
		Name string
	}
	// NumberLit is `2`, `1_000`, `0xff`, `2.50`, `1e-3`, as written.
	NumberLit struct {
		At
		Text string
	}
	// MoneyLit is `19.99 USD`.
	MoneyLit struct {
		At
		Number   string // as written
		Currency string // three capital letters
	}
	// DurationLit is `50ms`, `1h30m`: units ns, us, ms, s, m, h, d.
	DurationLit struct {
		At
		Text string
	}
	// InstantLit is `2026-01-01T00:00:00Z` and DateLit is `2026-01-01`.
	InstantLit struct {
		At
		Text string
	}
	// DateLit is `2026-01-01`.
	DateLit struct {
		At
		Text string
	}
	// BoolLit is `true` or `false`.
	BoolLit struct {
		At
		Value bool
	}
	// StringLit is `"Hello {name}\n"`: parts in order, at least one; text parts
	// are unescaped and StringPart.X is nil.
	StringLit struct {
		At
		Parts []StringPart
	}
	// ListLit is `[a, ..rest, b]`.
	ListLit struct {
		At
		Elems []ListElem
	}
	// TupleLit is `(a, b)` or `()`. `(a)` is a ParenExpr.
	TupleLit struct {
		At
		Elems []Expr
	}
	// ParenExpr is `(x)`, kept for the formatter.
	ParenExpr struct {
		At
		X Expr
	}
	// RecordLit is `Choice { offer: o, price }`, or with Base the update
	// `Choice { ..base, price: p }` and `{ ..base, price: p }` (Type nil).
	RecordLit struct {
		At
		Module *Name
		Type   *Name
		Base   Expr
		Fields []RecordField
	}
	// FieldExpr is `x.name`, also `module.name`, `Service.op` and `tuple.0`.
	FieldExpr struct {
		At
		X    Expr
		Name Name
	}
	// CallExpr is `f(a, label: b)`.
	CallExpr struct {
		At
		Fn   Expr
		Args []Arg
	}
	// UnaryExpr is `-x` or `!x`.
	UnaryExpr struct {
		At
		Op Token
		X  Expr
	}
	// BinaryExpr is any infix operator but the pipe.
	BinaryExpr struct {
		At
		Op    Token
		OpPos span.Span
		L, R  Expr
	}
	// PipeExpr is `x |> f(a)`: x goes before f's arguments. The right side is a
	// CallExpr or, without parentheses, a name.
	PipeExpr struct {
		At
		L, R  Expr
		OpPos span.Span
	}
	// TryExpr is `x?`.
	TryExpr struct {
		At
		X Expr
	}
	// IsExpr is `x is Some(_)`: a Bool; its pattern binds nothing.
	IsExpr struct {
		At
		X   Expr
		Pat Pattern
	}
	// IfExpr is `if c { a } else if d { b } else { e }`.
	IfExpr struct {
		At
		Cond Expr
		Then *Block
		Else Expr // *Block or *IfExpr; nil after a mistake
	}
	// MatchExpr is `match x { pattern if guard -> body … }`, arms on lines of
	// their own or parted by commas.
	MatchExpr struct {
		At
		X    Expr
		Arms []*MatchArm
	}
	// LambdaExpr is `x => e`, `(a, b) => e`, `((a, b)) => e` with a pattern.
	LambdaExpr struct {
		At
		Params []*LambdaParam
		Parens bool
		// ParamsAt covers the parameters with their parentheses.
		ParamsAt span.Span
		Body     Expr
	}
	// Block is `{ let a = 1 … last }`.
	Block struct {
		At
		Stmts []Stmt // the last is an ExprStmt, unless a mistake was reported
	}
	// ScopeExpr is `X within D else F`, either half alone, or `optional X …`.
	ScopeExpr struct {
		At
		Optional bool
		X        Expr
		Within   Expr // nil without
		Else     Expr // nil without
	}
	// BadExpr stands where no expression could be read. The checker says
	// nothing about it.
	BadExpr struct{ At }
)

// StringPart is a run of text or an interpolated expression.
type StringPart struct {
	Text string
	Raw  string // text as written, with its escapes
	X    Expr   // nil for text
}

// ListElem is an element or, with Spread, `..list`.
type ListElem struct {
	Spread bool
	X      Expr
}

// RecordField is `name: value`, or `name` alone (Value nil) for `name: name`.
type RecordField struct {
	At
	Name  Name
	Value Expr
}

// Arg is an argument, maybe labelled.
type Arg struct {
	Label *Name
	Value Expr
}

// MatchArm is `pattern if guard -> body`.
type MatchArm struct {
	At
	Pat   Pattern
	Guard Expr // nil without
	Body  Expr
}

// LambdaParam is a lambda's parameter: an irrefutable pattern, maybe typed.
type LambdaParam struct {
	At
	Pat  Pattern
	Type TypeExpr
}

func (*Ident) expr()       {}
func (*NumberLit) expr()   {}
func (*MoneyLit) expr()    {}
func (*DurationLit) expr() {}
func (*InstantLit) expr()  {}
func (*DateLit) expr()     {}
func (*BoolLit) expr()     {}
func (*StringLit) expr()   {}
func (*ListLit) expr()     {}
func (*TupleLit) expr()    {}
func (*ParenExpr) expr()   {}
func (*RecordLit) expr()   {}
func (*FieldExpr) expr()   {}
func (*CallExpr) expr()    {}
func (*UnaryExpr) expr()   {}
func (*BinaryExpr) expr()  {}
func (*PipeExpr) expr()    {}
func (*TryExpr) expr()     {}
func (*IsExpr) expr()      {}
func (*IfExpr) expr()      {}
func (*MatchExpr) expr()   {}
func (*LambdaExpr) expr()  {}
func (*Block) expr()       {}
func (*ScopeExpr) expr()   {}
func (*BadExpr) expr()     {}

// Pattern is what a let, a match arm, a lambda's parameter or a stub's argument
// may be.
type Pattern interface {
	Node
	pattern()
}

type (
	// WildPat is `_`.
	WildPat struct{ At }
	// VarPat binds a name.
	VarPat struct {
		At
		Name string
	}
	// LitPat is a literal: number (maybe under a minus), string without
	// interpolation, bool, money, duration, instant or date.
	LitPat struct {
		At
		X Expr
	}
	// CtorPat is `New`, `Used(grade: g)`, `Some(x)`, `types.New`, or with Braces
	// `Choice { reason: "new", .. }`.
	CtorPat struct {
		At
		Module *Name
		Name   Name
		Args   []PatArg
		Parens bool
		Braces bool
		Rest   bool // `..` was written
	}
	// TuplePat is `(a, b)`; `(p)` is just p.
	TuplePat struct {
		At
		Elems []Pattern
	}
	// ListPat is `[a, b, ..rest]`; `..` alone ignores the rest.
	ListPat struct {
		At
		Elems   []Pattern
		HasRest bool
		Rest    *Name // nil when `..` stands alone
	}
	// OrPat is `A | B`.
	OrPat struct {
		At
		Alts []Pattern
	}
	// AsPat is `p as name`.
	AsPat struct {
		At
		Pat  Pattern
		Name Name
	}
	// BadPat stands where no pattern could be read.
	BadPat struct{ At }
)

// PatArg is an argument of a constructor's pattern, maybe labelled. In braces
// `name` alone binds the field to its own name (Pat is a VarPat).
type PatArg struct {
	At
	Label *Name
	Pat   Pattern
}

func (*WildPat) pattern()  {}
func (*VarPat) pattern()   {}
func (*LitPat) pattern()   {}
func (*CtorPat) pattern()  {}
func (*TuplePat) pattern() {}
func (*ListPat) pattern()  {}
func (*OrPat) pattern()    {}
func (*AsPat) pattern()    {}
func (*BadPat) pattern()   {}
