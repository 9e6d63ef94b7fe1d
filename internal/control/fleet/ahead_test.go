package fleet

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"towpath.dev/internal/control/release"
)

// checking is a process whose host can say what it lacks for a release.
type checking struct {
	*process
	lacks map[release.Digest]error
}

func (c *checking) Check(_ context.Context, _ string, l *release.Loaded) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.lacks[l.Digest]
}

// TestAhead: a node that may soon have to run a release says at once that it cannot, and
// looks again when another deployment wants it to.
func TestAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMachine(t)
		c := &checking{&process{machine: m}, map[release.Digest]error{two: &Fault{Unbound, errors.New("TOKEN is not set")}}}
		a, err := NewAgent(Options{Node: "n", Environment: "prod", Cell: "c", Host: c, Link: c, Objects: c, Keeper: c})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- a.Run(ctx) }()
		m.intend(&Intent{Deployment: "d1", Release: one})
		m.runs(one, "")
		m.intend(&Intent{Deployment: "d2", Release: one, Candidate: two})
		m.runs(one, "")
		said := m.said()
		if got := said.Trouble(two); got == nil || got.Kind != Unbound || got.Text != "TOKEN is not set" {
			t.Errorf("of what it may soon have to run it says %+v", got)
		}
		m.set(func() { delete(c.lacks, two) })
		m.intend(&Intent{Deployment: "d3", Release: one, Candidate: two})
		m.runs(one, "")
		if said := m.said(); said.Trouble(two) != nil {
			t.Errorf("it still says %+v", said.Troubles)
		}
		m.set(func() { c.lacks[two] = &Fault{Unbound, errors.New("TOKEN is not set")} })
		m.intend(&Intent{Deployment: "d4", Release: one, Candidate: two})
		m.runs(one, "")
		if said := m.said(); said.Trouble(two) == nil {
			t.Error("it does not look again")
		}
		cancel()
		<-ended
	})
}
