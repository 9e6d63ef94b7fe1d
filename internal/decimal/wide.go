package decimal

import "math/bits"

// u128 is an unsigned integer of 128 bits. A coefficient is below 10^34 and so
// below 2^113.
type u128 struct{ hi, lo uint64 }

// u256 is an unsigned integer of 256 bits, its lowest word first. It holds the
// product of two coefficients, and a coefficient times any power in pow10.
type u256 [4]uint64

// pow10[n] is 10^n.
var pow10 = func() (p [MaxScale + 1]u128) {
	p[0] = u128{lo: 1}
	for n := 1; n < len(p); n++ {
		p[n], _ = p[n-1].mulAdd(10, 0)
	}
	return p
}()

func (a u128) isZero() bool { return a.hi|a.lo == 0 }

func (a u128) less(b u128) bool {
	return a.hi < b.hi || a.hi == b.hi && a.lo < b.lo
}

// mulAdd is a×m + n and what it carries beyond 128 bits.
func (a u128) mulAdd(m, n uint64) (u128, uint64) {
	c, lo := bits.Mul64(a.lo, m)
	over, hi := bits.Mul64(a.hi, m)
	lo, carry := bits.Add64(lo, n, 0)
	hi, carry = bits.Add64(hi, c, carry)
	return u128{hi: hi, lo: lo}, over + carry
}

// divSmall divides by one word.
func (a u128) divSmall(d uint64) (q u128, r uint64) {
	q.hi, r = a.hi/d, a.hi%d
	q.lo, r = bits.Div64(r, a.lo, d)
	return q, r
}

// stripZeros divides by ten while that is exact and the scale is above 0.
func (a u128) stripZeros(scale int) (u128, int) {
	if a.isZero() {
		return a, 0
	}
	if a.hi != 0 {
		// In large steps first: a division by ten for each zero would cost most
		// where sums and products are widest.
		for _, step := range [...]int{16, 8, 4, 2, 1} {
			for scale >= step {
				q, r := a.divSmall(pow10[step].lo)
				if r != 0 {
					break
				}
				a, scale = q, scale-step
			}
		}
		return a, scale
	}
	// 10 divides only even numbers, and odd ones are the common case.
	for scale > 0 && a.lo&1 == 0 && a.lo%10 == 0 {
		a.lo /= 10
		scale--
	}
	return a, scale
}

// appendTo appends the digits of a.
func (a u128) appendTo(dst []byte) []byte {
	const chunk = 1e19 // the largest power of ten in a word
	if a.hi == 0 {
		return appendUint(dst, a.lo, 1)
	}
	q, low := a.divSmall(chunk)
	q, mid := q.divSmall(chunk)
	if q.lo != 0 {
		dst = appendUint(dst, q.lo, 1)
		dst = appendUint(dst, mid, 19)
	} else {
		dst = appendUint(dst, mid, 1)
	}
	return appendUint(dst, low, 19)
}

// appendUint appends n with at least width digits.
func appendUint(dst []byte, n uint64, width int) []byte {
	var buf [20]byte
	i := len(buf)
	for n != 0 || width > 0 {
		i--
		width--
		buf[i] = byte('0' + n%10)
		n /= 10
	}
	return append(dst, buf[i:]...)
}

func (a u128) wide() u256 { return u256{a.lo, a.hi} }

// times is the product.
func (a u128) times(b u128) u256 {
	var p u256
	h0, l0 := bits.Mul64(a.lo, b.lo)
	h1, l1 := bits.Mul64(a.lo, b.hi)
	h2, l2 := bits.Mul64(a.hi, b.lo)
	h3, l3 := bits.Mul64(a.hi, b.hi)
	var c uint64
	p[0] = l0
	p[1], c = bits.Add64(h0, l1, 0)
	p[2], c = bits.Add64(h1, l3, c)
	p[3] = h3 + c
	p[1], c = bits.Add64(p[1], l2, 0)
	p[2], c = bits.Add64(p[2], h2, c)
	p[3] += c
	return p
}

