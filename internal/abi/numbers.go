package abi

// Decimals and money are packed into one i64 while they are small.
//
//	Decimal, bit 0 clear: coefficient<<8 | scale<<1          coefficient 56 bits signed, scale 0..34
//	Money,   bit 0 clear: coefficient<<20 | currency<<5 | scale<<1   44 bits signed, 0..15
//	either,  bit 0 set:   address<<32 | 1
//
// The address is that of a cell of NumberCell bytes: the magnitude's low and
// high u64, the scale u32, and a u32 that is negative (0 or 1) for a Decimal
// and currency<<1 | negative for a Money. Values need not be in normal form
// (2.50 and 2.5 are equal); whatever shows, hashes or compares one sees to it.
const (
	DecimalShift     = 8
	DecimalScaleMask = 0x7e
	MoneyShift       = 20
	MoneyScaleMask   = 0x1e
	MoneyCurrency    = 5 // shift of the currency
	CurrencyMask     = 0x7fff
	NumberCell       = 24
)

// CurrencyCode packs three capitals: "USD".
func CurrencyCode(s string) uint32 {
	return uint32(s[0]-'A')*676 + uint32(s[1]-'A')*26 + uint32(s[2]-'A')
}

// CurrencyName unpacks a code.
func CurrencyName(code uint32) string {
	return string([]byte{byte('A' + code/676%26), byte('A' + code/26%26), byte('A' + code%26)})
}
