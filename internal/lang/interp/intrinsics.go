package interp

import (
	"math"

	"towpath.dev/internal/abi"
	"towpath.dev/internal/decimal"
	"towpath.dev/internal/lang/core"
	"towpath.dev/internal/lang/span"
	"towpath.dev/internal/native"
)

// intrinsic works out the answer of one call. Its error may be a refusal, which
// becomes a fault at the call.
type intrinsic func(in *invocation) (Value, error)

// invocation is one call of an intrinsic.
type invocation struct {
	m    *Machine
	c    *callee
	args []Value
	path uint64 // that the intrinsic is entered with
	at   span.Span
}

// callIntrinsic calls what the standard library leaves to the machine. Entering it
// is free: what an intrinsic costs it charges itself.
func (m *Machine) callIntrinsic(c *callee, args []Value, path uint64, at span.Span) (Value, error) {
	f, ok := m.intrinsics[c.fn.Intrinsic]
	if !ok {
		return nil, &Fault{Kind: abi.BadArgument, At: at, Detail: "there is no intrinsic " + c.fn.Intrinsic}
	}
	v, err := f(&invocation{m: m, c: c, args: args, path: path, at: at})
	return v, place(err, at)
}

func (in *invocation) int(i int) int64               { return in.args[i].(int64) }
func (in *invocation) str(i int) string              { return in.args[i].(string) }
func (in *invocation) list(i int) List               { return in.args[i].(List) }
func (in *invocation) float(i int) float64           { return in.args[i].(float64) }
func (in *invocation) decimal(i int) decimal.Decimal { return in.args[i].(decimal.Decimal) }

// typeArg is the i'th type argument.
func (in *invocation) typeArg(i int) core.Type { return in.c.types.apply(in.c.fn.TypeParams[i]) }

// bytes charges for n bytes read or written.
func (in *invocation) bytes(n int) error {
	return in.m.charge(core.GasBytes(int64(n)), in.at)
}

// elements charges for n elements of lists read or written.
func (in *invocation) elements(n int) error { return in.bytes(8 * n) }

// caller calls a loop's function for one element.
type caller func(args ...Value) (Value, error)

// each charges for a loop over n elements, then runs step for each index with
// what calls f for that element.
func (in *invocation) each(n int, f Value, step func(i int, call caller) error) error {
	if err := in.m.charge(int64(n), in.at); err != nil {
		return err
	}
	for i := range n {
		err := step(i, func(args ...Value) (Value, error) {
			return in.m.enter(f.(*callee), args, mix(in.path, uint64(i)+1), in.at)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// intrinsics are all that the standard library's INTRINSICS.md lists.
func intrinsics() map[string]intrinsic {
	return map[string]intrinsic{
		"list.length": func(in *invocation) (Value, error) { return int64(in.list(0).Len()), nil },
		"list.at":     listAt,
		"list.slice":  listSlice,
		"list.push":   func(in *invocation) (Value, error) { return in.list(0).Append(in.args[1]), nil },
		"list.concat": listConcat,
		"list.range":  listRange,
		"list.map":    listMap,
		"list.filter": listFilter,
		"list.fold":   listFold,

		"string.bytes":      func(in *invocation) (Value, error) { return int64(len(in.str(0))), nil },
		"string.byteAt":     stringByteAt,
		"string.sliceBytes": stringSliceBytes,
		"string.length":     ofText(func(s string) Value { return int64(characters(s)) }),
		"string.offset":     stringOffset,
		"string.find":       stringFind,
		"string.concat":     stringConcat,
		"string.toUpper":    ofText(func(s string) Value { return native.ToUpper(s) }),
		"string.toLower":    ofText(func(s string) Value { return native.ToLower(s) }),
		"string.hash":       ofText(func(s string) Value { return native.Hash(s) }),

		"int.and":        ofInts(func(a, b int64) Value { return a & b }),
		"int.or":         ofInts(func(a, b int64) Value { return a | b }),
		"int.xor":        ofInts(func(a, b int64) Value { return a ^ b }),
		"int.shiftLeft":  ofInts(func(a, b int64) Value { return a << (uint64(b) & 63) }),
		"int.shiftRight": ofInts(func(a, b int64) Value { return a >> (uint64(b) & 63) }),
		"int.toFloat":    func(in *invocation) (Value, error) { return float64(in.int(0)), nil },

		"float.floor":    ofFloat(math.Floor),
		"float.ceiling":  ofFloat(math.Ceil),
		"float.truncate": ofFloat(math.Trunc),
		"float.sqrt":     ofFloat(math.Sqrt),
		"float.toInt":    func(in *invocation) (Value, error) { return saturate(in.float(0)), nil },
		"float.isNumber": ofText(func(s string) Value { return native.IsFloat(s) }),
		"float.read":     ofTextOr("no Float", func(s string) (Value, bool) { f, ok := native.ReadFloat(s); return f, ok }),

		"decimal.fromInt":  func(in *invocation) (Value, error) { return decimal.FromInt64(in.int(0)), nil },
		"decimal.toInt":    decimalToInt,
		"decimal.toFloat":  func(in *invocation) (Value, error) { return in.decimal(0).Float64(), nil },
		"decimal.isNumber": ofText(func(s string) Value { _, err := decimal.Parse(s); return err == nil }),
		"decimal.read":     ofTextOr("no Decimal", func(s string) (Value, bool) { d, err := decimal.Parse(s); return d, err == nil }),
		"decimal.divide":   decimalDivide,
		"decimal.round":    decimalRound,

		"money.amount":   func(in *invocation) (Value, error) { return in.args[0].(core.Money).Amount, nil },
		"money.currency": func(in *invocation) (Value, error) { return in.args[0].(core.Money).Currency, nil },
		"money.make":     moneyMake,

		"duration.toNanoseconds": func(in *invocation) (Value, error) { return in.args[0], nil },
		"instant.isZone":         func(in *invocation) (Value, error) { return native.IsZone(in.str(0)), nil },
		"instant.offset":         instantOffset,

		"json.isValid": ofText(func(s string) Value { return native.IsJSON(s) }),
		"json.read":    ofTextOr("no JSON", func(s string) (Value, bool) { text, ok := native.ReadJSON(s); return JSON(text), ok }),
		"json.text":    func(in *invocation) (Value, error) { return string(in.args[0].(JSON)), nil },
		"json.of":      func(in *invocation) (Value, error) { return JSON(in.str(0)), nil },
		"json.end":     jsonEnd,
		"json.quote":   ofText(func(s string) Value { return native.QuoteJSON(s) }),
		"json.unquote": ofTextOr("no JSON string", func(s string) (Value, bool) { text, ok := native.UnquoteJSON(s); return text, ok }),

		"order.sign":  orderSign,
		"random.bits": randomBits,
	}
}
