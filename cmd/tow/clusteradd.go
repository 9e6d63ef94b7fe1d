//go:build !solo

// tow cluster add: a member that learns, and does not vote yet.

package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"towpath.dev/internal/control/cluster"
)

func clusterAddCommand(u *ui) *cobra.Command {
	g := &clusterChange{ui: u}
	c := &cobra.Command{
		Use:   "add NAME PEER-URLS",
		Short: "Add a member, which learns first",
		Long: `Tell the cluster of a member that will be called NAME and that the others will reach at
PEER-URLS, with commas between several; and print how to start it. It is a learner: it
gets all that the others have, and does not vote, so that it can hold nobody up.
"tow cluster promote" lets it vote when it has learned.

It is refused while a voter is down: replace that one first.`,
		Example: "  tow cluster add etcd-4 https://etcd-4.internal:2380",
		Args:    exactly("the member's name", "its peer URL, as in https://etcd-4.internal:2380"),
	}
	c.RunE = g.command(func(args []string) (err error) {
		g.request = cluster.Request{Op: cluster.Add, With: args[0]}
		g.request.Peers, err = peerURLs(args[1])
		return err
	})
	g.flags(c)
	return c
}

// peerURLs are those of a list with commas.
func peerURLs(list string) ([]string, error) {
	var all []string
	for _, at := range strings.Split(list, ",") {
		if at = strings.TrimRight(strings.TrimSpace(at), "/"); at == "" {
			return nil, usage{fmt.Errorf("%q has an empty peer URL: expected https://HOST:PORT, with commas between several", list), ""}
		}
		all = append(all, at)
	}
	return all, nil
}
