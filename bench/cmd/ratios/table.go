package main

import (
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"text/tabwriter"

	"towpath.dev/bench"
)

// table prints results as rows of aligned columns, when it ends.
type table struct{ w *tabwriter.Writer }

func newTable(out io.Writer) *table {
	t := &table{tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)}
	fmt.Fprintln(t.w, "measure\tsubject\tpeer\tratio\tmiddle 80%\tbar\t\tallocs\tpeer's\tbytes\tpeer's")
	return t
}

func (t *table) row(m bench.Measure, r *result) {
	ratio := "-"
	if m.Kind == bench.Ratio {
		ratio = number(r.value)
	}
	spread := "-"
	if !math.IsNaN(r.low) {
		spread = number(r.low) + " … " + number(r.high)
	}
	bar := "-"
	if !m.Reported {
		bar = "≤ " + number(m.Bar)
	}
	fmt.Fprintf(t.w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n",
		m.Name, duration(r.subject), duration(r.peer), ratio, spread, bar, r.verdict(m),
		number(r.allocs[ofSubject]), number(r.allocs[ofPeer]),
		number(r.bytes[ofSubject]), number(r.bytes[ofPeer]))
}

func (t *table) end() error { return t.w.Flush() }

// number has three digits that count, or all of a whole number.
func number(x float64) string {
	switch {
	case math.IsNaN(x):
		return "-"
	case x == math.Trunc(x):
		return fmt.Sprintf("%.0f", x)
	case x >= 100:
		return fmt.Sprintf("%.0f", x)
	default:
		return fmt.Sprintf("%.3g", x)
	}
}

func duration(ns float64) string {
	switch {
	case math.IsNaN(ns):
		return "-"
	case ns >= 1e6:
		return number(ns/1e6) + " ms"
	case ns >= 1e3:
		return number(ns/1e3) + " µs"
	default:
		return number(ns) + " ns"
	}
}

// facts says where the table was made.
func facts(out io.Writer) {
	fmt.Fprintf(out, "cpu   %s, GOMAXPROCS %d\n", cpuModel(), runtime.GOMAXPROCS(0))
	fmt.Fprintf(out, "go    %s %s/%s\n", runtime.Version(), runtime.GOOS, runtime.GOARCH)
	fmt.Fprintf(out, "node  %s\n", nodeVersion())
	fmt.Fprintf(out, "peers %s\n\n", strings.Join(peers(), ", "))
}

func cpuModel() string {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return "unknown"
	}
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "unknown"
}

func nodeVersion() string {
	version, err := exec.Command("node", "--version").Output()
	if err != nil {
		return "none"
	}
	return strings.TrimSpace(string(version))
}

// peers are the versions of the libraries compared with.
func peers() []string {
	compared := []string{
		"cel.dev/cel-go", "github.com/dop251/goja", "github.com/expr-lang/expr",
		"github.com/goccy/go-json", "github.com/govalues/decimal",
		"github.com/open-policy-agent/opa", "go.starlark.net",
	}
	var versions []string
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, dep := range info.Deps {
			if slices.Contains(compared, dep.Path) {
				versions = append(versions, dep.Path+" "+dep.Version)
			}
		}
	}
	return versions
}
