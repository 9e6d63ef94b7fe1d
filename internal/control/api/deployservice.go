package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"connectrpc.com/connect"

	v1 "towpath.dev/api/towpathv1"
	"towpath.dev/internal/blob"
	"towpath.dev/internal/control/access"
	"towpath.dev/internal/control/deploy"
	"towpath.dev/internal/control/release"
	"towpath.dev/internal/control/verdict"
)

// Deployments is what the API needs to serve deployments.
type Deployments struct {
	// Objects has the objects of releases, and Events, the store that they are in, what
	// happened to deployments.
	Objects *release.Objects
	Events  blob.Store
	Hub     *Hub
	// Counters has what all nodes count; nil: those that the hub has.
	Counters deploy.Counters
	// Holdups are of what this process leads, and Holdup finds what holds a deployment up that
	// another one leads; nil: nothing is known of those.
	Holdups *deploy.Holdups
	Holdup  func(ctx context.Context, id string) *deploy.Holdup
}

// deployService serves deployments.
type deployService struct {
	*Server
	service deploy.Service
	room    room
}

// refused is an error as the caller hears it.
func refused(err error) error {
	var why *deploy.Refused
	switch {
	case errors.As(err, &why):
		return connect.NewError(connect.CodeFailedPrecondition, why)
	case errors.Is(err, deploy.ErrObjects):
		return connect.NewError(connect.CodeUnavailable, err)
	}
	return err
}

// whole sees that a release is here with all its parts, and gives its document.
func (s *deployService) whole(ctx context.Context, d release.Digest) (*release.Release, error) {
	objects := s.opts.Deployments.Objects
	r, err := objects.Release(ctx, d)
	if err != nil {
		return nil, s.notWhole(d, err)
	}
	weight, err := objects.Weight(ctx, r)
	if err != nil {
		return nil, s.notWhole(d, err)
	}
	leave, err := s.room.take(ctx, weight, s.opts.Timeout)
	if err != nil {
		return nil, err
	}
	defer leave()
	if _, err := release.Load(ctx, objects, d); err != nil {
		return nil, s.notWhole(d, err)
	}
	return r, nil
}

// notWhole is why a release cannot be had: because of what it is, or of the store.
func (s *deployService) notWhole(d release.Digest, err error) error {
	switch {
	case errors.Is(err, blob.ErrNotFound):
		return connect.NewError(connect.CodeFailedPrecondition, fmt.Errorf("the release %s is not here as a whole: put its objects first (%w)", d.Short(), err))
	case errors.Is(err, release.ErrDamaged), errors.Is(err, release.ErrMalformed):
		return connect.NewError(connect.CodeFailedPrecondition, err)
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	}
	s.opts.Log.Warn("a release could not be read", "release", d, "error", err)
	return connect.NewError(connect.CodeUnavailable, fmt.Errorf("the store of objects cannot be asked for the release %s now; ask again (%w)", d.Short(), err))
}

func (s *deployService) CreateDeployment(ctx context.Context, q *v1.CreateDeploymentRequest) (*v1.CreateDeploymentResponse, error) {
	d, err := release.ParseDigest(q.GetRelease())
	if err != nil {
		return nil, connect.NewError(connect.CodeInvalidArgument, err)
	}
	pipeline := deploy.PipelineOf(q.GetProgram())
	if len(q.GetPipeline()) > 0 {
		pipeline = deploy.Pipeline{}
		if err := json.Unmarshal(q.GetPipeline(), &pipeline); err != nil {
			return nil, connect.NewError(connect.CodeInvalidArgument, fmt.Errorf("the pipeline cannot be read: %w", err))
		}
	}
	r, err := s.whole(ctx, d)
	if err != nil {
		return nil, err
	}
	if r.Program != q.GetProgram() || r.Environment != q.GetEnvironment() {
		return nil, connect.NewError(connect.CodeInvalidArgument, fmt.Errorf("the release %s is of %s in %s, and not of %s in %s", d.Short(), r.Program, r.Environment, q.GetProgram(), q.GetEnvironment()))
	}
	p := deploy.Plan{
		Program: q.GetProgram(), Environment: q.GetEnvironment(), Release: d, Request: q.GetRequest(),
		By: access.Caller(ctx).Name, Why: q.GetWhy(), Pipeline: pipeline, Against: release.Digest(q.GetAgainst()), Replayed: verdict.Replay{Requests: q.GetReplayed(), Dearer: q.GetDearer(), Generated: q.GetGenerated()},
	}
	for _, c := range q.GetChecks() {
		p.Checks = append(p.Checks, deploy.Check{Name: c.GetName(), Text: c.GetText()})
	}
	id, err := s.service.Create(ctx, p)
	if err != nil {
		return nil, refused(err)
	}
	return &v1.CreateDeploymentResponse{Id: id}, nil
}

