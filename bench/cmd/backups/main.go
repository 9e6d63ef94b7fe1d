// Command backups measures what backups of etcd cost, beside snapshots, a deduplicating store
// of snapshots and the scheme of Gardener's etcd-backup-restore, and prints a table.
//
//	go run ./cmd/backups                every group, some ten minutes
//	go run ./cmd/backups -run restore   groups whose name matches: dollars, bytes, restore, cluster
//	go run ./cmd/backups -check         and exit with 1 when a bar is missed
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"

	"towpath.dev/bench/backups"
	"towpath.dev/bench/report"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "backups:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	flags := flag.NewFlagSet("backups", flag.ContinueOnError)
	var table report.Flags
	table.Register(flags)
	seed := flags.Uint64("seed", 1, "what the records and their updates come from")
	role := flags.String("role", "", "be this `role`: how the command starts itself again")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *role != "" {
		return backups.RunRole(*role, flags.Args())
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	b := backups.New(ctx, *seed)
	err := table.Print(os.Stdout, b.Groups())
	return errors.Join(b.PrintFacts(os.Stdout), err)
}
