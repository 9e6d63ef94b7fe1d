//go:build !solo

// tow node: the nodes that are attached.

package main

import (
	"context"
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"towpath.dev/api/towpathv1"
	"towpath.dev/client"
)

func nodeCommand(u *ui) *cobra.Command {
	c := &cobra.Command{
		Use:     "node",
		Short:   "Show the nodes of the cluster",
		Long:    "Show the responders that are attached to the control plane.",
		Example: "  tow node list",
	}
	c.AddCommand(listNodesCommand(u))
	return c
}

func listNodesCommand(u *ui) *cobra.Command {
	at := &controlAt{}
	c := &cobra.Command{
		Use:     "list",
		Short:   "List the responders that are attached",
		Long:    "List the responders that are attached now. One that has gone is listed for some seconds more if its control node has gone too.",
		Example: "  tow node list",
		Args:    exactly(),
		RunE: func(c *cobra.Command, _ []string) error {
			return at.ask(c.Context(), func(ctx context.Context, api *client.Control) error {
				r, err := api.Nodes.ListNodes(ctx, &towpathv1.ListNodesRequest{})
				if err != nil {
					return err
				}
				return u.table("NAME\tENVIRONMENT\tADDRESS\tSINCE\tVERSION", len(r.GetNodes()), func(w *tabwriter.Writer, i int) {
					n := r.GetNodes()[i]
					fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", n.GetName(), n.GetEnvironment(), or(printable(n.GetAddress()), "-"), n.GetSince(), printable(n.GetVersion()))
				})
			})
		},
	}
	at.flags(c)
	return c
}
