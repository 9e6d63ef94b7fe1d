package interp

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"towpath.dev/internal/lang/core"
)

func TestIntrinsics(t *testing.T) {
	w := newWorld()
	rounding := builtin("decimal", "Rounding")
	define(rounding, core.Variant, ctor("HalfEven"), ctor("HalfUp"), ctor("HalfDown"), ctor("Up"), ctor("Down"), ctor("Ceiling"), ctor("Floor"))
	up := &Record{Ctor: rounding.Ctors[1]}
	ints := func(ns ...int64) List {
		var l List
		for _, n := range ns {
			l = l.Append(n)
		}
		return l
	}
	long := strings.Repeat("é", 64) // 128 bytes
	args := func(vs ...Value) []Value { return vs }
	tests := []struct {
		name string
		args []Value
		want string // as %v prints it, or the fault
		gas  int64
	}{
		{"list.length", args(ints(1, 2)), "2", 0},
		{"list.at", args(ints(1, 2), int64(1)), "2", 0},
		{"list.at", args(ints(1, 2), int64(2)), "bad argument at 1", 0},
		{"list.at", args(ints(1, 2), int64(-1)), "bad argument at 1", 0},
		{"list.slice", args(ints(1, 2, 3), int64(1), int64(9)), "[2 3]", 0},
		{"list.slice", args(ints(1, 2, 3), int64(-5), int64(1)), "[1]", 0},
		{"list.slice", args(ints(1, 2, 3), int64(2), int64(1)), "[]", 0},
		{"list.slice", args(ints(1, 2, 3), int64(math.MaxInt64), int64(math.MinInt64)), "[]", 0},
		{"list.push", args(ints(1), int64(2)), "[1 2]", 0},
		{"list.concat", args(ints(1), ints(2, 3)), "[1 2 3]", 0},
		{"list.concat", args(ints(1), ints(make([]int64, 9)...)), "[1 0 0 0 0 0 0 0 0 0]", 1},
		{"list.range", args(int64(2), int64(5)), "[2 3 4]", 3},
		{"list.range", args(int64(5), int64(2)), "[]", 0},
		{"list.range", args(int64(0), int64(101)), "out of gas at 1", 101},
		{"list.range", args(int64(math.MinInt64), int64(math.MaxInt64)), "out of gas at 1", 1 << 62},
		{"string.bytes", args("é"), "2", 0},
		{"string.byteAt", args("é", int64(1)), "169", 0},
		{"string.byteAt", args("é", int64(2)), "bad argument at 1", 0},
		{"string.sliceBytes", args("abc", int64(1), int64(2)), "b", 0},
		{"string.length", args("aé日😀"), "4", 0},
		{"string.length", args(long), "64", 1},
		{"string.offset", args("aé日", int64(2)), "3", 0},
		{"string.offset", args("aé日", int64(3)), "6", 0},
		{"string.offset", args("aé日", int64(9)), "6", 0},
		{"string.offset", args("aé日", int64(-1)), "0", 0},
		{"string.find", args("banana", "ana", int64(2)), "3", 0},
		{"string.find", args("banana", "", int64(99)), "6", 0},
		{"string.find", args("banana", "x", int64(0)), "-1", 0},
		{"string.concat", args(NewList("a", "", "b")), "ab", 0},
		{"string.toUpper", args("aé"), "AÉ", 0},
		{"string.toLower", args("AÉ"), "aé", 0},
		{"string.hash", args(""), "-780787492076525413", 0},
		{"int.and", args(int64(6), int64(3)), "2", 0},
		{"int.or", args(int64(6), int64(3)), "7", 0},
		{"int.xor", args(int64(6), int64(3)), "5", 0},
		{"int.shiftLeft", args(int64(1), int64(65)), "2", 0},
		{"int.shiftLeft", args(int64(1), int64(-1)), "-9223372036854775808", 0},
		{"int.shiftRight", args(int64(-4), int64(1)), "-2", 0},
		{"int.toFloat", args(int64(math.MaxInt64)), "9.223372036854776e+18", 0},
		{"float.floor", args(-1.5), "-2", 0},
		{"float.ceiling", args(1.2), "2", 0},
		{"float.truncate", args(-1.9), "-1", 0},
		{"float.sqrt", args(-1.0), "NaN", 0},
		{"float.toInt", args(-1.9), "-1", 0},
		{"float.toInt", args(1e30), "9223372036854775807", 0},
		{"float.toInt", args(-1e30), "-9223372036854775808", 0},
		{"float.toInt", args(math.NaN()), "0", 0},
		{"float.isNumber", args("1e999"), "false", 0},
		{"float.read", args("1.5"), "1.5", 0},
		{"float.read", args("x"), "bad argument at 1", 0},
		{"decimal.fromInt", args(int64(7)), "7", 0},
		{"decimal.toInt", args(dec("-7.9")), "-7", 0},
		{"decimal.toInt", args(dec("1e20")), "bad argument at 1", 0},
		{"decimal.toFloat", args(dec("0.1")), "0.1", 0},
		{"decimal.isNumber", args("1e40"), "false", 0},
		{"decimal.read", args("1.50"), "1.5", 0},
		{"decimal.read", args(""), "bad argument at 1", 0},
		{"decimal.divide", args(dec("1"), dec("8"), int64(2), up), "0.13", 0},
		{"decimal.divide", args(dec("1"), dec("0"), int64(2), up), "division by zero at 1", 0},
		{"decimal.divide", args(dec("1"), dec("0"), int64(35), up), "bad argument at 1", 0},
		{"decimal.divide", args(dec("1e33"), dec("0.01"), int64(0), up), "overflow at 1", 0},
		{"decimal.round", args(dec("1.25"), int64(1), up), "1.3", 0},
		{"decimal.round", args(dec("1.25"), int64(math.MaxInt64), up), "bad argument at 1", 0},
		{"money.amount", args(usd("1.50")), "1.5", 0},
		{"money.currency", args(usd("1.50")), "USD", 0},
		{"money.make", args(dec("1"), "EUR"), "{1 EUR}", 0},
		{"money.make", args(dec("1"), "EURO"), "bad argument at 1", 0},
		{"duration.toNanoseconds", args(int64(5)), "5", 0},
		{"instant.isZone", args("Europe/Berlin"), "true", 0},
		{"instant.isZone", args("Nowhere/At all"), "false", 0},
		{"instant.offset", args(int64(0), "Europe/Berlin"), "3600", 0},
		{"instant.offset", args(int64(0), "x"), "bad argument at 1", 0},
		{"json.isValid", args("[1, 2]"), "true", 0},
		{"json.read", args(" [1, 2] "), "[1,2]", 0},
		{"json.read", args("[1, 2"), "bad argument at 1", 0},
		{"json.text", args(JSON("[1]")), "[1]", 0},
		{"json.of", args("[1]"), "[1]", 0},
		{"json.end", args("[1,[2,3],4]", int64(3)), "8", 0},
		{"json.end", args("[1]", int64(3)), "bad argument at 1", 0},
		{"json.quote", args("a\"\n"), `"a\"\n"`, 0},
		{"json.unquote", args(`"a\u00e9"`), "aé", 0},
		{"json.unquote", args(`"`), "bad argument at 1", 0},
	}
	for _, tt := range tests {
		m := w.machine(Options{Gas: 100})
		f := intrinsicFn(tt.name)
		v, err := m.callIntrinsic(&callee{fn: f}, tt.args, 0, at(1))
		got := fmt.Sprint(v)
		if l, ok := v.(List); ok {
			got = fmt.Sprint(l.Elems())
		}
		if err != nil {
			got = outcome(m, nil, v, err)
		}
		if got != tt.want || m.GasUsed() != tt.gas {
			t.Errorf("%s%v = %s for %d gas, want %s for %d", tt.name, tt.args, got, m.GasUsed(), tt.want, tt.gas)
		}
	}
}

func TestRandomBitsDependOnTheSeed(t *testing.T) {
	w := newWorld()
	seen := map[Value]bool{}
	for seed := range int64(3) {
		m := w.machine(Options{Seed: seed})
		for i := range int64(3) {
			v, err := m.enter(&callee{fn: intrinsicFn("random.bits")}, []Value{"key", i}, 0, at(1))
			if err != nil {
				t.Fatal(err)
			}
			seen[v] = true
		}
	}
	if len(seen) != 9 {
		t.Errorf("%d different of 9", len(seen))
	}
}
