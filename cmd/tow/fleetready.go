//go:build !solo

// Whether a node's own server answers, as a balancer would find it.

package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
)

// ownServer is where a node's server can be asked. Before it listens there is nothing to ask.
type ownServer struct {
	mu     sync.Mutex
	url    string
	client *http.Client
}

// listens says where, as "https://HOST:PORT".
func (o *ownServer) listens(url string) {
	t := &http.Transport{
		Proxy:             nil,  // it is this process
		DisableKeepAlives: true, // so that it is seen whether connections are taken
		// Whose certificate it is does not matter: nothing is sent, and it is this process's port.
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.url, o.client = url, &http.Client{Transport: t}
}

// ask asks whether the server is ready.
func (o *ownServer) ask(ctx context.Context) error {
	o.mu.Lock()
	url, client := o.url, o.client
	o.mu.Unlock()
	if client == nil {
		return nil
	}
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/readyz", nil)
	if err != nil {
		return err
	}
	r, err := client.Do(q)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return errors.New("/readyz does not answer in time")
	case err != nil:
		return fmt.Errorf("/readyz does not answer: %w", innermost(err))
	}
	defer r.Body.Close()
	text, err := io.ReadAll(io.LimitReader(r.Body, 1<<10))
	switch said := strings.TrimSpace(string(text)); {
	case r.StatusCode == http.StatusOK:
		return nil
	case err != nil:
		return fmt.Errorf("/readyz does not answer: %w", innermost(err))
	case said == "draining":
		return nil // it ends because it shall
	default:
		return fmt.Errorf("/readyz says %q (%s)", firstOf(text), r.Status)
	}
}

// Ready is part of fleet.Readier. A node that serves nothing has nothing to lose.
func (h *fleetHost) Ready(ctx context.Context) error {
	h.mu.Lock()
	serves := len(h.placed) > 0
	h.mu.Unlock()
	if !serves {
		return nil
	}
	return h.own.ask(ctx)
}
