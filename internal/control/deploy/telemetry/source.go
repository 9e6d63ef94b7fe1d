package telemetry

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"towpath.dev/election"
	"towpath.dev/internal/blob"
	"towpath.dev/internal/control/deploy"
	"towpath.dev/internal/control/mirror"
)

// Deployments is the [Source] that a cluster has.
type Deployments struct {
	Service *deploy.Service
	// Objects is where events are carried to; nil: they stay in the store.
	Objects blob.Store
}

// Follow is part of [Source].
func (d *Deployments) Follow(ctx context.Context, tell func(ids []string)) {
	mirror.Follow(ctx, d.Service.Store, deploy.EventPrefix, func(u mirror.Update) {
		ids := map[string]bool{}
		for _, e := range u.Events {
			if !e.Removed {
				id, _, _ := strings.Cut(strings.TrimPrefix(e.Entry.Key, deploy.EventPrefix), "/")
				ids[id] = true
			}
		}
		if len(ids) > 0 {
			tell(slices.Sorted(maps.Keys(ids)))
		}
	})
}

// Numbers is part of [Source].
func (d *Deployments) Numbers(ctx context.Context) (map[string]int64, error) {
	return d.Service.Numbers(ctx)
}

// Read is part of [Source]. Events move to object storage while they are read, so that a
// reading may lack one and have the next one of the same writer. All that the first of two
// readings has, and so all before that, was written before the second began, which has it
// therefore: it is read twice, and only what is no further than the first is given.
func (d *Deployments) Read(ctx context.Context, id string) (*Timeline, error) {
	first, err := d.Service.Events(ctx, d.Objects, id)
	if err != nil {
		return nil, err
	}
	t := &Timeline{ID: id, Events: first}
	if d.Objects != nil {
		upTo := t.mark()
		if t.Events, err = d.Service.Events(ctx, d.Objects, id); err != nil {
			return nil, err
		}
		t.Events = slices.DeleteFunc(t.Events, func(e deploy.Event) bool { return !upTo.Has(&e) })
	}
	switch got, err := d.Service.Get(ctx, id); {
	case err == nil:
		t.Plan, t.State = got.Plan, got.State
	case !errors.As(err, new(*deploy.Refused)): // it is not there any more
		return nil, err
	}
	return t, nil
}

// StoreCursors are [Cursors] in the store, below export/.
type StoreCursors struct{ Store election.Store }

const cursorPrefix = "export/"

// Load is part of [Cursors].
func (c *StoreCursors) Load(ctx context.Context, name string) ([]byte, error) {
	page, err := c.Store.Range(ctx, election.Span{Keys: election.Key(cursorPrefix + name)})
	if err != nil || len(page.Entries) == 0 {
		return nil, err
	}
	return page.Entries[0].Value, nil
}

// Save is part of [Cursors].
func (c *StoreCursors) Save(ctx context.Context, name string, value []byte) error {
	op := election.Delete(election.Key(cursorPrefix + name))
	if value != nil {
		op = election.Put(cursorPrefix+name, value, 0)
	}
	_, err := c.Store.Txn(ctx, election.Txn{Then: []election.Op{op}})
	return err
}
