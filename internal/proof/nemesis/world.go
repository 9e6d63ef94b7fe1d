//go:build linux

package nemesis

import (
	"context"
	"fmt"
	"os"
	"sync"
	"time"

	"towpath.dev/election"
	"towpath.dev/internal/blob"
	"towpath.dev/internal/proof/candidate"
	"towpath.dev/internal/proof/cluster"
	"towpath.dev/internal/proof/history"
	"towpath.dev/internal/proof/lab"
)

// A World is what can be broken.
type World struct {
	Cluster    *cluster.Cluster
	Candidates []*Candidate
	Register   *Server
	Uploader   *Server // of the cluster's backup
	TTL        time.Duration
	Log        *history.Log
	Store      blob.Store // of the backup
	Registry   election.Registry
	// Observe begins to record what the store says of seats, until what it returns is called.
	Observe func() (stop func())

	observing func()    // stops it
	turned    time.Time // when the store was turned back last
}

// A Candidate is a candidate's process, and how to start it again.
type Candidate struct {
	Host    *lab.Host
	Options candidate.Options
	Start   func(candidate.Options) (*lab.Process, error)
	process *lab.Process
}

// Begin starts the process.
func (c *Candidate) Begin() (err error) {
	c.process, err = c.Start(c.Options)
	c.Options.Incarnation++
	return err
}

// Kill ends the process at once.
func (c *Candidate) Kill() { c.process.Kill() }

// End lets the process end.
func (c *Candidate) End() { c.process.End() }

// A Server is the process of the register, or of the uploader.
type Server struct {
	Host    *lab.Host
	Start   func() (*lab.Process, error)
	process *lab.Process
}

// Begin starts the process.
func (s *Server) Begin() (err error) {
	s.process, err = s.Start()
	return err
}

// Kill ends the process at once.
func (s *Server) Kill() { s.process.Kill() }

// Run takes all steps of a schedule, or those until ctx ends, and lasts for as long as
// it is told at least. It returns when all that was broken is whole again.
func (w *World) Run(ctx context.Context, steps []Step, length time.Duration) error {
	w.observing = w.Observe()
	defer func() { w.observing() }()
	began := time.Now()
	defer func() { pause(ctx, time.Until(began.Add(length))) }()
	var lanes sync.WaitGroup
	faults := make([]error, 2)
	for lane, store := range []bool{false, true} {
		lanes.Go(func() {
			for _, s := range steps {
				if s.Store != store {
					continue
				}
				pause(ctx, time.Until(began.Add(s.At)))
				if ctx.Err() != nil || time.Since(began) > length { // steps that took longer made it late
					return
				}
				if err := s.do(ctx, w, s); err != nil {
					faults[lane] = fmt.Errorf("the nemesis %s: %w", s.Name, err)
					return
				}
			}
		})
	}
	lanes.Wait()
	for _, err := range faults {
		if err != nil {
			return err
		}
	}
	return nil
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// strike records that something breaks, and returns what records that it is whole again.
func (w *World) strike(s Step, who string) (healed func()) {
	record := history.Record{Kind: history.Fault, Who: who, Note: s.Name}
	w.record(record)
	return func() {
		record.Kind = history.Healed
		w.record(record)
	}
}

func (w *World) record(r history.Record) {
	if err := w.Log.Write(r); err != nil {
		fmt.Fprintln(os.Stderr, "the log:", err)
	}
}

// victim is whom a step strikes: of three steps two strike who leads.
func (w *World) victim(ctx context.Context, s Step) *Candidate {
	if s.Pick%3 != 0 {
		if seat, ok := w.held(ctx, s); ok {
			for _, c := range w.Candidates {
				if c.Options.Name == seat.Holder {
					return c
				}
			}
		}
	}
	return w.Candidates[int(s.Pick/3)%len(w.Candidates)]
}

// held is a seat that somebody holds.
func (w *World) held(ctx context.Context, s Step) (election.Seat, bool) {
	ctx, cancel := context.WithTimeout(ctx, w.TTL/2)
	defer cancel()
	names := []string{candidate.Solo, candidate.Pair, candidate.Shards}
	g, err := election.NewGroup(election.Etcd(w.Cluster.Client), "", names[int(s.Pick)%len(names)])
	if err != nil {
		return election.Seat{}, false
	}
	view, err := g.View(ctx)
	if err != nil {
		return election.Seat{}, false
	}
	var held []election.Seat
	for _, seat := range view.Seats {
		if seat.Candidate != "" {
			held = append(held, seat)
		}
	}
	if len(held) == 0 {
		return election.Seat{}, false
	}
	return held[int(s.Pick/7)%len(held)], true
}
