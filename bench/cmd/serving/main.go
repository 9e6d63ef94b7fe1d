// Command serving measures a responder over HTTP and prints a table: its CPU a
// request beside other servers', the scheduling of calls, overload, hot swaps,
// memory of what waits.
//
//	go run ./cmd/serving                   everything, some three minutes
//	go run ./cmd/serving -run 'cpu|w4'     groups whose name matches
//	go run ./cmd/serving -check            and exit with 1 when a bar is missed
//
// workerd's line needs `npm ci` in serving/js, node's needs node on the path.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"regexp"
	"text/tabwriter"

	"towpath.dev/bench/serving"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "serving:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	flags := flag.NewFlagSet("serving", flag.ContinueOnError)
	only := flags.String("run", "", "measure only the groups whose name matches this regular `expression`")
	check := flags.Bool("check", false, "fail when a bar is missed")
	server := flags.String("server", "", "be this `server`: how the command starts itself again")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *server != "" {
		return serving.RunServer(*server)
	}
	pattern, err := regexp.Compile(*only)
	if err != nil {
		return fmt.Errorf("-run: %w", err)
	}
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "measure\tvalue\t\tbar\t\t")
	missed := false
	for _, g := range serving.Groups {
		if !pattern.MatchString(g.Name) {
			continue
		}
		fmt.Fprintln(os.Stderr, "measuring", g.Name)
		rows, err := g.Measure()
		if err != nil {
			return errors.Join(table.Flush(), fmt.Errorf("%s: %w", g.Name, err))
		}
		for _, r := range rows {
			verdict, sign := "ok", "≤"
			if r.Least {
				sign = "≥"
			}
			switch {
			case r.Value == "":
				verdict = "-"
			case !r.OK():
				verdict, missed = "MISSED", true
			}
			fmt.Fprintf(table, "%s\t%s\t%.3g\t%s %g\t%s\t%s\n", r.Name, r.Value, r.Ratio, sign, r.Bar, verdict, r.Note)
		}
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if *check && missed {
		return errors.New("a bar is missed")
	}
	return nil
}
