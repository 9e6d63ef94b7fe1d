package fleet

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"towpath.dev/internal/artifact"
	"towpath.dev/internal/control/release"
)

// Stock gets releases onto a node's disk from where they can be had, and looks whom the
// trust policy believes.
type Stock struct {
	Environment string
	Disk        *release.Disk
	// From are where releases can be had, the first ones first.
	From []release.Source

	mu sync.Mutex // of what is noted, and
	// believed is what could not be noted.
	believed release.Admitted
}

// admittedNote is where a disk has what was admitted.
const admittedNote = "admitted"

// Get is part of Objects. What is on the disk, and may run by what is there, is waited for
// nobody for: in an outage sources do not fail, they are silent.
func (s *Stock) Get(ctx context.Context, program string, d release.Digest, policy []byte) (*release.Loaded, error) {
	if l, err := s.get(ctx, program, d, policy); err == nil {
		return l, nil
	}
	return s.get(ctx, program, d, policy, s.From...) // which may have newer signatures too
}

func (s *Stock) get(ctx context.Context, program string, d release.Digest, policy []byte, from ...release.Source) (*release.Loaded, error) {
	l, err := s.Disk.Fetch(ctx, d, from...)
	switch {
	case errors.Is(err, artifact.ErrABI) || errors.Is(err, artifact.ErrNotWasm) || errors.Is(err, artifact.ErrNoManifest):
		return nil, &Fault{Unfit, err}
	case err != nil:
		return nil, err
	case l.Release.Program != program || l.Release.Environment != s.Environment:
		return nil, &Fault{Unfit, fmt.Errorf("the release %s is of %s in %s, and %s in %s was to run it", d.Short(), l.Release.Program, l.Release.Environment, program, s.Environment)}
	}
	return l, s.admit(ctx, l, policy)
}

// admit looks whether a release may run, and remembers by which keys.
func (s *Stock) admit(_ context.Context, l *release.Loaded, policy []byte) error {
	if len(policy) == 0 {
		return nil
	}
	p, err := release.ReadPolicy(policy)
	if err != nil {
		return fmt.Errorf("the trust policy: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	noted, err := s.admitted()
	if err != nil {
		return err
	}
	admitted := noted.With(s.believed...)
	more, err := p.Verify(l.Signatures, l.Release, admitted, time.Now())
	if errors.Is(err, release.ErrUntrusted) {
		return &Fault{Distrust, err}
	}
	all := admitted.With(more...)
	if err != nil || len(all) == len(admitted) { // what is known needs no room on a full disk
		return err
	}
	return s.Disk.Note(admittedNote, encode(all))
}

// Keep is part of Objects.
func (s *Stock) Keep(all []release.Digest) error {
	return s.Disk.Keep(context.Background(), all...)
}
