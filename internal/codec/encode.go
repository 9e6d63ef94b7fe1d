package codec

import (
	"math"
	"math/bits"
	"slices"
	"strconv"
	"strings"

	"towpath.dev/internal/abi"
	"towpath.dev/internal/native"
)

// Append appends a value as compact JSON, the members in declared order. mem is
// the whole memory that the value lies in. The error is a *ValueError for a
// value without JSON, ErrTooLong, or a *CorruptError; dst is then as it was.
func (p Plan) Append(dst, mem []byte, value uint64) ([]byte, error) {
	e := encoder{mem: regionOf(mem), size: uint64(len(mem)), dst: dst, most: len(dst) + MaxText}
	e.value(p.node, value)
	return e.result(dst)
}

// AppendArgs appends a record's fields as a JSON array: the canonical bytes of
// a call's arguments.
func (p Plan) AppendArgs(dst, mem []byte, record uint32) ([]byte, error) {
	e := encoder{mem: regionOf(mem), size: uint64(len(mem)), dst: dst, most: len(dst) + MaxText}
	e.elements(p.node, uint64(record))
	return e.result(dst)
}

// MaxText is the most bytes that Append writes. Values share parts, so that a
// small memory can hold one whose text is without end.
const MaxText = 64 << 20

// encoder writes a value. The first error ends it.
type encoder struct {
	mem   region
	size  uint64 // of the memory
	dst   []byte
	most  int // bytes of dst
	depth int
	err   error
	path  []string // of a ValueError, last step first
}

func (e *encoder) result(dst []byte) ([]byte, error) {
	if e.err == nil {
		return e.dst, nil
	}
	if err, ok := e.err.(*ValueError); ok {
		slices.Reverse(e.path)
		err.Path = "$" + strings.Join(e.path, "")
	}
	return dst, e.err
}

func (e *encoder) value(n *node, v uint64) {
	switch n.op {
	case opString:
		e.string(n, v)
	case opInt:
		e.dst = strconv.AppendInt(e.dst, int64(v), 10)
	case opRecord:
		if e.within(n, v, n.object.size) && e.enter() {
			e.dst = append(e.dst, '{')
			e.members(&n.object, uint(uint32(v)), len(e.dst))
			e.dst = append(e.dst, '}')
			e.depth--
		}
	case opList:
		e.list(n, v)
	case opBool:
		e.dst = strconv.AppendBool(e.dst, uint32(v) != 0)
	case opEnum:
		if uint32(v) >= uint32(len(n.alts)) {
			e.corrupt(n, v)
			return
		}
		e.dst = append(e.dst, n.alts[uint32(v)].quoted...)
	case opDecimal, opMoney:
		e.number(n, v)
	case opFloat:
		e.float(v)
	case opOption:
		e.option(n, v)
	case opVariant:
		e.variant(n, v)
	case opTuple:
		e.elements(n, v)
	case opMap, opSet:
		e.entries(n, uint32(v))
	case opJSON:
		if text, ok := e.text(n, v); ok {
			e.dst = append(e.dst, text...)
		}
	default:
		e.time(n, v)
	}
}

// within reports whether an address and size bytes behind it are memory that
// a value of n may have.
func (e *encoder) within(n *node, v uint64, size uint32) bool {
	at := uint64(uint32(v))
	if size > 0 && (at == 0 || at%4 != 0) || at+uint64(size) > e.size || len(e.dst) > e.most {
		e.corrupt(n, at)
		return false
	}
	return true
}

func (e *encoder) corrupt(n *node, at uint64) {
	if e.err == nil && len(e.dst) > e.most {
		e.err = ErrTooLong
	}
	if e.err == nil {
		e.err = &CorruptError{Type: n.name, Addr: uint32(at)}
	}
}

func (e *encoder) refuse(reason string) {
	if e.err == nil {
		e.err = &ValueError{Reason: reason}
	}
}

