// Package workload says what the benchmarks compute: the inputs, the shapes of
// requests and answers, and what every side has to offer to be compared.
//
// A Workload is one task with its inputs ("W1", the best of twenty offers). A
// Side is one implementation of it: a peer's, or Towpath's. Every side answers
// the same JSON with the same JSON; Same says whether two answers are equal,
// and the tests of package bench hold every pair of sides to it.
//
//	side, err := golang.W1Goccy()
//	answer, err := side.Answer(workload.W1().Inputs[0])
//	// {"offer":"o-1007","price":5241,"score":187.40625,"reason":"fast"}
package workload

import (
	"errors"
	"time"
)

// A Workload is one task.
type Workload struct {
	Name string // "W1"
	Doc  string // one line for the tables
	// Inputs are request bodies. End-to-end measures take them in turn; measures
	// of the logic alone use the first.
	Inputs [][]byte
	// Same says how two answers to one input differ, nil when they do not.
	Same func(a, b []byte) error
	// View is the qualified name of the Tow view, and Project the folder under
	// bench/tow that holds it.
	Project, View string
	// Store answers the view's calls; nil when it makes none.
	Store *Store
}

// Mode is the part of a request that a measure times.
type Mode uint8

// The modes.
const (
	// EndToEnd is from the request's JSON to the answer's.
	EndToEnd Mode = iota
	// Logic is the decision alone, on a decoded request, up to an answer that is
	// not encoded.
	Logic
)

func (m Mode) String() string {
	if m == Logic {
		return "logic"
	}
	return "e2e"
}

// Loop does one thing n times. It is not safe for concurrent use.
type Loop func(n int) error

// Side is one implementation of one workload.
type Side struct {
	Name string // "go-goccy"; the name of its sub-benchmark
	// Answer answers one request, JSON to JSON. The answer is valid until the
	// next call.
	Answer func(body []byte) ([]byte, error)
	// Logic decodes one request and gives the loop that decides it. Nil where a
	// side has no such part.
	Logic func(body []byte) (Loop, error)
	// Remote times the side where it runs in a process of its own; nil for the
	// sides that run in this one.
	Remote Remote
	// Close ends what the side started; nil when there is nothing to end.
	Close func() error
}

// Remote is a side in another process, which times itself.
type Remote interface {
	// Time runs n requests of the mode, the inputs in turn, and gives the CPU
	// time that its process took for them.
	Time(mode Mode, n int) (time.Duration, error)
}

// ErrUnavailable is in the error of a side that cannot run on this machine or
// in this build. Tests and tables skip it, and say why.
var ErrUnavailable = errors.New("unavailable here")

// sink keeps the compiler from dropping an answer that nobody reads.
var sink []byte

// Loop gives the side's loop of a mode over inputs: all of them in turn end to
// end, the first for the logic.
func (s *Side) Loop(mode Mode, inputs [][]byte) (Loop, error) {
	if mode == Logic {
		if s.Logic == nil {
			return nil, errors.New(s.Name + " has no logic apart from its request")
		}
		return s.Logic(inputs[0])
	}
	next := 0
	return func(n int) error {
		for range n {
			answer, err := s.Answer(inputs[next])
			if err != nil {
				return err
			}
			sink = answer
			if next++; next == len(inputs) {
				next = 0
			}
		}
		return nil
	}, nil
}
