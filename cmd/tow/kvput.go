//go:build !solo

// tow kv put: a value, whatever was there before.

package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"towpath.dev/api/towpathv1"
	"towpath.dev/client"
)

func kvPutCommand(u *ui) *cobra.Command {
	k, ttl := &kvAsk{ui: u}, time.Duration(0)
	c := &cobra.Command{
		Use:   "put KEY VALUE",
		Short: "Write a key",
		Long: `Write VALUE under KEY and print the revision that it was written at. A VALUE of "-"
is read from standard input. With --ttl the key ends unless it is written again.`,
		Example: "  tow kv put flags/new-checkout on\n" +
			"  tow kv put -n shop prices - < prices.json\n" +
			"  tow kv put seen/7781 1 --ttl 24h",
		Args: exactly("a key", "a value"),
		RunE: func(c *cobra.Command, args []string) error { return k.put(c.Context(), args[0], args[1], ttl, nil) },
	}
	c.Flags().DurationVar(&ttl, "ttl", 0, "let the key end after this `TIME` without another write (default: never)")
	k.writeFlags(c)
	return c
}

// put writes a key, if it was last written at a revision where one is named.
func (k *kvAsk) put(ctx context.Context, key, argument string, ttl time.Duration, at *int64) error {
	seconds, err := wholeSeconds(ttl)
	if err != nil {
		return err
	}
	value, err := k.value(argument)
	if err != nil {
		return err
	}
	return k.write(ctx, func(ctx context.Context, api *client.Control) error {
		r, err := api.KV.Put(ctx, &towpathv1.PutRequest{Namespace: k.namespace, Key: key, Value: value, TtlSeconds: seconds, IfModified: at})
		if err != nil {
			return err
		}
		return k.wrote(r, r.Revision)
	})
}
