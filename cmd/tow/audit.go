//go:build !solo

// tow audit: who called what at the control API.

package main

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"towpath.dev/api/towpathv1"
	"towpath.dev/client"
)

func auditCommand(u *ui) *cobra.Command {
	at := &controlAt{}
	var limit int32
	var who string
	c := &cobra.Command{
		Use:   "audit",
		Short: "Show who called what at the control API",
		Long: `Show the audit log of the control node that is asked, newest first: every call,
refused ones too. Each control node has its own log.`,
		Example: "  tow audit --limit 20 --principal checkout",
		Args:    exactly(),
		RunE: func(c *cobra.Command, _ []string) error {
			return at.ask(c.Context(), func(ctx context.Context, api *client.Control) error {
				r, err := api.Access.ListAudit(ctx, &towpathv1.ListAuditRequest{Limit: limit, Principal: who})
				if err != nil {
					return err
				}
				return u.table("TIME\tPRINCIPAL\tCALL\tSUBJECT\tOUTCOME\tFROM\tREQUEST", len(r.GetEntries()), func(w *tabwriter.Writer, i int) {
					e := r.GetEntries()[i]
					fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", e.GetTime(), or(e.GetPrincipal(), "-"), strings.TrimPrefix(e.GetProcedure(), "/towpath.v1."),
						or(printable(e.GetSubject()), "-"), e.GetOutcome(), e.GetPeer(), e.GetRequest())
				})
			})
		},
	}
	c.Flags().Int32Var(&limit, "limit", 100, "show at most `N` calls, 1 to 1000")
	c.Flags().StringVar(&who, "principal", "", "only of the principal `NAME`")
	at.flags(c)
	return c
}

// printable is a text that others chose, without what a terminal would obey.
func printable(s string) string {
	return strings.Map(func(c rune) rune {
		if c < ' ' || c >= 0x7f && c < 0xa0 {
			return '�'
		}
		return c
	}, s)
}
