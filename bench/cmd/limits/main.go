// Command limits measures what has an absolute bar and prints a table:
// compilation, an instance's start and memory, the longest stop.
//
//	go run ./cmd/limits
//	go run ./cmd/limits -run stop
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"regexp"
	"text/tabwriter"
	"time"

	"towpath.dev/bench/limits"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "limits:", err)
		os.Exit(1)
	}
}

func run(args []string, out io.Writer) error {
	flags := flag.NewFlagSet("limits", flag.ContinueOnError)
	only := flags.String("run", "", "measure only the groups (compile, instance, stops) whose name matches this regular `expression`")
	each := flags.Duration("each", 3*time.Second, "how long each hostile view runs")
	if err := flags.Parse(args); err != nil {
		return err
	}
	pattern, err := regexp.Compile(*only)
	if err != nil {
		return fmt.Errorf("-run: %w", err)
	}
	groups := []struct {
		name    string
		measure func() ([]limits.Result, error)
	}{
		{"compile", func() ([]limits.Result, error) { r, err := limits.Compile(); return []limits.Result{r}, err }},
		{"instance", limits.Instance},
		{"stops", func() ([]limits.Result, error) { return limits.Stops(*each) }},
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "measure\tvalue\tbar\t\t")
	for _, g := range groups {
		if !pattern.MatchString(g.name) {
			continue
		}
		results, err := g.measure()
		if err != nil {
			return fmt.Errorf("%s: %w", g.name, err)
		}
		for _, r := range results {
			verdict := "ok"
			if r.Value > r.Bar {
				verdict = "MISSED"
			}
			fmt.Fprintf(table, "%s\t%.3g %s\t≤ %g\t%s\t%s\n", r.Name, r.Value, r.Unit, r.Bar, verdict, r.Detail)
		}
	}
	return table.Flush()
}
