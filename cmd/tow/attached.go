//go:build !solo

// A responder stays attached to its cluster while it serves.

package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"time"

	"towpath.dev/api/towpathv1"
	"towpath.dev/client"
	"towpath.dev/internal/control/access"
	"towpath.dev/internal/wholefile"
)

// renewAgain is how long a node waits when it could not renew its certificate.
const renewAgain = time.Hour

// stay keeps the node attached, and renews its certificate in time, until the context
// ends. What the responder serves needs none of it: when the control plane is away, or
// refuses the node, it serves on.
func (m *membership) stay(ctx context.Context, log *slog.Logger, address string) {
	again := time.Time{} // not to renew before
	for ctx.Err() == nil {
		all, renew, err := m.clients()
		if err != nil {
			log.Error("the node cannot attach; it serves on", "error", err)
			return
		}
		if renew.Before(again) {
			renew = again
		}
		err = m.attach(ctx, all, renew, log, address)
		if errors.Is(err, errRenew) {
			if err = m.renew(ctx, all); err == nil {
				log.Info("the node's certificate was renewed")
			} else {
				log.Warn("the node's certificate cannot be renewed now", "error", err)
				again = time.Now().Add(renewAgain)
			}
			err = nil
		}
		for _, c := range all {
			c.Close()
		}
		if err != nil && ctx.Err() == nil {
			log.Error("the cluster refuses this node; it serves on", "error", plainMessage(err))
			return
		}
	}
}

var errRenew = errors.New("the certificate is to be renewed")

// attach keeps the node attached until its certificate is to be renewed.
func (m *membership) attach(ctx context.Context, all []*client.Control, renew time.Time, log *slog.Logger, address string) error {
	ctx, cancel := context.WithDeadlineCause(ctx, renew, errRenew)
	defer cancel()
	return client.Attach(ctx, all, client.AttachOptions{
		Version: version(), Address: address,
		Attached: func(w *towpathv1.AttachResponse_Welcome) {
			log.Info("attached", "node", w.GetNode(), "environment", w.GetEnvironment(), "cluster", w.GetCluster())
		},
		Detached: func(err error) { log.Warn("not attached", "error", plainMessage(err)) },
	})
}

// renew gets the node another certificate from any of the control nodes.
func (m *membership) renew(ctx context.Context, all []*client.Control) error {
	key, err := os.ReadFile(m.file("node-key.pem"))
	if err != nil {
		return err
	}
	csr, err := access.RequestFor(key)
	if err != nil {
		return err
	}
	for _, c := range all {
		var answer *towpathv1.RenewCertificateResponse
		asking, cancel := context.WithTimeout(ctx, joinTime)
		answer, err = c.Access.RenewCertificate(asking, &towpathv1.RenewCertificateRequest{Csr: csr})
		cancel()
		if err == nil {
			return wholefile.Replace(m.file("node.pem"), answer.GetCertificate())
		}
	}
	return err
}