// shown is a deployment as the API names it.
func shown(d *deploy.Deployment, l latencies) *v1.Deployment {
	plan, err1 := json.Marshal(d.Plan)
	state, err2 := json.Marshal(d.State)
	if err := errors.Join(err1, err2); err != nil {
		panic(err) // they were read as JSON
	}
	out := &v1.Deployment{
		Id: d.Plan.ID, Program: d.Plan.Program, Environment: d.Plan.Environment, Release: string(d.Plan.Release),
		Phase: string(d.State.Phase), Plan: plan, State: state,
	}
	switch {
	case d.State.Test == nil:
	case d.State.From == "":
		out.Verdict = "nothing to compare it with: nothing of " + d.Plan.Program + " ran in " + d.Plan.Environment + " before"
	default:
		out.Verdict = d.State.Test.Summary(l.candidate, l.control).String() + l.note()
	}
	return out
}

// holdup is what holds a deployment up; nil is nothing.
func (s *deployService) holdup(ctx context.Context, d *deploy.Deployment) *deploy.Holdup {
	if d.State.Phase == deploy.Ended {
		return nil
	}
	if h := s.opts.Deployments.Holdups.Of(d.Plan.ID); h != nil || s.opts.Deployments.Holdup == nil {
		return h
	}
	return s.opts.Deployments.Holdup(ctx, d.Plan.ID)
}

func (s *deployService) GetDeployment(ctx context.Context, q *v1.GetDeploymentRequest) (*v1.GetDeploymentResponse, error) {
	d, err := s.service.GetArchived(ctx, s.opts.Deployments.Events, q.GetId())
	if err != nil {
		return nil, refused(err)
	}
	var h *deploy.Holdup
	var asking sync.WaitGroup // side by side: a control node may hang
	asking.Go(func() { h = s.holdup(ctx, d) })
	out := shown(d, s.latencies(ctx, d))
	asking.Wait()
	if h != nil {
		out.Holdup = fmt.Sprintf("since %s its next step cannot be written, and is tried again: %s", h.Since.Format(time.RFC3339), h.Why)
	}
	return &v1.GetDeploymentResponse{Deployment: out}, nil
}

func (s *deployService) ListDeployments(ctx context.Context, q *v1.ListDeploymentsRequest) (*v1.ListDeploymentsResponse, error) {
	limit := int(q.GetLimit())
	if limit == 0 {
		limit = 10
	}
	if limit < 1 || limit > 50 {
		return nil, connect.NewError(connect.CodeInvalidArgument, fmt.Errorf("limit is %d: expected 1 to 50", limit))
	}
	heads, err := s.service.Heads(ctx, q.GetEnvironment())
	if err != nil {
		return nil, refused(err)
	}
	out := &v1.ListDeploymentsResponse{}
	var all []*deploy.Deployment
	for program, h := range heads {
		if q.GetProgram() != "" && q.GetProgram() != program {
			continue
		}
		out.Programs = append(out.Programs, &v1.ProgramHead{Program: program, Current: string(h.Current), Previous: string(h.Previous), Active: h.Active, Queue: h.Queue})
		var ids []string
		for i := len(h.Queue) - 1; i >= 0; i-- {
			ids = append(ids, h.Queue[i])
		}
		if h.Active != "" {
			ids = append(ids, h.Active)
		}
		ids = append(ids, h.Recent...)
		for _, id := range ids[:min(limit, len(ids))] {
			d, err := s.service.Get(ctx, id)
			var why *deploy.Refused
			if errors.As(err, &why) {
				continue // it was forgotten
			}
			if err != nil {
				return nil, err
			}
			all = append(all, d)
		}
	}
	for i, l := range s.allLatencies(ctx, all) {
		out.Deployments = append(out.Deployments, shown(all[i], l))
	}
	slices.SortFunc(out.GetPrograms(), func(a, b *v1.ProgramHead) int { return strings.Compare(a.GetProgram(), b.GetProgram()) })
	return out, nil
}

