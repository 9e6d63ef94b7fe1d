package golang

import "towpath.dev/bench/workload"

// W3Float is W3float in plain Go.
func W3Float() (workload.Side, error) { return plain(float, &keptFloat) }

// W3Int is W3int in plain Go, without checks of overflow.
func W3Int() (workload.Side, error) { return plain(hash, &keptInt) }

// W3Sum is W3sum in plain Go, without checks of overflow.
func W3Sum() (workload.Side, error) { return plain(sum, &keptInt) }

// W3Fib is W3fib in plain Go, without checks of overflow.
func W3Fib() (workload.Side, error) { return plain(fib, &keptInt) }

func plain[Ans any](compute func(n int) Ans, keep *Ans) (workload.Side, error) {
	return side("go", workload.GoccyJSON(),
		func(c *workload.Count) (any, error) { return compute(c.N), nil },
		func(c *workload.Count) error {
			*keep = compute(c.N)
			return nil
		})
}

var (
	keptFloat float64
	keptInt   int
)

//go:noinline
func float(n int) float64 {
	acc := 0.0
	for i := 0; i < n; i++ {
		acc = acc*1.000001 + 0.5
	}
	return acc
}

//go:noinline
func hash(n int) int {
	acc := 7
	for i := 0; i < n; i++ {
		acc = (acc*31 + i) % 1_000_003
	}
	return acc
}

//go:noinline
func sum(n int) int {
	acc := 0
	for i := 0; i < n; i++ {
		acc = acc + i*3 - 1
	}
	return acc
}

// fib calls itself, so that it is never inlined.
func fib(n int) int {
	if n < 2 {
		return n
	}
	return fib(n-1) + fib(n-2)
}
