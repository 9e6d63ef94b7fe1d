package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"connectrpc.com/connect"

	v1 "towpath.dev/api/towpathv1"
	"towpath.dev/election"
	"towpath.dev/internal/control/access"
	"towpath.dev/internal/control/deploy"
	"towpath.dev/internal/control/fleet"
)

// nodePrefix is where attached nodes are, by name. A node's key is on a lease of the
// stream that it is attached by.
const nodePrefix = "nodes/"

// nodeRecord is an attached node in the store.
type nodeRecord struct {
	Environment string `json:"environment"`
	Version     string `json:"version"`
	Address     string `json:"address,omitempty"`
	Since       string `json:"since"`
	// Incarnation is which run of the node's process it is; "" is that it does not say. Package
	// deploy reads it: see [deploy.Report].
	Incarnation string `json:"incarnation,omitempty"`
}

// nodeService is the nodes' side of the API.
type nodeService struct{ *Server }

// Attach is a node's presence: its key is there for as long as its stream, and some
// beats more where this server dies. A node that attaches again takes its key over from
// a stream that has not ended yet.
func (s *nodeService) Attach(ctx context.Context, q *v1.AttachRequest, out *connect.ServerStream[v1.AttachResponse]) error {
	const most = 255
	if len(q.GetVersion()) > most || len(q.GetAddress()) > most || len(q.GetIncarnation()) > most {
		return connect.NewError(connect.CodeInvalidArgument, fmt.Errorf("the version has %d bytes, the address %d and the incarnation %d: expected %d at most",
			len(q.GetVersion()), len(q.GetAddress()), len(q.GetIncarnation()), most))
	}
	if cell := q.GetCell(); cell != "" { // one that runs what it was started with is of none
		if err := fleet.CheckTold(cell, ""); err != nil {
			return connect.NewError(connect.CodeInvalidArgument, fmt.Errorf("%w; start the node with another --cell", err))
		}
	}
	who := access.Caller(ctx)
	lease, ttl, err := s.opts.Store.Grant(ctx, 3*s.opts.Beat)
	if err != nil {
		return err
	}
	defer s.detach(ctx, who, lease)
	value, err := json.Marshal(nodeRecord{who.Environment, q.GetVersion(), q.GetAddress(), time.Now().UTC().Format(time.RFC3339), q.GetIncarnation()})
	if err != nil {
		return err
	}
	key, left := nodePrefix+who.Name, fleet.LeftKey(who.Environment, who.Name)
	if _, err := s.opts.Store.Txn(ctx, election.Txn{Then: []election.Op{election.Put(key, value, lease), election.Delete(election.Key(left))}}); err != nil {
		return err
	}
	if err := out.Send(&v1.AttachResponse{Message: &v1.AttachResponse_Welcome_{Welcome: &v1.AttachResponse_Welcome{
		Node: who.Name, Environment: who.Environment, Cluster: s.opts.Registry.Cluster(),
	}}}); err != nil {
		return err
	}
	told, ended := s.intents(ctx, who.Environment, q.GetCell())
	defer ended()
	beat := time.NewTicker(s.opts.Beat)
	defer beat.Stop()
	until := time.Now().Add(ttl)
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case intents := <-told:
			if err := out.Send(&v1.AttachResponse{Message: &v1.AttachResponse_Intents_{Intents: intents}}); err != nil {
				return err
			}
			continue
		case <-beat.C:
		}
		sent := time.Now()
		revision, left, err := s.renew(ctx, key, lease)
		if err != nil {
			var coded *connect.Error
			if errors.As(err, &coded) || errors.Is(err, election.ErrNoLease) || !time.Now().Before(until) {
				return gone(err)
			}
			continue // the lease may still be there at the next beat
		}
		until = sent.Add(left)
		if err := out.Send(&v1.AttachResponse{Message: &v1.AttachResponse_Beat_{Beat: &v1.AttachResponse_Beat{Revision: revision}}}); err != nil {
			return err
		}
	}
}

// intents tells what a cell shall run, until ended is called. Without a cell it tells
// nothing.
func (s *nodeService) intents(ctx context.Context, environment, cell string) (told <-chan *v1.AttachResponse_Intents, ended func()) {
	if cell == "" || s.opts.Deployments == nil {
		return nil, func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	out := make(chan *v1.AttachResponse_Intents)
	var following sync.WaitGroup
	following.Go(func() {
		deploy.FollowIntents(ctx, s.opts.Store, environment, cell, func(h fleet.Heard) {
			m := &v1.AttachResponse_Intents{Intents: map[string][]byte{}, Policy: h.Policy, Held: h.Held}
			if len(h.Admitted) > 0 {
				m.Admitted = h.Admitted.Encode()
			}
			for program, i := range h.Intents {
				m.Intents[program] = i.Encode()
			}
			select {
			case out <- m:
			case <-ctx.Done():
			}
		})
	})
	return out, func() { cancel(); following.Wait() }
}

// renew keeps a node's lease, and gives the store's revision and how long it lives now.
func (s *nodeService) renew(ctx context.Context, key string, lease election.LeaseID) (int64, time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, max(s.opts.Beat, time.Second))
	defer cancel()
	left, err := s.opts.Store.Renew(ctx, lease)
	if err != nil {
		return 0, 0, err
	}
	page, err := s.opts.Store.Range(ctx, election.Span{Keys: election.Key(key)})
	if err != nil {
		return 0, 0, err
	}
	if len(page.Entries) == 0 || page.Entries[0].Lease != lease {
		return 0, 0, connect.NewError(connect.CodeAborted, errors.New("the node has attached again by another stream"))
	}
	return page.Revision, left, nil
}

// gone is why a node is no longer attached: it shall attach again.
func gone(err error) error {
	if connect.CodeOf(err) == connect.CodeAborted {
		return err
	}
	return connect.NewError(connect.CodeUnavailable, fmt.Errorf("this control node could not keep the node attached: %w", err))
}

// detach ends what a stream has held, and notes when. If the store cannot be reached, the
// lease ends by itself.
func (s *nodeService) detach(ctx context.Context, who access.Principal, lease election.LeaseID) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), max(s.opts.Beat, time.Second))
	defer cancel()
	if err := s.opts.Store.Revoke(ctx, lease); err != nil {
		s.opts.Log.Warn("a node's lease could not be revoked, and ends by itself", "error", err)
		return
	}
	_, err := s.opts.Store.Txn(ctx, election.Txn{
		If:   []election.Compare{election.Absent(nodePrefix + who.Name), election.Present(fleet.StatusKey(who.Environment, who.Name))},
		Then: []election.Op{election.Put(fleet.LeftKey(who.Environment, who.Name), []byte(time.Now().UTC().Format(time.RFC3339)), 0)},
	})
	if err != nil {
		s.opts.Log.Debug("since when a node is away is not known", "error", err)
	}
}

func (s *nodeService) ListNodes(ctx context.Context, _ *v1.ListNodesRequest) (*v1.ListNodesResponse, error) {
	page, err := s.opts.Store.Range(ctx, election.Span{Keys: election.Prefix(nodePrefix)})
	if err != nil {
		return nil, err
	}
	answer := &v1.ListNodesResponse{}
	for _, e := range page.Entries {
		var n nodeRecord
		if err := json.Unmarshal(e.Value, &n); err != nil {
			return nil, fmt.Errorf("%s in the store: %w", e.Key, err)
		}
		answer.Nodes = append(answer.Nodes, &v1.Node{
			Name: strings.TrimPrefix(e.Key, nodePrefix), Environment: n.Environment, Version: n.Version, Address: n.Address, Since: n.Since,
		})
	}
	return answer, nil
}
