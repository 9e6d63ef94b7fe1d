package api

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
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
	all   map[string]*counted  // by ENVIRONMENT/NODE
	asked map[string]time.Time // when somebody asked last, by ENVIRONMENT/PROGRAM
	swept time.Time            // when what is old was dropped last
}

// counted is what a node has handed over.
type counted struct {
	environment, node, incarnation string
	at                             time.Time // the last time
	number                         int64
	programs                       map[string]countedOf
}

// countedOf is what it has of a program.
type countedOf struct {
	at     time.Time
	number int64
	counts []fleet.Count
}

// NewHub makes a Hub that has heard nothing.
func NewHub() *Hub {
	return &Hub{all: map[string]*counted{}, asked: map[string]time.Time{}}
}

// heardFor is how old counters may be that are told.
const heardFor = 30 * time.Second

// askedFor is for how long somebody is said to ask: longer than a node that nobody asks is silent.
const askedFor = 15 * time.Second

// hear hears a node, and says of which of its programs somebody asks for what it counted at
// present.
func (h *Hub) hear(environment string, c *fleet.Counters) (asked []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := time.Now()
	h.sweep(now)
	key := environment + "/" + c.Node
	n := h.all[key]
	if n == nil || n.incarnation != c.Incarnation {
		n = &counted{environment: environment, node: c.Node, incarnation: c.Incarnation, number: c.Number - 1}
		h.all[key] = n
	}
	if n.number < c.Number { // else it was on its way for long
		n.take(c, now)
	}
	for program := range n.programs {
		if at, ok := h.asked[environment+"/"+program]; ok && now.Sub(at) <= askedFor {
			asked = append(asked, program)
		}
	}
	slices.Sort(asked)
	return asked
}

// take takes over what a node hands over.
func (n *counted) take(c *fleet.Counters, now time.Time) {
	n.at, n.number = now, c.Number
	if !c.Some || n.programs == nil {
		n.programs = map[string]countedOf{}
	}
	for program, counts := range c.Programs {
		n.programs[program] = countedOf{now, c.Number, counts}
	}
}

// sweep drops what is told no more, now and then.
func (h *Hub) sweep(now time.Time) {
	if now.Sub(h.swept) < heardFor {
		return
	}
	h.swept = now
	maps.DeleteFunc(h.all, func(_ string, n *counted) bool { return now.Sub(n.at) > heardFor })
	maps.DeleteFunc(h.asked, func(_ string, at time.Time) bool { return now.Sub(at) > askedFor })
}

// heard is what the nodes counted of a program, and how long ago.
func (h *Hub) heard(environment, program string) []*fleet.Counters {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.asked[environment+"/"+program] = time.Now()
	var all []*fleet.Counters
	for _, n := range h.all {
		of := n.programs[program]
		age := time.Since(of.at)
		if n.environment == environment && len(of.counts) > 0 && age <= heardFor {
			all = append(all, &fleet.Counters{
				Node: n.node, Incarnation: n.incarnation, Number: of.number, Age: age,
				Programs: map[string][]fleet.Count{program: of.counts},
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
		out.Programs = s.opts.Deployments.Hub.hear(who.Environment, c)
		out.Asked = len(out.GetPrograms()) > 0
	}
	return out, nil
}
