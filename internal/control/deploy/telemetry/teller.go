package telemetry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"towpath.dev/internal/control/deploy"
)

const (
	gather     = time.Second // for events that come together, between two rounds
	againFirst = time.Second // after a failure, and twice that after the next
	againMost  = time.Minute
	askTime    = 30 * time.Second // bounds what is asked of the source and the cursors
)

// teller tells one sink.
type teller struct {
	o    *Options
	sink Sink

	mu    sync.Mutex
	queue []string // deployments that may have events which the sink has not
	wake  chan struct{}

	// The rest is the loop's own.
	records map[string]*record // of deployments behind the floors, by name
	floors  map[string]int64   // by PROGRAM.ENVIRONMENT
	pause   time.Duration
}

// A record is what is kept of a deployment and a sink.
type record struct {
	Mark  Mark      `json:"mark"`
	Begun bool      `json:"begun,omitempty"`
	Ended time.Time `json:"ended,omitzero"`

	unsaved bool
}

// A floor is the deployment up to which all have been told, and whose events are not waited
// for.
type floor struct {
	Floor int64 `json:"floor"`
}

func newTeller(o *Options, sink Sink) *teller {
	return &teller{o: o, sink: sink, wake: make(chan struct{}, 1), records: map[string]*record{}, floors: map[string]int64{}}
}

// add has deployments looked at.
func (t *teller) add(ids ...string) {
	t.mu.Lock()
	for _, id := range ids {
		if !slices.Contains(t.queue, id) {
			t.queue = append(t.queue, id)
		}
	}
	n := len(t.queue)
	t.mu.Unlock()
	t.o.Metrics.waiting.WithLabelValues(t.sink.Name()).Set(float64(n))
	select {
	case t.wake <- struct{}{}:
	default:
	}
}

// take takes the deployment that has waited longest; "" is none.
func (t *teller) take() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.queue) == 0 {
		return ""
	}
	id := t.queue[0]
	t.queue = t.queue[1:]
	t.o.Metrics.waiting.WithLabelValues(t.sink.Name()).Set(float64(len(t.queue)))
	return id
}

// run tells the sink until the context ends.
func (t *teller) run(ctx context.Context) {
	var swept time.Time
	for ctx.Err() == nil {
		if left := t.o.Sweep - time.Since(swept); swept.IsZero() || left <= 0 {
			if err := t.sweep(ctx, swept.IsZero()); err != nil {
				t.failed(ctx, "which deployments there are cannot be had now", err)
				continue
			}
			swept, t.pause = time.Now(), 0
		}
		t.round(ctx)
		select {
		case <-ctx.Done():
			return
		case <-t.wake:
			sleep(ctx, gather)
		case <-time.After(t.o.Sweep - time.Since(swept)):
		}
	}
}

// round tells what there is to be told, until something fails. A deployment that cannot be
// told goes behind the others, so that one that a sink does not take holds up none.
func (t *teller) round(ctx context.Context) {
	for ctx.Err() == nil {
		id := t.take()
		if id == "" {
			return
		}
		if err := t.tell(ctx, id); err != nil {
			t.add(id)
			t.failed(ctx, "events of deployments cannot be handed over now, and are handed over later", fmt.Errorf("%s: %w", id, err))
			return
		}
		t.pause = 0
	}
}

// failed notes a failure and waits, longer each time, and half of it by chance.
func (t *teller) failed(ctx context.Context, what string, err error) {
	if ctx.Err() != nil {
		return
	}
	t.pause = min(max(2*t.pause, againFirst), againMost)
	t.o.Metrics.failures.WithLabelValues(t.sink.Name()).Inc()
	t.o.Log.Warn(what, "sink", t.sink.Name(), "error", err, "again", t.pause)
	sleep(ctx, t.pause/2+rand.N(t.pause/2))
}

func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// tell hands over what the sink does not have of a deployment.
func (t *teller) tell(ctx context.Context, id string) error {
	program, n, err := numbered(id)
	if err != nil {
		return nil // no deployment's name
	}
	if at, err := t.floor(ctx, program); err != nil || n <= at {
		return err
	}
	r, err := t.record(ctx, id)
	if err != nil {
		return err
	}
	asking, cancel := context.WithTimeout(ctx, askTime)
	line, err := t.o.Source.Read(asking, id)
	cancel()
	if err != nil {
		return err
	}
	has, events, err := t.sink.Send(ctx, line, r.Mark)
	t.o.Metrics.delivered.WithLabelValues(t.sink.Name()).Add(float64(events))
	if events > 0 { // somebody is there
		t.pause = 0
	}
	if !maps.Equal(has, r.Mark) {
		r.Mark, r.unsaved = has, true // that it is not saved has this process tell nothing twice
	}
	if err == nil {
		r.learn(line) // not before the sink has all: nobody waits for what is done with
	}
	if r.unsaved {
		if fault := t.save(ctx, markName(t.sink, id), r); fault != nil {
			return errors.Join(err, fault)
		}
		r.unsaved = false
	}
	return err
}

