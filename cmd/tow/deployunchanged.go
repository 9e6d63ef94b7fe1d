//go:build !solo

// tow deploy, where the release runs already: nothing is to be done, unless a node refuses it.

package main

import (
	"context"
	"fmt"

	"towpath.dev/api/towpathv1"
	"towpath.dev/client"
	"towpath.dev/internal/control/fleet"
	"towpath.dev/internal/control/release"
)

// notRunning is a node that does not run a release that it shall, and why.
type notRunning struct {
	node string
	fleet.Trouble
}

// whoDoNotRun are the nodes that do not run a program's release.
func whoDoNotRun(nodes []*towpathv1.FleetNode, program string, of release.Digest) ([]notRunning, error) {
	var all []notRunning
	for _, n := range nodes {
		s, err := fleet.DecodeStatus(n.GetName(), n.GetStatus())
		if err != nil {
			return nil, err
		}
		r := s.Programs[program]
		if t := r.Trouble(of); t != nil && r.Main != of {
			all = append(all, notRunning{n.GetName(), *t})
		}
	}
	return all, nil
}

// tellUnchanged says that a release runs already, and which nodes do not run it.
func (d *deploying) tellUnchanged(ctx context.Context, c *client.Control, program string, of release.Digest) error {
	fmt.Fprintf(d.out, "Nothing changes: %s runs the release %s in %s already.\n", program, of.Short(), d.to)
	r, err := c.Deploy.GetFleet(ctx, &towpathv1.GetFleetRequest{Environment: d.to})
	if err != nil {
		return err
	}
	all, err := whoDoNotRun(r.GetNodes(), program, of)
	if err != nil || len(all) == 0 {
		return err
	}
	const most = 5
	for _, one := range all[:min(most, len(all))] {
		fmt.Fprintf(d.out, "But the node %s does not run it (%s): %s\n", printable(one.node), one.Kind, printable(one.Text))
	}
	if more := len(all) - most; more > 0 {
		fmt.Fprintf(d.out, "And %s more do not.\n", count(more, "node"))
	}
	fmt.Fprintf(d.out, "Mend what they say, which they look at again by themselves; \"tow fleet status --env %s\" shows how they are.\n", d.to)
	return nil
}
