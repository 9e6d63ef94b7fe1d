package native

import (
	"bytes"
	"strings"

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

// Currencies are the codes of ISO 4217 in use, funds and metals included (list one,
// amendment 176), ascending. Programs may be handed others: the list grows.
var Currencies = strings.Fields(`
AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BHD BIF BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF
CHE CHF CHW CLF CLP CNY COP COU CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP
GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT
LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR
NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN
SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD USN UYI UYU UYW UZS VED VES VND VUV WST XAD
XAF XAG XAU XBA XBB XBC XBD XCD XCG XDR XOF XPD XPF XPT XSU XTS XUA XXX YER ZAR ZMW ZWG`)

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
