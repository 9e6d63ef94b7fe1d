package emit_test

import (
	"os"
	"testing"

	"towpath.dev/internal/lang/ir"
	"towpath.dev/internal/lang/ir/irtest"
	"towpath.dev/internal/lang/opt"
)

const expHead = `import fault(i32) noreturn
import yield(i32)
global heap i32 = 0 export "heap"
global limit i32 = 0 export "limit"
global gas i64 = 0L export "gas"
pages 16
export "main" = main
`

var exps = []struct {
	name, text string
	args       []uint64
}{
	{"fib", `
func main($0 i32, $1 i64) -> i64 {
 local $2 i32 $3 i64 $4 i64 $5 i64 $6 i64 $7 i64 $8 i64
 gas 1L @0
 if (i32.eqz $0) { fault @1 }
 $2 = (i32.sub $0 1)
 if (i64.lt_s $1 2L) { $3 = $1 } else {
  $4 = (i64.add $1 -1L)
  if (i64.gt_s $4 $1) { fault @2 }
  $5 = (call main $2 $4)
  $6 = (i64.add $1 -2L)
  if (i64.gt_s $6 $1) { fault @2 }
  $7 = (call main $2 $6)
  $8 = (i64.add $5 $7)
  if (i64.lt_s (i64.and (i64.xor $5 $8) (i64.xor $7 $8)) 0L) { fault @3 }
  $3 = $8
 }
 return $3
}`, []uint64{10000, 20}},
	{"fib-nogas", `
func main($0 i32, $1 i64) -> i64 {
 local $2 i32 $3 i64 $4 i64 $5 i64 $6 i64 $7 i64 $8 i64
 if (i32.eqz $0) { fault @1 }
 $2 = (i32.sub $0 1)
 if (i64.lt_s $1 2L) { $3 = $1 } else {
  $4 = (i64.add $1 -1L)
  if (i64.gt_s $4 $1) { fault @2 }
  $5 = (call main $2 $4)
  $6 = (i64.add $1 -2L)
  if (i64.gt_s $6 $1) { fault @2 }
  $7 = (call main $2 $6)
  $8 = (i64.add $5 $7)
  if (i64.lt_s (i64.and (i64.xor $5 $8) (i64.xor $7 $8)) 0L) { fault @3 }
  $3 = $8
 }
 return $3
}`, []uint64{10000, 20}},
	{"fib-plain", `
func main($0 i32, $1 i64) -> i64 {
 if (i64.lt_s $1 2L) { return $1 } 
 return (i64.add (call main $0 (i64.sub $1 1L)) (call main $0 (i64.sub $1 2L)))
}`, []uint64{10000, 20}},
	{"fib-endfault", `
func main($0 i32, $1 i64) -> i64 {
 local $2 i32 $3 i64 $4 i64 $5 i64 $6 i64 $7 i64 $8 i64
 block f {
 gas 1L @0
 break f if (i32.eqz $0)
 $2 = (i32.sub $0 1)
 if (i64.lt_s $1 2L) { return $1 }
  $4 = (i64.add $1 -1L)
  break f if (i64.gt_s $4 $1)
  $5 = (call main $2 $4)
  $6 = (i64.add $1 -2L)
  break f if (i64.gt_s $6 $1)
  $7 = (call main $2 $6)
  $8 = (i64.add $5 $7)
  break f if (i64.lt_s (i64.and (i64.xor $5 $8) (i64.xor $7 $8)) 0L)
  return $8
 }
 fault @3
}`, []uint64{10000, 20}},
	{"fib-endfault2", `
func main($0 i32, $1 i64) -> i64 {
 local $2 i32 $3 i64 $4 i64 $5 i64 $6 i64 $7 i64 $8 i64 $9 i32
 block f {
 gas 1L @0
 if (i32.eqz $0) { $9 = 1 break f }
 $2 = (i32.sub $0 1)
 if (i64.lt_s $1 2L) { $3 = $1 } else {
  $4 = (i64.add $1 -1L)
  if (i64.gt_s $4 $1) { $9 = 2 break f }
  $5 = (call main $2 $4)
  $6 = (i64.add $1 -2L)
  if (i64.gt_s $6 $1) { $9 = 2 break f }
  $7 = (call main $2 $6)
  $8 = (i64.add $5 $7)
  if (i64.lt_s (i64.and (i64.xor $5 $8) (i64.xor $7 $8)) 0L) { $9 = 3 break f }
  $3 = $8
 }
 return $3
 }
 host fault $9
}`, []uint64{10000, 20}},
	{"fib-sub", `
func main($0 i32, $1 i64) -> i64 {
 local $2 i32 $3 i64 $4 i64 $5 i64 $6 i64 $7 i64 $8 i64
 gas 1L @0
 if (i32.eqz $0) { fault @1 }
 $2 = (i32.sub $0 1)
 if (i64.lt_s $1 2L) { return $1 }
  $4 = (i64.sub $1 1L)
  if (i64.gt_s $4 $1) { fault @2 }
  $5 = (call main $2 $4)
  $6 = (i64.sub $1 2L)
  if (i64.gt_s $6 $1) { fault @2 }
  $7 = (call main $2 $6)
  $8 = (i64.add $5 $7)
  if (i64.lt_s (i64.and (i64.xor $5 $8) (i64.xor $7 $8)) 0L) { fault @3 }
 return $8
}`, []uint64{10000, 20}},
	{"fib-merged", `
func main($0 i32, $1 i64) -> i64 {
 local $2 i32 $3 i64 $4 i64 $5 i64 $6 i64 $7 i64 $8 i64
 block f {
 %gas = (i64.sub %gas 1L)
 break f if (i32.or (i64.lt_s %gas 0L) (i32.eqz $0))
 $2 = (i32.sub $0 1)
 if (i64.lt_s $1 2L) { return $1 }
  $4 = (i64.add $1 -1L)
  $5 = (call main $2 $4)
  $6 = (i64.add $1 -2L)
  $7 = (call main $2 $6)
  $8 = (i64.add $5 $7)
  break f if (i64.lt_s (i64.and (i64.xor $5 $8) (i64.xor $7 $8)) 0L)
  return $8
 }
 fault @3
}`, []uint64{10000, 20}},
	{"float", `
func main($0 i32, $1 i64) -> i64 {
 local $2 f64 $3 i64
 $2 = 1.0
 loop l {
  if (i64.ge_s $3 $1) { return (i64.trunc_sat_f64_s $2) }
  $2 = (f64.add (f64.mul $2 0.999) 0.5)
  $3 = (i64.add $3 1L)
  if (i64.lt_s $3 0L) { fault @2 }
  gas 1L @3
  continue l
 }
}`, []uint64{10000, 10000}},
	{"int", `
func main($0 i32, $1 i64) -> i64 {
 local $2 i64 $3 i64 $4 i64
 loop l {
  if (i64.ge_s $3 $1) { return $2 }
  $4 = (i64.add $2 (i64.and $3 7L))
  if (i64.lt_s (i64.and (i64.xor $2 $4) (i64.xor (i64.and $3 7L) $4)) 0L) { fault @2 }
  $2 = $4
  $4 = (i64.add $3 1L)
  if (i64.lt_s $4 $3) { fault @2 }
  $3 = $4
  gas 1L @3
  continue l
 }
}`, []uint64{10000, 10000}},
	{"int-rotated", `
func main($0 i32, $1 i64) -> i64 {
 local $2 i64 $3 i64 $4 i64
  if (i64.ge_s $3 $1) { return $2 }
 loop l {
  $4 = (i64.add $2 (i64.and $3 7L))
  if (i64.lt_s (i64.and (i64.xor $2 $4) (i64.xor (i64.and $3 7L) $4)) 0L) { fault @2 }
  $2 = $4
  $4 = (i64.add $3 1L)
  if (i64.lt_s $4 $3) { fault @2 }
  $3 = $4
  gas 1L @3
  continue l if (i64.lt_s $3 $1)
 }
 return $2
}`, []uint64{10000, 10000}},
	{"int-localgas-endfault", `
func main($0 i32, $1 i64) -> i64 {
 local $2 i64 $3 i64 $4 i64 $5 i64
 $5 = %gas
 block f {
  if (i64.ge_s $3 $1) { return $2 }
 loop l {
  $4 = (i64.add $2 (i64.and $3 7L))
  break f if (i64.lt_s (i64.and (i64.xor $2 $4) (i64.xor (i64.and $3 7L) $4)) 0L)
  $2 = $4
  $3 = (i64.add $3 1L)
  $5 = (i64.sub $5 1L)
  break f if (i64.lt_s $5 0L)
  continue l if (i64.lt_s $3 $1)
 }
 %gas = $5
 return $2
 }
 fault @2
}`, []uint64{10000, 10000}},
	{"int-globalgas-endfault", `
func main($0 i32, $1 i64) -> i64 {
 local $2 i64 $3 i64 $4 i64 $5 i64
 block f {
  if (i64.ge_s $3 $1) { return $2 }
 loop l {
  $4 = (i64.add $2 (i64.and $3 7L))
  break f if (i64.lt_s (i64.and (i64.xor $2 $4) (i64.xor (i64.and $3 7L) $4)) 0L)
  $2 = $4
  $3 = (i64.add $3 1L)
  %gas = (i64.sub %gas 1L)
  break f if (i64.lt_s %gas 0L)
  continue l if (i64.lt_s $3 $1)
 }
 return $2
 }
 fault @2
}`, []uint64{10000, 10000}},
	{"records", `
func main($0 i32, $1 i64) -> i64 {
 local $2 i64 $3 i64 $4 i32 $5 i32 $6 i64
 block done {
 loop l {
  break done if (i32.ge_u $4 2000)
  $5 = (i32.load (i32.add 4096 (i32.shl $4 2)))
  $6 = (i64.add $2 (i64.load $5 +8))
  if (i64.lt_s (i64.and (i64.xor $2 $6) (i64.xor (i64.load $5 +8) $6)) 0L) { fault @2 }
  $2 = (i64.add $6 (i64.load $5 +16))
  gas 1L @3
  $4 = (i32.add $4 1)
  continue l
 }
 }
 return $2
}`, []uint64{10000, 10000}},
	{"int-nocheck", `
func main($0 i32, $1 i64) -> i64 {
 local $2 i64 $3 i64 $4 i64
  if (i64.ge_s $3 $1) { return $2 }
 loop l {
  $2 = (i64.add $2 (i64.and $3 7L))
  $3 = (i64.add $3 1L)
  continue l if (i64.lt_s $3 $1)
 }
 return $2
}`, []uint64{10000, 10000}},
}

