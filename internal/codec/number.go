package codec

import (
	"encoding/binary"

	"towpath.dev/internal/abi"
	"towpath.dev/internal/decimal"
)

// PackDecimal packs a number into one word, if it is small; else it needs a
// cell, see PutNumber.
func PackDecimal(number decimal.Decimal) (uint64, bool) {
	coef, scale, ok := number.Small()
	if !ok || coef != coef<<abi.DecimalShift>>abi.DecimalShift {
		return 0, false
	}
	return uint64(coef)<<abi.DecimalShift | uint64(scale)<<1, true
}

// PackMoney packs an amount and its currency (abi.CurrencyCode) into one word,
// if it is small.
func PackMoney(number decimal.Decimal, currency uint32) (uint64, bool) {
	coef, scale, ok := number.Small()
	if !ok || scale > 15 || coef != coef<<abi.MoneyShift>>abi.MoneyShift {
		return 0, false
	}
	return uint64(coef)<<abi.MoneyShift | uint64(currency)<<abi.MoneyCurrency | uint64(scale)<<1, true
}

// PutNumber writes the cell of a number into abi.NumberCell bytes at an
// address, and gives the word that stands for it. For a Decimal the currency is
// 0.
func PutNumber(mem []byte, at uint32, number decimal.Decimal, currency uint32) uint64 {
	lo, hi, scale, negative := number.Parts()
	cell := mem[at : at+abi.NumberCell]
	binary.LittleEndian.PutUint64(cell, lo)
	binary.LittleEndian.PutUint64(cell[8:], hi)
	binary.LittleEndian.PutUint32(cell[16:], uint32(scale))
	last := currency << 1
	if negative {
		last |= 1
	}
	binary.LittleEndian.PutUint32(cell[20:], last)
	return uint64(at)<<32 | 1
}

// LoadDecimal is the number that a word stands for; ok is false when the word,
// or its cell, is none.
func LoadDecimal(mem []byte, v uint64) (number decimal.Decimal, ok bool) {
	return unpackDecimal(regionOf(mem), uint64(len(mem)), v)
}

// LoadMoney is the amount and the currency that a word stands for.
func LoadMoney(mem []byte, v uint64) (number decimal.Decimal, currency uint32, ok bool) {
	return unpackMoney(regionOf(mem), uint64(len(mem)), v)
}

func unpackDecimal(mem region, size uint64, v uint64) (decimal.Decimal, bool) {
	if v&1 == 0 {
		return fromSmall(int64(v)>>abi.DecimalShift, int(v&abi.DecimalScaleMask>>1))
	}
	number, _, ok := unpackCell(mem, size, v)
	return number, ok
}

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
