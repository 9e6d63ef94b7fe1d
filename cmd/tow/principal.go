//go:build !solo

// tow principal: who may do what at the control API.

package main

import (
	"context"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"towpath.dev/api/towpathv1"
	"towpath.dev/client"
)

// roleNames are the roles as the command line has them.
var roleNames = map[towpathv1.Role]string{
	towpathv1.Role_ROLE_READER: "reader", towpathv1.Role_ROLE_DEPLOYER: "deployer", towpathv1.Role_ROLE_ADMIN: "admin", towpathv1.Role_ROLE_NODE: "node",
}

func principalCommand(u *ui) *cobra.Command {
	c := &cobra.Command{
		Use:   "principal",
		Short: "Say who may do what at the control API",
		Long: `People, programs and nodes that the control API knows. A reader sees everything but
secrets; a deployer moreover changes what runs, keys and groups; an admin moreover
says who may do what. Nodes get in with "tow join-token".`,
		Example: "  tow principal create checkout --role deployer --env prod --ttl 720h\n" +
			"  tow principal revoke checkout",
	}
	c.AddCommand(createPrincipalCommand(u), listPrincipalsCommand(u), revokePrincipalCommand(u))
	return c
}

func createPrincipalCommand(u *ui) *cobra.Command {
	at := &controlAt{}
	var role, env string
	var ttl time.Duration
	c := &cobra.Command{
		Use:     "create NAME",
		Short:   "Make a principal and its token",
		Long:    "Make a principal and its token, which is shown once.",
		Example: "  tow principal create checkout --role deployer --env prod",
		Args:    exactly("the principal's name"),
		RunE: func(c *cobra.Command, args []string) error {
			p := &towpathv1.Principal{Name: args[0], Environment: env}
			for r, name := range roleNames {
				if name == role && name != "node" {
					p.Role = r
				}
			}
			if p.GetRole() == towpathv1.Role_ROLE_UNSPECIFIED {
				return usage{fmt.Errorf("--role %s: expected reader, deployer or admin", or(role, `""`)), ""}
			}
			if ttl < 0 {
				return usage{fmt.Errorf("--ttl %s: expected a time above zero", ttl), ""}
			}
			if ttl > 0 {
				p.Expires = time.Now().Add(ttl).Unix()
			}
			return at.ask(c.Context(), func(ctx context.Context, api *client.Control) error {
				r, err := api.Access.CreatePrincipal(ctx, &towpathv1.CreatePrincipalRequest{Principal: p})
				if err != nil {
					return err
				}
				fmt.Fprintf(u.out, "%s\n", r.GetToken())
				fmt.Fprintf(u.err, "The token of %s, shown this once: for TOW_CONTROL_TOKEN, or as \"Authorization: Bearer …\". It expires: %s.\n", args[0], moment(r.GetPrincipal().GetExpires()))
				return nil
			})
		},
	}
	c.Flags().StringVar(&role, "role", "reader", "reader, deployer or admin")
	c.Flags().StringVar(&env, "env", "", "bind it to the environment `NAME` (default: all)")
	c.Flags().DurationVar(&ttl, "ttl", 0, "let it expire after this `TIME` (default: never)")
	at.flags(c)
	return c
}

func listPrincipalsCommand(u *ui) *cobra.Command {
	at := &controlAt{}
	c := &cobra.Command{
		Use:     "list",
		Short:   "List who there is",
		Long:    "List all principals: people, programs and nodes.",
		Example: "  tow principal list",
		Args:    exactly(),
		RunE: func(c *cobra.Command, _ []string) error {
			return at.ask(c.Context(), func(ctx context.Context, api *client.Control) error {
				r, err := api.Access.ListPrincipals(ctx, &towpathv1.ListPrincipalsRequest{})
				if err != nil {
					return err
				}
				return u.table("NAME\tROLE\tENVIRONMENT\tEXPIRES", len(r.GetPrincipals()), func(w *tabwriter.Writer, i int) {
					p := r.GetPrincipals()[i]
					fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", p.GetName(), roleNames[p.GetRole()], or(p.GetEnvironment(), "all"), moment(p.GetExpires()))
				})
			})
		},
	}
	at.flags(c)
	return c
}

func revokePrincipalCommand(u *ui) *cobra.Command {
	at := &controlAt{}
	c := &cobra.Command{
		Use:   "revoke NAME",
		Short: "End a principal",
		Long: `End a principal: its token and its certificates are refused from now on, and its
streams end. A responder that is revoked serves on what it has; end it as well.`,
		Example: "  tow principal revoke checkout",
		Args:    exactly("the principal's name"),
		RunE: func(c *cobra.Command, args []string) error {
			return at.ask(c.Context(), func(ctx context.Context, api *client.Control) error {
				_, err := api.Access.RevokePrincipal(ctx, &towpathv1.RevokePrincipalRequest{Name: args[0]})
				return err
			})
		},
	}
	at.flags(c)
	return c
}
