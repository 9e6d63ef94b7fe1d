package bench_test

import (
	"errors"
	"testing"

	"towpath.dev/bench"
	"towpath.dev/bench/workload"
)

// open skips the test where a side cannot run here.
func open(tb testing.TB, e bench.Entrant) workload.Side {
	tb.Helper()
	side, err := e.Open()
	if errors.Is(err, workload.ErrUnavailable) {
		tb.Skip(err)
	}
	if err != nil {
		tb.Fatal(err)
	}
	if side.Close != nil {
		tb.Cleanup(func() {
			if err := side.Close(); err != nil {
				tb.Error(err)
			}
		})
	}
	if side.Name != e.Name {
		tb.Fatalf("%s is listed as %s", side.Name, e.Name)
	}
	return side
}

func TestSidesAgree(t *testing.T) {
	for _, c := range bench.Contests() {
		t.Run(c.Name, func(t *testing.T) {
			reference := open(t, c.Sides[0])
			for _, e := range c.Sides[1:] {
				t.Run(e.Name, func(t *testing.T) {
					side := open(t, e)
					for _, inputs := range [][][]byte{c.Inputs, c.Edges} {
						for _, input := range inputs {
							agree(t, &c, reference, side, input)
						}
					}
				})
			}
		})
	}
}

func agree(t *testing.T, c *bench.Contest, reference, side workload.Side, input []byte) {
	t.Helper()
	want, err := reference.Answer(input)
	if err != nil {
		t.Fatal(err)
	}
	got, err := side.Answer(input)
	if err != nil {
		t.Fatalf("%s: %v", input, err)
	}
	if err := c.Same(got, want); err != nil {
		t.Errorf("%s: %v", input, err)
	}
}

// The loops must run, over and over: some keep state between requests.
func TestLoopsRun(t *testing.T) {
	for _, c := range bench.Contests() {
		for _, e := range c.Sides {
			t.Run(c.Name+"/"+e.Name, func(t *testing.T) {
				side := open(t, e)
				for _, mode := range []workload.Mode{workload.EndToEnd, workload.Logic} {
					if side.Remote != nil {
						if took, err := side.Remote.Time(mode, 3); err != nil || took < 0 {
							t.Errorf("%s: %v, %v", mode, took, err)
						}
						continue
					}
					if mode == workload.Logic && side.Logic == nil {
						continue
					}
					loop, err := side.Loop(mode, c.Inputs)
					if err != nil {
						t.Fatal(err)
					}
					for range 2 {
						if err := loop(len(c.Inputs) + 1); err != nil {
							t.Errorf("%s: %v", mode, err)
						}
					}
				}
			})
		}
	}
}

func TestMeasuresNameSides(t *testing.T) {
	contests := map[string]bench.Contest{}
	for _, c := range bench.Contests() {
		contests[c.Name] = c
	}
	seen := map[string]bool{}
	for _, m := range bench.Measures() {
		if seen[m.Name] {
			t.Errorf("%s stands twice", m.Name)
		}
		seen[m.Name] = true
		c, ok := contests[m.Contest]
		if !ok {
			t.Errorf("%s: no contest %s", m.Name, m.Contest)
			continue
		}
		for _, name := range []string{m.Subject, m.Peer} {
			if _, ok := c.Side(name); !ok && name != "" {
				t.Errorf("%s: %s has no side %s", m.Name, m.Contest, name)
			}
		}
		if (m.Peer != "") != (m.Kind == bench.Ratio) {
			t.Errorf("%s: ratios have peers, and nothing else has", m.Name)
		}
	}
}

func BenchmarkW1(b *testing.B)       { run(b, "W1", workload.EndToEnd) }
func BenchmarkW1Logic(b *testing.B)  { run(b, "W1", workload.Logic) }
func BenchmarkW1d(b *testing.B)      { run(b, "W1d", workload.EndToEnd) }
func BenchmarkW1dLogic(b *testing.B) { run(b, "W1d", workload.Logic) }
func BenchmarkW2(b *testing.B)       { run(b, "W2", workload.EndToEnd) }
func BenchmarkW2Logic(b *testing.B)  { run(b, "W2", workload.Logic) }
func BenchmarkW3Float(b *testing.B)  { run(b, "W3float", workload.Logic) }
func BenchmarkW3Int(b *testing.B)    { run(b, "W3int", workload.Logic) }
func BenchmarkW3Fold(b *testing.B)   { run(b, "W3fold", workload.Logic) }
func BenchmarkW3Sum(b *testing.B)    { run(b, "W3sum", workload.Logic) }
func BenchmarkW3Fib(b *testing.B)    { run(b, "W3fib", workload.Logic) }
func BenchmarkW4(b *testing.B)       { run(b, "W4", workload.EndToEnd) }
func BenchmarkW4Pass(b *testing.B)   { run(b, "W4", workload.Logic) }

// run has a sub-benchmark for each side of a contest that has the mode.
func run(b *testing.B, name string, mode workload.Mode) {
	for _, c := range bench.Contests() {
		if c.Name != name {
			continue
		}
		for _, e := range c.Sides {
			b.Run(e.Name, func(b *testing.B) { one(b, &c, e, mode) })
		}
	}
}

func one(b *testing.B, c *bench.Contest, e bench.Entrant, mode workload.Mode) {
	side := open(b, e)
	if side.Remote != nil {
		took, err := side.Remote.Time(mode, b.N)
		if err != nil {
			b.Fatal(err)
		}
		// In place of the time that this process waited.
		b.ReportMetric(float64(took.Nanoseconds())/float64(b.N), "ns/op")
		return
	}
	if mode == workload.Logic && side.Logic == nil {
		b.Skip("no logic apart from its requests")
	}
	loop, err := side.Loop(mode, c.Inputs)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.ResetTimer()
	if err := loop(b.N); err != nil {
		b.Fatal(err)
	}
}
