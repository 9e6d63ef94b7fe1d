//go:build !solo

// tow trust set: a trust policy comes into force.

package main

import (
	"context"
	"fmt"
	"os"
	"strings"

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
release verify --policy". What runs, or may be gone back to, and was let in by a key that
the policy retires, runs on new nodes as well; it is said which that is.`,
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
				r, err := api.Deploy.SetPolicy(ctx, &towpathv1.SetPolicyRequest{Policy: text})
				if err != nil {
					return err
				}
				if before == nil {
					fmt.Fprintln(u.err, "From now on nodes run only what is signed; there is no way back to no policy.")
				}
				_, err = fmt.Fprintf(u.out, "The trust policy %d is in force.\n%s", p.Version, leaningText(r.GetLeaning()))
				return err
			})
		},
	}
	at.flags(c)
	return c
}

// leaningText says what runs by keys that are retired, and what does not start any more.
func leaningText(all []*towpathv1.Leaning) string {
	var retired, refused strings.Builder
	for _, l := range all {
		name := fmt.Sprintf("%s in %s, %s", l.GetProgram(), l.GetEnvironment(), release.Digest(l.GetRelease()).Short())
		if l.GetRefused() != "" {
			fmt.Fprintf(&refused, "  %s: %s\n", name, l.GetRefused())
		} else {
			fmt.Fprintf(&retired, "  %s: let in by %s\n", name, strings.Join(l.GetKeys(), ", "))
		}
	}
	var out string
	if retired.Len() > 0 {
		out += "These releases lean on keys that it retires. They run on, and start, on new nodes too; before you revoke the keys, sign\nby another one what you still need (\"tow release sign\"):\n" + retired.String()
	}
	if refused.Len() > 0 {
		out += "These releases it does not let run. Where they run they serve on, and they do not start again; sign them:\n" + refused.String()
	}
	return out
}
