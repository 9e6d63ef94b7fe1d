package limits

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"

	"towpath.dev/bench/meter"
	"towpath.dev/bench/tow"
	"towpath.dev/bench/workload"
	"towpath.dev/internal/lang/compile"
	"towpath.dev/internal/run/engine"
)

// build compiles and loads a benchmark's project.
func build(name string, opts engine.Options) (*engine.Program, error) {
	project, err := tow.Project(name)
	if err != nil {
		return nil, err
	}
	built, err := compile.Build(project, compile.Options{Name: name})
	if err != nil {
		return nil, err
	}
	if built.Diags.HasErrors() {
		return nil, built.Diags.All[0]
	}
	return engine.Load(context.Background(), built.Artifact, opts)
}

// Instance measures the CPU time of starting an instance from the compiled
// module, and the memory that an instance which has served W1 keeps resident.
func Instance() ([]Result, error) {
	const n = 2000
	p, err := build("w1", engine.Options{Idle: n + 1})
	if err != nil {
		return nil, err
	}
	defer p.Close(context.Background())
	if err := p.Warm(1); err != nil { // what all share
		return nil, err
	}
	before, err := resident()
	if err != nil {
		return nil, err
	}
	start, err := meter.ProcessCPU()
	if err != nil {
		return nil, err
	}
	if err := p.Warm(1 + n); err != nil {
		return nil, err
	}
	end, err := meter.ProcessCPU()
	if err != nil {
		return nil, err
	}
	if err := serveAll(p, n); err != nil {
		return nil, err
	}
	after, err := resident()
	if err != nil {
		return nil, err
	}
	return []Result{
		{Name: "an instance's start", Value: float64((end - start).Microseconds()) / n, Unit: "µs of CPU", Bar: 60, Detail: fmt.Sprintf("mean of %d", n)},
		{Name: "an instance's resident memory", Value: (after - before) / n / 1024, Unit: "KiB", Bar: 64, Detail: fmt.Sprintf("%d idle instances that have each served W1", n)},
	}, nil
}

// serveAll has n instances serve a request each: all are taken before the first
// is given back.
func serveAll(p *engine.Program, n int) error {
	v, err := p.View("w1.best")
	if err != nil {
		return err
	}
	input := workload.W1().Inputs[0]
	held := make([]*engine.Rehearsal, n)
	for i := range held {
		if held[i], err = v.Rehearse(context.Background(), input); err != nil {
			return err
		}
		if err := held[i].Run(1); err != nil {
			return err
		}
	}
	for _, h := range held {
		h.Close()
	}
	return nil
}

// resident is the process's resident memory in bytes, after a collection.
func resident() (float64, error) {
	runtime.GC()
	debug.FreeOSMemory()
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0, fmt.Errorf("resident memory is read from /proc: %w", err)
	}
	var size, pages int64
	if _, err := fmt.Sscan(string(text), &size, &pages); err != nil {
		return 0, err
	}
	return float64(pages * int64(os.Getpagesize())), nil
}
