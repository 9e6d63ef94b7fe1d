// Command verdicts plays tens of thousands of deployments, and says how often a verdict is wrong and
// how soon it is right.
//
//	go run ./internal/control/verdict/cmd/verdicts --seed 7
//
// It exits with 1 if a bar is missed, and with 2 if it could not run.
package main

import (
	"flag"
	"fmt"
	"os"
	"time"

	"towpath.dev/internal/control/verdict/simulate"
)

func main() { os.Exit(run()) }

func run() int {
	var o simulate.Options
	flag.Uint64Var(&o.Seed, "seed", uint64(time.Now().UnixNano()%1_000_000), "of what is drawn")
	flag.IntVar(&o.Deployments, "deployments", 20_000, "of the row that counts")
	flag.IntVar(&o.Parallel, "parallel", 0, "played at once (default: one for each processor)")
	flag.Parse()
	began := time.Now()
	report, err := simulate.Run(o)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	fmt.Printf("%v%.0f s\n", report, time.Since(began).Seconds())
	if missed := report.Missed(); len(missed) > 0 {
		fmt.Fprintf(os.Stderr, "%d of the bars are missed\n", len(missed))
		return 1
	}
	return 0
}
