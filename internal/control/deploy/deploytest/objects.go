package deploytest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"

	"towpath.dev/internal/artifact"
	"towpath.dev/internal/blob"
	"towpath.dev/internal/control/release"
)

// Objects is object storage that may be away. Nodes get releases from it, whichever they
// ask for, and controllers bring it their events.
type Objects struct {
	blob.Store
	roll func() float64

	mu   sync.Mutex
	away float64
}

// NewObjects makes object storage that fails by what is drawn, from 0 to 1, for one or several
// at once.
func NewObjects(store blob.Store, roll func() float64) *Objects {
	return &Objects{Store: store, roll: roll}
}

// Fail has calls fail at a rate from 0 to 1.
func (o *Objects) Fail(rate float64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.away = rate
}

var errAway = errors.New("503 Service Unavailable")

func (o *Objects) fails() bool {
	o.mu.Lock()
	rate := o.away
	o.mu.Unlock()
	return rate > 0 && o.roll() < rate
}

// Create may fail before it does anything, and after.
func (o *Objects) Create(ctx context.Context, name string, data []byte, class blob.Class) error {
	if o.fails() {
		return errAway
	}
	err := o.Store.Create(ctx, name, data, class)
	if o.fails() { // the answer is lost
		return errAway
	}
	return err
}

// Get may fail.
func (o *Objects) Get(ctx context.Context, name string) ([]byte, error) {
	if o.fails() {
		return nil, errAway
	}
	return o.Store.Get(ctx, name)
}

// Releases are the parts of all releases that one may ask for.
func (o *Objects) Releases() Releases { return Releases{o} }

// Releases is a fleet.Objects.
type Releases struct{ objects *Objects }

// Get gives what a host needs of a release, which is its name.
func (r Releases) Get(ctx context.Context, program string, d release.Digest, _ []byte) (*release.Loaded, error) {
	if r.objects.fails() {
		return nil, errAway
	}
	return &release.Loaded{Digest: d, Manifest: &artifact.Manifest{Program: program}}, ctx.Err()
}

// Keep keeps what is kept elsewhere.
func (Releases) Keep([]release.Digest) error { return nil }

// Believe believes nothing, as nothing is refused.
func (Releases) Believe(release.Admitted) (bool, error) { return false, nil }

// Kept is how often each event of a deployment is in object storage, by the event's id.
func Kept(ctx context.Context, store blob.Store, id string) (map[string]int, error) {
	parts := strings.Split(id, ".") // PROGRAM.ENVIRONMENT.NUMBER
	if len(parts) != 3 {
		return nil, fmt.Errorf("%q is no deployment", id)
	}
	kept := map[string]int{}
	for info, err := range store.List(ctx, fmt.Sprintf("deployments/%s/%s/%s/", parts[1], parts[0], parts[2]), "") {
		if err != nil {
			return nil, err
		}
		data, err := store.Get(ctx, info.Name)
		if err != nil {
			return nil, err
		}
		for line := range bytes.Lines(data) {
			var e Event
			if err := json.Unmarshal(line, &e); err != nil {
				return nil, fmt.Errorf("%s: %w", info.Name, err)
			}
			kept[e.ID()]++
		}
	}
	return kept, nil
}
