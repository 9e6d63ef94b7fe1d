//go:build !solo

// tow cluster replace: a member gives way to another.

package main

import (
	"github.com/spf13/cobra"

	"towpath.dev/internal/control/cluster"
)

func clusterReplaceCommand(u *ui) *cobra.Command {
	g := &clusterChange{ui: u}
	c := &cobra.Command{
		Use:   "replace OLD NEW PEER-URLS",
		Short: "Replace a member by another",
		Long: `Have the member NEW, which the others will reach at PEER-URLS, take the place of OLD: it is
added as a learner, it is waited for until it has started and has learned what the leader
knows, it is let vote, and then OLD is removed. An OLD that is lost is removed first, as
etcd lets nobody join while a voter is missing.

Stopped or killed at any time, the same command goes on where the cluster is.`,
		Example: "  tow cluster replace etcd-2 etcd-4 https://etcd-4.internal:2380",
		Args:    exactly("the old member's name", "the new member's name", "its peer URL, as in https://etcd-4.internal:2380"),
	}
	c.RunE = g.command(func(args []string) (err error) {
		g.request = cluster.Request{Op: cluster.Replace, Member: args[0], With: args[1]}
		g.request.Peers, err = peerURLs(args[2])
		return err
	})
	g.flags(c)
	return c
}
