//go:build !solo

// tow kv get: one value.

package main

import (
	"bytes"
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"towpath.dev/api/towpathv1"
	"towpath.dev/client"
)

func kvGetCommand(u *ui) *cobra.Command {
	k, revision := &kvAsk{ui: u}, int64(0)
	c := &cobra.Command{
		Use:   "get KEY",
		Short: "Print a key's value",
		Long: `Print the value of KEY as it is, without a newline but on a terminal. It exits with
1 when there is no such key. With --json it prints the entry: its value, when it was
written and how often.`,
		Example: "  tow kv get flags/new-checkout\n" +
			"  tow kv get limits --json | jq -r .modified",
		Args: exactly("a key"),
		RunE: func(c *cobra.Command, args []string) error {
			return k.at.ask(c.Context(), func(ctx context.Context, api *client.Control) error {
				r, err := api.KV.Get(ctx, &towpathv1.GetRequest{Namespace: k.namespace, Key: args[0], Revision: revision})
				if err != nil {
					return err
				}
				if r.Entry == nil {
					return wrong{fmt.Errorf("there is no key %q in namespace %q at revision %d", args[0], k.namespace, r.Revision)}
				}
				if k.json {
					return k.print(r.Entry)
				}
				value := r.Entry.Value
				if k.outTerminal && !bytes.HasSuffix(value, []byte("\n")) {
					value = append(value, '\n')
				}
				_, err = k.out.Write(value)
				return err
			})
		},
	}
	c.Flags().Int64Var(&revision, "revision", 0, "as it was at the revision `N` (default: now)")
	k.flags(c)
	return c
}
