package workload

import "fmt"

// Count is the input of all of W3: how far to go.
type Count struct {
	N int `json:"n"`
}

// Steps is how many steps W3's loops take.
const Steps = 10_000

// W3Float is a loop of floating-point arithmetic: acc = acc*1.000001 + 0.5.
func W3Float() *Workload {
	return loop("W3float", "10,000 steps of acc*1.000001 + 0.5", "w3.floatLoop", Steps, sameJSON[float64])
}

// W3Int is the loop of a polynomial hash: acc = (acc*31 + i) % 1000003.
func W3Int() *Workload {
	return loop("W3int", "10,000 steps of (acc*31 + i) % 1000003", "w3.hashLoop", Steps, sameJSON[int64])
}

// W3Sum is a loop with next to nothing in it, which leaves the checks of
// overflow and of gas nowhere to hide: acc = acc + i*3 - 1.
func W3Sum() *Workload {
	return loop("W3sum", "10,000 steps of acc + i*3 - 1", "w3.sumLoop", Steps, sameJSON[int64])
}

// W3Fold is W3Int by a fold over a range.
func W3Fold() *Workload {
	return loop("W3fold", "W3int as a fold over list.range", "w3.hashFold", Steps, sameJSON[int64])
}

// W3Fib is the naive Fibonacci number 20: 21,891 calls.
func W3Fib() *Workload {
	return loop("W3fib", "fib(20), 21,891 calls", "w3.fibonacci", 20, sameJSON[int64])
}

func loop(name, doc, view string, n int, same func(a, b []byte) error) *Workload {
	return &Workload{
		Name:    name,
		Doc:     doc,
		Inputs:  [][]byte{fmt.Appendf(nil, `{"n":%d}`, n)},
		Same:    same,
		Project: "w3",
		View:    view,
	}
}
