//go:build !solo

// tow cluster: a cluster of etcd, how it is and what it needs.

package main

import "github.com/spf13/cobra"

// clusterSubcommands are what tow cluster can do, in the order in which help lists them.
var clusterSubcommands = []func(*ui) *cobra.Command{
	clusterStatusCommand, clusterAddCommand, clusterPromoteCommand, clusterRemoveCommand, clusterReplaceCommand,
	clusterMoveLeaderCommand, clusterDefragCommand, clusterCompactCommand,
	backupRestoreCommand, clusterResumeCommand,
	maintainCommand, maintainLogCommand, rotateCertsCommand, upgradeCommand, downgradeCommand,
}

func clusterCommand(u *ui) *cobra.Command {
	c := &cobra.Command{
		Use:   "cluster",
		Short: "Look after a cluster of etcd",
		Long: `Show how a cluster of etcd is, Towpath's own or any other of release 3.5 or later,
and change it without losing its majority: what a change would do is shown first, and
what is not safe is refused, with the reason.

It asks etcd itself, at --endpoints with the certificates of --cacert, --cert and --key
or as etcdctl's variables say, and so goes on working while the control API does not.
--data asks that of a control node of this machine.

docs/cluster.md teaches it.`,
		Example: "  tow cluster status --endpoints https://etcd-1:2379 --cacert ca.pem --cert me.pem --key me-key.pem\n" +
			"  tow cluster replace etcd-2 etcd-4 https://etcd-4:2380",
	}
	for _, sub := range clusterSubcommands {
		c.AddCommand(sub(u))
	}
	return c
}
