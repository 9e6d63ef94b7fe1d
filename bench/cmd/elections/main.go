// Command elections measures leader election beside etcd's own package concurrency,
// on three members in processes of their own, and prints a table.
//
//	go run ./cmd/elections                 everything, some eight minutes
//	go run ./cmd/elections -run handover   groups whose name matches
//	go run ./cmd/elections -check          and exit with 1 when a bar is missed
package main

import (
	"flag"
	"fmt"
	"os"

	"towpath.dev/bench/elections"
	"towpath.dev/bench/report"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "elections:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	flags := flag.NewFlagSet("elections", flag.ContinueOnError)
	var table report.Flags
	table.Register(flags)
	role := flags.String("role", "", "be this `role`: how the command starts itself again")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *role != "" {
		return elections.RunRole(*role, flags.Args())
	}
	return table.Print(os.Stdout, elections.Groups)
}
