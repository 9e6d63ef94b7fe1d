package abi

// FaultKind is why a request ended by itself.
type FaultKind uint8

// The kinds, in the words that users see (String).
const (
	Overflow FaultKind = iota + 1
	DivisionByZero
	MixedCurrencies
	OutOfGas
	TooDeep
	OutOfMemory
	BadArgument
)

var faultNames = [...]string{"", "overflow", "division by zero", "mixed currencies", "out of gas", "too deep", "out of memory", "bad argument"}

func (k FaultKind) String() string {
	if int(k) < len(faultNames) && k > 0 {
		return faultNames[k]
	}
	return "unforeseen fault"
}
