package codec

import (
	"towpath.dev/internal/abi"
	"towpath.dev/internal/decimal"
)

// packDecimal packs a number into one word, if it is small.
func packDecimal(number decimal.Decimal) (uint64, bool) {
	coef, scale, ok := number.Small()
	if !ok || coef != coef<<abi.DecimalShift>>abi.DecimalShift {
		return 0, false
	}
	return uint64(coef)<<abi.DecimalShift | uint64(scale)<<1, true
}

// packMoney packs an amount and its currency into one word, if it is small.
func packMoney(number decimal.Decimal, currency uint32) (uint64, bool) {
	coef, scale, ok := number.Small()
	if !ok || scale > 15 || coef != coef<<abi.MoneyShift>>abi.MoneyShift {
		return 0, false
	}
	return uint64(coef)<<abi.MoneyShift | uint64(currency)<<abi.MoneyCurrency | uint64(scale)<<1, true
}

// unpackDecimal is the number of a packed word; ok is false when the word or its
// cell holds none.
func unpackDecimal(mem region, size uint64, v uint64) (decimal.Decimal, bool) {
	if v&1 == 0 {
		return fromSmall(int64(v)>>abi.DecimalShift, int(v&abi.DecimalScaleMask>>1))
	}
	number, _, ok := unpackCell(mem, size, v)
	return number, ok
}

// unpackMoney is the amount and the currency of a packed word.
func unpackMoney(mem region, size uint64, v uint64) (decimal.Decimal, uint32, bool) {
	if v&1 == 0 {
		number, ok := fromSmall(int64(v)>>abi.MoneyShift, int(v&abi.MoneyScaleMask>>1))
		return number, uint32(v>>abi.MoneyCurrency) & abi.CurrencyMask, ok
	}
	number, last, ok := unpackCell(mem, size, v)
	return number, last >> 1, ok && last>>1 < 26*26*26
}

func unpackCell(mem region, size uint64, v uint64) (number decimal.Decimal, last uint32, ok bool) {
	cell := v >> 32
	if cell == 0 || cell%8 != 0 || cell+abi.NumberCell > size {
		return decimal.Decimal{}, 0, false
	}
	last = mem.u32(uint(cell) + 20)
	scale := mem.u32(uint(cell) + 16)
	if scale > 1<<16 {
		return decimal.Decimal{}, 0, false
	}
	number, ok = decimal.FromParts(mem.u64(uint(cell)), mem.u64(uint(cell)+8), int(scale), last&1 != 0)
	return number, last, ok
}

func fromSmall(coef int64, scale int) (decimal.Decimal, bool) {
	if coef < 0 {
		return decimal.FromParts(uint64(-coef), 0, scale, true)
	}
	return decimal.FromParts(uint64(coef), 0, scale, false)
}
