//go:build !solo

// tow cluster promote: a learner votes.

package main

import (
	"github.com/spf13/cobra"

	"towpath.dev/internal/control/cluster"
)

func clusterPromoteCommand(u *ui) *cobra.Command {
	g := &clusterChange{ui: u}
	c := &cobra.Command{
		Use:   "promote NAME",
		Short: "Let a member vote that has learned",
		Long: `Make a voter of the learner NAME. It is refused while the learner is far behind the
leader: as a voter it would hold up the others until it has caught up.`,
		Example: "  tow cluster promote etcd-4",
		Args:    exactly("the member's name"),
	}
	c.RunE = g.command(func(args []string) error {
		g.request = cluster.Request{Op: cluster.Promote, Member: args[0]}
		return nil
	})
	g.flags(c)
	return c
}
