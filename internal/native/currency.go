package native

import (
	"bytes"

	"towpath.dev/internal/decimal"
)

// MinorDigits is how many digits ISO 4217 gives to a currency's smallest unit: 2
// unless the standard says otherwise. std/money's minorDigits is the same table.
func MinorDigits(currency string) int {
	switch currency {
	case "BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF":
		return 0
	case "BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND":
		return 3
	case "CLF", "UYW":
		return 4
	}
	return 2
}

// AppendAmount writes an amount of money in full, with the digits of the
// currency's smallest unit at the least: 4.9 EUR is "4.90", 4.905 EUR "4.905".
func AppendAmount(dst []byte, amount decimal.Decimal, currency string) []byte {
	start := len(dst)
	dst = amount.AppendTo(dst)
	digits := MinorDigits(currency)
	if digits == 0 {
		return dst
	}
	after := 0
	if point := bytes.IndexByte(dst[start:], '.'); point >= 0 {
		after = len(dst) - start - point - 1
	} else {
		dst = append(dst, '.')
	}
	for ; after < digits; after++ {
		dst = append(dst, '0')
	}
	return dst
}
