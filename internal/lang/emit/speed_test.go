package emit_test

import (
	"testing"

	"towpath.dev/internal/lang/ir/irtest"
	"towpath.dev/internal/lang/opt"
)

// BenchmarkSpeed compares what the engine makes of optimised code with plain Go,
// which neither pays gas nor looks for overflow:
//
//	go test -bench Speed ./internal/lang/emit
func BenchmarkSpeed(b *testing.B) {
	for _, s := range speeds {
		b.Run(s.name+"/tow", func(b *testing.B) {
			m, err := irtest.Parse(speedHead + s.text)
			if err != nil {
				b.Fatal(err)
			}
			opt.Module(m, opt.Full)
			x := load(b, m)
			f := x.ExportedFunction("main")
			stack := make([]uint64, 2)
			for b.Loop() {
				stack[0], stack[1] = 10_000, s.n
				if err := f.CallWithStack(x.ctx, stack); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(s.name+"/go", func(b *testing.B) {
			for b.Loop() {
				sink = s.plain(int64(s.n))
			}
		})
	}
}

var sink int64

const speedHead = `import fault(i32) noreturn
import yield(i32)
global heap i32 = 0 export "heap"
global limit i32 = 0 export "limit"
global gas i64 = 0L export "gas"
pages 16
export "main" = main
`

// main takes the depth that is left and n.
var speeds = []struct {
	name  string
	n     uint64
	plain func(int64) int64
	text  string
}{
	{"fib", 20, fib, `
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
    if (i64.gt_s $6 $1) { fault @3 }
    $7 = (call main $2 $6)
    $8 = (i64.add $5 $7)
    if (i64.lt_s (i64.and (i64.xor $5 $8) (i64.xor $7 $8)) 0L) { fault @4 }
    $3 = $8
  }
  return $3
}`},
	{"floats", 10_000, floats, `
func main($0 i32, $1 i64) -> i64 {
  local $2 f64 $3 i64 $4 i64
  loop step {
    if (i64.eq $3 $1) { return (i64.trunc_sat_f64_s $2) }
    $4 = (i64.add $3 1L)
    if (i64.lt_s $4 $3) { fault @1 }
    $2 = (f64.add (f64.mul $2 0.999) 0.5)
    $3 = $4
    gas 1L @0
    continue step
  }
}`},
	{"sum", 10_000, sum, `
func main($0 i32, $1 i64) -> i64 {
  local $2 i64 $3 i64 $4 i64 $5 i64 $6 i64 $7 i64
  loop step {
    if (i64.eq $2 $1) { return $3 }
    $4 = (i64.add $2 1L)
    if (i64.lt_s $4 $2) { fault @1 }
    $5 = (i64.mul $2 3L)
    $6 = (i64.add $3 $5)
    if (i64.lt_s (i64.and (i64.xor $3 $6) (i64.xor $5 $6)) 0L) { fault @2 }
    $7 = (i64.add $6 -1L)
    if (i64.gt_s $7 $6) { fault @3 }
    $2 = $4
    $3 = $7
    gas 2L @0
    continue step
  }
}`},
	{"records", 2000, records, `
func main($0 i32, $1 i64) -> i64 {
  local $2 i64 $3 i32 $4 i32 $5 i64 $6 i64
  block done {
    loop while {
      break done if (i32.ge_u $3 (i32.wrap_i64 $1))
      $4 = (i32.load (i32.add 4096 (i32.shl $3 2)))
      gas 1L @0
      $5 = (i64.load $4 +8)
      if (i64.gt_s (i64.load $4 +16) -1L) {
        $6 = (i64.add $2 $5)
        if (i64.lt_s (i64.and (i64.xor $2 $6) (i64.xor $5 $6)) 0L) { fault @1 }
        $2 = $6
      }
      $3 = (i32.add $3 1)
      continue while
    }
  }
  return $2
}`},
}

//go:noinline
func fib(n int64) int64 {
	if n < 2 {
		return n
	}
	return fib(n-1) + fib(n-2)
}

//go:noinline
func floats(n int64) int64 {
	x := 0.0
	for range n {
		x = x*0.999 + 0.5
	}
	return int64(x)
}

//go:noinline
func sum(n int64) int64 {
	x := int64(0)
	for i := range n {
		x += i*3 - 1
	}
	return x
}

type record struct {
	_    int64 // a tag, to lie as our records do
	a, b int64
}

var table = func() []*record {
	out := make([]*record, 2000)
	for i := range out {
		out[i] = &record{}
	}
	return out
}()

//go:noinline
func records(n int64) int64 {
	x := int64(0)
	for _, r := range table[:n] {
		if r.b > -1 {
			x += r.a
		}
	}
	return x
}
