package telemetry

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// A Source has the deployments and their events.
type Source interface {
	// Follow tells of which deployments there are events that were not there before, until the
	// context ends. It may tell too many.
	Follow(ctx context.Context, tell func(ids []string))
	// Numbers are the numbers that deployments were given last, by PROGRAM.ENVIRONMENT.
	Numbers(ctx context.Context) (map[string]int64, error)
	// Read gives a deployment with the events that there are. Of no writer it gives an event
	// without those that the writer wrote before.
	Read(ctx context.Context, id string) (*Timeline, error)
}

// Cursors keep small values by name.
type Cursors interface {
	// Load gives what was saved last; nil is nothing.
	Load(ctx context.Context, name string) ([]byte, error)
	// Save keeps a value; nil deletes it. After an error it may be kept or not.
	Save(ctx context.Context, name string, value []byte) error
}

// A Sink is somebody who is told. It is used by one exporter.
type Sink interface {
	// Name tells sinks apart, and must stay the same: it is part of its cursors' names.
	Name() string
	// Send hands over what comes after a mark, once, and gives the mark of what the other side
	// has, with an error too, and of how many events that is.
	Send(ctx context.Context, t *Timeline, after Mark) (has Mark, events int, err error)
}

// Options of an exporter. Source, Cursors and Sinks are needed.
type Options struct {
	Source  Source
	Cursors Cursors
	Sinks   []Sink
	// Sweep is how often all deployments are looked at whose events may still come, beside
	// those that the source tells of. 0: 10 minutes.
	Sweep time.Duration
	// Linger is for how long after its end a deployment's events are waited for; those of the
	// one that ran last always are. 0: 24 hours.
	Linger  time.Duration
	Now     func() time.Time // of the day. Default: time.Now
	Metrics *Metrics         // default: none
	Log     *slog.Logger     // default: none
}

// Exporter tells sinks of deployments.
type Exporter struct{ o Options }

// New makes an exporter that does nothing before Run.
func New(o Options) (*Exporter, error) {
	if o.Source == nil || o.Cursors == nil || len(o.Sinks) == 0 {
		return nil, errors.New("an exporter of deployments needs a source, cursors and a sink")
	}
	names := map[string]bool{}
	for _, s := range o.Sinks {
		if names[s.Name()] {
			return nil, fmt.Errorf("two sinks are called %s, and would share their cursors", s.Name())
		}
		names[s.Name()] = true
	}
	o.Sweep = cmp.Or(o.Sweep, 10*time.Minute)
	o.Linger = cmp.Or(o.Linger, 24*time.Hour)
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Metrics == nil {
		o.Metrics = NewMetrics()
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Exporter{o}, nil
}

// Run tells the sinks until the context ends. A sink that cannot be told holds up no other.
// Several exporters may run: they tell the same, more than once.
func (x *Exporter) Run(ctx context.Context) error {
	var running sync.WaitGroup
	defer running.Wait()
	var tellers []*teller
	for _, sink := range x.o.Sinks {
		t := newTeller(&x.o, sink)
		tellers = append(tellers, t)
		running.Go(func() { t.run(ctx) })
	}
	x.o.Source.Follow(ctx, func(ids []string) {
		for _, t := range tellers {
			t.add(ids...)
		}
	})
	<-ctx.Done()
	return context.Cause(ctx)
}
