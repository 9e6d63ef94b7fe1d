//go:build !solo

// A responder's way to the control nodes of its fleet.

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"connectrpc.com/connect"

	"towpath.dev/api/towpathv1"
	"towpath.dev/client"
	"towpath.dev/internal/blob"
	"towpath.dev/internal/control/fleet"
	"towpath.dev/internal/control/release"
)

// fleetLink is a node's connection to its control nodes: to one at a time, and to the next
// one when that is lost.
type fleetLink struct {
	m             *membership
	log           *slog.Logger
	cell, address string
	incarnation   string // of the node's process

	mu    sync.Mutex
	all   []*client.Control
	renew time.Time
	again time.Time // not to renew before
	turn  int       // whose turn it is
}

// clients are the control nodes, the one that is attached to first.
func (l *fleetLink) clients() ([]*client.Control, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.all == nil {
		var err error
		if l.all, l.renew, err = l.m.clients(); err != nil {
			return nil, err
		}
	}
	k := l.turn % len(l.all)
	return append(append([]*client.Control{}, l.all[k:]...), l.all[:k]...), nil
}

// next has another control node have its turn.
func (l *fleetLink) next() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.turn++
}

// due reports whether the certificate is to be renewed.
func (l *fleetLink) due() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return !l.renew.IsZero() && time.Now().After(l.renew) && time.Now().After(l.again)
}

// renewed gets another certificate. Where it cannot be had, the old one serves on.
func (l *fleetLink) renewed(ctx context.Context, all []*client.Control) {
	err := l.m.renew(ctx, all)
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		l.again = time.Now().Add(renewAgain)
		l.log.Warn("the node's certificate cannot be renewed now", "error", plainMessage(err))
		return
	}
	for _, c := range l.all {
		c.Close()
	}
	l.all = nil
	l.log.Info("the node's certificate was renewed")
}

// Follow is part of fleet.Link.
func (l *fleetLink) Follow(ctx context.Context) (<-chan fleet.Heard, error) {
	all, err := l.clients()
	if err != nil {
		return nil, err
	}
	if l.due() {
		l.renewed(ctx, all)
		if all, err = l.clients(); err != nil {
			return nil, err
		}
	}
	ctx, cancel := context.WithCancel(ctx)
	out := make(chan fleet.Heard)
	go func() {
		defer close(out)
		defer cancel()
		err := client.Attach(ctx, all[:1], client.AttachOptions{
			Version: version(), Address: l.address, Cell: l.cell, Incarnation: l.incarnation,
			Attached: func(w *towpathv1.AttachResponse_Welcome) {
				l.log.Info("attached", "node", w.GetNode(), "environment", w.GetEnvironment(), "cluster", w.GetCluster())
			},
			Intents: func(i *towpathv1.AttachResponse_Intents) {
				h, err := heardOf(i, l.log)
				if err != nil {
					l.log.Error("what the node shall run is not understood", "error", err)
					return
				}
				select {
				case out <- h:
				case <-ctx.Done():
				}
			},
			Detached: func(err error) {
				l.log.Warn("not attached", "error", plainMessage(err))
				cancel() // the agent follows again, another one
			},
		})
		l.next()
		if code := connect.CodeOf(err); code == connect.CodeUnauthenticated || code == connect.CodePermissionDenied {
			l.log.Error("the cluster refuses this node; it serves on", "error", plainMessage(err))
		}
	}()
	return out, nil
}

func heardOf(m *towpathv1.AttachResponse_Intents, log *slog.Logger) (fleet.Heard, error) {
	h := fleet.Heard{Intents: map[string]*fleet.Intent{}, Policy: m.GetPolicy(), Held: m.GetHeld()}
	var err error
	if h.Admitted, err = release.DecodeAdmitted(m.GetAdmitted()); err != nil {
		log.Error("what the control node says that was admitted is not understood", "error", err)
	}
	for program, text := range m.GetIntents() {
		i, err := fleet.DecodeIntent(program, text)
		if err != nil {
			return h, err
		}
		h.Intents[program] = i
	}
	return h, nil
}

// Report is part of fleet.Link.
func (l *fleetLink) Report(ctx context.Context, s *fleet.Status) error {
	return l.ask(func(c *client.Control) error {
		_, err := c.Nodes.ReportStatus(ctx, &towpathv1.ReportStatusRequest{Status: s.Encode()})
		return err
	})
}

// Count is part of fleet.Link.
func (l *fleetLink) Count(ctx context.Context, counters *fleet.Counters) (asked []string, err error) {
	text, err := json.Marshal(counters)
	if err != nil {
		return nil, err
	}
	err = l.ask(func(c *client.Control) error {
		r, err := c.Nodes.ReportCounters(ctx, &towpathv1.ReportCountersRequest{Counters: text})
		if asked = r.GetPrograms(); r.GetAsked() && len(asked) == 0 { // an older control node
			asked = slices.Collect(maps.Keys(counters.Programs))
		}
		return err
	})
	return asked, err
}

// ask asks the control nodes one after the other, until one can be reached.
func (l *fleetLink) ask(do func(*client.Control) error) error {
	all, err := l.clients()
	if err != nil {
		return err
	}
	for _, c := range all {
		if err = do(c); err == nil || connect.CodeOf(err) != connect.CodeUnavailable {
			return err
		}
	}
	return err
}

// String is part of release.Source.
func (l *fleetLink) String() string { return "the control nodes" }

// Object is part of release.Source.
func (l *fleetLink) Object(ctx context.Context, kind release.Kind, digest release.Digest) ([]byte, error) {
	return l.object(ctx, string(kind), digest)
}

// Signatures is part of release.Source.
func (l *fleetLink) Signatures(ctx context.Context, d release.Digest) ([]*release.Envelope, error) {
	text, err := l.object(ctx, "signatures", d)
	if err != nil {
		return nil, err
	}
	return release.DecodeEnvelopes(text)
}

func (l *fleetLink) object(ctx context.Context, kind string, digest release.Digest) (data []byte, err error) {
	all, err := l.clients()
	if err != nil {
		return nil, err
	}
	for _, c := range all {
		// Control nodes whose objects are each in their own data do not all have all.
		if data, err = getObject(ctx, c, kind, digest); err == nil {
			return data, nil
		}
	}
	return nil, err
}

// getObject gets an object of a release from a control node.
func getObject(ctx context.Context, c *client.Control, kind string, digest release.Digest) ([]byte, error) {
	r, err := c.Do(ctx, http.MethodGet, "/objects/"+kind+"/"+string(digest), nil)
	if err != nil {
		return nil, err
	}
	defer r.Body.Close()
	data, err := io.ReadAll(io.LimitReader(r.Body, release.MaxArtifact+1))
	switch {
	case err != nil:
		return nil, err
	case r.StatusCode == http.StatusNotFound:
		return nil, fmt.Errorf("%w: %s", blob.ErrNotFound, firstOf(data))
	case r.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("%s: %s", r.Status, firstOf(data))
	}
	return data, nil
}

// firstOf is the first line of an answer that is no object.
func firstOf(text []byte) string {
	line, _, _ := strings.Cut(strings.TrimSpace(string(text[:min(len(text), 500)])), "\n")
	return printable(line)
}
