//go:build !solo

// tow whoami: as whom tow asks the control API.

package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"towpath.dev/api/towpathv1"
	"towpath.dev/client"
)

func whoamiCommand(u *ui) *cobra.Command {
	at := &controlAt{}
	c := &cobra.Command{
		Use:     "whoami",
		Short:   "Tell as whom you ask the control API",
		Long:    "Tell which principal the control API takes you for, and which cluster it is of.",
		Example: "  tow whoami",
		Args:    exactly(),
		RunE: func(c *cobra.Command, _ []string) error {
			return at.ask(c.Context(), func(ctx context.Context, api *client.Control) error {
				r, err := api.Access.WhoAmI(ctx, &towpathv1.WhoAmIRequest{})
				if err != nil {
					return err
				}
				p := r.GetPrincipal()
				fmt.Fprintf(u.out, "%s, %s of %s in the cluster %s at %s (%s); expires: %s\n",
					p.GetName(), roleNames[p.GetRole()], or(p.GetEnvironment(), "all environments"), r.GetCluster(), at.url, r.GetVersion(), moment(p.GetExpires()))
				return nil
			})
		},
	}
	at.flags(c)
	return c
}
