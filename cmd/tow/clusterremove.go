//go:build !solo

// tow cluster remove: a member is none any more.

package main

import (
	"github.com/spf13/cobra"

	"towpath.dev/internal/control/cluster"
)

func clusterRemoveCommand(u *ui) *cobra.Command {
	g := &clusterChange{ui: u}
	c := &cobra.Command{
		Use:   "remove NAME",
		Short: "Remove a member",
		Long: `Take the member NAME out of the cluster, for good; its etcd ends. If it leads, another one
does first. NAME is its name, its ID or its peer URL.

It is refused where the cluster would have no majority afterwards, and where it could lose
nobody else: a member that is well is needed while another one is down.`,
		Example: "  tow cluster remove etcd-2",
		Args:    exactly("the member's name"),
	}
	c.RunE = g.command(func(args []string) error {
		g.request = cluster.Request{Op: cluster.Remove, Member: args[0]}
		return nil
	})
	g.flags(c)
	return c
}
