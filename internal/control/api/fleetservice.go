package api

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"connectrpc.com/connect"

	v1 "towpath.dev/api/towpathv1"
	"towpath.dev/election"
	"towpath.dev/internal/control/access"
	"towpath.dev/internal/control/fleet"
	"towpath.dev/internal/control/release"
)

// GetFleet tells what an environment's nodes run, and what they shall.
func (s *deployService) GetFleet(ctx context.Context, q *v1.GetFleetRequest) (*v1.GetFleetResponse, error) {
	statuses, intents, left := fleet.StatusKey(q.GetEnvironment(), ""), fleet.IntentPrefix+q.GetEnvironment()+"/", fleet.LeftKey(q.GetEnvironment(), "")
	r, err := s.opts.Store.Txn(ctx, election.Txn{Then: []election.Op{
		election.Get(election.Prefix(statuses)), election.Get(election.Prefix(intents)),
		election.Get(election.Prefix(nodePrefix)), election.Get(election.Prefix(left)), election.Get(election.Prefix(fleet.RunsKeys(q.GetEnvironment(), ""))),
	}})
	if err != nil {
		return nil, err
	}
	attached, since := map[string]bool{}, map[string]string{}
	for _, e := range r.Outcomes[3].Entries {
		since[strings.TrimPrefix(e.Key, left)] = string(e.Value)
	}
	for _, e := range r.Outcomes[2].Entries {
		var n nodeRecord
		if json.Unmarshal(e.Value, &n) == nil && n.Environment == q.GetEnvironment() {
			name := strings.TrimPrefix(e.Key, nodePrefix)
			attached[name], since[name] = true, n.Since
		}
	}
	out := &v1.GetFleetResponse{}
	nodes, err := fleet.Statuses(slices.Concat(r.Outcomes[0].Entries, r.Outcomes[4].Entries))
	if err != nil {
		return nil, err
	}
	for _, of := range slices.SortedFunc(maps.Keys(nodes), func(a, b [2]string) int { return cmp.Compare(a[1], b[1]) }) {
		name := of[1]
		out.Nodes = append(out.Nodes, &v1.FleetNode{Name: name, Attached: attached[name], Status: nodes[of].Encode(), Since: since[name]})
	}
	for _, e := range r.Outcomes[1].Entries {
		_, cell, program, ok := fleet.ParseIntentKey(e.Key)
		if ok {
			out.Intents = append(out.Intents, &v1.FleetIntent{Cell: cell, Program: program, Intent: e.Value})
		}
	}
	return out, nil
}

// forgetTries is how often it is tried to forget a node, while others join.
const forgetTries = 10

// ForgetNode removes what is known of a node that is not attached. What it ran is forgotten
// in one transaction with the look whether it is attached: one that comes back meanwhile
// stays known. With the last node of a cell goes what the cell was to run, unless another one has come to some
// cell meanwhile: then it is looked again.
func (s *deployService) ForgetNode(ctx context.Context, q *v1.ForgetNodeRequest) (*v1.ForgetNodeResponse, error) {
	environment, name := q.GetEnvironment(), q.GetNode()
	if err := errors.Join(release.CheckEnvironment(environment), access.CheckName("a node", name)); err != nil { // it would be another key
		return nil, connect.NewError(connect.CodeInvalidArgument, err)
	}
	for range forgetTries {
		last, err := s.lastOf(ctx, environment, name)
		if err != nil {
			return nil, err
		}
		r, err := s.opts.Store.Txn(ctx, forgetting(environment, name, last))
		switch {
		case err != nil:
			return nil, err
		case r.OK:
			return &v1.ForgetNodeResponse{}, nil
		case len(r.Outcomes[0].Entries) == 0:
			return nil, connect.NewError(connect.CodeNotFound, fmt.Errorf("nothing is known of a node %s in %s; \"tow fleet status --env %s\" shows which there are", name, environment, environment))
		case len(r.Outcomes[1].Entries) > 0:
			return nil, connect.NewError(connect.CodeFailedPrecondition, fmt.Errorf("the node %s is attached, and would be known again at once: end it first, and \"tow principal revoke %s\" keeps it away", name, name))
		}
	}
	return nil, connect.NewError(connect.CodeAborted, fmt.Errorf("nodes join %s all the time, and one may be of the cell of %s: forget it once they have", environment, name))
}

