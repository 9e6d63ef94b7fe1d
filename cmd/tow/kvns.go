//go:build !solo

// tow kv ns: namespaces.

package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"towpath.dev/api/towpathv1"
	"towpath.dev/client"
)

func kvNSCommand(u *ui) *cobra.Command {
	c := &cobra.Command{
		Use:   "ns",
		Short: "Make, limit and delete namespaces",
		Long: `Keys live in namespaces. A namespace has a quota of bytes (keys and values) and of
keys; the namespace "default" is there from the beginning.`,
		Example: "  tow kv ns set shop --bytes 64MiB --keys 100000\n" +
			"  tow kv ns list",
	}
	c.AddCommand(kvNSListCommand(u), kvNSSetCommand(u), kvNSDeleteCommand(u))
	return c
}

func kvNSListCommand(u *ui) *cobra.Command {
	k := &kvAsk{ui: u}
	c := &cobra.Command{
		Use:     "list",
		Short:   "List namespaces, what they hold and may hold",
		Long:    "List namespaces, what they hold and may hold. What they hold is a moment behind.",
		Example: "  tow kv ns list",
		Args:    exactly(),
		RunE: func(c *cobra.Command, _ []string) error {
			return k.at.ask(c.Context(), func(ctx context.Context, api *client.Control) error {
				r, err := api.KV.ListNamespaces(ctx, &towpathv1.ListNamespacesRequest{})
				if err != nil {
					return err
				}
				if k.json {
					for _, n := range r.Namespaces {
						if err := k.print(n); err != nil {
							return err
						}
					}
					return nil
				}
				limit := func(n int64) string {
					if n == 0 {
						return "-"
					}
					return fmt.Sprint(n)
				}
				return u.table("NAME\tKEYS\tMAY\tBYTES\tMAY", len(r.Namespaces), func(w *tabwriter.Writer, i int) {
					n := r.Namespaces[i]
					fmt.Fprintf(w, "%s\t%d\t%s\t%d\t%s\n", n.Name, n.Keys, limit(n.QuotaKeys), n.Bytes, limit(n.QuotaBytes))
				})
			})
		},
	}
	k.plainFlags(c)
	return c
}

func kvNSSetCommand(u *ui) *cobra.Command {
	k := &kvAsk{ui: u}
	var bytes string
	var keys int64
	c := &cobra.Command{
		Use:   "set NAME",
		Short: "Make a namespace, or change its quota",
		Long: `Make the namespace NAME, or change its quota. What no flag names stays as it is; 0 is
no limit. A quota below what is there refuses what would make it more.`,
		Example: "  tow kv ns set shop --bytes 64MiB --keys 100000",
		Args:    exactly("the namespace's name"),
		RunE: func(c *cobra.Command, args []string) error {
			r := &towpathv1.SetNamespaceRequest{Name: args[0], QuotaKeys: keys}
			if c.Flags().Changed("bytes") {
				var err error
				if r.QuotaBytes, err = parseBytes(bytes); err != nil {
					return usage{fmt.Errorf("--bytes %s: %w", bytes, err), ""}
				}
			}
			return k.at.ask(c.Context(), func(ctx context.Context, api *client.Control) error {
				there, err := api.KV.ListNamespaces(ctx, &towpathv1.ListNamespacesRequest{})
				if err != nil {
					return err
				}
				for _, n := range there.Namespaces {
					if n.Name != r.Name {
						continue
					}
					if !c.Flags().Changed("bytes") {
						r.QuotaBytes = n.QuotaBytes
					}
					if !c.Flags().Changed("keys") {
						r.QuotaKeys = n.QuotaKeys
					}
				}
				done, err := api.KV.SetNamespace(ctx, r)
				if err == nil && k.json {
					err = k.print(done.Namespace)
				}
				return err
			})
		},
	}
	c.Flags().StringVar(&bytes, "bytes", "", "hold at most `N` bytes of keys and values, as in 1000000 or 64MiB")
	c.Flags().Int64Var(&keys, "keys", 0, "hold at most `N` keys")
	k.plainFlags(c)
	return c
}

func kvNSDeleteCommand(u *ui) *cobra.Command {
	at := &controlAt{}
	c := &cobra.Command{
		Use:     "delete NAME",
		Short:   "Delete a namespace that holds no key",
		Long:    "Delete the namespace NAME. It must hold no key.",
		Example: "  tow kv ns delete shop",
		Args:    exactly("the namespace's name"),
		RunE: func(c *cobra.Command, args []string) error {
			return at.ask(c.Context(), func(ctx context.Context, api *client.Control) error {
				_, err := api.KV.DeleteNamespace(ctx, &towpathv1.DeleteNamespaceRequest{Name: args[0]})
				return err
			})
		},
	}
	at.flags(c)
	return c
}

// parseBytes reads a number of bytes, plain or with KiB, MiB or GiB behind it.
func parseBytes(text string) (int64, error) {
	number, unit := text, int64(1)
	for suffix, n := range map[string]int64{"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30} {
		if rest, ok := strings.CutSuffix(text, suffix); ok {
			number, unit = rest, n
		}
	}
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || n < 0 || n > (1<<62)/unit {
		return 0, errors.New("expected a number of bytes, alone or with KiB, MiB or GiB behind it")
	}
	return n * unit, nil
}
