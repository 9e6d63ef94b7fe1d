//go:build !solo

// Whether a node could run a release that it may soon have to.

package main

import (
	"context"

	"towpath.dev/internal/control/fleet"
	"towpath.dev/internal/control/release"
	"towpath.dev/internal/run/bind"
)

// Check is part of fleet.Checker: it binds what the release calls, as Prepare would, so that a
// secret that this node lacks is known before the release is needed.
func (h *fleetHost) Check(ctx context.Context, _ string, l *release.Loaded) error {
	if len(l.Manifest.Operations) == 0 {
		return nil
	}
	root, err := h.disk.Files(ctx, l.Release.Binding.Digest)
	if err != nil {
		return err
	}
	e, err := bind.Read(root, l.Release.Environment)
	if err != nil {
		return &fleet.Fault{Kind: fleet.Unbound, Err: err}
	}
	b, err := e.Bind(l.Manifest, bind.Options{Programs: h.responder.server})
	if err != nil {
		return &fleet.Fault{Kind: fleet.Unbound, Err: err}
	}
	return b.Close()
}
