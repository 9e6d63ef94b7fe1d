package wasm

import (
	"bytes"
	"reflect"
	"strings"
	"testing"
)

// sample is a module with one of each form.
func sample() *Module {
	var c Code
	c.Block()
	c.Local(LocalGet, 0)
	c.Op(0x50) // i64.eqz
	c.Branch(BrIf, 0)
	c.Loop()
	c.Local(LocalGet, 0)
	c.I64Const(-1)
	c.Op(I64Add)
	c.Local(LocalSet, 0)
	c.I32Const(7)
	c.Call(0)
	c.Branch(Br, 0)
	c.Op(End)
	c.Op(End)
	c.Global(GlobalGet, 0)
	c.I32Const(8)
	c.Mem(I64Load32U, 2, 16)
	c.Local(LocalSet, 2) // between an operand and what takes it
	c.Mem(F64Load, 0, 0)
	c.F64Const(0x7ff8000000000001)
	c.Op(0x61) // f64.eq
	c.IfValue(I64)
	c.I64Const(1)
	c.Op(Else)
	c.Local(LocalGet, 0)
	c.Local(LocalGet, 0)
	c.Op(0xa7) // i32.wrap_i64
	c.BrTable([]int{0, 1}, 1)
	c.Op(End)
	c.Op(Drop)
	c.I32Const(0)
	c.I32Const(8)
	c.I32Const(4)
	c.MemoryCopy()
	c.F64Const(0xbff8000000000000)
	c.Op(0xfc06)
	c.Op(Return)
	sum := Func{Name: "main.sum", Type: FuncType{Params: []ValType{I64}, Results: []ValType{I64}}, Locals: []ValType{I32, I64, I64}, Code: c.Bytes()}
	return &Module{
		Name:    "sample",
		Imports: []Import{{Module: "tow", Name: "yield", Type: FuncType{Params: []ValType{I32}}}},
		Funcs:   []Func{sum, {Name: "main.sum", Type: FuncType{}, Code: []byte{Unreachable}}, {Name: "a(b)", Type: FuncType{}, Code: []byte{Unreachable}}},
		Memory:  &Memory{Min: 1, Max: 2},
		Globals: []Global{{Type: I32, Init: 1 << 31}, {Type: F64, Init: 0xfff0000000000000}},
		Exports: []Export{{Name: "memory", Kind: ExportMemory}, {Name: "heap", Kind: ExportGlobal}, {Name: "view:main.sum", Index: 1}},
		Data:    []Data{{Offset: 1024, Bytes: []byte("a\"\x00")}},
	}
}

const sampleText = `(module
  (import "tow" "yield" (func $tow.yield (param i32)))
  (memory (export "memory") 1 2)
  (global $heap (export "heap") (mut i32) (i32.const -2147483648))
  (global $1 (mut f64) (f64.const -inf))

  (func $main.sum (export "view:main.sum") (param i64) (result i64)
    (local i32 i64 i64)
    (block $1
      (br_if $1 (i64.eqz (local.get 0)))
      (loop $2
        (local.set 0 (i64.add (local.get 0) (i64.const -1)))
        (call $tow.yield (i32.const 7))
        (br $2)))
    (global.get $heap)
    (local.set 2 (i64.load32_u offset=16 (i32.const 8)))
    (drop
      (if $3 (result i64) (f64.eq (f64.load align=1) (f64.const nan:0x8000000000001))
        (then (i64.const 1))
        (else
          (local.get 0)
          (br_table $3 1 1 (i32.wrap_i64 (local.get 0))))))
    (memory.copy (i32.const 0) (i32.const 8) (i32.const 4))
    (return (i64.trunc_sat_f64_s (f64.const -1.5))))

  (func $main.sum#2
    (unreachable))

  (func $"a(b)"
    (unreachable))

  (data (i32.const 1024) "a\22\00")
)
`

func TestFprint(t *testing.T) {
	var b strings.Builder
	if err := Fprint(&b, AppendCustom(sample().Encode(), "tow", []byte("{}"))); err != nil {
		t.Fatal(err)
	}
	if b.String() != sampleText {
		t.Errorf("got:\n%s\nwant:\n%s", b.String(), sampleText)
	}
}

func TestDecode(t *testing.T) {
	want := sample()
	got, err := Decode(want.Encode())
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v\ngot  %+v\nwant %+v", err, got, want)
	}
}

func TestDecodeRefuses(t *testing.T) {
	for _, c := range []struct{ name, bytes, want string }{
		{"text", "hello", "no module"},
		{"cut short", Magic + "\x01\x05\x00", "cut short"},
		{"table", Magic + "\x04\x01\x00", "not a section that we write"},
		{"no code", Magic + "\x01\x04\x01\x60\x00\x00\x03\x02\x01\x00", "functions without code"},
		{"no type", Magic + "\x03\x02\x01\x00", "there is no type 0"},
		{"locals", Magic + "\x01\x04\x01\x60\x00\x00\x03\x02\x01\x00\x0a\x0a\x01\x08\x01\xff\xff\xff\xff\x0f\x7f\x0b", "locals"},
		{"imported memory", Magic + "\x02\x05\x01\x00\x00\x02\x00", "an import of kind 2"},
		{"f32", Magic + "\x01\x05\x01\x60\x01\x7d\x00", "the type 0x7d"},
	} {
		if _, err := Decode([]byte(c.bytes)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

func TestFprintRefusesCode(t *testing.T) {
	for _, c := range []struct{ name, code, want string }{
		{"instruction", "\x06", "the instruction 0x6"},
		{"end", "\x0b", "without a block"},
		{"branch", "\x0c\x02", "a branch out of the function"},
		{"global", "\x23\x09", "no global 9"},
		{"call", "\x10\x09", "a call of function 9"},
		{"else", "\x05", "without a block"},
		{"else of a loop", "\x03\x40\x05\x0b", "a block without an end"},
		{"open block", "\x02\x40", "a block without an end"},
	} {
		m := &Module{Funcs: []Func{{Name: "f", Code: []byte(c.code)}}}
		if err := Fprint(&bytes.Buffer{}, m.Encode()); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

// TestFprintDeep writes operands and blocks nested deep.
func TestFprintDeep(t *testing.T) {
	code := "\x41\x00" + strings.Repeat("\x45", 100_000) + "\x1a"
	m := &Module{Funcs: []Func{{Name: "f", Code: []byte(code)}}}
	var b bytes.Buffer
	if err := Fprint(&b, m.Encode()); err != nil || strings.Count(b.String(), "i32.eqz") != 100_000 {
		t.Errorf("%v, %d bytes", err, b.Len())
	}
	m.Funcs[0].Code = []byte(strings.Repeat("\x02\x40", 5000))
	if err := Fprint(&b, m.Encode()); err == nil {
		t.Error("5000 blocks are written")
	}
}

func FuzzFprint(f *testing.F) {
	f.Add(sample().Encode())
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := Decode(data)
		if err != nil {
			return
		}
		_ = Fprint(&bytes.Buffer{}, data)
		again, err := Decode(m.Encode())
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(again.Encode(), m.Encode()) {
			t.Error("a module changes when it is read and written")
		}
	})
}
