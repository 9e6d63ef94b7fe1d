package deploy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"towpath.dev/election"
	"towpath.dev/internal/blob"
)

// The store has the last deployments of each program, see recentMost. Those before them are
// in object storage, beside their events.

func archiveName(id string) (string, error) {
	program, environment, n, err := ParseID(id)
	return eventsPrefix(environment, program, n) + "deployment", err
}

// archive puts deployments into object storage that no head remembers, and deletes them from
// the store.
func (f *flusher) archive(ctx context.Context) error {
	for _, d := range f.w.c.replica.forgotten(f.w.l.Seat()) {
		if err := f.archiveOne(ctx, d); err != nil {
			return err
		}
	}
	return nil
}

func (f *flusher) archiveOne(ctx context.Context, d *Deployment) error {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	name, err := archiveName(d.Plan.ID)
	if err != nil {
		return err
	}
	// It has ended, and is the same whoever writes it.
	if err := f.w.c.o.Objects.Create(ctx, name, encode(d), blob.Standard); err != nil && !errors.Is(err, blob.ErrExists) {
		return err
	}
	id := d.Plan.ID
	_, err = f.w.c.o.Store.Txn(ctx, election.Txn{If: []election.Compare{f.w.l.Guard()}, Then: []election.Op{
		election.Delete(election.Key(planKey(id))), election.Delete(election.Key(stateKey(id))), election.Delete(election.Prefix(askPrefix + id + "/")),
	}})
	return err
}

// forgotten are deployments of a partition that have ended, that no head remembers, and all
// of whose events have been carried on.
func (r *replica) forgotten(partition string) []*Deployment {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []*Deployment
	for id, s := range r.states {
		p := r.plans[id]
		if p == nil || s.value.Phase != Ended || partitionOf(p.Environment, p.Program) != partition || r.events[id] > 0 {
			continue
		}
		h := r.heads[headKey(p.Environment, p.Program)].value
		if h != nil && h.Active != id && !slices.Contains(h.Recent, id) && !slices.Contains(h.Queue, id) {
			all = append(all, &Deployment{Plan: p, State: s.value})
		}
	}
	return all
}

// GetArchived reads a deployment that may be in object storage alone, which may be nil.
func (s *Service) GetArchived(ctx context.Context, objects blob.Store, id string) (*Deployment, error) {
	d, err := s.Get(ctx, id)
	var unknown *Refused
	if objects == nil || !errors.As(err, &unknown) {
		return d, err
	}
	name, bad := archiveName(id)
	if bad != nil {
		return nil, err
	}
	data, fault := objects.Get(ctx, name)
	switch {
	case errors.Is(fault, blob.ErrNotFound):
		return nil, err
	case fault != nil:
		return nil, fault
	}
	d = &Deployment{}
	if fault := json.Unmarshal(data, d); fault != nil {
		return nil, fmt.Errorf("%s: %w", name, fault)
	}
	return d, nil
}
