//go:build !solo

// tow backup cost: the month's bill.

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"towpath.dev/internal/control/backup"
	"towpath.dev/internal/control/backup/catalog"
	"towpath.dev/internal/control/backup/cost"
)

// backupCost is one tow backup cost.
type backupCost struct {
	*ui
	at     backupAt
	every  time.Duration
	keep   string
	prices string
	share  int
	json   bool
}

func backupCostCommand(u *ui) *cobra.Command {
	b := &backupCost{ui: u}
	c := &cobra.Command{
		Use:   "cost",
		Short: "Show what a cluster's backup costs a month, and others would",
		Long: `Work out a month's bill of a cluster's backup, by storage, requests and class, from how
much the cluster holds and how fast it has changed since its backup began; beside it,
what full snapshots, chunks and other schemes would cost for the same retention.

Prices are those of one store in one region at a date; docs/backup.md says how to write
a file of others.`,
		Example: "  tow backup cost --store s3://backups/etcd --cluster prod\n" +
			"  tow backup cost --store s3://backups/etcd --cluster prod --keep \"any minute for 30 days\" --share 20",
		Args: exactly(),
		RunE: func(c *cobra.Command, _ []string) error { return b.run(c.Context()) },
	}
	b.at.flags(c)
	f := c.Flags()
	f.DurationVar(&b.every, "every", time.Minute, "upload what changed each `TIME`")
	f.StringVar(&b.keep, "keep", backup.DefaultKeep, "keep what the `SENTENCE` says")
	f.StringVar(&b.prices, "prices", "", "the prices are in the `FILE`")
	f.IntVar(&b.share, "share", 1, "`N` clusters share the uploader")
	f.BoolVar(&b.json, "json", false, "print JSON")
	return c
}

func (b *backupCost) run(ctx context.Context) error {
	if err := b.at.named(); err != nil {
		return err
	}
	keep, err := catalog.Parse(b.keep)
	if err != nil {
		return usage{fmt.Errorf("--keep: %w", err), ""}
	}
	sheet := cost.DefaultSheet()
	if b.prices != "" {
		text, err := os.ReadFile(b.prices)
		if err != nil {
			return fmt.Errorf("--prices: %w", err)
		}
		if sheet, err = cost.Load(b.prices, text); err != nil {
			return err
		}
	}
	store, err := b.at.open(b.ui)
	if err != nil {
		return err
	}
	shape, err := backup.Shape(ctx, store, b.at.cluster, time.Now())
	if err != nil {
		return err
	}
	shape.Clusters = b.share
	c, err := cost.Compare(sheet, shape, cost.Schedule{Keep: keep, Every: b.every})
	if err != nil {
		return usage{err, ""}
	}
	if b.json {
		text, err := json.MarshalIndent(c, "", "  ")
		if err == nil {
			_, err = fmt.Fprintf(b.out, "%s\n", text)
		}
		return err
	}
	_, err = fmt.Fprint(b.out, c.Text())
	return err
}
