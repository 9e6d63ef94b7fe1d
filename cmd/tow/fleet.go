//go:build !solo

// tow fleet: the nodes of an environment, and what holds deployments up.

package main

import "github.com/spf13/cobra"

func fleetCommand(u *ui) *cobra.Command {
	c := &cobra.Command{
		Use:   "fleet",
		Short: "Show what an environment's nodes run, freeze deployments, upgrade tow",
		Long: `The nodes of an environment are its fleet. They are in cells: nodes of one cell run the
same, and a deployment reaches cells node by node.

A freeze keeps stages of deployments from beginning. What is under way can go back all
the same, and nodes serve on.`,
		Example: "  tow fleet status --env prod\n" +
			"  tow fleet freeze --env prod --why \"the sale begins\" --for 6h\n" +
			"  tow fleet unfreeze --env prod",
	}
	c.AddCommand(fleetStatusCommand(u), fleetFreezeCommand(u), fleetUnfreezeCommand(u), fleetFreezesCommand(u), fleetForgetCommand(u), fleetRemoveCommand(u), fleetUpgradeCommand(u))
	return c
}
