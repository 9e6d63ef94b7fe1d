//go:build !solo

// tow cluster defrag: what is free in the members' files goes back to the disk.

package main

import (
	"github.com/spf13/cobra"

	"towpath.dev/internal/control/cluster"
)

func clusterDefragCommand(u *ui) *cobra.Command {
	g := &clusterChange{ui: u}
	var rate float64
	c := &cobra.Command{
		Use:   "defrag [NAME]...",
		Short: "Give back what is free in the members' files",
		Long: `Defragment the members that have a tenth of their file or more to give back, or those
that are named. A member answers nothing while it is defragmented, for about a second for
each 100 MB that are left: so it is done one by one, the leader comes last, and another
one leads by then. Afterwards the alarm NOSPACE is taken back, where there is one and
there is room again.

It is refused while a member is down, or much is written.`,
		Example: "  tow cluster defrag\n  tow cluster defrag etcd-2 --yes",
		Args:    cobra.ArbitraryArgs,
	}
	c.RunE = g.command(func(args []string) error {
		g.request = cluster.Request{Op: cluster.Defrag, Members: args, MaxRate: rate}
		return nil
	})
	c.Flags().Float64Var(&rate, "max-rate", 0, "do it while up to `N` entries a second are written (default: 1000)")
	g.flags(c)
	return c
}
