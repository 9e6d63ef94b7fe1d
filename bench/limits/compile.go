// Package limits measures what has an absolute bar: the compiler's CPU time, an
// instance's start and memory, and how long a guest can stop the world.
package limits

import (
	"fmt"
	"io/fs"
	"runtime/debug"
	"strings"
	"testing/fstest"

	"towpath.dev/bench/meter"
	"towpath.dev/bench/tow"
	"towpath.dev/internal/lang/compile"
)

// Result is one measure.
type Result struct {
	Name   string
	Value  float64
	Unit   string
	Bar    float64 // at most this much; 0: reported
	Detail string
}

// Modules makes a project of n modules of about 60 lines: records, variants,
// services, generic functions, matches, pipes and tests, each module importing
// the one before, fifty to a chain.
func Modules(n int) (fs.FS, int, error) {
	var bodies []string
	for _, name := range []string{"w1", "w1d", "w4"} {
		project, err := tow.Project(name)
		if err != nil {
			return nil, 0, err
		}
		text, err := fs.ReadFile(project, name+".tow")
		if err != nil {
			return nil, 0, err
		}
		bodies = append(bodies, string(text))
	}
	fsys, lines := fstest.MapFS{}, 0
	for i := range n {
		text := module(i, bodies[i%len(bodies)])
		lines += strings.Count(text, "\n")
		fsys[fmt.Sprintf("m%d.tow", i)] = &fstest.MapFile{Data: []byte(text)}
	}
	return fsys, lines, nil
}

func module(i int, body string) string {
	head, rank := "", "n"
	if i%50 != 0 {
		head, rank = fmt.Sprintf("import m%d.{rank as rankBefore}\n\n", i-1), "rankBefore(n) + 1"
	}
	_, rest, _ := strings.Cut(body, "\n\n") // the module's documentation comes first
	return fmt.Sprintf("//// Module %d.\n\n%s%s\npub fn rank(n: Int) -> Int {\n  %s\n}\n", i, head, rest, rank)
}

// Compile measures text to WebAssembly for 1,000 modules, cold.
func Compile() (Result, error) {
	project, lines, err := Modules(1000)
	if err != nil {
		return Result{}, err
	}
	defer debug.SetGCPercent(debug.SetGCPercent(400)) // as tow does
	start, err := meter.ProcessCPU()
	if err != nil {
		return Result{}, err
	}
	built, err := compile.Build(project, compile.Options{Name: "thousand"})
	if err != nil {
		return Result{}, err
	}
	end, err := meter.ProcessCPU()
	if err != nil {
		return Result{}, err
	}
	if built.Diags.HasErrors() {
		return Result{}, built.Diags.All[0]
	}
	return Result{
		Name: "text to WebAssembly, 1,000 modules", Value: (end - start).Seconds(), Unit: "s of CPU", Bar: 2,
		Detail: fmt.Sprintf("%d lines, %.1f MB of WebAssembly", lines, float64(len(built.Artifact))/1e6),
	}, nil
}
