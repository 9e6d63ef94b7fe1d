package elections

import (
	"context"
	"errors"

	"connectrpc.com/connect"

	v1 "towpath.dev/api/towpathv1"
	"towpath.dev/election"
)

func (s *Service) group(name string) (*election.Group, error) {
	g, err := election.NewGroup(s.store, s.opt.Prefix, name)
	if err != nil {
		return nil, coded(err)
	}
	return g, nil
}

// GetGroup implements towpath.v1.ElectionService.
func (s *Service) GetGroup(ctx context.Context, r *v1.GetGroupRequest) (*v1.GetGroupResponse, error) {
	g, err := s.group(r.GetGroup())
	if err != nil {
		return nil, err
	}
	view, err := g.View(ctx)
	if err != nil {
		return nil, coded(err)
	}
	m := &v1.GetGroupResponse{Config: config(view.Config), Revision: view.Revision, Assigner: view.Assigner}
	for _, x := range view.Seats {
		m.Seats = append(m.Seats, seat(x))
	}
	for _, x := range view.Candidates {
		m.Candidates = append(m.Candidates, candidate(x))
	}
	return m, nil
}

// ListGroups implements towpath.v1.ElectionService.
func (s *Service) ListGroups(ctx context.Context, _ *v1.ListGroupsRequest) (*v1.ListGroupsResponse, error) {
	names, err := election.Groups(ctx, s.store, s.opt.Prefix)
	if err != nil {
		return nil, coded(err)
	}
	return &v1.ListGroupsResponse{Groups: names}, nil
}

// SetGroup implements towpath.v1.ElectionService.
func (s *Service) SetGroup(ctx context.Context, r *v1.SetGroupRequest) (*v1.SetGroupResponse, error) {
	g, err := s.group(r.GetGroup())
	if err != nil {
		return nil, err
	}
	c := election.Config{Seats: int(r.GetConfig().GetSeats()), Partitions: r.GetConfig().GetPartitions()}
	revision, err := g.SetConfig(ctx, c)
	if err != nil {
		return nil, coded(err)
	}
	return &v1.SetGroupResponse{Revision: revision}, nil
}

// Drain implements towpath.v1.ElectionService.
func (s *Service) Drain(ctx context.Context, r *v1.DrainRequest) (*v1.DrainResponse, error) {
	g, err := s.group(r.GetGroup())
	if err != nil {
		return nil, err
	}
	if r.GetUndo() {
		err = g.Undrain(ctx, r.GetCandidate())
	} else {
		err = g.Drain(ctx, r.GetCandidate())
	}
	if err != nil {
		return nil, coded(err)
	}
	return &v1.DrainResponse{}, nil
}

// Move implements towpath.v1.ElectionService.
func (s *Service) Move(ctx context.Context, r *v1.MoveRequest) (*v1.MoveResponse, error) {
	g, err := s.group(r.GetGroup())
	if err != nil {
		return nil, err
	}
	if err := g.Move(ctx, r.GetSeat(), r.GetTo()); err != nil {
		return nil, coded(err)
	}
	return &v1.MoveResponse{}, nil
}

// BeginGeneration implements towpath.v1.ElectionService.
func (s *Service) BeginGeneration(ctx context.Context, _ *v1.BeginGenerationRequest) (*v1.BeginGenerationResponse, error) {
	if s.opt.Registry == nil {
		return nil, connect.NewError(connect.CodeFailedPrecondition, errors.New("this control node has no registry of generations: start it with --registry"))
	}
	g, err := election.Restored(ctx, s.store, s.opt.Prefix, s.opt.Registry)
	if err != nil {
		return nil, connect.NewError(connect.CodeUnavailable, err)
	}
	return &v1.BeginGenerationResponse{Generation: g.Number}, nil
}

func config(c election.Config) *v1.GroupConfig {
	return &v1.GroupConfig{Seats: int32(c.Seats), Partitions: c.Partitions} // at most 2^20
}

func seat(s election.Seat) *v1.Seat {
	m := &v1.Seat{Name: s.Name, Candidate: s.Candidate, HolderName: s.Holder, Planned: s.Planned}
	if s.Candidate != "" {
		m.Token = token(s.Token)
	}
	return m
}

func candidate(c election.Candidate) *v1.Candidate {
	return &v1.Candidate{Id: c.ID, Name: c.Name, Want: int32(c.Want), Held: int32(c.Held), Draining: c.Draining, Labels: c.Labels}
}
