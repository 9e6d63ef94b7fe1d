//go:build !solo

// What a node says of a release that it may soon have to run: whether it could, and which secrets
// it has for it.

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
		return faultOf(fleet.Unbound, err)
	}
	b, err := e.Bind(l.Manifest, bind.Options{Programs: h.responder.server})
	if err != nil {
		return faultOf(fleet.Unbound, err)
	}
	return b.Close()
}

// References is part of fleet.Resolver.
func (h *fleetHost) References(ctx context.Context, _ string, l *release.Loaded) (r fleet.References, err error) {
	if len(l.Manifest.Operations) == 0 {
		return r, nil
	}
	root, err := h.disk.Files(ctx, l.Release.Binding.Digest)
	if err != nil {
		return r, err
	}
	r.Resolve, r.Missing, err = bind.References(root, l.Release.Environment, l.Manifest, bind.Options{Programs: h.responder.server})
	return r, err
}