// learn takes over from a timeline what says when a deployment is done with.
func (r *record) learn(line *Timeline) {
	was := *r
	r.Begun, r.Ended = false, time.Time{}
	for _, e := range line.Events {
		switch {
		case e.Node != "":
		case e.Type == deploy.EventBegun:
			r.Begun = true
		case e.Type == deploy.EventEnded:
			r.Ended = e.Time
		}
	}
	if len(line.Events) == 0 {
		r.Ended = time.Unix(0, 0).UTC() // whatever it was, nothing is left to be told
	}
	r.unsaved = r.unsaved || r.Begun != was.Begun || !r.Ended.Equal(was.Ended)
}

// settled reports whether no more events are waited for.
func (r *record) settled(now time.Time, linger time.Duration) bool {
	return !r.Ended.IsZero() && now.Sub(r.Ended) > linger
}

// sweep has all deployments looked at that may have events which the sink has not: the first
// time all behind the floors, later those of which events are waited for.
func (t *teller) sweep(ctx context.Context, first bool) error {
	asking, cancel := context.WithTimeout(ctx, askTime)
	numbers, err := t.o.Source.Numbers(asking)
	cancel()
	if err != nil {
		return err
	}
	now := t.o.Now()
	for _, program := range slices.Sorted(maps.Keys(numbers)) {
		at, err := t.floor(ctx, program)
		if err != nil {
			return err
		}
		if at, err = t.raise(ctx, program, at, numbers[program], now); err != nil {
			return err
		}
		for n := at + 1; n <= numbers[program]; n++ {
			id := program + "." + strconv.FormatInt(n, 10)
			r, err := t.record(ctx, id)
			if err != nil {
				return err
			}
			if first || !r.settled(now, t.o.Linger) {
				t.add(id)
			}
		}
	}
	return nil
}

// raise raises a floor over deployments that are done with: no events are waited for, and a
// later one has begun, whose events nodes write from then on.
func (t *teller) raise(ctx context.Context, program string, at, last int64, now time.Time) (int64, error) {
	to := at // up to here none is waited for
	for n := at + 1; n <= last; n++ {
		r, err := t.record(ctx, program+"."+strconv.FormatInt(n, 10))
		if err != nil {
			return at, err
		}
		if !r.settled(now, t.o.Linger) {
			break
		}
		if r.Begun {
			to = n - 1
		}
	}
	if to == at {
		return at, nil
	}
	if err := t.save(ctx, floorName(t.sink, program), floor{to}); err != nil {
		return at, err
	}
	t.floors[program] = to
	for n := at + 1; n <= to; n++ {
		id := program + "." + strconv.FormatInt(n, 10)
		delete(t.records, id)
		if err := t.save(ctx, markName(t.sink, id), nil); err != nil {
			return to, err // it is left over, and harms nobody
		}
	}
	return to, nil
}

// numbered is a deployment's PROGRAM.ENVIRONMENT and number.
func numbered(id string) (program string, n int64, err error) {
	_, _, n, err = deploy.ParseID(id)
	if err != nil {
		return "", 0, err
	}
	return id[:strings.LastIndex(id, ".")], n, nil
}

func markName(s Sink, id string) string       { return s.Name() + "/mark/" + id }
func floorName(s Sink, program string) string { return s.Name() + "/floor/" + program }

// floor is a program's; it is 0 before anything was told.
func (t *teller) floor(ctx context.Context, program string) (int64, error) {
	if at, known := t.floors[program]; known {
		return at, nil
	}
	var f floor
	if err := t.load(ctx, floorName(t.sink, program), &f); err != nil {
		return 0, err
	}
	t.floors[program] = f.Floor
	return f.Floor, nil
}

// record is a deployment's, to be changed.
func (t *teller) record(ctx context.Context, id string) (*record, error) {
	if r := t.records[id]; r != nil {
		return r, nil
	}
	r := &record{}
	if err := t.load(ctx, markName(t.sink, id), r); err != nil {
		return nil, err
	}
	t.records[id] = r
	return r, nil
}

func (t *teller) load(ctx context.Context, name string, into any) error {
	asking, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	text, err := t.o.Cursors.Load(asking, name)
	if err != nil || text == nil {
		return err
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("the cursor %s: %w; delete it, and what it is of is told again", name, err)
	}
	return nil
}

// save keeps a value; nil deletes it.
func (t *teller) save(ctx context.Context, name string, value any) error {
	asking, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	if value == nil {
		return t.o.Cursors.Save(asking, name, nil)
	}
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return t.o.Cursors.Save(asking, name, text)
}
