//go:build !solo

// tow cluster move-leader: another member leads.

package main

import (
	"github.com/spf13/cobra"

	"towpath.dev/internal/control/cluster"
)

func clusterMoveLeaderCommand(u *ui) *cobra.Command {
	g := &clusterChange{ui: u}
	c := &cobra.Command{
		Use:   "move-leader [NAME]",
		Short: "Have another member lead",
		Long: `Have the member NAME lead, or the one that is the least behind. That takes a moment, in which
writes wait; stopping the leader would cost an election.`,
		Example: "  tow cluster move-leader etcd-1",
		Args:    atMost(1, "one member"),
	}
	c.RunE = g.command(func(args []string) error {
		g.request = cluster.Request{Op: cluster.MoveLeader}
		if len(args) > 0 {
			g.request.Member = args[0]
		}
		return nil
	})
	g.flags(c)
	return c
}
