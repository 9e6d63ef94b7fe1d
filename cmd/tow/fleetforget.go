//go:build !solo

// tow fleet forget: a node that will not come back.

package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"towpath.dev/api/towpathv1"
	"towpath.dev/client"
)

func fleetForgetCommand(u *ui) *cobra.Command {
	at, q := &controlAt{}, &towpathv1.ForgetNodeRequest{}
	c := &cobra.Command{
		Use:   "forget NODE",
		Short: "Forget a node that is gone for good",
		Long: `Remove what is known of a node that is not attached any more, so that no deployment
waits for it and no list shows it. With the last node of a cell goes what the cell was
to run, and no stage reaches it any more. A node that attaches again is known again; to keep it
away, revoke it with "tow principal revoke NODE".`,
		Example: "  tow fleet forget eu-7 --env prod",
		Args:    exactly("a node"),
		RunE: func(c *cobra.Command, args []string) error {
			q.Node = args[0]
			return at.ask(c.Context(), func(ctx context.Context, api *client.Control) error {
				if _, err := api.Deploy.ForgetNode(ctx, q); err != nil {
					return err
				}
				_, err := fmt.Fprintf(u.out, "%s is forgotten in %s.\n", q.Node, q.Environment)
				return err
			})
		},
	}
	c.Flags().StringVar(&q.Environment, "env", "", "of the environment `NAME`")
	_ = c.MarkFlagRequired("env")
	at.flags(c)
	return c
}
