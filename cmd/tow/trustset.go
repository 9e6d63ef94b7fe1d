//go:build !solo

// tow trust set: a trust policy comes into force.

package main

import (
	"context"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"towpath.dev/api/towpathv1"
	"towpath.dev/client"
	"towpath.dev/internal/control/release"
)

func trustSetCommand(u *ui) *cobra.Command {
	at := &controlAt{}
	c := &cobra.Command{
		Use:   "set FILE",
		Short: "Put a trust policy in force",
		Long: `Put a signed trust policy in force, on all nodes. It has to be of a later version than
the one in force, and signed by enough of that one's root keys. What runs goes on; a
release that the policy does not let run does not start again, so look first with "tow
release verify --policy".`,
		Example: "  tow trust set policy.signed",
		Args:    exactly("a signed trust policy's file"),
		RunE: func(c *cobra.Command, args []string) error {
			text, err := os.ReadFile(args[0])
			if err != nil {
				return err
			}
			p, err := release.ReadPolicy(text)
			if err != nil {
				return wrong{fmt.Errorf("%s: %w", args[0], err)}
			}
			return at.ask(c.Context(), func(ctx context.Context, api *client.Control) error {
				before, err := policyInForce(ctx, api)
				if err != nil {
					return err
				}
				if _, err := api.Deploy.SetPolicy(ctx, &towpathv1.SetPolicyRequest{Policy: text}); err != nil {
					return err
				}
				if before == nil {
					fmt.Fprintln(u.err, "From now on nodes run only what is signed; there is no way back to no policy.")
				}
				_, err = fmt.Fprintf(u.out, "The trust policy %d is in force.\n", p.Version)
				return err
			})
		},
	}
	at.flags(c)
	return c
}
