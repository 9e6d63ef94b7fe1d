//go:build !solo

// tow fleet remove: a program that is to run no more.

package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"towpath.dev/api/towpathv1"
	"towpath.dev/client"
	"towpath.dev/internal/control/release"
)

func fleetRemoveCommand(u *ui) *cobra.Command {
	at, q, dryRun, yes := &controlAt{}, &towpathv1.RemoveProgramRequest{}, false, false
	c := &cobra.Command{
		Use:   "remove PROGRAM",
		Short: "Take a program out of service",
		Long: `Have no node of an environment run a program any more. Requests that are under way end;
those that come after find nothing. What was deployed stays known, and "tow deploy" brings
the program back.

Before, it is shown what runs where. Nothing is removed while a deployment of it is under
way or waits, or while another program calls it that runs or is being deployed.`,
		Example: "  tow fleet remove shop --env prod --dry-run\n" +
			"  tow fleet remove shop --env prod --yes",
		Args: exactly("a program"),
		RunE: func(c *cobra.Command, args []string) error {
			q.Program = args[0]
			err := at.ask(c.Context(), func(ctx context.Context, api *client.Control) error {
				cells, nodes, err := runsWhere(ctx, api, q)
				if err == nil && q.Current != "" {
					fmt.Fprintf(u.out, "%s runs %s in %s of %s, at %s.\n", q.Program, release.Digest(q.Current).Short(), count(cells, "cell"), q.Environment, count(nodes, "node"))
				}
				return err
			})
			if err == nil && !dryRun && q.Current != "" { // else it is refused, which says why
				err = u.agreedTo(yes)
			}
			if err != nil || dryRun {
				return err
			}
			return at.ask(c.Context(), func(ctx context.Context, api *client.Control) error {
				r, err := api.Deploy.RemoveProgram(ctx, q)
				if err != nil {
					return err
				}
				_, err = fmt.Fprintf(u.out, "%s is removed from %s of %s.\n", q.Program, count(len(r.GetCells()), "cell"), q.Environment)
				return err
			})
		},
	}
	c.Flags().StringVar(&q.Environment, "env", "", "of the environment `NAME`")
	c.Flags().BoolVar(&dryRun, "dry-run", false, "show what runs where, and do nothing")
	c.Flags().BoolVar(&yes, "yes", false, "do it without asking")
	_ = c.MarkFlagRequired("env")
	at.flags(c)
	return c
}

// runsWhere finds the release of a program that runs, and in how many cells and at how many nodes.
func runsWhere(ctx context.Context, api *client.Control, q *towpathv1.RemoveProgramRequest) (cells, nodes int, err error) {
	list, err := api.Deploy.ListDeployments(ctx, &towpathv1.ListDeploymentsRequest{Environment: q.Environment, Program: q.Program, Limit: 1})
	if err != nil {
		return 0, 0, err
	}
	for _, h := range list.GetPrograms() {
		q.Current = h.GetCurrent()
	}
	f, err := api.Deploy.GetFleet(ctx, &towpathv1.GetFleetRequest{Environment: q.Environment})
	if err != nil {
		return 0, 0, err
	}
	view, err := newFleetView(q.Environment, f)
	if err != nil {
		return 0, 0, err
	}
	for _, cell := range view.Cells {
		if cell.Intents[q.Program] == nil {
			continue
		}
		cells++
		for _, n := range cell.Nodes {
			if n.Status.Programs[q.Program].Main != "" {
				nodes++
			}
		}
	}
	return cells, nodes, nil
}