// enter goes one level deeper.
func (e *encoder) enter() bool {
	if e.depth == MaxDepth {
		e.refuse("the value nests more than " + strconv.Itoa(MaxDepth) + " levels deep")
		return false
	}
	e.depth++
	return true
}

// at is the value in memory at an address.
func (e *encoder) at(at uint, wide bool) uint64 {
	if wide {
		return e.mem.u64(at)
	}
	return uint64(e.mem.u32(at))
}

// members writes the fields at an address. start is where the object's text
// starts: the first member written there loses its comma.
func (e *encoder) members(o *object, at uint, start int) {
	for i := range o.count {
		f := &o.fields[i]
		v := e.at(at+uint(f.offset), f.wide)
		if f.op == opOption && v == f.node.none() {
			continue
		}
		name := f.comma
		if len(e.dst) == start {
			name = name[1:]
		}
		e.dst = append(e.dst, name...)
		if f.op == opString {
			e.string(f.node, v)
		} else {
			e.value(f.node, v)
		}
		if e.err != nil {
			e.path = append(e.path, memberPath(f.name))
			return
		}
	}
}

// elements writes a record's or tuple's fields as an array.
func (e *encoder) elements(n *node, v uint64) {
	if !e.within(n, v, n.object.size) || !e.enter() {
		return
	}
	e.dst = append(e.dst, '[')
	for i := range n.object.count {
		f := &n.object.fields[i]
		if i > 0 {
			e.dst = append(e.dst, ',')
		}
		e.value(f.node, e.at(uint(uint32(v)+f.offset), f.wide))
		if e.err != nil {
			e.inIndex(i)
			return
		}
	}
	e.dst = append(e.dst, ']')
	e.depth--
}

func (e *encoder) inIndex(i int) {
	e.path = append(e.path, "["+strconv.Itoa(i)+"]")
}

func (e *encoder) list(n *node, v uint64) {
	count, at := uint64(uint32(v)), v>>32&^1
	if count == 0 {
		e.dst = append(e.dst, "[]"...)
		return
	}
	size := uint64(n.elem.size())
	if at == 0 || at%size != 0 || at+count*size > e.size || len(e.dst) > e.most {
		e.corrupt(n, at)
		return
	}
	if !e.enter() {
		return
	}
	e.dst = append(e.dst, '[')
	for i := range count {
		if i > 0 {
			e.dst = append(e.dst, ',')
		}
		e.value(n.elem, e.at(uint(at+i*size), n.elem.wide))
		if e.err != nil {
			e.inIndex(int(i))
			return
		}
	}
	e.dst = append(e.dst, ']')
	e.depth--
}

func (e *encoder) option(n *node, v uint64) {
	if v == n.none() {
		e.dst = append(e.dst, "null"...)
		return
	}
	if n.form == abi.OptionBox {
		if !e.within(n, v, 8) {
			return
		}
		v = e.at(uint(uint32(v)), n.elem.wide)
	}
	e.value(n.elem, v)
}

func (e *encoder) variant(n *node, v uint64) {
	if !e.within(n, v, 4) {
		return
	}
	at := uint(uint32(v))
	tag := e.mem.u32(at)
	if int64(tag) >= int64(len(n.alts)) {
		e.corrupt(n, v)
		return
	}
	a := &n.alts[tag]
	if a.object.count > 0 && !e.within(n, v, a.object.size) || !e.enter() {
		return
	}
	e.dst = append(e.dst, a.tagText...)
	e.members(&a.object, at, -1)
	e.dst = append(e.dst, '}')
	e.depth--
}

func (e *encoder) number(n *node, v uint64) {
	if n.op == opDecimal {
		number, ok := unpackDecimal(e.mem, e.size, v)
		if !ok {
			e.corrupt(n, v>>32)
			return
		}
		e.dst = append(e.dst, '"')
		e.dst = number.AppendTo(e.dst)
		e.dst = append(e.dst, '"')
		return
	}
	number, currency, ok := unpackMoney(e.mem, e.size, v)
	if !ok {
		e.corrupt(n, v>>32)
		return
	}
	e.dst = append(e.dst, `{"amount":"`...)
	name := [...]byte{'A' + byte(currency/676%26), 'A' + byte(currency/26%26), 'A' + byte(currency%26)}
	e.dst = native.AppendAmount(e.dst, number, string(name[:]))
	e.dst = append(e.dst, `","currency":"`...)
	e.dst = append(e.dst, name[:]...)
	e.dst = append(e.dst, `"}`...)
}

