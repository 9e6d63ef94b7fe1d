// Package bench compares Towpath with what its users would otherwise write:
// hand-written Go, expression engines, policy engines and embedded scripts.
//
// It is a module of its own, so that the peers' dependencies never reach the
// product's. A Contest is a workload with the sides that run it; a Measure is
// one line of the table that cmd/ratios prints, with the bar that Towpath has
// to clear. README.md says how to run both forms and how to read them.
//
//	go test -bench . ./...        for benchstat
//	go run ./cmd/ratios           both sides interleaved, by CPU time
package bench

import (
	"towpath.dev/bench/peers/celpeer"
	"towpath.dev/bench/peers/exprpeer"
	"towpath.dev/bench/peers/golang"
	"towpath.dev/bench/peers/jspeer"
	"towpath.dev/bench/peers/opapeer"
	"towpath.dev/bench/peers/starlarkpeer"
	"towpath.dev/bench/tow"
	"towpath.dev/bench/workload"
)

// Contest is a workload and the sides that run it.
type Contest struct {
	*workload.Workload
	// Edges are more inputs on which the sides must agree.
	Edges [][]byte
	// Sides are in the order in which tables show them. The first is the
	// reference for the tests of equality.
	Sides []Entrant
}

// Entrant is a side that is not open yet.
type Entrant struct {
	Name string // as the open side's
	Open func() (workload.Side, error)
}

// Side finds a side by its name.
func (c *Contest) Side(name string) (Entrant, bool) {
	for _, e := range c.Sides {
		if e.Name == name {
			return e, true
		}
	}
	return Entrant{}, false
}

// Contests are all of them, in the order in which tables show them.
func Contests() []Contest {
	return []Contest{
		contest(workload.W1(), workload.W1Edges(), []Entrant{
			{"go-goccy", golang.W1Goccy},
			{"go-goccy-pooled", golang.W1Pooled},
			{"go-std", golang.W1Std},
			encoded("cel", celpeer.W1PerOffer, workload.StdJSON()),
			encoded("cel-goccy", celpeer.W1PerOffer, workload.GoccyJSON()),
			encoded("cel-whole", celpeer.W1Whole, workload.StdJSON()),
			encoded("expr", exprpeer.W1PerOffer, workload.StdJSON()),
			encoded("expr-goccy", exprpeer.W1PerOffer, workload.GoccyJSON()),
			encoded("expr-whole", exprpeer.W1Whole, workload.StdJSON()),
			{"opa", opapeer.W1},
		}, scripts("best", "best")),
		contest(workload.W1d(), workload.W1dEdges(), []Entrant{
			{"go-goccy", golang.W1dGoccy},
		}, nil),
		contest(workload.W2(), workload.W2Edges(), []Entrant{
			{"go-goccy", golang.W2Goccy},
			{"go-std", golang.W2Std},
			encoded("cel", celpeer.W2, workload.StdJSON()),
			encoded("expr", exprpeer.W2, workload.StdJSON()),
			{"opa", opapeer.W2},
		}, scripts("allow", "allow")),
		contest(workload.W3Float(), nil, []Entrant{{"go", golang.W3Float}}, scripts("float_loop", "floatLoop")),
		contest(workload.W3Int(), nil, []Entrant{{"go", golang.W3Int}}, scripts("hash_loop", "hashLoop")),
		contest(workload.W3Fold(), nil, []Entrant{{"go", golang.W3Int}}, nil),
		contest(workload.W3Sum(), nil, []Entrant{{"go", golang.W3Sum}}, scripts("sum_loop", "sumLoop")),
		contest(workload.W3Fib(), nil, []Entrant{{"go", golang.W3Fib}}, scripts("fibonacci", "fibonacci")),
		rounds(),
	}
}

// encoded is a side of an engine that leaves JSON to its host.
func encoded(name string, open func(string, workload.Codec) (workload.Side, error), json workload.Codec) Entrant {
	return Entrant{name, func() (workload.Side, error) { return open(name, json) }}
}

// script makes the entrants in scripting languages, given the workload.
type script func(*workload.Workload) []Entrant

// scripts are the entrants that run a function of the Starlark and of the
// JavaScript script.
func scripts(star, js string) script {
	return func(w *workload.Workload) []Entrant {
		return []Entrant{
			{"starlark", func() (workload.Side, error) { return starlarkpeer.New(star) }},
			{"goja", func() (workload.Side, error) { return jspeer.Goja(js) }},
			{"node", func() (workload.Side, error) { return jspeer.Node(js, w.Inputs) }},
		}
	}
}

func contest(w *workload.Workload, edges [][]byte, sides []Entrant, more script) Contest {
	if more != nil {
		sides = append(sides, more(w)...)
	}
	sides = append(sides, Entrant{"tow", func() (workload.Side, error) { return tow.New(w) }})
	return Contest{Workload: w, Edges: edges, Sides: sides}
}

func rounds() Contest {
	w := workload.W4()
	return contest(w, nil, []Entrant{
		{"go-goroutines", func() (workload.Side, error) { return golang.W4Goroutines(w.Store) }},
		{"go-serial", func() (workload.Side, error) { return golang.W4Serial(w.Store) }},
	}, nil)
}
