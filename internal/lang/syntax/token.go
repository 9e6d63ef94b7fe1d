package syntax

// Token is a kind of token.
type Token uint8

// The tokens. Operators carry the text that String gives.
const (
	EOF Token = iota
	Newline
	Illegal // reported by the scanner; the parser stays silent about it

	LowerName // offer, maxBy, _unused
	UpperName // Offer
	Number
	Money    // 19.99 USD, one token
	Duration // 50ms
	Instant
	Date
	String     // "no hole in it"
	StringHead // "up to the first hole {
	StringMid  // } between two holes {
	StringTail // } after the last hole"

	KwImport
	KwAs
	KwPub
	KwConst
	KwType
	KwFn
	KwView
	KwService
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
	Bar       // |
	Semicolon // ; never part of a program, kept to say so

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

	numTokens
)

var tokenText = [numTokens]string{
	EOF: "the end of the file", Newline: "the end of the line", Illegal: "an unknown character",
	LowerName: "a name", UpperName: "a capitalised name", Number: "a number", Money: "an amount of money",
	Duration: "a duration", Instant: "an instant", Date: "a date",
	String: "a string", StringHead: "a string", StringMid: "the rest of a string", StringTail: "the rest of a string",
	KwImport: "import", KwAs: "as", KwPub: "pub", KwConst: "const", KwType: "type", KwFn: "fn",
	KwView: "view", KwService: "service", KwLet: "let", KwIf: "if", KwElse: "else", KwMatch: "match",
	KwTrue: "true", KwFalse: "false", KwWithin: "within", KwOptional: "optional", KwIs: "is",
	LParen: "(", RParen: ")", LBrace: "{", RBrace: "}", LBracket: "[", RBracket: "]",
	Comma: ",", Colon: ":", Dot: ".", DotDot: "..", Arrow: "->", FatArrow: "=>", Assign: "=",
	At_: "@", Question: "?", Underscore: "_", Bar: "|", Semicolon: ";",
	PipeOp: "|>", Coalesce: "??", OrOr: "||", AndAnd: "&&", Eq: "==", Ne: "!=", Lt: "<", Le: "<=",
	Gt: ">", Ge: ">=", Plus: "+", Minus: "-", Star: "*", Slash: "/", Percent: "%", Bang: "!",
}

// String is the token's text for keywords, operators and punctuation, and a
// description ("a number") for the others.
func (t Token) String() string {
	if t >= numTokens {
		return "?"
	}
	return tokenText[t]
}

// IsKeyword reports whether the token is a reserved word.
func (t Token) IsKeyword() bool { return KwImport <= t && t <= KwIs }

// Keyword gives the token of a reserved word.
func Keyword(word string) (Token, bool) {
	t := keyword(word)
	return t, t != LowerName
}

func keyword(word string) Token {
	switch word {
	case "import":
		return KwImport
	case "as":
		return KwAs
	case "pub":
		return KwPub
	case "const":
		return KwConst
	case "type":
		return KwType
	case "fn":
		return KwFn
	case "view":
		return KwView
	case "service":
		return KwService
	case "let":
		return KwLet
	case "if":
		return KwIf
	case "else":
		return KwElse
	case "match":
		return KwMatch
	case "true":
		return KwTrue
	case "false":
		return KwFalse
	case "within":
		return KwWithin
	case "optional":
		return KwOptional
	case "is":
		return KwIs
	}
	return LowerName
}

// precedence gives the binding strength of an infix operator, 0 for others.
// The pipe and the scope words bind looser and have their own routines.
func (t Token) precedence() int {
	switch t {
	case Coalesce:
		return 1
	case OrOr:
		return 2
	case AndAnd:
		return 3
	case Eq, Ne, Lt, Le, Gt, Ge, KwIs:
		return precComparison
	case Plus, Minus:
		return 5
	case Star, Slash, Percent:
		return 6
	}
	return 0
}

const precComparison = 4

// Precedence gives the binding strength of an infix operator from 1 (`??`) to
// 6 (`*`), 0 for tokens that are none. `??` groups to the right, comparisons
// and `is` do not group at all, the others group to the left.
func (t Token) Precedence() int { return t.precedence() }

// closer gives the bracket that closes an opening one, or EOF.
func (t Token) closer() Token {
	switch t {
	case LParen:
		return RParen
	case LBrace:
		return RBrace
	case LBracket:
		return RBracket
	case StringHead:
		return StringTail
	}
	return EOF
}
