//go:build !solo

// tow join-token: letting machines in.

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"towpath.dev/api/towpathv1"
	"towpath.dev/client"
)

func joinTokenCommand(u *ui) *cobra.Command {
	c := &cobra.Command{
		Use:   "join-token",
		Short: "Let machines into the cluster",
		Long: `Tokens by which nodes join: each is good for one node, for a while. A node gets a
certificate for the token and needs it no more.`,
		Example: "  tow join-token create --role responder --env prod --ttl 1h\n" +
			"  tow join-token list",
	}
	c.AddCommand(createJoinTokenCommand(u), listJoinTokensCommand(u), revokeJoinTokenCommand(u))
	return c
}

func createJoinTokenCommand(u *ui) *cobra.Command {
	at := &controlAt{}
	var role, env string
	var ttl time.Duration
	c := &cobra.Command{
		Use:     "create",
		Short:   "Make a token that lets one node in",
		Long:    "Make a token that lets one node in. It is shown once.",
		Example: "  tow join-token create --role responder --env prod --ttl 1h",
		Args:    exactly(),
		RunE: func(c *cobra.Command, _ []string) error {
			roles := map[string]towpathv1.NodeRole{"responder": towpathv1.NodeRole_NODE_ROLE_RESPONDER, "control": towpathv1.NodeRole_NODE_ROLE_CONTROL}
			if roles[role] == towpathv1.NodeRole_NODE_ROLE_UNSPECIFIED {
				return usage{fmt.Errorf("--role %s: expected responder or control", role), ""}
			}
			if role == "responder" && env == "" {
				return usage{errors.New("a responder is of one environment: name it with --env"), ""}
			}
			return at.ask(c.Context(), func(ctx context.Context, api *client.Control) error {
				r, err := api.Access.CreateJoinToken(ctx, &towpathv1.CreateJoinTokenRequest{Role: roles[role], Environment: env, TtlSeconds: int64(ttl.Seconds())})
				if err != nil {
					return err
				}
				more := ""
				if role == "control" {
					more = " --peer-listen ADDRESS"
				}
				fmt.Fprintf(u.out, "%s\n", r.GetToken())
				// Nodes show certificates, and so join by TLS.
				join, plain := strings.CutPrefix(at.url, "http://")
				if plain {
					join = "https://" + join
				}
				fmt.Fprintf(u.err, "Good for one %s until %s:\n\n  tow serve --role %s --join %s --join-token TOKEN%s\n", role, moment(r.GetInfo().GetExpires()), role, join, more)
				if plain {
					fmt.Fprint(u.err, "\nNodes join by TLS, and on loopback a control node has it with --control-tls.\n")
				}
				return nil
			})
		},
	}
	c.Flags().StringVar(&role, "role", "responder", "what the node will be: responder or control")
	c.Flags().StringVar(&env, "env", "", "the responder is of the environment `NAME`")
	c.Flags().DurationVar(&ttl, "ttl", time.Hour, "the token is good for this `TIME`, from 1m to 168h")
	at.flags(c)
	return c
}

func listJoinTokensCommand(u *ui) *cobra.Command {
	at := &controlAt{}
	c := &cobra.Command{
		Use:     "list",
		Short:   "List the tokens that are good",
		Long:    "List the join tokens that were neither used nor revoked and have not expired.",
		Example: "  tow join-token list",
		Args:    exactly(),
		RunE: func(c *cobra.Command, _ []string) error {
			return at.ask(c.Context(), func(ctx context.Context, api *client.Control) error {
				r, err := api.Access.ListJoinTokens(ctx, &towpathv1.ListJoinTokensRequest{})
				if err != nil {
					return err
				}
				return u.table("ID\tROLE\tENVIRONMENT\tEXPIRES\tMADE BY", len(r.GetTokens()), func(w *tabwriter.Writer, i int) {
					t := r.GetTokens()[i]
					fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", t.GetId(), nodeRoleName(t.GetRole()), or(t.GetEnvironment(), "all"), moment(t.GetExpires()), t.GetCreatedBy())
				})
			})
		},
	}
	at.flags(c)
	return c
}

func revokeJoinTokenCommand(u *ui) *cobra.Command {
	at := &controlAt{}
	c := &cobra.Command{
		Use:     "revoke ID",
		Short:   "End a token before its time",
		Long:    "End a join token before its time. ID is what \"tow join-token list\" shows.",
		Example: "  tow join-token revoke 7xk2m4q9ab",
		Args:    exactly("the token's ID"),
		RunE: func(c *cobra.Command, args []string) error {
			return at.ask(c.Context(), func(ctx context.Context, api *client.Control) error {
				_, err := api.Access.RevokeJoinToken(ctx, &towpathv1.RevokeJoinTokenRequest{Id: args[0]})
				return err
			})
		},
	}
	at.flags(c)
	return c
}

func nodeRoleName(r towpathv1.NodeRole) string {
	if r == towpathv1.NodeRole_NODE_ROLE_CONTROL {
		return "control"
	}
	return "responder"
}

// moment is a time in seconds as a person reads it.
func moment(unix int64) string {
	if unix == 0 {
		return "never"
	}
	return time.Unix(unix, 0).UTC().Format("2006-01-02 15:04:05Z")
}

// table prints rows under a header, in columns.
func (u *ui) table(header string, rows int, row func(w *tabwriter.Writer, i int)) error {
	w := tabwriter.NewWriter(u.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, header)
	for i := range rows {
		row(w, i)
	}
	return w.Flush()
}

// lines prints values as JSON, one on each line.
func (u *ui) lines(n int, value func(i int) any) error {
	to := json.NewEncoder(u.out)
	to.SetEscapeHTML(false)
	for i := range n {
		if err := to.Encode(value(i)); err != nil {
			return err
		}
	}
	return nil
}
