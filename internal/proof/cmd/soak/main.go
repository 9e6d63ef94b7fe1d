//go:build linux

// Command soak proves, as far as running can, that leaders do what the election promises
// while all around them breaks.
//
//	go run ./internal/proof/cmd/soak --seconds 600 --seed 7
//
// It exits with 1 if anything was wrong, and with 2 if it could not run.
package main

import (
	"flag"
	"fmt"
	"os"
	"time"

	"towpath.dev/internal/proof/soak"
)

func main() {
	soak.Child()
	os.Exit(run())
}

func run() int {
	var o soak.Options
	flag.IntVar(&o.Seconds, "seconds", 60, "for how long things break")
	flag.Uint64Var(&o.Seed, "seed", uint64(time.Now().UnixNano()%1_000_000), "of what is drawn")
	flag.StringVar(&o.Nemeses, "nemeses", "all", "what breaks: all, none, or names with commas between")
	flag.IntVar(&o.Candidates, "candidates", 5, "how many there are")
	flag.IntVar(&o.TTL, "ttl", 2, "of sessions, in seconds")
	flag.IntVar(&o.Margin, "margin", 0, "of sessions, in milliseconds (default: a tenth of the TTL)")
	flag.StringVar(&o.Mutant, "mutant", "", "a mistake to find out: unfenced, stock or receipt")
	flag.StringVar(&o.Dir, "dir", "", "folder for logs and data (default: a new one)")
	flag.Parse()
	report, err := soak.Run(o)
	switch {
	case err != nil:
		fmt.Fprintln(os.Stderr, err)
		return 2
	case len(report.Violations) > 0:
		return 1
	}
	return 0
}
