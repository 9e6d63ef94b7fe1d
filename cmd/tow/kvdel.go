//go:build !solo

// tow kv del: a key less.

package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"towpath.dev/api/towpathv1"
	"towpath.dev/client"
)

func kvDelCommand(u *ui) *cobra.Command {
	k, at := &kvAsk{ui: u}, int64(0)
	c := &cobra.Command{
		Use:   "del KEY",
		Short: "Delete a key",
		Long: `Delete KEY and print the revision that it was deleted at. A key that is not there is
no error. With --at it is deleted only if it was last written at that revision.`,
		Example: "  tow kv del flags/new-checkout\n" +
			"  tow kv del leader --at 118",
		Args: exactly("a key"),
		RunE: func(c *cobra.Command, args []string) error {
			r := &towpathv1.DeleteRequest{Namespace: k.namespace, Key: args[0]}
			if c.Flags().Changed("at") {
				r.IfModified = &at
			}
			return k.write(c.Context(), func(ctx context.Context, api *client.Control) error {
				done, err := api.KV.Delete(ctx, r)
				switch {
				case err != nil:
					return err
				case !done.Deleted && !k.json:
					fmt.Fprintf(k.err, "There was no key %q in namespace %q.\n", args[0], k.namespace)
					return nil
				}
				return k.wrote(done, done.Revision)
			})
		},
	}
	c.Flags().Int64Var(&at, "at", 0, "only if the `REVISION` wrote it last")
	k.writeFlags(c)
	return c
}