// WatchDeployment sends a deployment whenever its state changes, or something happened.
func (s *deployService) WatchDeployment(ctx context.Context, q *v1.WatchDeploymentRequest, out *connect.ServerStream[v1.WatchDeploymentResponse]) error {
	id := q.GetId()
	sent := map[string]bool{}
	first, err := s.service.GetArchived(ctx, s.opts.Deployments.Events, id)
	if err != nil {
		return refused(err)
	}
	all, err := s.service.Events(ctx, s.opts.Deployments.Events, id)
	if err != nil {
		return refused(err)
	}
	took := s.ownLatencies(ctx, first)
	if err := out.Send(news(first, took, all, sent)); err != nil || first.State.Phase == deploy.Ended {
		return err
	}
	var asking sync.WaitGroup
	defer asking.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	changes := s.service.Changes(ctx, id)
	// What happened is told at once, also while a control node hangs that is asked for latencies.
	asked, asks := make(chan latencies), false
	ask := func(d *deploy.Deployment) {
		if asks || !measured(d) {
			return
		}
		asks = true
		asking.Go(func() {
			l := s.latencies(ctx, d)
			select {
			case asked <- l:
			case <-ctx.Done():
			}
		})
	}
	ask(first)
	// Requests are counted, and who watches sees so; a stream on which nothing is sent is ended.
	beat := time.NewTicker(s.opts.Beat)
	defer beat.Stop()
	for {
		var c deploy.Change
		again := false
		select {
		case <-ctx.Done():
			return ctx.Err()
		case c = <-changes:
		case took = <-asked:
			asks = false
		case <-beat.C:
			again = true
		}
		d, err := s.service.Get(ctx, id)
		if err != nil {
			return refused(err)
		}
		ended := d.State.Phase == deploy.Ended
		if ended { // which may be later than the change: nobody will tell of what came in between
			if c.Events, err = s.service.Events(ctx, s.opts.Deployments.Events, id); err != nil {
				return refused(err)
			}
		}
		if !measured(d) {
			took = latencies{}
		}
		if err := out.Send(news(d, took, c.Events, sent)); err != nil || ended {
			return err
		}
		if again {
			ask(d)
		}
	}
}

// news is a deployment with the events that were not sent before.
func news(d *deploy.Deployment, took latencies, all []deploy.Event, sent map[string]bool) *v1.WatchDeploymentResponse {
	out := &v1.WatchDeploymentResponse{Deployment: shown(d, took)}
	for i := range all {
		if !sent[all[i].ID()] {
			sent[all[i].ID()] = true
			out.Events = append(out.Events, encodeEvent(&all[i]))
		}
	}
	return out
}

func encodeEvent(e *deploy.Event) []byte {
	text, err := json.Marshal(e)
	if err != nil {
		panic(err) // an event is text, numbers and times
	}
	return text
}

func (s *deployService) ListDeploymentEvents(ctx context.Context, q *v1.ListDeploymentEventsRequest) (*v1.ListDeploymentEventsResponse, error) {
	if _, err := s.service.GetArchived(ctx, s.opts.Deployments.Events, q.GetId()); err != nil {
		return nil, refused(err)
	}
	all, err := s.service.Events(ctx, s.opts.Deployments.Events, q.GetId())
	if err != nil {
		return nil, refused(err)
	}
	out := &v1.ListDeploymentEventsResponse{}
	for i := range all {
		out.Events = append(out.Events, encodeEvent(&all[i]))
	}
	return out, nil
}

