package bench

import "towpath.dev/bench/workload"

// Kind is what a measure compares with its bar.
type Kind uint8

// The kinds.
const (
	// Ratio is the subject's CPU time by the peer's.
	Ratio Kind = iota
	// CPU is the subject's CPU time alone, in nanoseconds.
	CPU
	// Allocs is the subject's allocations for each request.
	Allocs
)

// Measure is one line of the table.
type Measure struct {
	Name     string
	Contest  string // its workload's name
	Mode     workload.Mode
	Kind     Kind
	Subject  string  // the side in question: "tow"
	Peer     string  // the side to compare with; "" but for a Ratio
	Bar      float64 // at most this much: a ratio, nanoseconds or allocations
	Reported bool    // without a bar
}

// Measures are the lines of the table.
func Measures() []Measure {
	const (
		e2e   = workload.EndToEnd
		logic = workload.Logic
		tow   = "tow"
	)
	return []Measure{
		{Name: "W1 e2e vs Go, goccy/go-json", Contest: "W1", Mode: e2e, Subject: tow, Peer: "go-goccy", Bar: 0.40},
		{Name: "W1 e2e vs Go, goccy/go-json, pooled", Contest: "W1", Mode: e2e, Subject: tow, Peer: "go-goccy-pooled", Reported: true},
		{Name: "W1 e2e vs Go, encoding/json", Contest: "W1", Mode: e2e, Subject: tow, Peer: "go-std", Bar: 0.08},
		{Name: "W1 logic vs Go", Contest: "W1", Mode: logic, Subject: tow, Peer: "go-goccy", Bar: 3.5},
		{Name: "W1 e2e vs cel-go", Contest: "W1", Mode: e2e, Subject: tow, Peer: "cel", Bar: 0.05},
		{Name: "W1 e2e vs cel-go, one expression", Contest: "W1", Mode: e2e, Subject: tow, Peer: "cel-whole", Reported: true},
		{Name: "W1 e2e vs Expr", Contest: "W1", Mode: e2e, Subject: tow, Peer: "expr", Bar: 0.05},
		{Name: "W1 e2e vs Expr, one program", Contest: "W1", Mode: e2e, Subject: tow, Peer: "expr-whole", Reported: true},
		{Name: "W1 e2e vs OPA", Contest: "W1", Mode: e2e, Subject: tow, Peer: "opa", Bar: 0.005},
		{Name: "W1 e2e vs Starlark", Contest: "W1", Mode: e2e, Subject: tow, Peer: "starlark", Reported: true},
		{Name: "W1 e2e vs goja", Contest: "W1", Mode: e2e, Subject: tow, Peer: "goja", Reported: true},
		{Name: "W1 e2e vs Node", Contest: "W1", Mode: e2e, Subject: tow, Peer: "node", Reported: true},
		{Name: "W1 logic vs Node", Contest: "W1", Mode: logic, Subject: tow, Peer: "node", Reported: true},
		{Name: "W1 allocations", Contest: "W1", Mode: e2e, Kind: Allocs, Subject: tow, Bar: 0},

		{Name: "W1d e2e vs Go, govalues/decimal", Contest: "W1d", Mode: e2e, Subject: tow, Peer: "go-goccy", Bar: 0.6},
		{Name: "W1d logic vs Go, govalues/decimal", Contest: "W1d", Mode: logic, Subject: tow, Peer: "go-goccy", Reported: true},
		{Name: "W1d allocations", Contest: "W1d", Mode: e2e, Kind: Allocs, Subject: tow, Reported: true},

		{Name: "W2 logic vs Expr", Contest: "W2", Mode: logic, Subject: tow, Peer: "expr", Bar: 0.3},
		{Name: "W2 logic vs cel-go", Contest: "W2", Mode: logic, Subject: tow, Peer: "cel", Bar: 0.15},
		{Name: "W2 logic vs OPA", Contest: "W2", Mode: logic, Subject: tow, Peer: "opa", Bar: 0.003},
		{Name: "W2 logic vs Go", Contest: "W2", Mode: logic, Subject: tow, Peer: "go-goccy", Reported: true},
		{Name: "W2 e2e vs Go, goccy/go-json", Contest: "W2", Mode: e2e, Subject: tow, Peer: "go-goccy", Reported: true},
		{Name: "W2 logic vs Starlark", Contest: "W2", Mode: logic, Subject: tow, Peer: "starlark", Reported: true},
		{Name: "W2 logic vs goja", Contest: "W2", Mode: logic, Subject: tow, Peer: "goja", Reported: true},
		{Name: "W2 logic vs Node", Contest: "W2", Mode: logic, Subject: tow, Peer: "node", Reported: true},
		{Name: "W2 allocations", Contest: "W2", Mode: e2e, Kind: Allocs, Subject: tow, Bar: 0},

		{Name: "W3 float loop vs Go", Contest: "W3float", Mode: logic, Subject: tow, Peer: "go", Bar: 1.7},
		{Name: "W3 int loop, a hash, vs Go", Contest: "W3int", Mode: logic, Subject: tow, Peer: "go", Bar: 1.5},
		{Name: "W3 int loop, a bare sum, vs Go", Contest: "W3sum", Mode: logic, Subject: tow, Peer: "go", Bar: 1.5},
		{Name: "W3 the hash as a fold vs Go", Contest: "W3fold", Mode: logic, Subject: tow, Peer: "go", Reported: true},
		{Name: "W3 fib(20) vs Go", Contest: "W3fib", Mode: logic, Subject: tow, Peer: "go", Bar: 2.5},
		{Name: "W3 float loop vs Node", Contest: "W3float", Mode: logic, Subject: tow, Peer: "node", Reported: true},
		{Name: "W3 int loop, a hash, vs Node", Contest: "W3int", Mode: logic, Subject: tow, Peer: "node", Reported: true},
		{Name: "W3 fib(20) vs Node", Contest: "W3fib", Mode: logic, Subject: tow, Peer: "node", Reported: true},
		{Name: "W3 fib(20) vs goja", Contest: "W3fib", Mode: logic, Subject: tow, Peer: "goja", Reported: true},
		{Name: "W3 fib(20) vs Starlark", Contest: "W3fib", Mode: logic, Subject: tow, Peer: "starlark", Reported: true},

		{Name: "W4 e2e vs Go, goroutines", Contest: "W4", Mode: e2e, Subject: tow, Peer: "go-goroutines", Bar: 0.8},
		{Name: "W4 e2e vs Go, one call after the other", Contest: "W4", Mode: e2e, Subject: tow, Peer: "go-serial", Reported: true},
		{Name: "W4 one more pass, every answer known (ns)", Contest: "W4", Mode: logic, Kind: CPU, Subject: tow, Bar: 2500},
	}
}
