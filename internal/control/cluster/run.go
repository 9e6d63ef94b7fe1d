package cluster

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// A Floor says which is the oldest revision that has to stay, and why: that from which on
// a backup has none of them, say. An error keeps all of them.
type Floor func(ctx context.Context) (revision int64, why string, err error)

// A Runner carries requests out. Client is needed, the rest may be left out.
type Runner struct {
	Client *clientv3.Client
	// Observe is how closely the cluster is looked at between steps.
	Observe Options
	// Who and What are told to others whom the lock keeps out.
	Who, What string
	// Floor bounds compacting.
	Floor Floor
	// Report is told what happens. It is called by one goroutine.
	Report func(Event)
	// Patience is for how long a refusal that may pass, and errors, are borne once something
	// was done. 0: a minute.
	Patience time.Duration
	// Every is how often is looked whether what is waited for has come. 0: half a second.
	Every time.Duration
}

// An Event is something that a runner tells.
type Event struct {
	Kind     EventKind
	Observed *Observed
	Plan     Plan
	Step     Step  // of Begun, Waiting, Done and Again
	Err      error // of Again
}

// EventKind is what an event is about.
type EventKind int

// The kinds of events.
const (
	Begun   EventKind = iota // a step begins
	Waiting                  // and what it waits for has not come yet
	Done                     // it is done
	Again                    // it could not be done yet, and is tried again
)

// Run observes, decides and does the first step, until nothing is left to do. It takes the
// lock, where the cluster can write one: a [HeldError] says who has it. A [RefusedError] says
// that it was not begun, or that it cannot go on. Whatever ends it, the same request goes on
// where the cluster is.
func (r *Runner) Run(ctx context.Context, request Request) error {
	filled := *r
	filled.Patience, filled.Every = cmp.Or(r.Patience, time.Minute), cmp.Or(r.Every, 500*time.Millisecond)
	run := &run{Runner: &filled, request: request}
	first, err := run.observe(ctx)
	if err != nil {
		return err
	}
	if len(first.Alarms) == 0 && first.Majority { // under an alarm nothing can be written
		held, lock, err := run.lock(ctx, first)
		if err != nil {
			return err
		}
		defer lock.Release()
		ctx, run.held = held, lock
		if first, err = run.observe(ctx); err != nil { // as it is now that nobody else changes it
			return err
		}
	}
	run.resolve(first)
	err = run.loop(ctx, first)
	if ctx.Err() != nil && err != nil {
		return context.Cause(ctx)
	}
	return err
}

// lock takes the lock. An election, and a member that was removed and is asked still, pass.
func (r *run) lock(ctx context.Context, seen *Observed) (context.Context, *Lock, error) {
	r.turnTo(seen, Step{})
	for since := time.Now(); ; {
		held, lock, err := Acquire(ctx, r.Client, Change{r.Who, r.What, time.Now()})
		if err == nil || !transient(err) || ctx.Err() != nil || time.Since(since) > lockTime {
			return held, lock, err
		}
		if err := r.pause(ctx); err != nil {
			return nil, nil, err
		}
	}
}

// A run is one of a runner's.
type run struct {
	*Runner
	request Request
	held    *Lock     // nil under an alarm
	acted   bool      // a step was tried
	stuck   time.Time // since when nothing moves; zero while it does
	at      Step      // that was told last
	told    bool
}

// observe looks at the cluster, and how far it may be compacted.
func (r *run) observe(ctx context.Context) (*Observed, error) {
	o := r.Observe
	switch r.request.Op {
	case Defrag:
		o.Window = cmp.Or(o.Window, 500*time.Millisecond)
	case Compact:
		o.Compaction = true
	}
	seen, err := Observe(ctx, r.Client, o)
	if err != nil || r.request.Op != Compact || r.Floor == nil {
		return seen, err
	}
	f := &floor{}
	if f.revision, f.why, err = r.Floor(ctx); err != nil {
		return nil, fmt.Errorf("how far the backup is cannot be found out, so that nothing is forgotten: %w", err)
	}
	r.request.floor = f
	return seen, nil
}

// Preview is what Run would do, as the cluster is now. It changes nothing.
func (r *Runner) Preview(ctx context.Context, request Request) (*Observed, Plan, error) {
	run := &run{Runner: r, request: request}
	seen, err := run.observe(ctx)
	if err != nil {
		return nil, Plan{}, err
	}
	return seen, Decide(seen, run.request), nil
}

