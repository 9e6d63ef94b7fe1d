//go:build !solo

// tow kv list: keys in order.

package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"towpath.dev/api/towpathv1"
	"towpath.dev/client"
)

func kvListCommand(u *ui) *cobra.Command {
	l := &kvList{kvAsk: kvAsk{ui: u}}
	c := &cobra.Command{
		Use:   "list [PREFIX]",
		Short: "List keys",
		Long: `List the keys that begin with PREFIX, one on each line, in order, all as they were at
one revision. With --long each line has the revision that wrote the key last, its
TTL in seconds or "-", the key and its value, with tabs between them. With --json each
line is an entry.`,
		Example: "  tow kv list flags/\n" +
			"  tow kv list -n shop --long --limit 20",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usage{errors.New("tow kv list takes one prefix"), ""}
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			if l.limit < 0 {
				return usage{fmt.Errorf("--limit %d: expected a number above zero", l.limit), ""}
			}
			prefix := ""
			if len(args) > 0 {
				prefix = args[0]
			}
			return l.run(c.Context(), prefix)
		},
	}
	f := c.Flags()
	f.IntVar(&l.limit, "limit", 0, "list at most `N` keys (default: all)")
	f.BoolVar(&l.long, "long", false, "list revisions, TTLs and values too")
	f.Int64Var(&l.revision, "revision", 0, "as they were at the revision `N` (default: now)")
	l.flags(c)
	return c
}

// kvList is one tow kv list.
type kvList struct {
	kvAsk
	limit    int
	long     bool
	revision int64
}

// pageOfList is how many entries one request asks for.
const pageOfList = 500

func (l *kvList) run(ctx context.Context, prefix string) error {
	r := &towpathv1.ListRequest{Namespace: l.namespace, Prefix: prefix, Revision: l.revision, KeysOnly: !l.long && !l.json}
	left := l.limit
	for {
		r.Limit = pageOfList
		if l.limit > 0 {
			r.Limit = int32(min(left, pageOfList))
		}
		var page *towpathv1.ListResponse
		// Each page has a time of its own: there may be many.
		err := l.at.ask(ctx, func(ctx context.Context, api *client.Control) (err error) {
			page, err = api.KV.List(ctx, r)
			return err
		})
		if err != nil {
			return err
		}
		for _, e := range page.Entries {
			if err := l.show(e); err != nil {
				return err
			}
		}
		left -= len(page.Entries)
		if r.Page = page.NextPage; r.Page == "" || l.limit > 0 && left <= 0 {
			return nil
		}
	}
}

func (l *kvList) show(e *towpathv1.Entry) error {
	switch {
	case l.json:
		return l.print(e)
	case !l.long:
		_, err := fmt.Fprintln(l.out, e.Key)
		return err
	}
	ttl := "-"
	if e.TtlSeconds != 0 {
		ttl = fmt.Sprint(e.TtlSeconds)
	}
	_, err := fmt.Fprintf(l.out, "%d\t%s\t%s\t%s\n", e.Modified, ttl, e.Key, valueLine(e.Value))
	return err
}
