package api

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"connectrpc.com/connect"

	v1 "towpath.dev/api/towpathv1"
	"towpath.dev/internal/control/access"
	"towpath.dev/internal/control/deploy"
	"towpath.dev/internal/control/fleet"
)

// Hub has what the nodes counted that are attached to this control node. It is in memory
// alone: counters grow, and the next report has all of them.
type Hub struct {
	mu    sync.Mutex
	all   map[string]heardCounters // by ENVIRONMENT/NODE
	asked map[string]time.Time     // when somebody asked last, by environment
}

type heardCounters struct {
	environment string
	at          time.Time
	counters    *fleet.Counters
}

// NewHub makes a Hub that has heard nothing.
func NewHub() *Hub {
	return &Hub{all: map[string]heardCounters{}, asked: map[string]time.Time{}}
}

// heardFor is how old counters may be that are told.
const heardFor = 30 * time.Second

// askedFor is for how long somebody is said to ask: longer than a node that nobody asks is silent.
const askedFor = 15 * time.Second

// hear hears a node, and says whether somebody asks for what it counted at present.
func (h *Hub) hear(environment string, c *fleet.Counters) (asked bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := time.Now()
	if at, ok := h.asked[environment]; ok {
		asked = now.Sub(at) <= askedFor
	}
	for key, old := range h.all {
		if now.Sub(old.at) > heardFor {
			delete(h.all, key)
		}
	}
	key := environment + "/" + c.Node
	if old, ok := h.all[key]; ok && old.counters.Incarnation == c.Incarnation && old.counters.Number >= c.Number {
		return asked // it was on its way for long
	}
	h.all[key] = heardCounters{environment, now, c}
	return asked
}

// heard is what the nodes counted of a program, and how long ago.
func (h *Hub) heard(environment, program string) []*fleet.Counters {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.asked[environment] = time.Now()
	var all []*fleet.Counters
	for _, c := range h.all {
		age := time.Since(c.at)
		if c.environment == environment && len(c.counters.Programs[program]) > 0 && age <= heardFor {
			all = append(all, &fleet.Counters{
				Node: c.counters.Node, Incarnation: c.counters.Incarnation, Number: c.counters.Number, Age: age,
				Programs: map[string][]fleet.Count{program: c.counters.Programs[program]},
			})
		}
	}
	slices.SortFunc(all, func(a, b *fleet.Counters) int { return cmp.Compare(a.Node, b.Node) })
	return all
}

// Counters is part of deploy.Counters.
func (h *Hub) Counters(_ context.Context, environment, program string) ([]*fleet.Counters, error) {
	return h.heard(environment, program), nil
}

// ReportStatus writes what a node says that it runs.
func (s *nodeService) ReportStatus(ctx context.Context, q *v1.ReportStatusRequest) (*v1.ReportStatusResponse, error) {
	if len(q.GetStatus()) > fleet.MaxReport {
		return nil, connect.NewError(connect.CodeInvalidArgument, fmt.Errorf("the status has %d bytes: expected %d at most", len(q.GetStatus()), fleet.MaxReport))
	}
	status, err := fleet.DecodeStatus("the status", q.GetStatus())
	if err != nil {
		return nil, connect.NewError(connect.CodeInvalidArgument, err)
	}
	who := access.Caller(ctx)
	if who.Environment == "" {
		return nil, connect.NewError(connect.CodeFailedPrecondition, errors.New("this node joined no environment: join it with a token that names one"))
	}
	if err := deploy.CheckStatus(who.Environment, status); err != nil {
		return nil, connect.NewError(connect.CodeInvalidArgument, err)
	}
	return &v1.ReportStatusResponse{}, deploy.Report(ctx, s.opts.Store, who.Environment, who.Name, status, time.Now().UTC())
}

// ReportCounters hears what a node counted.
func (s *nodeService) ReportCounters(ctx context.Context, q *v1.ReportCountersRequest) (*v1.ReportCountersResponse, error) {
	c := new(fleet.Counters)
	if err := json.Unmarshal(q.GetCounters(), c); err != nil {
		return nil, connect.NewError(connect.CodeInvalidArgument, fmt.Errorf("the counters cannot be read: %w", err))
	}
	who := access.Caller(ctx)
	c.Node = who.Name
	out := &v1.ReportCountersResponse{}
	if s.opts.Deployments != nil {
		out.Asked = s.opts.Deployments.Hub.hear(who.Environment, c)
	}
	return out, nil
}
