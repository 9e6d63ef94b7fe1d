package limits

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"runtime/metrics"
	"strings"
	"testing/fstest"
	"time"

	"towpath.dev/internal/lang/compile"
	"towpath.dev/internal/run/engine"
)

// hostile is a program whose views do their worst in every way that the
// language has: loops, recursion, bodies without a loop, allocation, and the
// intrinsics on large data.
func hostile() string {
	var b strings.Builder
	b.WriteString(`
fn spin(n: Int) -> Int { if n < 0 { n } else { spin((n + 1) % 1_000_003) } }
fn deep(n: Int) -> Int { if n == 0 { 0 } else { 1 + deep(n - 1) } }
fn deeper(n: Int) -> Int { if n < 0 { 0 } else { deeper(n + deep(5000) - 5000) } }
fn grow(text: String, times: Int) -> String { if times == 0 { text } else { grow("{text}{text}", times - 1) } }
fn copies(xs: List<Int>, n: Int) -> Int { if n == 0 { 0 } else { list.length([0, ..xs]) + copies(xs, n - 1) } }
fn finds(text: String, n: Int) -> Int { if n == 0 { 0 } else { finds(text, n - 1) + (if string.contains(text, "b") { 1 } else { 0 }) } }
fn equals(a: String, b: String, n: Int) -> Int { if n == 0 { 0 } else { equals(a, b, n - 1) + (if a == b { 1 } else { 0 }) } }

view spins(n: Int) -> Int { spin(n) }
view recurses(n: Int) -> Int { deeper(n) }
view straight(n: Int) -> Int { long(n) }
view copying(n: Int) -> Int { copies(list.range(0, n * 100_000), 60) }
view concatenates(n: Int) -> Int { string.length(grow("a", 19 + n)) + string.length(grow("c", 19 + n)) }
view searches(n: Int) -> Int { finds(grow("a", 19 + n), 1000) }
view compares(n: Int) -> Int { equals(grow("a", 19 + n), grow("a", 19 + n), 1000) }
view sorts(n: Int) -> Int { list.length(list.sort(list.map(list.range(0, n * 100_000), i => (i * 7919) % 1_000_003))) }
view ranges(n: Int) -> Int { list.length(list.range(0, n * 5_000_000)) }
view joins(n: Int) -> Int { string.length(grow("a", 23 + n)) }
view upper(n: Int) -> Int { string.length(string.toUpper(grow("ä", 19 + n))) }

view small(n: Int) -> Int { n + 1 }

fn long(n: Int) -> Int { if n < 0 { n } else { long(body(n)) } }
fn body(n0: Int) -> Int {
`)
	const lines = 4000
	for i := range lines {
		fmt.Fprintf(&b, "  let n%d = (n%d * 31 + %d) %% 1_000_003\n", i+1, i, i)
	}
	fmt.Fprintf(&b, "  n%d\n}\n", lines)
	return b.String()
}

// Stops measures, for each hostile view, the longest time that the world stood
// still for the collector and the longest that a small request took, while the
// view ran beside.
func Stops(each time.Duration) ([]Result, error) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2))
	built, err := compile.Build(fstest.MapFS{"hostile.tow": {Data: []byte(hostile())}}, compile.Options{})
	if err != nil {
		return nil, err
	}
	if built.Diags.HasErrors() {
		return nil, built.Diags.All[0]
	}
	p, err := engine.Load(context.Background(), built.Artifact, engine.Options{Gas: math.MaxInt64 / 2, CPU: time.Minute})
	if err != nil {
		return nil, err
	}
	defer p.Close(context.Background())
	var out []Result
	for _, view := range []string{"spins", "recurses", "straight", "copying", "concatenates", "searches", "compares", "sorts", "ranges", "joins", "upper"} {
		pause, err := longest(p, view, each)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", view, err)
		}
		out = append(out, Result{Name: "longest stop, " + view, Value: float64(pause.Microseconds()) / 1000, Unit: "ms", Bar: 10})
	}
	return out, nil
}

// longest runs a view again and again beside the collector for a while.
func longest(p *engine.Program, view string, each time.Duration) (time.Duration, error) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for ctx.Err() == nil {
			// Its faults are of no interest, only what it holds up.
			_, _ = p.AppendCall(ctx, nil, "hostile."+view, []byte(`{"n": 1}`))
		}
	}()
	before := pauses()
	for start := time.Now(); time.Since(start) < each; {
		runtime.GC()
	}
	worst := since(before)
	cancel()
	if view == "spins" || view == "recurses" || view == "straight" {
		return worst, nil // it ends by its own limit, after the measure
	}
	<-ended
	return worst, nil
}

func pauses() *metrics.Float64Histogram {
	sample := []metrics.Sample{{Name: "/sched/pauses/total/gc:seconds"}}
	metrics.Read(sample)
	h := sample[0].Value.Float64Histogram()
	return &metrics.Float64Histogram{Counts: append([]uint64(nil), h.Counts...), Buckets: h.Buckets}
}

// since is the upper end of the highest bucket that has more than before.
func since(before *metrics.Float64Histogram) time.Duration {
	now := pauses()
	for i := len(now.Counts) - 1; i >= 0; i-- {
		if now.Counts[i] > before.Counts[i] {
			return time.Duration(now.Buckets[i+1] * 1e9)
		}
	}
	return 0
}
