//go:build !solo

// tow trust show: the trust policy in force.

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"towpath.dev/client"
	"towpath.dev/internal/control/release"
)

func trustShowCommand(u *ui) *cobra.Command {
	at, asJSON := &controlAt{}, false
	c := &cobra.Command{
		Use:   "show",
		Short: "Show the trust policy in force",
		Long: `Show the trust policy in force: who may sign what, and who signs the next policy. With
--json it is the policy as somebody wrote it, to be changed, with a version of one more,
and signed anew.`,
		Example: "  tow trust show\n  tow trust show --json >policy.json",
		Args:    exactly(),
		RunE: func(c *cobra.Command, _ []string) error {
			return at.ask(c.Context(), func(ctx context.Context, api *client.Control) error {
				p, err := policyInForce(ctx, api)
				if err != nil {
					return err
				}
				if asJSON {
					text, err := json.MarshalIndent(p, "", "  ")
					if err == nil {
						_, err = fmt.Fprintf(u.out, "%s\n", text)
					}
					return err
				}
				if p == nil {
					_, err := fmt.Fprintln(u.out, "No trust policy is in force: any release runs, signed or not.")
					return err
				}
				return u.showPolicy(p)
			})
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	at.flags(c)
	return c
}

func (u *ui) showPolicy(p *release.Policy) error {
	fmt.Fprintf(u.out, "The trust policy %d: a release needs %s, and an ABI from %d to %d.\n", p.Version, count(p.Need, "signature"), p.ABI.Min, p.ABI.Max)
	fmt.Fprintf(u.out, "The next one is signed by %d of %s:", p.Roots.Threshold, count(len(p.Roots.Keys), "root key"))
	for _, k := range p.Roots.Keys {
		fmt.Fprintf(u.out, " %s", k.ID().Short())
	}
	fmt.Fprint(u.out, "\n\n")
	return u.table("KEY\tNAME\tSTATUS\tSIGNS\tPROGRAMS\tENVIRONMENTS\tFROM", len(p.Keys), func(w *tabwriter.Writer, i int) {
		k := &p.Keys[i]
		signs, from := "releases", "-"
		if k.Snapshots {
			signs = "snapshots"
		}
		if !k.NotBefore.IsZero() {
			from = moment(k.NotBefore.Unix())
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", k.Key.ID().Short(), printable(k.Name), k.Status, signs,
			printable(strings.Join(k.Programs, ", ")), printable(strings.Join(k.Environments, ", ")), from)
	})
}
