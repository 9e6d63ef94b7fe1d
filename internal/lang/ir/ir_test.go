package ir_test

import (
	"strings"
	"testing"

	"towpath.dev/internal/lang/ir"
	"towpath.dev/internal/lang/ir/irtest"
)

// everything has each statement and expression once, as Fprint writes them.
const everything = `import fault(i32) noreturn
import ask(i32, i32) -> i32
import hash(i64) -> i64 pure
global gas i64 = -3L export "gas"
global "odd name" f64 = 1.5
export "view:shop.price" = shop.price
data "a\x00\"b"
pages 2

func shop.price($0 i32, $1 i64) -> i64 inline {
  local $2 i64 $3 f64
  gas 1L @4
  $2 = (i64.load $0 +8)
  %gas = (i64.add %gas $2)
  i64.store $0 +16 $2
  i32.store8 (i32.add $0 4) 255
  copy $0 16 (i32.wrap_i64 $1)
  do (host ask 1 $0)
  call walk $3
  host fault 7
  block out {
    loop again {
      break out if (i64.eqz $2)
      continue again if (f64.lt $3 -0.0)
      break out
      continue again
    }
  }
  if (i32.load8 $0) {
    return (cond (i32.load.mut $0 +4) 1L -9223372036854775808L)
  } else {
    fault @9
  }
  switch (alloc 16 @2) {
  case {
    return (call shop.price 0 1L)
  }
  case {
  }
  default {
    $3 = nan:0x7ff8000000000001
  }
  }
  return (seq {
    $2 = (i64.trunc_sat_f64_s $3)
  } (host hash $2))
}

func walk($0 f64) noinline runtime {
  $0 = +Inf
  return
}

func walk#2() {
}
`

func TestPrintParsesBack(t *testing.T) {
	m, err := irtest.Parse(everything)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := ir.Fprint(&out, m); err != nil {
		t.Fatal(err)
	}
	if out.String() != everything {
		t.Errorf("printed:\n%s", out.String())
	}
	if err := ir.Verify(m); err != nil {
		t.Error(err)
	}
	out.Reset()
	ir.FprintFunc(&out, m.Funcs[1])
	if want := "func walk($0 f64) noinline runtime {\n  $0 = +Inf\n  return\n}\n"; out.String() != want {
		t.Errorf("FprintFunc: %s", out.String())
	}
}

func TestVerify(t *testing.T) {
	const head = "import fault(i32) noreturn\nimport ask(i32, i32) -> i32\nglobal g i64 = 0L\n" +
		"func none($0 i32) {\n}\nfunc some() -> f64 {\n  return 1.0\n}\n"
	tests := []struct{ name, text, want string }{
		{"fine", "func f($0 i64) -> i64 {\n loop l {\n break2\n }\n}", ""},
		{"falls off", "func f() -> i64 {\n}", "a path ends without a result"},
		{"one side falls off", "func f($0 i32) -> i32 {\n if $0 { return 1 }\n}", "a path ends without a result"},
		{"both sides return", "func f($0 i32) -> i32 {\n if $0 { return 1 } else { fault @1 }\n}", ""},
		{"noreturn ends", "func f($0 i32) -> i32 {\n host fault 1\n}", ""},
		{"endless loop", "func f() -> i32 {\n loop l {\n continue l\n }\n}", ""},
		{"block broken", "func f($0 i32) -> i32 {\n block l {\n break l if $0\n return 1\n }\n}", "a path ends without a result"},
		{"block never broken", "func f($0 i32) -> i32 {\n block l {\n return 1\n }\n}", ""},
		{"switch falls", "func f($0 i32) -> i32 {\n switch $0 {\n case { }\n default { return 1 }\n }\n}", "a path ends without a result"},
		{"wrong local", "func f($0 i32, $1 i64) {\n $0 = $1\n}", "the value of a local is an i64, not an i32"},
		{"wrong operand", "func f($0 i32) {\n do (i64.add 1L $0)\n}", "the right operand of i64.add is missing or no i64"},
		{"wrong argument", "func f() {\n call none 1L\n}", "argument 0 of none is an i64, not an i32"},
		{"wrong return", "func f() -> i32 {\n return 1L\n}", "the value of a return is an i64, not an i32"},
		{"wrong test", "func f() {\n if 1L { }\n}", "the test of an if is an i64, not an i32"},
		{"wrong sides", "func f() {\n do (cond 1 2 2L)\n}", "the sides of a cond are an i32 and an i64"},
		{"statement of a value", "func f() {\n call some\n}", "only functions without a result"},
		{"value of a statement", "func f() {\n do (call none 1)\n}", "only functions without a result"},
		{"wide store", "func f() {\n i32.store 0 +4 1\n i64.store8 0 1\n f64.store 0 1\n}", "a store"},
		{"return in a seq", "func f() -> i32 {\n return (seq {\n return 1\n } 2)\n}", "within a seq"},
		{"branch out of a seq", "func f() {\n block l {\n do (seq {\n break l\n } 2)\n }\n}", "out of a seq"},
		{"branch in a seq", "func f() {\n do (seq {\n block l {\n break l\n }\n } 2)\n}", ""},
		{"gas in i32", "func f() {\n gas 1 @1\n}", "the cost of gas is an i32, not an i64"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			text := strings.ReplaceAll(test.text, "break2", "return 1L")
			m, err := irtest.Parse(head + text)
			if err != nil {
				t.Fatal(err)
			}
			check(t, ir.Verify(m), test.want)
		})
	}
}

// What text cannot say.
func TestVerifyTrees(t *testing.T) {
	label := &ir.Label{Name: "l"}
	other := &ir.Func{Name: "other"}
	tests := []struct {
		name string
		body []ir.Stmt
		want string
	}{
		{"closed label", []ir.Stmt{&ir.Block{Label: label}, &ir.Break{Label: label}}, "not open"},
		{"break of a loop", []ir.Stmt{&ir.Loop{Label: label, Body: []ir.Stmt{&ir.Break{Label: label}}}}, "the other"},
		{"label twice", []ir.Stmt{&ir.Loop{Label: label, Body: []ir.Stmt{&ir.Block{Label: label}}}}, "around it"},
		{"unknown local", []ir.Stmt{&ir.Set{Local: 3, X: &ir.Const{T: ir.I32}}}, "no local $3"},
		{"get of another type", []ir.Stmt{&ir.Do{X: &ir.Get{T: ir.I64, Local: 0}}}, "the local $0 is an i32, not an i64"},
		{"unlisted function", []ir.Stmt{&ir.CallStmt{Func: other}}, "not in the module"},
		{"unlisted global", []ir.Stmt{&ir.Do{X: &ir.GetGlobal{Global: &ir.Global{Type: ir.I32}}}}, "not in the module"},
		{"missing expression", []ir.Stmt{&ir.Do{X: &ir.Unary{Op: ir.I32Eqz}}}, "missing"},
		{"no operator", []ir.Stmt{&ir.Do{X: &ir.Unary{X: &ir.Const{T: ir.I32}}}}, "operator"},
		{"big i32", []ir.Stmt{&ir.Do{X: &ir.Const{T: ir.I32, Bits: 1 << 40}}}, "no i32"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f := &ir.Func{Name: "f", Locals: []ir.Type{ir.I32}, Body: test.body}
			check(t, ir.Verify(&ir.Module{Funcs: []*ir.Func{f}}), test.want)
		})
	}
}

func check(t *testing.T, err error, want string) {
	t.Helper()
	switch {
	case want == "" && err != nil:
		t.Error(err)
	case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
		t.Errorf("got %v, want %q", err, want)
	}
}
