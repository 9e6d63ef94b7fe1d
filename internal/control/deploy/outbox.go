package deploy

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"towpath.dev/election"
	"towpath.dev/internal/blob"
)

// Events are in the store until they are in object storage, and nowhere else twice: an
// object is named by the deployment and by the revision that wrote the first of its events.
const eventsFolder = "deployments/"

func eventsPrefix(environment, program string, n int64) string {
	return fmt.Sprintf("%s%s/%s/%d/", eventsFolder, environment, program, n)
}

const (
	flushMost  = 100             // events an object, and operations a transaction
	flushEvery = 5 * time.Second // at the least, where there are some
)

// flusher carries a partition's events to object storage.
type flusher struct{ w *worker }

// run carries events on until the partition is another's.
func (f *flusher) run(ctx context.Context) {
	pause := time.Duration(0)
	for ctx.Err() == nil {
		n, err := f.all(ctx)
		if err == nil {
			err = f.archive(ctx)
		}
		switch {
		case err != nil && ctx.Err() == nil:
			pause = min(max(2*pause, time.Second), time.Minute)
			f.w.c.o.Metrics.trouble(err)
			f.w.c.o.Log.Warn("events of deployments cannot be put into object storage now, and are kept in the store", "error", err)
		case n > 0: // there may be more
			pause = 0
		default:
			pause = flushEvery
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

// all carries on some events of each deployment, and gives of how many there may be more.
func (f *flusher) all(ctx context.Context) (more int, err error) {
	for _, id := range f.w.c.replica.outbox(f.w.l.Seat()) {
		n, fault := f.once(ctx, id)
		if n == flushMost {
			more++
		}
		err = errors.Join(err, fault)
	}
	return more, err
}

// once writes the oldest events of a deployment into an object, and deletes them from the
// store. It gives how many events there were.
func (f *flusher) once(ctx context.Context, id string) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	page, err := f.w.c.o.Store.Range(ctx, election.Span{Keys: election.Prefix(EventPrefix + id + "/")})
	if err != nil || len(page.Entries) == 0 {
		return 0, err
	}
	slices.SortFunc(page.Entries, func(a, b election.Entry) int {
		return cmp.Or(cmp.Compare(a.Modified, b.Modified), cmp.Compare(a.Key, b.Key))
	})
	batch := page.Entries[:min(flushMost, len(page.Entries))]
	program, environment, n, err := ParseID(id)
	if err != nil {
		return 0, err
	}
	name := fmt.Sprintf("%s%020d", eventsPrefix(environment, program, n), batch[0].Modified)
	var text bytes.Buffer
	for _, e := range batch {
		text.Write(e.Value)
		text.WriteByte('\n')
	}
	switch err := f.w.c.o.Objects.Create(ctx, name, text.Bytes(), blob.Standard); {
	case errors.Is(err, blob.ErrExists):
		// It was written before, and what came then was cut off: what is in it may go.
		data, err := f.w.c.o.Objects.Get(ctx, name)
		if err != nil {
			return 0, err
		}
		batch = slices.DeleteFunc(slices.Clone(batch), func(e election.Entry) bool { return !bytes.Contains(data, append(slices.Clone(e.Value), '\n')) })
		if len(batch) == 0 {
			return 0, fmt.Errorf("the object %s has other events than the store at this place: it is not this cluster's", name)
		}
	case err != nil:
		return 0, err
	}
	txn := election.Txn{If: []election.Compare{f.w.l.Guard()}}
	for _, e := range batch {
		txn.Then = append(txn.Then, election.Delete(election.Key(e.Key)))
	}
	if _, err := f.w.c.o.Store.Txn(ctx, txn); err != nil {
		return 0, err
	}
	return len(batch), nil
}

// Events are a deployment's events in the order of their times: those in object storage,
// which may be nil, and those that are not there yet.
func (s *Service) Events(ctx context.Context, objects blob.Store, id string) ([]Event, error) {
	program, environment, n, err := ParseID(id)
	if err != nil {
		return nil, refuse("%v", err)
	}
	// The store comes first: what moves meanwhile is seen twice, and not never.
	page, err := s.Store.Range(ctx, election.Span{Keys: election.Prefix(EventPrefix + id + "/")})
	if err != nil {
		return nil, err
	}
	var lines [][]byte
	for _, e := range page.Entries {
		lines = append(lines, e.Value)
	}
	if objects != nil {
		for info, err := range objects.List(ctx, eventsPrefix(environment, program, n), "") {
			if err != nil {
				return nil, err
			}
			if archived, _ := archiveName(id); info.Name == archived {
				continue
			}
			data, err := objects.Get(ctx, info.Name)
			if err != nil {
				return nil, err
			}
			scan := bufio.NewScanner(bytes.NewReader(data))
			scan.Buffer(nil, 1<<20)
			for scan.Scan() {
				lines = append(lines, bytes.Clone(scan.Bytes()))
			}
		}
	}
	var all []Event
	had := map[string]bool{} // by all of it: a restored store may number others alike
	for _, line := range lines {
		var e Event
		if err := json.Unmarshal(line, &e); err != nil {
			return nil, fmt.Errorf("an event of %s: %w", id, err)
		}
		if !had[string(line)] {
			had[string(line)] = true
			all = append(all, e)
		}
	}
	slices.SortStableFunc(all, func(a, b Event) int {
		return cmp.Or(a.Time.Compare(b.Time), cmp.Compare(strings.Compare(a.Node, b.Node), 0), cmp.Compare(a.Seq, b.Seq))
	})
	return all, nil
}