// resolve makes the request mean the same while the cluster changes.
func (r *run) resolve(o *Observed) {
	q := &r.request
	if found := o.find(q.Member); len(found) == 1 {
		q.target = found[0].ID
	}
	q.from = o.Leader
	if q.Op == Compact && q.Revision == 0 {
		q.Revision, q.Keep = max(o.Revision-q.Keep, 1), 0
	}
	q.done = map[ID]bool{}
}

func (r *run) loop(ctx context.Context, seen *Observed) error {
	for {
		plan := Decide(seen, r.request)
		refused := plan.Refused()
		switch {
		case refused != nil:
			if err := r.bear(ctx, plan, refused); err != nil {
				return err
			}
		case len(plan.Steps) == 0:
			r.finish(ctx)
			return nil
		default:
			if err := r.step(ctx, seen, plan); err != nil {
				return err
			}
		}
		next, err := r.observe(ctx)
		for err != nil {
			if err = r.bear(ctx, plan, err); err != nil {
				return err
			}
			next, err = r.observe(ctx)
		}
		seen = next
	}
}

// bear waits a moment after what may pass, while there is patience. Before anything was
// tried there is none.
func (r *run) bear(ctx context.Context, plan Plan, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if r.stuck.IsZero() {
		r.stuck = time.Now()
	}
	stays := slices.ContainsFunc(plan.Refusals, func(f Refusal) bool { return !f.passes() })
	if !r.acted || stays || time.Since(r.stuck) > r.Patience {
		return err
	}
	r.tell(Event{Kind: Again, Plan: plan, Step: r.at, Err: err})
	return r.pause(ctx)
}

