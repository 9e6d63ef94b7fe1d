//go:build !solo

// tow backup list: what can be restored.

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"towpath.dev/internal/control/backup"
)

func backupListCommand(u *ui) *cobra.Command {
	at := &backupAt{}
	var asJSON bool
	c := &cobra.Command{
		Use:   "list",
		Short: "Show what can be restored",
		Long: `Show the clusters that a store has backups of, the bases and the log of each, and
which revisions and times can be restored.`,
		Example: "  tow backup list --store s3://backups/etcd\n  tow backup list --store s3://backups/etcd --cluster prod --json",
		Args:    exactly(),
		RunE:    func(c *cobra.Command, _ []string) error { return listBackups(c.Context(), u, at, asJSON) },
	}
	at.flags(c)
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func listBackups(ctx context.Context, u *ui, at *backupAt, asJSON bool) error {
	store, err := at.open(u)
	if err != nil {
		return err
	}
	all, err := backup.List(ctx, store, at.cluster)
	if err != nil {
		return err
	}
	if asJSON {
		text, err := json.MarshalIndent(all, "", "  ")
		if err == nil {
			_, err = fmt.Fprintf(u.out, "%s\n", text)
		}
		return err
	}
	if len(all) == 0 {
		fmt.Fprintf(u.err, "%s has no backups; \"tow backup run\" makes them.\n", store)
		return nil
	}
	return u.table("CLUSTER\tGENERATION\tBASES\tLOG\tBYTES\tRESTORABLE FROM\tTO\tREVISIONS", len(all), func(w *tabwriter.Writer, i int) {
		l := all[i]
		from, to, revisions := "-", "-", "nothing can be restored yet"
		if l.Last.Revision > 0 {
			from, to = stamp(l.First.Time), stamp(l.Last.Time)
			revisions = fmt.Sprintf("%d…%d", l.First.Revision, l.Last.Revision)
			if l.Gaps > 0 {
				revisions += ", with " + count(l.Gaps, "gap")
			}
		}
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%s\t%s\t%s\t%s\n", l.Cluster, l.Generation, l.Bases, l.Objects, size(int(l.Bytes)), from, to, revisions)
	})
}

// stamp is an instant as tables have it.
func stamp(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format("2006-01-02 15:04:05Z")
}
