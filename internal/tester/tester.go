// Package tester runs the tests and properties that a Tow program holds.
//
// Words used throughout. A test is a `test` or a `prop`. A stub is a `given`
// that stands in for a service's operation. A case is one choice of a prop's
// inputs; a counterexample is a case that fails, made as small as can be. Tests
// run on the interpreter, one machine each, side by side; their results come in
// the order of the source.
//
//	summary := tester.Run(program, tester.Options{}, func(r *tester.Result) {
//		tester.WriteText(os.Stdout, r, tester.Style{})
//	})
package tester

import (
	"regexp"
	"runtime"
	"strings"
	"sync"

	"towpath.dev/internal/lang/core"
)

// The limits of a run whose Options name none.
const (
	// DefaultCases is how many cases of a prop are tried.
	DefaultCases = 100
	// DefaultSeed is where a prop's cases come from. It is the same in every
	// run, so that a test fails today for what was changed today.
	DefaultSeed = 1
	// DefaultGas is what each statement of a test may spend: a tenth of what a
	// request may. The interpreter takes seconds for it, so that a test which
	// never ends is told of while its author still looks.
	DefaultGas = 5_000_000
)

// Options say what is run. The zero Options run everything.
type Options struct {
	// Match chooses tests by "module: title"; nil chooses all.
	Match *regexp.Regexp
	// Seed makes a prop's cases; 0 means DefaultSeed. The same seed, program and
	// number of cases give the same cases.
	Seed int64
	// Cases is how many cases of each prop are tried; 0 means DefaultCases.
	Cases int
	// Workers is how many tests run at the same time; 0 means one a processor.
	Workers int
	// Gas bounds each statement of a test; 0 means DefaultGas.
	Gas int64
	// Depth bounds each statement too; 0 means the interpreter's default, which
	// is a request's.
	Depth int
}

// Summary is what a run came to.
type Summary struct {
	Tests, Props   int // that were run
	Cases          int // of props, shrinking not counted
	Passed, Failed int
	Skipped        int    // not chosen by Options.Match
	Seed           int64  // that the cases came from
	Files          []File // coverage, by path
}

// Run runs a checked program's tests and gives each result, in the order of the
// source, to report.
func Run(p *core.Program, o Options, report func(*Result)) *Summary {
	if o.Seed == 0 {
		o.Seed = DefaultSeed
	}
	if o.Cases == 0 {
		o.Cases = DefaultCases
	}
	if o.Gas == 0 {
		o.Gas = DefaultGas
	}
	if o.Workers == 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	s := &Summary{Seed: o.Seed}
	var chosen []*core.Test
	for _, m := range p.Modules {
		if isStd(m) {
			continue
		}
		for _, t := range m.Tests {
			if o.Match != nil && !o.Match.MatchString(m.Path+": "+t.Title) {
				s.Skipped++
				continue
			}
			chosen = append(chosen, t)
		}
	}
	lines := newCoverage()
	inOrder(len(chosen), o.Workers, func(i int) *outcome {
		return runTest(p, chosen[i], &o)
	}, func(out *outcome) {
		s.count(out.result)
		lines.add(out.covered)
		report(out.result)
	})
	s.Files = lines.files(p)
	return s
}

// outcome is what a worker hands back of one test.
type outcome struct {
	result  *Result
	covered spans
}

func (s *Summary) count(r *Result) {
	if r.Prop {
		s.Props++
		s.Cases += r.Cases
	} else {
		s.Tests++
	}
	if r.Passed() {
		s.Passed++
	} else {
		s.Failed++
	}
}

// inOrder makes n things on some workers and gives them to use one after the
// other, in order. It returns when all are used.
func inOrder[T any](n, workers int, produce func(i int) T, use func(T)) {
	done := make([]chan T, n)
	for i := range done {
		done[i] = make(chan T, 1)
	}
	next := make(chan int)
	var group sync.WaitGroup
	for range min(workers, n) {
		group.Go(func() {
			for i := range next {
				done[i] <- produce(i)
			}
		})
	}
	group.Go(func() {
		for i := range n {
			next <- i
		}
		close(next)
	})
	for i := range done {
		use(<-done[i])
	}
	group.Wait()
}

func isStd(m *core.Module) bool { return strings.HasPrefix(m.Path, "std/") }
