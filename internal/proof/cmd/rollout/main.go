//go:build linux

// Command rollout proves, as far as running can, that deployments come to what is right of
// their candidates while all around them breaks.
//
//	go run ./internal/proof/cmd/rollout --runs 200 --seed 7
//
// It exits with 1 if anything was wrong, and with 2 if it could not run.
package main

import (
	"flag"
	"fmt"
	"os"
	"time"

	"towpath.dev/internal/proof/rollout"
)

func main() {
	rollout.Child()
	os.Exit(run())
}

func run() int {
	var o rollout.Options
	flag.IntVar(&o.Runs, "runs", 3, "how many deployments")
	flag.IntVar(&o.Lanes, "lanes", 8, "how many of them side by side, at most")
	flag.IntVar(&o.Seconds, "seconds", 12, "for how long things break at least, in a round")
	flag.IntVar(&o.Faults, "faults", 20, "how many faults befall each deployment at least")
	flag.Uint64Var(&o.Seed, "seed", uint64(time.Now().UnixNano()%1_000_000), "of the first one; the others count on")
	flag.BoolVar(&o.Quiet, "quiet", true, "measure first how long they take while nothing breaks")
	flag.StringVar(&o.Mutant, "mutant", "", "a mistake to find out: unfenced or greedy")
	flag.StringVar(&o.Dir, "dir", "", "folder for logs and data (default: a new one)")
	flag.Parse()
	report, err := rollout.Run(o)
	switch {
	case err != nil:
		fmt.Fprintln(os.Stderr, err)
		return 2
	case len(report.Violations) > 0:
		return 1
	}
	return 0
}
