//go:build !solo

// tow cluster compact: what was before a revision is forgotten.

package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	clientv3 "go.etcd.io/etcd/client/v3"

	"towpath.dev/internal/control/backup"
	"towpath.dev/internal/control/cluster"
)

func clusterCompactCommand(u *ui) *cobra.Command {
	g := &clusterChange{ui: u}
	var backups backupAt
	var revision, keep int64
	c := &cobra.Command{
		Use:   "compact",
		Short: "Forget what was before a revision",
		Long: `Forget what was before a revision: values that were written over since, and keys that were
deleted. What a key is now stays. Watches that are further behind end, so keep some:
"tow cluster status" shows the newest revision. The room goes back to the disk by
"tow cluster defrag".

etcd does not know when a revision was, so that there is no time to name. With --store and
--cluster it is refused to forget what the backup there does not have yet.`,
		Example: "  tow cluster compact --keep 10000\n  tow cluster compact --revision 523118",
		Args:    exactly(),
	}
	c.RunE = g.command(func([]string) error {
		named := c.Flags().Changed("keep")
		if named == c.Flags().Changed("revision") {
			return usage{errors.New("say how far: either --keep N, or --revision N"), ""}
		}
		if named && keep < 0 || !named && revision < 1 {
			return usage{errors.New("--keep is 0 or more, and --revision 1 or more"), ""}
		}
		if backups.store != "" {
			floor, err := compactFloor(u, &backups)
			if err != nil {
				return err
			}
			g.floor = floor
		}
		g.request = cluster.Request{Op: cluster.Compact, Revision: revision, Keep: keep}
		return nil
	})
	c.Flags().Int64Var(&revision, "revision", 0, "forget what was before the revision `N`")
	c.Flags().Int64Var(&keep, "keep", 0, "keep the newest `N` revisions")
	backups.flags(c)
	g.flags(c)
	return c
}

// compactFloor says how far a cluster may be compacted, by what its backup has.
func compactFloor(u *ui, b *backupAt) (func(*clientv3.Client) cluster.Floor, error) {
	if err := b.named(); err != nil {
		return nil, err
	}
	store, err := b.open(u)
	if err != nil {
		return nil, err
	}
	return func(client *clientv3.Client) cluster.Floor {
		return func(ctx context.Context) (int64, string, error) {
			kept, err := backup.Floor(ctx, store, b.cluster, backup.Source{Client: client})
			if err == nil && kept == 0 {
				err = fmt.Errorf("%s has no base of %s yet", store, b.cluster)
			}
			return kept + 1, fmt.Sprintf("the backup in %s has revisions up to %d", store, kept), err
		}
	}, nil
}