// narrow is a as 128 bits, if it fits.
func (a u256) narrow() (u128, bool) {
	return u128{hi: a[1], lo: a[0]}, a[2]|a[3] == 0
}

func (a u256) isZero() bool { return a[0]|a[1]|a[2]|a[3] == 0 }

func (a u256) cmp(b u256) int {
	for i := len(a) - 1; i >= 0; i-- {
		if a[i] != b[i] {
			if a[i] < b[i] {
				return -1
			}
			return 1
		}
	}
	return 0
}

// add is a+b; no caller's sum is beyond 256 bits.
func (a u256) add(b u256) u256 {
	var c uint64
	for i := range a {
		a[i], c = bits.Add64(a[i], b[i], c)
	}
	return a
}

// sub is a-b for a ≥ b.
func (a u256) sub(b u256) u256 {
	var c uint64
	for i := range a {
		a[i], c = bits.Sub64(a[i], b[i], c)
	}
	return a
}

// timesPow10 is a×10^n; no caller's product is beyond 256 bits.
func (a u256) timesPow10(n int) u256 {
	for n > 0 {
		step := min(n, 19)
		var carry uint64
		for i, w := range a {
			hi, lo := bits.Mul64(w, pow10[step].lo)
			var c uint64
			a[i], c = bits.Add64(lo, carry, 0)
			carry = hi + c
		}
		n -= step
	}
	return a
}

// divSmall divides by one word.
func (a u256) divSmall(d uint64) (q u256, r uint64) {
	for i := len(a) - 1; i >= 0; i-- {
		q[i], r = bits.Div64(r, a[i], d)
	}
	return q, r
}

// div divides by d, which is not zero.
func (a u256) div(d u128) (q u256, r u128) {
	if d.hi == 0 {
		q, r.lo = a.divSmall(d.lo)
		return q, r
	}
	// Knuth, The Art of Computer Programming 2, 4.3.1, algorithm D, for a
	// divisor of two words: scaled so that its top bit is set.
	shift := uint(bits.LeadingZeros64(d.hi))
	v1 := d.hi<<shift | d.lo>>(64-shift)
	v0 := d.lo << shift
	if shift == 0 {
		v1, v0 = d.hi, d.lo
	}
	var u [5]uint64
	for i, w := range a {
		u[i] |= w << shift
		if shift != 0 {
			u[i+1] = w >> (64 - shift)
		}
	}
	for j := 2; j >= 0; j-- {
		q[j] = divStep(u[j:j+3], v1, v0)
	}
	r = u128{hi: u[1] >> shift, lo: u[0] >> shift}
	if shift != 0 {
		r.lo |= u[1] << (64 - shift)
	}
	return q, r
}

// divStep divides the three words of u, lowest first, by v1:v0, leaves the
// remainder in u and gives the quotient's word. u[2]:u[1] is at most v1:v0's
// magnitude, as algorithm D keeps it.
func divStep(u []uint64, v1, v0 uint64) uint64 {
	var qhat, rhat uint64
	guess := true // whether rhat is below 2^64, so that qhat can still be too large by the next word
	if u[2] >= v1 {
		qhat = ^uint64(0)
		var c uint64
		rhat, c = bits.Add64(u[1], v1, 0)
		guess = c == 0
	} else {
		qhat, rhat = bits.Div64(u[2], u[1], v1)
	}
	for guess {
		hi, lo := bits.Mul64(qhat, v0)
		if hi < rhat || hi == rhat && lo <= u[0] {
			break
		}
		qhat--
		var c uint64
		rhat, c = bits.Add64(rhat, v1, 0)
		guess = c == 0
	}
	// With two words the corrections above are exact: no add-back is needed.
	h0, l0 := bits.Mul64(qhat, v0)
	h1, l1 := bits.Mul64(qhat, v1)
	mid, c := bits.Add64(h0, l1, 0)
	top := h1 + c
	var b uint64
	u[0], b = bits.Sub64(u[0], l0, 0)
	u[1], b = bits.Sub64(u[1], mid, b)
	u[2], _ = bits.Sub64(u[2], top, b)
	return qhat
}