// forgetting is the transaction that forgets a node. It gives, where it does not hold, the node's status and
// its record as one that is attached.
func forgetting(environment, name string, last lastNode) election.Txn {
	status := fleet.StatusKey(environment, name)
	txn := election.Txn{
		If: []election.Compare{election.Absent(nodePrefix + name), election.Present(status)},
		Then: []election.Op{
			election.Delete(election.Key(status)), election.Delete(election.Prefix(fleet.RunsKeys(environment, name))),
			election.Delete(election.Key(fleet.LeftKey(environment, name))),
		},
		Else: []election.Op{election.Get(election.Key(status)), election.Get(election.Key(nodePrefix + name))},
	}
	if last.cell != "" {
		joined := election.Absent(fleet.JoinedKey(environment))
		if last.joined != 0 {
			joined = election.ModifiedAt(fleet.JoinedKey(environment), last.joined)
		}
		txn.If = append(txn.If, joined)
		txn.Then = append(txn.Then, election.Delete(election.Prefix(fleet.CellKeys(environment, last.cell))))
	}
	return txn
}

// lastNode is the cell of which a node is the only one that is known; "" where there are others, or may
// be: one that is attached and has not said yet where it is.
type lastNode struct {
	cell   string
	joined int64 // the revision at which a node had come to a cell last; 0 is never
}

func (s *deployService) lastOf(ctx context.Context, environment, name string) (last lastNode, err error) {
	r, err := s.opts.Store.Txn(ctx, election.Txn{Then: []election.Op{
		election.Get(election.Prefix(fleet.StatusKey(environment, ""))), election.Get(election.Prefix(fleet.RunsKeys(environment, ""))),
		election.Get(election.Prefix(nodePrefix)), election.Get(election.Key(fleet.JoinedKey(environment))),
	}})
	if err != nil {
		return last, err
	}
	nodes, err := fleet.Statuses(slices.Concat(r.Outcomes[0].Entries, r.Outcomes[1].Entries))
	if err != nil {
		return last, err
	}
	for _, e := range r.Outcomes[2].Entries {
		var n nodeRecord
		if json.Unmarshal(e.Value, &n) == nil && n.Environment == environment && nodes[[2]string{environment, strings.TrimPrefix(e.Key, nodePrefix)}] == nil {
			return last, nil
		}
	}
	gone := nodes[[2]string{environment, name}]
	if gone == nil {
		return last, nil
	}
	for of, status := range nodes {
		if of[1] != name && status.Cell == gone.Cell {
			return last, nil
		}
	}
	if all := r.Outcomes[3].Entries; len(all) > 0 {
		last.joined = all[0].Modified
	}
	last.cell = gone.Cell
	return last, nil
}

// RemoveProgram takes a program out of service, unless others call it that run, or are being deployed.
func (s *deployService) RemoveProgram(ctx context.Context, q *v1.RemoveProgramRequest) (*v1.RemoveProgramResponse, error) {
	environment, program := q.GetEnvironment(), q.GetProgram()
	if err := errors.Join(release.CheckEnvironment(environment), release.CheckProgram(program)); err != nil {
		return nil, connect.NewError(connect.CodeInvalidArgument, err)
	}
	heads, err := s.service.Heads(ctx, environment)
	if err != nil {
		return nil, err
	}
	var callers []string
	for other, h := range heads {
		used := []release.Digest{h.Current}
		if h.Active != "" {
			d, err := s.service.Get(ctx, h.Active)
			if err != nil {
				return nil, refused(err)
			}
			used = append(used, d.Plan.Release)
		}
		for _, digest := range used {
			if other == program || other == release.Tow || digest == "" {
				continue
			}
			r, err := s.opts.Deployments.Objects.Release(ctx, digest)
			if err != nil {
				return nil, s.notWhole(digest, err)
			}
			if r.Calls[program] != "" && !slices.Contains(callers, other) {
				callers = append(callers, other)
			}
		}
	}
	if len(callers) > 0 {
		slices.Sort(callers)
		return nil, connect.NewError(connect.CodeFailedPrecondition, fmt.Errorf("%s calls %s in %s: deploy it without that first, or remove it", strings.Join(callers, ", "), program, environment))
	}
	cells, err := s.service.Remove(ctx, environment, program, release.Digest(q.GetCurrent()))
	if err != nil {
		return nil, refused(err)
	}
	return &v1.RemoveProgramResponse{Cells: cells}, nil
}
