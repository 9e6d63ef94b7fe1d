package codec

import "math/bits"

// Eight bytes at a time: the byte at the lowest address is the lowest byte of
// the word. (Lamport, "Multiple byte processing with full-word instructions",
// 1975; the eight digits' value is from Lemire, "Number parsing at a gigabyte
// per second", 2021.)
const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// stops marks, in the high bit of each byte, the quotes, backslashes and control
// characters of w. Marks above the lowest one may be false.
func stops(w uint64) uint64 {
	quote := w ^ '"'*ones
	slash := w ^ '\\'*ones
	return ((quote-ones)&^quote | (slash-ones)&^slash | (w-' '*ones)&^w) & highs
}

// digitRun is how many of w's lowest bytes are digits: 0 to 8.
func digitRun(w uint64) uint {
	x := w ^ '0'*ones
	return uint(bits.TrailingZeros64(((x+0x76*ones)|x)&highs)) >> 3
}

// eightDigits is the number that w's bytes less '0' write, the lowest first.
func eightDigits(x uint64) uint64 {
	const mask = 0x000000ff000000ff
	x = x*10 + x>>8
	return ((x&mask)*(100+1000000<<32) + (x>>16&mask)*(1+10000<<32)) >> 32
}

// leadingDigits is the number that the lowest n bytes of w write; n is digitRun's
// and not 0.
func leadingDigits(w uint64, n uint) uint64 {
	return eightDigits((w ^ '0'*ones) << (64 - 8*n))
}

// word packs up to eight bytes of s, and a mask of those it has.
func word(s string) (w, mask uint64) {
	for i := 0; i < len(s) && i < 8; i++ {
		w |= uint64(s[i]) << (8 * i)
		mask |= 0xff << (8 * i)
	}
	return w, mask
}
