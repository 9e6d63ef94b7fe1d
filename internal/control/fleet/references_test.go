package fleet

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"towpath.dev/internal/control/release"
)

// resolving is a process whose host says which references resolve.
type resolving struct {
	checking
	has map[release.Digest]References
}

func (r *resolving) References(_ context.Context, _ string, l *release.Loaded) (References, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	has, known := r.has[l.Digest]
	if !known {
		return has, errors.New("no such environment")
	}
	return has, nil
}

// TestReferences: a node says which references of what it runs and may run soon resolve, whether
// the release can run or not, and forgets the others.
func TestReferences(t *testing.T) {
	three, four := digest("three"), digest("four")
	synctest.Test(t, func(t *testing.T) {
		m := newMachine(t)
		lacks := map[release.Digest]error{two: &Fault{Unbound, errors.New("TOKEN is not set")}}
		r := &resolving{checking{&process{machine: m}, lacks}, map[release.Digest]References{
			one: {Resolve: 2}, two: {Resolve: 1, Missing: []string{"${env:TOKEN}"}}, three: {},
		}}
		a, err := NewAgent(Options{Node: "n", Environment: "prod", Cell: "c", Host: r, Link: r, Objects: r, Keeper: r})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { defer close(ended); _ = a.Run(ctx) }()
		for _, c := range []struct {
			i    *Intent
			want []References
		}{
			{&Intent{Deployment: "d1", Release: one}, []References{{Release: one, Resolve: 2}}},
			{&Intent{Deployment: "d2", Release: one, Candidate: two}, []References{{Release: one, Resolve: 2}, {Release: two, Resolve: 1, Missing: []string{"${env:TOKEN}"}}}},
			{&Intent{Deployment: "d3", Release: one, Candidate: three}, []References{{Release: one, Resolve: 2}}}, // it refers to nothing
			{&Intent{Deployment: "d4", Release: one, Candidate: four}, []References{{Release: one, Resolve: 2}}},  // it is not known
			{&Intent{Deployment: "d5", Release: three}, nil},
		} {
			m.intend(c.i)
			time.Sleep(time.Minute)
			if said := m.said(); !reflect.DeepEqual(said.References, c.want) {
				t.Errorf("at %s it says %+v; expected %+v", c.i.Deployment, said.References, c.want)
			}
		}
		cancel()
		<-ended
	})
}

// TestReferencesAreBounded: few are named, and not at length.
func TestReferencesAreBounded(t *testing.T) {
	r := References{Resolve: 1}
	for i := range 10 {
		r.Missing = append(r.Missing, fmt.Sprint(i, string(make([]byte, 200))))
	}
	if b := r.bounded(); len(b.Missing) != mostMissing || b.More != 10-mostMissing || len(b.Missing[0]) > maxName+len("…") || len(r.Missing[0]) < 200 {
		t.Errorf("it is %+v", b)
	}
}
