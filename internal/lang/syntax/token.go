package syntax

// Token is a kind of token.
type Token uint8

// The tokens. Operators carry the text that String gives.
const (
	EOF Token = iota
	Newline
	Illegal

	LowerName // offer, maxBy
	UpperName // Offer
	Number
	Money    // 19.99 USD, one token
	Duration // 50ms
	Instant
	Date
	String // parts are scanned by the parser's string routine

	KwImport
	KwAs
	KwPub
	KwConst
	KwType
	KwFn
	KwView
	KwService
	KwTest
	KwProp
	KwGiven
	KwExpect
	KwLet
	KwIf
	KwElse
	KwMatch
	KwTrue
	KwFalse
	KwWithin
	KwOptional
	KwIs

	LParen
	RParen
	LBrace
	RBrace
	LBracket
	RBracket
	Comma
	Colon
	Dot
	DotDot
	Arrow    // ->
	FatArrow // =>
	Assign   // =
	At_      // @
	Question
	Underscore
	Bar // |

	PipeOp // |>
	Coalesce
	OrOr
	AndAnd
	Eq
	Ne
	Lt
	Le
	Gt
	Ge
	Plus
	Minus
	Star
	Slash
	Percent
	Bang
)