func (e *encoder) float(v uint64) {
	f := math.Float64frombits(v)
	if !(math.Abs(f) <= math.MaxFloat64) {
		e.refuse("the Float " + strconv.FormatFloat(f, 'g', -1, 64) + " has no JSON")
		return
	}
	e.dst = AppendFloat(e.dst, f)
}

func (e *encoder) time(n *node, v uint64) {
	e.dst = append(e.dst, '"')
	start := len(e.dst)
	switch n.op {
	case opDuration:
		e.dst = AppendDuration(e.dst, int64(v))
	case opInstant:
		e.dst = AppendInstant(e.dst, int64(v))
	default:
		if e.dst = AppendDate(e.dst, int32(v)); isSign(e.dst[start]) {
			e.refuse("the Date " + string(e.dst[start:]) + " lies outside the years 0000 to 9999")
		}
	}
	e.dst = append(e.dst, '"')
}

func isSign(c byte) bool { return c == '-' || c == '+' }

// text is a string's bytes.
func (e *encoder) text(n *node, v uint64) ([]byte, bool) {
	at, count := v>>32, uint64(uint32(v))
	if at+count > e.size || len(e.dst)+int(count) > e.most {
		if len(e.dst)+int(count) > e.most && at+count <= e.size {
			e.err = ErrTooLong
			return nil, false
		}
		e.corrupt(n, at)
		return nil, false
	}
	return e.mem.bytes(uint(at), uint(count)), true
}

func (e *encoder) string(n *node, v uint64) {
	text, ok := e.text(n, v)
	if !ok {
		return
	}
	e.dst = append(e.dst, '"')
	start := uint(v >> 32)
	end := start + uint(uint32(v))
	p := start
	for p+8 <= end {
		s := stops(e.mem.u64(p))
		if s != 0 {
			p += uint(bits.TrailingZeros64(s)) >> 3
			break
		}
		p += 8
	}
	for p < end && !isEscaped(e.mem.u8(p)) {
		p++
	}
	if p == end {
		e.dst = append(e.dst, text...)
		e.dst = append(e.dst, '"')
		return
	}
	e.dst = AppendEscaped(e.dst, text)
	e.dst = append(e.dst, '"')
}

func isEscaped(c byte) bool { return c < ' ' || c == '"' || c == '\\' }

// AppendEscaped appends a string's text, with only those characters escaped
// that must be: control characters, quotes and backslashes, the short way where
// JSON has one. Bytes that are no UTF-8 stay as they are.
func AppendEscaped[T string | []byte](dst []byte, text T) []byte {
	from := 0
	for i := 0; i < len(text); i++ {
		c := text[i]
		if !isEscaped(c) {
			continue
		}
		dst = append(dst, text[from:i]...)
		from = i + 1
		if short := shortEscape(c); short != 0 {
			dst = append(dst, '\\', short)
			continue
		}
		const hex = "0123456789abcdef"
		dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
	}
	return append(dst, text[from:]...)
}

// shortEscape is the letter that escapes c, or 0.
func shortEscape(c byte) byte {
	switch c {
	case '"', '\\':
		return c
	case '\b':
		return 'b'
	case '\f':
		return 'f'
	case '\n':
		return 'n'
	case '\r':
		return 'r'
	case '\t':
		return 't'
	}
	return 0
}

// AppendString appends a text as a JSON string: its escaped text in quotes.
func AppendString[T string | []byte](dst []byte, text T) []byte {
	dst = append(dst, '"')
	dst = AppendEscaped(dst, text)
	return append(dst, '"')
}
