//go:build !solo

// A control node's part in deployments: the objects of releases, what nodes count, and a
// controller that stands for election.

package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"

	"towpath.dev/api/towpathv1"
	"towpath.dev/client"
	"towpath.dev/election"
	"towpath.dev/internal/blob"
	"towpath.dev/internal/control/access"
	"towpath.dev/internal/control/api"
	"towpath.dev/internal/control/deploy"
	"towpath.dev/internal/control/fleet"
	"towpath.dev/internal/control/release"
)

// urlLabel is the label of a controller that says where its control node is reached.
const urlLabel = "url"

// deployments opens what deployments need. close ends it.
func (p *opened) deployments(store election.Store) (d *api.Deployments, closing func(), err error) {
	where := p.objects
	if where == "" {
		where = filepath.Join(p.dir, "objects")
		if err := os.MkdirAll(where, 0o700); err != nil {
			return nil, nil, err
		}
		if p.peer != "" || len(p.etcd) > 0 {
			p.log.Warn("without --objects each control node keeps the objects of releases, and what happened to deployments, in its own data: name a store that all of them reach")
		}
	}
	objects, err := blob.Open(where, blob.Options{})
	if err != nil {
		return nil, nil, usage{fmt.Errorf("--objects: %w", err), "tow serve"}
	}
	group, err := election.NewGroup(store, "", deploy.Group)
	if err != nil {
		return nil, nil, err
	}
	objects = blob.Retry(objects, blob.Policy{})
	hub := api.NewHub()
	all := &everybodysCounters{Hub: hub, group: group, own: p.reachedAt(), trust: p.trust, dir: filepath.Join(p.dir, trustDir), clients: map[string]*client.Control{}}
	return &api.Deployments{Objects: release.NewObjects(objects), Events: objects, Hub: hub, Counters: all}, all.close, nil
}

// controller is this node's controller of deployments, which stands for election when it runs.
func (p *opened) controller(store election.Store, d *api.Deployments, o deploy.Options) (*deploy.Controller, error) {
	o.Store, o.Name, o.Labels, o.Counters, o.Objects, o.Log = store, p.trust.Node(), map[string]string{urlLabel: p.reachedAt()}, d.Counters, d.Events, p.log
	return deploy.NewController(o)
}

// reachedAt is where other control nodes reach this one.
func (p *opened) reachedAt() string {
	host, port, err := net.SplitHostPort(p.listener.Addr().String())
	if err != nil {
		return ""
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		for _, h := range p.trust.Hosts() {
			if !isLoopbackHost(h) {
				host = h
				break
			}
		}
	}
	scheme := "http://"
	if p.secure != nil {
		scheme = "https://"
	}
	return scheme + net.JoinHostPort(host, port)
}

// everybodysCounters are what nodes counted that are attached to any control node.
type everybodysCounters struct {
	*api.Hub
	group *election.Group
	own   string
	trust *access.Trust
	dir   string

	mu      sync.Mutex
	clients map[string]*client.Control // by address
	shown   *tls.Certificate           // that they show
}

// Counters is part of deploy.Counters. A node that has changed its control node is known to both
// for a while, and is told twice.
func (e *everybodysCounters) Counters(ctx context.Context, environment, program string) ([]*fleet.Counters, error) {
	all, err := e.Hub.Counters(ctx, environment, program)
	if err != nil {
		return nil, err
	}
	view, err := e.group.View(ctx)
	if err != nil { // the store is away, and what this node's own nodes counted is evidence too
		return all, &deploy.Unasked{At: []string{"other addresses than " + e.own}, Err: err}
	}
	var mu sync.Mutex
	var asking sync.WaitGroup
	var unasked deploy.Unasked
	for _, candidate := range view.Candidates {
		at := candidate.Labels[urlLabel]
		if at == "" || at == e.own {
			continue
		}
		asking.Go(func() {
			more, err := e.ask(ctx, at, environment, program)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				unasked.At, unasked.Err = append(unasked.At, at), errors.Join(unasked.Err, err)
				return
			}
			all = append(all, more...)
		})
	}
	asking.Wait()
	if unasked.At != nil {
		return all, &unasked
	}
	return all, nil
}

func (e *everybodysCounters) ask(ctx context.Context, at, environment, program string) ([]*fleet.Counters, error) {
	c, err := e.client(at)
	if err != nil {
		return nil, err
	}
	r, err := c.Deploy.GetCounters(ctx, &towpathv1.GetCountersRequest{Environment: environment, Program: program})
	if err != nil {
		return nil, err
	}
	var all []*fleet.Counters
	for _, text := range r.GetCounters() {
		n := new(fleet.Counters)
		if err := json.Unmarshal(text, n); err != nil {
			return nil, err
		}
		all = append(all, n)
	}
	return all, nil
}

// client is one of another control node, to which this one shows its certificate.
func (e *everybodysCounters) client(at string) (*client.Control, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	shown, err := e.trust.Certificate()
	if err != nil {
		return nil, err
	}
	if shown != e.shown {
		e.forget()
		e.shown = shown
	}
	if c := e.clients[at]; c != nil {
		return c, nil
	}
	ca, err := os.ReadFile(filepath.Join(e.dir, "ca.pem"))
	if err != nil {
		return nil, err
	}
	c, err := client.NewControl(at, client.ControlOptions{CA: ca, Certificate: shown})
	if err != nil {
		return nil, errors.Join(errors.New("another control node"), err)
	}
	e.clients[at] = c
	return c, nil
}

// forget closes all clients; the caller holds mu.
func (e *everybodysCounters) forget() {
	for _, c := range e.clients {
		c.Close()
	}
	clear(e.clients)
}

func (e *everybodysCounters) close() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.forget()
}