func (r *run) pause(ctx context.Context) error {
	select {
	case <-time.After(r.Every):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (r *run) tell(e Event) {
	if r.Report != nil {
		r.Report(e)
	}
}

// step does the first step of a plan, or waits for a moment where that is for others to do.
func (r *run) step(ctx context.Context, seen *Observed, plan Plan) error {
	s := plan.Steps[0]
	e := Event{Kind: Begun, Observed: seen, Plan: plan, Step: s}
	if !r.told || r.at.Kind != s.Kind || r.at.Member != s.Member {
		if r.told && r.at.Waits() {
			r.tell(Event{Kind: Done, Observed: seen, Plan: plan, Step: r.at})
		}
		r.at, r.told = s, true
		r.tell(e)
	}
	r.acted = true
	if s.Waits() {
		e.Kind, r.stuck = Waiting, time.Time{}
		r.tell(e)
		return r.pause(ctx)
	}
	switch err := r.do(ctx, seen, s); {
	case err == nil:
		r.stuck, r.told = time.Time{}, false
		e.Kind = Done
		r.tell(e)
		return nil
	case errors.Is(err, rpctypes.ErrMemberLearnerNotReady): // that cannot be seen from here
		e.Kind, r.stuck = Waiting, time.Time{}
		r.tell(e)
		return r.pause(ctx)
	case !transient(err):
		return fmt.Errorf("%s: %w", s, err)
	default:
		return r.bear(ctx, Plan{}, err)
	}
}

// transient reports whether an error may pass, or what it is about be done nevertheless.
func transient(err error) bool {
	var known rpctypes.EtcdError
	if errors.As(err, &known) {
		switch known {
		case rpctypes.ErrUnhealthy, rpctypes.ErrMemberNotEnoughStarted, rpctypes.ErrTooManyLearners,
			rpctypes.ErrNotLeader, rpctypes.ErrLeaderChanged, rpctypes.ErrNoLeader, rpctypes.ErrTimeout, rpctypes.ErrTimeoutDueToLeaderFail,
			rpctypes.ErrTimeoutDueToConnectionLost, rpctypes.ErrStopped, rpctypes.ErrTooManyRequests, rpctypes.ErrTimeoutWaitAppliedIndex:
			return true
		}
		return known.Code() == codes.Unavailable
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) || errors.Is(err, errLeads) {
		return true
	}
	code := status.Code(err)
	return code == codes.Unavailable || code == codes.DeadlineExceeded || code == codes.Canceled
}

// stepTime bounds a step but for defragmenting, which takes as long as it takes.
const stepTime = 10 * time.Second

// do does a step. What was done already is no error.
func (r *run) do(ctx context.Context, seen *Observed, s Step) error {
	within := ctx
	if s.Kind != StepDefrag && s.Kind != StepCompact {
		var cancel context.CancelFunc
		within, cancel = context.WithTimeout(ctx, stepTime)
		defer cancel()
	}
	r.turnTo(seen, s)
	id := uint64(s.Member)
	var err error
	switch s.Kind {
	case StepAdd:
		if err = r.remember(within); err != nil {
			break
		}
		_, err = r.Client.MemberAddAsLearner(within, s.Peers)
		err = but(err, rpctypes.ErrPeerURLExist)
	case StepPromote:
		_, err = r.Client.MemberPromote(within, id)
		err = but(err, rpctypes.ErrMemberNotLearner)
	case StepRemove:
		if err = r.remember(within); err != nil {
			break
		}
		_, err = r.Client.MemberRemove(within, id)
		err = but(err, rpctypes.ErrMemberNotFound)
	case StepLead:
		err = r.lead(within, seen, id)
	case StepDefrag:
		err = r.defragment(within, seen, s.Member)
	case StepCompact:
		_, err = r.Client.Compact(within, s.Revision, clientv3.WithCompactPhysical())
		err = but(err, rpctypes.ErrCompacted)
	case StepDisarm:
		_, err = r.Client.AlarmDisarm(within, &clientv3.AlarmMember{MemberID: uint64(s.Alarm.Member), Alarm: etcdserverpb.AlarmType(etcdserverpb.AlarmType_value[string(s.Alarm.Kind)])})
	default:
		err = fmt.Errorf("a step of an unknown kind %q", s.Kind)
	}
	return err
}

func but(err, done error) error {
	if errors.Is(err, done) {
		return nil
	}
	return err
}

// turnTo has the client ask all members that can be reached, but not one that ends by the
// step or cannot do it.
func (r *run) turnTo(seen *Observed, s Step) {
	var endpoints []string
	for _, m := range seen.Members {
		if m.State == Well && !m.Learner && !(s.Kind == StepRemove && m.ID == s.Member) {
			endpoints = append(endpoints, m.Endpoint)
		}
	}
	if len(endpoints) > 0 && !slices.Equal(endpoints, r.Client.Endpoints()) {
		r.Client.SetEndpoints(endpoints...)
	}
}

// lead has a member lead, which only the leader can be told.
func (r *run) lead(ctx context.Context, seen *Observed, to uint64) error {
	leader := seen.Member(seen.Leader)
	if leader == nil || leader.Endpoint == "" {
		return rpctypes.ErrNoLeader
	}
	conn, err := r.Client.Dial(leader.Endpoint)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }() // says that it is closed
	_, err = etcdserverpb.NewMaintenanceClient(conn).MoveLeader(ctx, &etcdserverpb.MoveLeaderRequest{TargetID: to})
	return rpctypes.Error(err)
}

// defragment blocks a member, and not the leader where another one could lead: who does may
// have changed since it was planned.
func (r *run) defragment(ctx context.Context, seen *Observed, id ID) error {
	at := seen.Member(id).Endpoint
	now, err := r.Client.Status(ctx, at)
	if err != nil {
		return err
	}
	if ID(now.Leader) == id && (&planner{o: seen}).best(id) != nil {
		return errLeads
	}
	var done func()
	if r.held != nil {
		done, err = r.held.Busy(ctx, Change{r.Who, r.What + " defragments " + seen.Member(id).String(), time.Now()}, now.DbSize)
	} else {
		done, err = TakeFull(ctx, r.Client, now.DbSize)
	}
	if err != nil {
		return err
	}
	if _, err = r.Client.Defragment(ctx, at); err == nil {
		r.request.done[id] = true
	}
	if ctx.Err() == nil {
		done() // else it may go on
	}
	return err
}

// errLeads passes: the next plan has another one lead first.
var errLeads = errors.New("it leads meanwhile")

// remember keeps what a replacement is about, so that it can go on after the old member
// has gone.
func (r *run) remember(ctx context.Context) error {
	q := &r.request
	if q.Op != Replace {
		return nil
	}
	text, err := json.Marshal(replacing{q.Member, q.With, q.Peers})
	if err != nil {
		return err
	}
	_, err = r.Client.Put(ctx, replacingKey, string(text))
	return err
}

// finish tells of the last step that it is done, and forgets what was remembered.
func (r *run) finish(ctx context.Context) {
	if r.told && r.at.Waits() {
		r.tell(Event{Kind: Done, Step: r.at})
	}
	if r.request.Op == Replace {
		ctx, cancel := context.WithTimeout(ctx, stepTime)
		defer cancel()
		_, _ = r.Client.Delete(ctx, replacingKey) // what is left says only what was done
	}
}