func (s *deployService) AskDeployment(ctx context.Context, q *v1.AskDeploymentRequest) (*v1.AskDeploymentResponse, error) {
	kind := deploy.AskKind(q.GetKind())
	if !kind.Valid() {
		return nil, connect.NewError(connect.CodeInvalidArgument, fmt.Errorf("%.40q cannot be asked: expected back, approve, replay or leave", q.GetKind()))
	}
	id, err := s.service.Ask(ctx, q.GetId(), kind, deploy.Ask{
		By: access.Caller(ctx).Name, Why: q.GetWhy(),
		Replay: verdict.Replay{Requests: q.GetRequests(), Dearer: q.GetDearer(), Generated: q.GetGenerated()},
	})
	if err != nil {
		return nil, refused(err)
	}
	return &v1.AskDeploymentResponse{Id: id}, nil
}

func (s *deployService) SetFreeze(ctx context.Context, q *v1.SetFreezeRequest) (*v1.SetFreezeResponse, error) {
	f := q.GetFreeze()
	if f.GetWhy() == "" {
		return nil, connect.NewError(connect.CodeInvalidArgument, errors.New("a freeze needs a reason, which everybody sees who waits for its end"))
	}
	freeze := deploy.Freeze{Environment: f.GetEnvironment(), Program: f.GetProgram(), By: access.Caller(ctx).Name, Why: f.GetWhy()}
	if f.GetUntil() != 0 {
		freeze.Until = time.Unix(f.GetUntil(), 0).UTC()
	}
	if !q.GetAnyway() {
		if err := s.service.Known(ctx, freeze, access.Caller(ctx).Environment == ""); err != nil {
			return nil, refused(err)
		}
	}
	if err := s.service.Freeze(ctx, freeze); err != nil {
		return nil, refused(err)
	}
	return &v1.SetFreezeResponse{}, nil
}

func (s *deployService) LiftFreeze(ctx context.Context, q *v1.LiftFreezeRequest) (*v1.LiftFreezeResponse, error) {
	if err := s.service.Unfreeze(ctx, q.GetEnvironment(), q.GetProgram()); err != nil {
		return nil, refused(err)
	}
	return &v1.LiftFreezeResponse{}, nil
}

func (s *deployService) ListFreezes(ctx context.Context, _ *v1.ListFreezesRequest) (*v1.ListFreezesResponse, error) {
	all, err := s.service.Freezes(ctx)
	if err != nil {
		return nil, err
	}
	out := &v1.ListFreezesResponse{}
	for _, f := range all {
		shown := &v1.Freeze{Environment: f.Environment, Program: f.Program, By: f.By, Why: f.Why}
		if !f.Until.IsZero() {
			shown.Until = f.Until.Unix()
		}
		out.Freezes = append(out.Freezes, shown)
	}
	return out, nil
}

func (s *deployService) GetCounters(_ context.Context, q *v1.GetCountersRequest) (*v1.GetCountersResponse, error) {
	out := &v1.GetCountersResponse{}
	if h := s.opts.Deployments.Holdups.Of(q.GetDeployment()); h != nil {
		text, err := json.Marshal(h)
		if err != nil {
			return nil, err
		}
		out.Holdup = text
	}
	for _, c := range s.opts.Deployments.Hub.heard(q.GetEnvironment(), q.GetProgram()) {
		text, err := json.Marshal(c)
		if err != nil {
			return nil, err
		}
		out.Counters = append(out.Counters, text)
	}
	return out, nil
}

func (s *deployService) SetPolicy(ctx context.Context, q *v1.SetPolicyRequest) (*v1.SetPolicyResponse, error) {
	leaning, err := s.service.SetPolicy(ctx, s.opts.Deployments.Objects, q.GetPolicy())
	if err != nil {
		return nil, refused(err)
	}
	out := &v1.SetPolicyResponse{}
	for _, l := range leaning {
		out.Leaning = append(out.Leaning, &v1.Leaning{Environment: l.Environment, Program: l.Program, Release: string(l.Release), Keys: l.Keys, Refused: l.Refused})
	}
	return out, nil
}

func (s *deployService) GetPolicy(ctx context.Context, q *v1.GetPolicyRequest) (*v1.GetPolicyResponse, error) {
	text, err := s.service.Policy(ctx)
	if err != nil || q.GetEnvironment() == "" {
		return &v1.GetPolicyResponse{Policy: text}, err
	}
	admitted, err := s.service.Admitted(ctx, q.GetEnvironment())
	if err != nil {
		return nil, err
	}
	return &v1.GetPolicyResponse{Policy: text, Admitted: admitted.Encode()}, nil
}
