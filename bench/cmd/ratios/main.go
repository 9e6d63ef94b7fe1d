// Command ratios runs the comparison measures with both sides interleaved in
// one process, by CPU time, and prints a table with the bars.
//
//	go run ./cmd/ratios                  every measure
//	go run ./cmd/ratios -run 'W2 logic'  those whose name matches
//	go run ./cmd/ratios -check           and exit with 1 when a bar is missed
//	go run ./cmd/ratios -procs 2         with processors to spare
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"regexp"
	"runtime"
	"time"

	"towpath.dev/bench"
	"towpath.dev/bench/meter"
)

func main() {
	if err := run(os.Args[1:], os.Stdout, os.Stderr); err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(os.Stderr, "ratios:", err)
		}
		os.Exit(1)
	}
}

func run(args []string, out, log io.Writer) error {
	flags := flag.NewFlagSet("ratios", flag.ContinueOnError)
	flags.SetOutput(log)
	only := flags.String("run", "", "measure only what matches this regular `expression`")
	check := flags.Bool("check", false, "fail when a bar is missed or could not be measured")
	subject := flags.String("subject", "", "measure this `side` in place of tow, to try the harness on peers alone")
	var options meter.Options
	flags.IntVar(&options.Slices, "slices", 21, "slices of each side")
	flags.DurationVar(&options.Slice, "slice", 50*time.Millisecond, "CPU time of a slice, roughly")
	procs := flags.Int("procs", 1, "GOMAXPROCS: with 1, as on a busy machine, no idle processor marks for the collector or is woken for a goroutine")
	if err := flags.Parse(args); err != nil {
		return err
	}
	pattern, err := regexp.Compile(*only)
	if err != nil {
		return fmt.Errorf("-run: %w", err)
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(max(*procs, 1)))
	facts(out)
	var failed error
	t := newTable(out)
	for _, m := range bench.Measures() {
		if !pattern.MatchString(m.Name) {
			continue
		}
		if *subject != "" {
			m.Subject = *subject
		}
		fmt.Fprintln(log, "measuring", m.Name)
		result, err := measure(m, options)
		if err != nil {
			return fmt.Errorf("%s: %w", m.Name, err)
		}
		t.row(m, result)
		if *check && !m.Reported && result.verdict(m) != "ok" {
			failed = errors.Join(failed, fmt.Errorf("%s: %s", m.Name, result.verdict(m)))
		}
	}
	return errors.Join(t.end(), failed)
}
