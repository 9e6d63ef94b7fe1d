package engine

import (
	"math"
	"strconv"
	"unsafe"

	"github.com/tetratelabs/wazero/api"

	"towpath.dev/internal/abi"
	"towpath.dev/internal/codec"
	"towpath.dev/internal/native"
)

// The faults of an intrinsic have sites that follow each other, from the one
// that it is given.
const (
	siteBadArgument int32 = iota
	siteOverflow
	siteDivisionByZero
	siteOutOfMemory
)

type vals = []api.ValueType

// intrinsics are the standard library's functions and the operators on exact
// numbers that the host brings, by the names under which modules import them.
// What they mean stands in the standard library's INTRINSICS.md. The module has
// paid their gas.
var intrinsics = map[string]hostFunc{
	"decimal.add":     {vals{i64, i64, i32, i32}, vals{i64}, decimalAdd},
	"decimal.sub":     {vals{i64, i64, i32, i32}, vals{i64}, decimalSub},
	"decimal.mul":     {vals{i64, i64, i32, i32}, vals{i64}, decimalMul},
	"money.add":       {vals{i64, i64, i32, i32}, vals{i64}, moneyAdd},
	"money.sub":       {vals{i64, i64, i32, i32}, vals{i64}, moneySub},
	"money.mul":       {vals{i64, i64, i32, i32}, vals{i64}, moneyMul},
	"decimal.neg":     {vals{i64, i32}, vals{i64}, decimalNeg},
	"money.neg":       {vals{i64, i32}, vals{i64}, moneyNeg},
	"decimal.compare": {vals{i64, i64}, vals{i32}, decimalCompare},
	"money.compare":   {vals{i64, i64, i32}, vals{i32}, moneyCompare},
	"decimal.equal":   {vals{i64, i64}, vals{i32}, decimalEqual},
	"money.equal":     {vals{i64, i64}, vals{i32}, moneyEqual},

	"decimal.isNumber": {vals{i64, i32}, vals{i32}, decimalIsNumber},
	"decimal.read":     {vals{i64, i32}, vals{i64}, decimalRead},
	"decimal.fromInt":  {vals{i64, i32}, vals{i64}, decimalFromInt},
	"decimal.toInt":    {vals{i64, i32}, vals{i64}, decimalToInt},
	"decimal.toFloat":  {vals{i64, i32}, vals{f64}, decimalToFloat},
	"decimal.divide":   {vals{i64, i64, i64, i32, i32}, vals{i64}, decimalDivide},
	"decimal.round":    {vals{i64, i64, i32, i32}, vals{i64}, decimalRound},
	"money.amount":     {vals{i64, i32}, vals{i64}, moneyAmount},
	"money.currency":   {vals{i64, i32}, vals{i64}, moneyCurrency},
	"money.make":       {vals{i64, i64, i32}, vals{i64}, moneyMake},

	"show.int":      {vals{i64, i32}, vals{i64}, showInt},
	"show.float":    {vals{f64, i32}, vals{i64}, showFloat},
	"show.decimal":  {vals{i64, i32}, vals{i64}, showDecimal},
	"show.money":    {vals{i64, i32}, vals{i64}, showMoney},
	"show.duration": {vals{i64, i32}, vals{i64}, showDuration},
	"show.instant":  {vals{i64, i32}, vals{i64}, showInstant},
	"show.date":     {vals{i32, i32}, vals{i64}, showDate},

	"string.length":  {vals{i64, i32}, vals{i64}, stringLength},
	"string.offset":  {vals{i64, i64, i32}, vals{i64}, stringOffset},
	"string.find":    {vals{i64, i64, i64, i32}, vals{i64}, stringFind},
	"string.toUpper": {vals{i64, i32}, vals{i64}, mapText(native.ToUpper)},
	"string.toLower": {vals{i64, i32}, vals{i64}, mapText(native.ToLower)},
	"string.hash":    {vals{i64, i32}, vals{i64}, stringHash},

	"float.isNumber": {vals{i64, i32}, vals{i32}, testText(native.IsFloat)},
	"float.read":     {vals{i64, i32}, vals{f64}, floatRead},
	"json.isValid":   {vals{i64, i32}, vals{i32}, testText(native.IsJSON)},
	"json.read":      {vals{i64, i32}, vals{i64}, jsonRead},
	"json.quote":     {vals{i64, i32}, vals{i64}, mapText(native.QuoteJSON)},
	"json.unquote":   {vals{i64, i32}, vals{i64}, jsonUnquote},
	"json.end":       {vals{i64, i64, i32}, vals{i64}, jsonEnd},
	"instant.isZone": {vals{i64, i32}, vals{i32}, instantIsZone},
	"instant.offset": {vals{i64, i64, i32}, vals{i64}, instantOffset},
	"random.bits":    {vals{i64, i64, i32}, vals{i64}, randomBits},
}

// corrupt ends the pass since the module handed over what is no value: it is
// broken, and its instance is not used again.
func (in *instance) corrupt() {
	panic(&codec.CorruptError{Type: "value"})
}

// text is a String's bytes as a Go string that shares them: it is not to be kept.
func (in *instance) text(v uint64) string {
	at, n := v>>32, uint64(uint32(v))
	if n == 0 {
		return ""
	}
	if at+n > uint64(len(in.mem)) {
		in.corrupt()
	}
	return unsafe.String(&in.mem[at], n)
}

// putText allocates a String.
func (in *instance) putText(s string, site int32) uint64 {
	if s == "" {
		return 0
	}
	at := in.alloc(len(s), site)
	copy(in.mem[at:], s)
	return uint64(at)<<32 | uint64(len(s))
}

