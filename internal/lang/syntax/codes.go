package syntax

import "towpath.dev/internal/lang/diag"

// The diagnostics of this package. Each has a page in diag/pages.
const (
	codeBadText          diag.Code = "TW0101" // bytes or characters that may not stand in a source
	codeTooLarge         diag.Code = "TW0102" // file over the limit
	codeTooDeep          diag.Code = "TW0103" // nesting or chain over the limit
	codeBadCharacter     diag.Code = "TW0104" // character that begins no token
	codeUnclosed         diag.Code = "TW0105" // bracket without its closing one
	codeStray            diag.Code = "TW0106" // closing bracket without its opening one
	codeOpenString       diag.Code = "TW0107" // string that does not end on its line
	codeBadEscape        diag.Code = "TW0108" // unknown escape in a string
	codeBadNumber        diag.Code = "TW0109" // malformed number
	codeBadDuration      diag.Code = "TW0110" // malformed duration
	codeBadDate          diag.Code = "TW0111" // malformed or impossible date or instant
	codeBadMoney         diag.Code = "TW0112" // malformed amount of money
	codeComment          diag.Code = "TW0113" // comment of another language
	codeReserved         diag.Code = "TW0114" // keyword used as a name
	codeNameCase         diag.Code = "TW0115" // capital where a small letter belongs, or the reverse
	codeWantDecl         diag.Code = "TW0116" // no declaration where one belongs
	codeWantExpr         diag.Code = "TW0117" // no expression where one belongs
	codeWantType         diag.Code = "TW0118" // no type where one belongs
	codeWantPattern      diag.Code = "TW0119" // no pattern where one belongs
	codeWantToken        diag.Code = "TW0120" // some other token belongs here
	codeWantComma        diag.Code = "TW0121" // missing comma
	codeAssign           diag.Code = "TW0122" // `=` in an expression
	codeChained          diag.Code = "TW0123" // chained comparison
	codeNull             diag.Code = "TW0124" // null
	codeReturn           diag.Code = "TW0125" // return
	codeMutation         diag.Code = "TW0126" // var, mut, :=
	codeSemicolon        diag.Code = "TW0127" // ;
	codeSingleQuotes     diag.Code = "TW0128" // 'text'
	codeForeignOperator  diag.Code = "TW0129" // operator of another language
	codeForeignKeyword   diag.Code = "TW0130" // declaration or statement word of another language
	codeMissingElse      diag.Code = "TW0131" // if without else
	codeTernary          diag.Code = "TW0132" // c ? a : b
	codeWrongArrow       diag.Code = "TW0133" // => for -> or the reverse
	codeRecordInHead     diag.Code = "TW0134" // record literal in the head of if or match
	codeNoValue          diag.Code = "TW0135" // block that does not end with a value
	codePipeTarget       diag.Code = "TW0136" // right side of a pipe that is no call
	codeLambdaPlace      diag.Code = "TW0137" // lambda as an operand
	codeTestOnly         diag.Code = "TW0138" // expect or given outside a test
	codeImportPlace      diag.Code = "TW0139" // import after a declaration
	codeMissingType      diag.Code = "TW0140" // parameter or field without a type
	codeIndexing         diag.Code = "TW0141" // xs[0]
	codeScopeForm        diag.Code = "TW0142" // a second within
	codeBody             diag.Code = "TW0143" // body missing, or where none belongs
	codeTypeAlias        diag.Code = "TW0144" // type A = List<B>
	codeTypeArgs         diag.Code = "TW0145" // f<Int>(x)
	codeTwoOnALine       diag.Code = "TW0146" // two statements on one line
	codeEmptyHole        diag.Code = "TW0147" // "{}" in a string
	codeOutsideOfFuncTyp diag.Code = "TW0148" // A -> B without fn
)