func BenchmarkExp(b *testing.B) {
	for _, e := range exps {
		b.Run(e.name, func(b *testing.B) {
			m, err := irtest.Parse(expHead + e.text)
			if err != nil {
				b.Fatal(err)
			}
			x := load(b, m)
			f := x.ExportedFunction("main")
			stack := make([]uint64, 2)
			for b.Loop() {
				copy(stack, e.args)
				if err := f.CallWithStack(x.ctx, stack); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("go-fib", func(b *testing.B) {
		for b.Loop() {
			sink = fib(20)
		}
	})
	b.Run("go-float", func(b *testing.B) {
		for b.Loop() {
			sink = floats(10000)
		}
	})
	b.Run("go-int", func(b *testing.B) {
		for b.Loop() {
			sink = ints(10000)
		}
	})
}

var sink int64

//go:noinline
func fib(n int64) int64 {
	if n < 2 {
		return n
	}
	return fib(n-1) + fib(n-2)
}

//go:noinline
func floats(n int64) int64 {
	x := 1.0
	for i := int64(0); i < n; i++ {
		x = x*0.999 + 0.5
	}
	return int64(x)
}

//go:noinline
func ints(n int64) int64 {
	x := int64(0)
	for i := int64(0); i < n; i++ {
		x += i & 7
	}
	return x
}

func BenchmarkOpt(b *testing.B) {
	for _, e := range exps {
		b.Run(e.name, func(b *testing.B) {
			m, err := irtest.Parse(expHead + e.text)
			if err != nil {
				b.Fatal(err)
			}
			opt.Module(m, opt.Full)
			x := load(b, m)
			f := x.ExportedFunction("main")
			stack := make([]uint64, 2)
			for b.Loop() {
				copy(stack, e.args)
				if err := f.CallWithStack(x.ctx, stack); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func TestShow(t *testing.T) {
	for _, e := range exps {
		m, err := irtest.Parse(expHead + e.text)
		if err != nil {
			t.Fatal(err)
		}
		opt.Module(m, opt.Full)
		t.Log(e.name)
		ir.FprintFunc(os.Stdout, m.Funcs[0])
	}
}
