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
	"time"

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

// openDeployments opens what deployments need. close ends it.
func (p *opened) openDeployments(store election.Store) (d *api.Deployments, closing func(), err error) {
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
	all := &otherControls{Hub: hub, group: group, own: p.reachedAt(), trust: p.trust, dir: filepath.Join(p.dir, trustDir), clients: map[string]*client.Control{}}
	return &api.Deployments{
		Objects: release.NewObjects(objects), Events: objects, Hub: hub, Counters: all, Holdups: &deploy.Holdups{}, Holdup: all.holdup,
	}, all.close, nil
}

// newController is this node's controller of deployments, which stands for election when it runs.
func (p *opened) newController(store election.Store, d *api.Deployments, o deploy.Options) (*deploy.Controller, error) {
	o.Store, o.Name, o.Labels, o.Counters, o.Objects, o.Log = store, p.trust.Node(), map[string]string{urlLabel: p.reachedAt()}, d.Counters, d.Events, p.log
	o.Holdups, o.Compare = d.Holdups, comparer(d.Objects)
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

// otherControls asks the other control nodes for what they alone know: what the nodes counted that are
// attached to them, and what holds up the deployments that they lead.
type otherControls struct {
	*api.Hub
	group *election.Group
	own   string
	trust *access.Trust
	dir   string
	rests rests

	mu      sync.Mutex
	clients map[string]*client.Control // by address
	shown   *tls.Certificate           // that they show
}

// Counters is part of deploy.Counters. A node that has changed its control node is known to both
// for a while, and is told twice.
func (e *otherControls) Counters(ctx context.Context, environment, program string) ([]*fleet.Counters, error) {
	all, err := e.Hub.Counters(ctx, environment, program)
	if err != nil {
		return nil, err
	}
	err = e.others(ctx, &towpathv1.GetCountersRequest{Environment: environment, Program: program}, func(r *towpathv1.GetCountersResponse) error {
		for _, text := range r.GetCounters() {
			n := new(fleet.Counters)
			if err := json.Unmarshal(text, n); err != nil {
				return err
			}
			all = append(all, n)
		}
		return nil
	})
	return all, err
}

// holdupTime bounds asking for what holds a deployment up.
const holdupTime = 2 * time.Second

// holdup is what holds a deployment up that another control node leads; nil is nothing that could be
// heard.
func (e *otherControls) holdup(ctx context.Context, id string) (found *deploy.Holdup) {
	ctx, cancel := context.WithTimeout(ctx, holdupTime)
	defer cancel()
	// Its name is of no program's counters.
	err := e.others(ctx, &towpathv1.GetCountersRequest{Deployment: id}, func(r *towpathv1.GetCountersResponse) error {
		if len(r.GetHoldup()) == 0 {
			return nil
		}
		found = new(deploy.Holdup)
		return json.Unmarshal(r.GetHoldup(), found)
	})
	if err != nil && found == nil {
		return nil
	}
	return found
}

// others asks all other control nodes, and takes their answers one by one. Where some could not be
// asked, the error is a [deploy.Unasked]. One that has let this one wait rests for some seconds.
func (e *otherControls) others(ctx context.Context, q *towpathv1.GetCountersRequest, take func(*towpathv1.GetCountersResponse) error) error {
	view, err := e.group.View(ctx)
	if err != nil { // the store is away, and what this node knows is worth something too
		return &deploy.Unasked{At: []string{"other addresses than " + e.own}, Err: err}
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
			r, err := (*towpathv1.GetCountersResponse)(nil), e.rests.why(at)
			if err == nil {
				began := time.Now()
				r, err = e.ask(ctx, at, q)
				if !errors.Is(ctx.Err(), context.Canceled) { // else it is who asks that has gone
					e.rests.note(at, time.Since(began), err)
				}
			}
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				err = take(r)
			}
			if err != nil {
				unasked.At, unasked.Err = append(unasked.At, at), errors.Join(unasked.Err, err)
			}
		})
	}
	asking.Wait()
	if unasked.At != nil {
		return &unasked
	}
	return nil
}

func (e *otherControls) ask(ctx context.Context, at string, q *towpathv1.GetCountersRequest) (*towpathv1.GetCountersResponse, error) {
	c, err := e.client(at)
	if err != nil {
		return nil, err
	}
	return c.Deploy.GetCounters(ctx, q)
}

// client is one of another control node, to which this one shows its certificate.
func (e *otherControls) client(at string) (*client.Control, error) {
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
func (e *otherControls) forget() {
	for _, c := range e.clients {
		c.Close()
	}
	clear(e.clients)
}

func (e *otherControls) close() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.forget()
}
