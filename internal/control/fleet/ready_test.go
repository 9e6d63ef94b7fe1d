package fleet

import (
	"context"
	"errors"
	"testing"
	"time"

	"towpath.dev/internal/control/release"
)

// slowly is a process that takes its time to get releases.
type slowly struct {
	*process
	err error
}

func (s *slowly) Get(ctx context.Context, program string, d release.Digest, policy []byte) (*release.Loaded, error) {
	time.Sleep(5 * time.Second)
	if s.err != nil {
		return nil, s.err
	}
	return s.process.Get(ctx, program, d, policy)
}

// TestReady: a node is ready when it serves what its disk says that it shall, and that is at once
// where that is nothing, or cannot be had.
func TestReady(t *testing.T) {
	for _, c := range []struct {
		name    string
		intents map[string]*Intent // on the disk
		err     error              // of getting releases
		after   time.Duration
	}{
		{"nothing known", map[string]*Intent{}, nil, 0},
		{"a program", map[string]*Intent{"shop": {Deployment: "d1", Release: one}}, nil, 5 * time.Second},
		{"what cannot be had", map[string]*Intent{"shop": {Deployment: "d1", Release: one}}, errors.New("503"), 5 * time.Second},
		{"what cannot run", map[string]*Intent{"shop": {Deployment: "d1", Release: one}}, &Fault{Unfit, errors.New("no program")}, 5 * time.Second},
		{"a tow, which the node becomes later", map[string]*Intent{release.Tow: {Deployment: "t1", Release: newer}}, nil, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			run(t, func(t *testing.T, m *machine) {
				m.cut = true
				s := &slowly{&process{machine: m}, c.err}
				memory := newMemory()
				memory.Intents = c.intents
				if err := s.Save(memory); err != nil {
					t.Fatal(err)
				}
				a, err := NewAgent(Options{
					Node: "n", Environment: "prod", Cell: "c", Host: s, Link: s, Objects: s, Keeper: s, Self: &Self{Release: installed, Installed: true},
				})
				if err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithCancel(t.Context())
				ended := make(chan struct{})
				begun := time.Now()
				go func() { defer close(ended); _ = a.Run(ctx) }()
				<-a.Ready()
				if got := time.Since(begun); got != c.after {
					t.Errorf("it is ready after %s; expected %s", got, c.after)
				}
				cancel()
				<-ended
			})
		})
	}
}
