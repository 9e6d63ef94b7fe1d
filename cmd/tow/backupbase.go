//go:build !solo

// tow backup base: all of a store, now.

package main

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/spf13/cobra"

	"towpath.dev/internal/control/backup"
)

func backupBaseCommand(u *ui) *cobra.Command {
	b := &backupRun{ui: u}
	c := &cobra.Command{
		Use:   "base",
		Short: "Keep all that a cluster has now",
		Long: `Make a base: all of a cluster's store at one revision. "tow backup run" makes them by
itself when they pay; before a dangerous change one more shortens a restore. It takes a
snapshot from a follower. Where the backup is encrypted it is too: name the recipients
again.`,
		Example: "  tow backup base --store s3://backups/etcd --cluster prod --endpoints https://etcd-1:2379\n" +
			"  tow backup base --store s3://backups/etcd --cluster prod --recipient verifier.pub --recipient recovery.pub",
		Args: exactly(),
		RunE: func(c *cobra.Command, _ []string) error { return b.base(c.Context()) },
	}
	b.at.flags(c)
	c.Flags().StringArrayVar(&b.recipients, "recipient", nil, "encrypt for the age `RECIPIENT`, or for those in a file; may be repeated")
	c.Flags().StringArrayVar(&b.dropped, "drop-recipient", nil, "make it without the age `RECIPIENT`, who can read what was kept so far; may be repeated")
	c.Flags().BoolVar(&b.plain, "plain", false, "make it in the clear where what was kept so far is encrypted")
	c.Flags().StringVar(&b.scratch, "scratch", "", "put the snapshot in the folder `DIR` (default: towpath/backup in the user's folder for caches)")
	b.etcd.flags(c)
	return c
}

func (b *backupRun) base(ctx context.Context) error {
	if err := b.at.named(); err != nil {
		return err
	}
	o := backup.Options{Cluster: b.at.cluster, Scratch: b.scratch, Plain: b.plain, Log: slog.New(slog.NewTextHandler(b.err, &slog.HandlerOptions{Level: slog.LevelWarn}))}
	var err error
	if o.Recipients, err = readRecipients("--recipient", b.recipients); err != nil {
		return err
	}
	if o.Dropped, err = readRecipients("--drop-recipient", b.dropped); err != nil {
		return err
	}
	if o.Store, err = b.at.openOnce(); err != nil {
		return err
	}
	client, err := b.etcd.open(ctx)
	if err != nil {
		return err
	}
	defer closed(client)
	o.Source = backup.Source{Client: client, Dial: b.etcd.dialer()}
	up, err := backup.NewUploader(ctx, o)
	if err != nil {
		return err
	}
	m, err := up.MakeBase(ctx, "it was asked for")
	if err != nil {
		return err
	}
	fmt.Fprintf(b.out, "revision %d, HashKV %08x: %d rows, %s of %s\n", m.Revision, m.HashKV, m.Rows, size(int(m.Size)), size(int(m.Raw)))
	return nil
}
