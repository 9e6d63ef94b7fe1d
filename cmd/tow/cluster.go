//go:build !solo

package main

import "github.com/spf13/cobra"

// clusterCommands are those of a cluster, which a tow that was built with the tag solo
// does not have.
var clusterCommands = []func(*ui) *cobra.Command{
	initCommand, joinTokenCommand, principalCommand, nodeCommand, auditCommand, whoamiCommand, kvCommand, electionCommand, backupCommand,
	clusterCommand, deployCommand, fleetCommand, releaseCommand, trustCommand,
}