// putBytes allocates a String.
func (in *instance) putBytes(b []byte, site int32) uint64 {
	at := in.alloc(len(b), site)
	copy(in.mem[at:], b)
	return uint64(at)<<32 | uint64(len(b))
}

func boolean(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}

// mapText makes a text of a text.
func mapText(f func(string) string) func(*instance, []uint64) {
	return func(in *instance, stack []uint64) {
		text := in.text(stack[0])
		if mapped := f(text); len(mapped) != len(text) || unsafe.StringData(mapped) != unsafe.StringData(text) {
			stack[0] = in.putText(mapped, int32(stack[1])+siteOutOfMemory)
		}
	}
}

// testText says something of a text.
func testText(f func(string) bool) func(*instance, []uint64) {
	return func(in *instance, stack []uint64) { stack[0] = boolean(f(in.text(stack[0]))) }
}

// stringLength counts the bytes that do not continue a character.
func stringLength(in *instance, stack []uint64) {
	text := in.text(stack[0])
	n := 0
	for i := range len(text) {
		if text[i]&0xc0 != 0x80 {
			n++
		}
	}
	stack[0] = uint64(n)
}

func stringOffset(in *instance, stack []uint64) {
	text, index := in.text(stack[0]), int64(stack[1])
	if index <= 0 {
		stack[0] = 0
		return
	}
	for i := range len(text) {
		if text[i]&0xc0 == 0x80 {
			continue
		}
		if index == 0 {
			stack[0] = uint64(i)
			return
		}
		index--
	}
	stack[0] = uint64(len(text))
}

func stringFind(in *instance, stack []uint64) {
	stack[0] = uint64(native.Find(in.text(stack[0]), in.text(stack[1]), int64(stack[2])))
}

func stringHash(in *instance, stack []uint64) {
	stack[0] = uint64(native.Hash(in.text(stack[0])))
}

func floatRead(in *instance, stack []uint64) {
	f, ok := native.ReadFloat(in.text(stack[0]))
	if !ok {
		in.fault(int32(stack[1])+siteBadArgument, 0)
	}
	stack[0] = math.Float64bits(f)
}

func jsonRead(in *instance, stack []uint64) {
	text := in.text(stack[0])
	compact, ok := native.ReadJSON(text)
	if !ok {
		in.fault(int32(stack[1])+siteBadArgument, 0)
	}
	if len(compact) != len(text) {
		stack[0] = in.putText(compact, int32(stack[1])+siteOutOfMemory)
	}
}

func jsonUnquote(in *instance, stack []uint64) {
	text, ok := native.UnquoteJSON(in.text(stack[0]))
	if !ok {
		in.fault(int32(stack[1])+siteBadArgument, 0)
	}
	stack[0] = in.putText(text, int32(stack[1])+siteOutOfMemory)
}

func jsonEnd(in *instance, stack []uint64) {
	end, ok := native.JSONEnd(in.text(stack[0]), int64(stack[1]))
	if !ok {
		in.fault(int32(stack[2])+siteBadArgument, 0)
	}
	stack[0] = uint64(end)
}

// Zones' names are copied: package native keeps those it knows.

func instantIsZone(in *instance, stack []uint64) {
	stack[0] = boolean(native.IsZone(string([]byte(in.text(stack[0])))))
}

func instantOffset(in *instance, stack []uint64) {
	offset, ok := native.ZoneOffset(int64(stack[0]), string([]byte(in.text(stack[1]))))
	if !ok {
		in.fault(int32(stack[2])+siteBadArgument, 0)
	}
	stack[0] = uint64(offset)
}

func randomBits(in *instance, stack []uint64) {
	seed := int64(0)
	if in.seed != nil {
		seed = int64(in.seed.Get())
	}
	stack[0] = uint64(native.RandomBits(seed, in.text(stack[0]), int64(stack[1])))
}

func showInt(in *instance, stack []uint64) {
	var buf [24]byte
	stack[0] = in.putBytes(strconv.AppendInt(buf[:0], int64(stack[0]), 10), int32(stack[1]))
}

func showFloat(in *instance, stack []uint64) {
	var buf [32]byte
	f := math.Float64frombits(stack[0])
	text := buf[:0]
	switch {
	case math.IsNaN(f):
		text = append(text, "NaN"...)
	case math.IsInf(f, 1):
		text = append(text, "Infinity"...)
	case math.IsInf(f, -1):
		text = append(text, "-Infinity"...)
	default:
		text = codec.AppendFloat(text, f)
	}
	stack[0] = in.putBytes(text, int32(stack[1]))
}

func showDecimal(in *instance, stack []uint64) {
	var buf [48]byte
	stack[0] = in.putBytes(in.decimal(stack[0]).AppendTo(buf[:0]), int32(stack[1]))
}

func showMoney(in *instance, stack []uint64) {
	var buf [48]byte
	amount, currency := in.money(stack[0])
	name := abi.CurrencyName(currency)
	text := native.AppendAmount(buf[:0], amount, name)
	text = append(append(text, ' '), name...)
	stack[0] = in.putBytes(text, int32(stack[1]))
}

func showDuration(in *instance, stack []uint64) {
	var buf [64]byte
	stack[0] = in.putBytes(codec.AppendDuration(buf[:0], int64(stack[0])), int32(stack[1]))
}

func showInstant(in *instance, stack []uint64) {
	var buf [48]byte
	stack[0] = in.putBytes(codec.AppendInstant(buf[:0], int64(stack[0])), int32(stack[1]))
}

func showDate(in *instance, stack []uint64) {
	var buf [32]byte
	stack[0] = in.putBytes(codec.AppendDate(buf[:0], int32(stack[0])), int32(stack[1]))
}
