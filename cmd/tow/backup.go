//go:build !solo

// tow backup: keeping what etcd has, and getting it back.

package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"

	"filippo.io/age"
	"github.com/spf13/cobra"

	"towpath.dev/internal/blob"
)

func backupCommand(u *ui) *cobra.Command {
	c := &cobra.Command{
		Use:   "backup",
		Short: "Back up a cluster of etcd, and restore it",
		Long: `Keep every revision of a cluster of etcd, Towpath's own or any other of release 3.5 or
later, in object storage or a folder, and restore the cluster as it was at any of them.

docs/backup.md teaches it, docs/storage.md says which stores there are.`,
		Example: "  tow backup run --store s3://backups/etcd --cluster prod --endpoints https://etcd-1:2379\n" +
			"  tow backup list --store s3://backups/etcd\n" +
			"  tow backup restore --store s3://backups/etcd --cluster prod --at 2026-11-27T10:15:00Z --data-dir /var/lib/etcd --name m1 --initial-cluster m1=https://10.0.0.1:2380",
	}
	for _, sub := range []func(*ui) *cobra.Command{
		backupRunCommand, backupListCommand, backupVerifyCommand, backupCostCommand, backupBaseCommand, backupRestoreCommand, backupKeygenCommand,
	} {
		c.AddCommand(sub(u))
	}
	return c
}

// backupAt says which backup a command is about.
type backupAt struct {
	store, cluster string
	identities     []string
}

func (b *backupAt) flags(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&b.store, "store", os.Getenv("TOW_BACKUP_STORE"), "the backups are in the store at the `URL`, such as s3://BUCKET/PREFIX, or in a folder (default: the variable TOW_BACKUP_STORE)")
	f.Lookup("store").DefValue = ""
	f.StringVar(&b.cluster, "cluster", "", "the cluster has the `NAME` there")
}

func (b *backupAt) identityFlag(c *cobra.Command) {
	c.Flags().StringArrayVar(&b.identities, "identity", nil, "read what is encrypted with the age identities in the `FILE`; may be repeated")
}

// open opens the store, with retries, for who waits for an answer: what goes wrong a few times
// is tried again, and told.
func (b *backupAt) open(u *ui) (blob.Store, error) {
	store, err := b.openOnce()
	if err != nil {
		return nil, err
	}
	return retried(u, store), nil
}

// storeTries is how often commands ask a store of objects before they give up, which takes
// them about half a minute.
const storeTries = 9

func retried(u *ui, store blob.Store) blob.Store {
	return blob.Retry(store, blob.Policy{Tries: storeTries, Failed: func(f blob.Failure) {
		if f.Attempt > 1 { // once is nothing
			fmt.Fprintf(u.err, "%s failed %d times of %d, and is tried again (%s %s): %v\n", store, f.Attempt, storeTries, f.Operation, f.Name, f.Err)
		}
	}})
}

// openOnce opens the store for who tries again itself.
func (b *backupAt) openOnce() (blob.Store, error) {
	if b.store == "" {
		return nil, usage{errors.New("nothing says where the backups are: name the store with --store s3://BUCKET/PREFIX or --store FOLDER, or with the variable TOW_BACKUP_STORE"), ""}
	}
	store, err := blob.Open(b.store, blob.Options{})
	if err != nil {
		return nil, fmt.Errorf("--store: %w", err)
	}
	return store, nil
}

func (b *backupAt) named() error {
	if b.cluster == "" {
		return usage{errors.New("name the cluster with --cluster; \"tow backup list\" says which there are"), ""}
	}
	return blob.CheckName(b.cluster)
}

// readIdentities reads age's files of keys.
func readIdentities(files []string) (all []age.Identity, err error) {
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("--identity: %w", err)
		}
		identities, err := age.ParseIdentities(bytes.NewReader(text))
		if err != nil {
			// What age says may quote the line.
			return nil, fmt.Errorf("--identity %s: expected lines of AGE-SECRET-KEY-1…, as \"tow backup keygen\" and age-keygen write them", name)
		}
		all = append(all, identities...)
	}
	return all, nil
}

// readRecipients reads recipients that a flag or a setting names: age1… or files of them.
func readRecipients(flag string, named []string) (all []age.Recipient, err error) {
	for _, name := range named {
		text := []byte(name)
		if _, err := age.ParseX25519Recipient(name); err != nil {
			if text, err = os.ReadFile(name); err != nil {
				return nil, usage{fmt.Errorf("%s %s: expected age1…, or a file with such lines: %w", flag, name, err), ""}
			}
		}
		recipients, err := age.ParseRecipients(bytes.NewReader(text))
		if err != nil {
			return nil, usage{fmt.Errorf("%s %s: %w", flag, name, err), ""}
		}
		all = append(all, recipients...)
	}
	return all, nil
}
