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
	"flag"
	"fmt"
	"os"

	"towpath.dev/bench/report"
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
	var table report.Flags
	table.Register(flags)
	server := flags.String("server", "", "be this `server`: how the command starts itself again")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *server != "" {
		return serving.RunServer(*server)
	}
	return table.Print(os.Stdout, serving.Groups)
}
