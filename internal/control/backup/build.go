package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"filippo.io/age"

	"towpath.dev/internal/blob"
	"towpath.dev/internal/control/backup/catalog"
	"towpath.dev/internal/control/backup/segment"
)

// A builder builds a store's file out of a base and the log.
type builder struct {
	shelf      *shelf
	identities []age.Identity
	progress   func(bytes int64) // of objects that were read; may be nil
}

// readAhead is how many objects are read and unpacked while one is written.
const readAhead = 3

// build writes the file of a chain's target. It checks the base's hash on its way.
func (b *builder) build(ctx context.Context, path string, chain catalog.Chain, followed string) (*storeFile, error) {
	f, err := createFile(path, chain.Target, followed)
	if err != nil {
		return nil, err
	}
	if err := b.fill(ctx, f, chain); err != nil {
		f.discard()
		return nil, err
	}
	return f, nil
}

func (b *builder) fill(ctx context.Context, f *storeFile, chain catalog.Chain) error {
	if err := b.base(ctx, f, chain.Base); err != nil {
		return err
	}
	if err := b.log(ctx, f, chain.Steps); err != nil {
		return err
	}
	if err := f.finish(); err != nil {
		return err
	}
	if f.last < chain.Target && len(chain.Steps) > 0 {
		return fmt.Errorf("%w: the log was to lead to revision %d, and led to %d", segment.ErrDamaged, chain.Target, f.last)
	}
	return nil
}

// base writes a base's rows.
func (b *builder) base(ctx context.Context, f *storeFile, base catalog.Base) error {
	err := b.rows(ctx, f, base.Folder())
	b.shelf.foundBase(base.Folder(), err)
	return err
}

func (b *builder) rows(ctx context.Context, f *storeFile, folder string) error {
	m, err := b.shelf.manifest(ctx, folder)
	if err != nil {
		return err
	}
	type row struct {
		bucket     string
		key, value []byte
	}
	err = ordered(ctx, m.Chunks, func(ctx context.Context, c Chunk) (rows []row, err error) {
		name := b.shelf.place.chunk(folder, c.SHA256)
		object, err := b.shelf.chunk(ctx, folder, c)
		if err != nil {
			return nil, whatIsGone(err, name, b.shelf.store)
		}
		b.tell(object)
		err = segment.ReadChunk(object, func(bucket string, k, v []byte) error {
			rows = append(rows, row{bucket, k, v})
			return nil
		}, b.identities...)
		if err != nil {
			err = fmt.Errorf("%s in %s: %w", name, b.shelf.store, err)
		}
		return rows, err
	}, func(rows []row) error {
		for _, r := range rows {
			if err := f.row(r.bucket, r.key, r.value); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil || f.target < m.Revision {
		return err // of a part there is no hash
	}
	if err := f.commit(); err != nil {
		return err
	}
	sum, err := hashKV(f.db, m.Compacted, m.Revision)
	if err == nil && sum != m.HashKV {
		err = fmt.Errorf("the base of revision %d in %s: %w: expected HashKV %08x, found %08x", m.Revision, b.shelf.store, segment.ErrDamaged, m.HashKV, sum)
	}
	return err
}

// log applies steps to a file.
func (b *builder) log(ctx context.Context, f *storeFile, steps []catalog.Step) error {
	type part struct {
		step    catalog.Step
		changes []segment.Change
		leases  []segment.Lease
	}
	return ordered(ctx, steps, func(ctx context.Context, s catalog.Step) (part, error) {
		p := part{step: s}
		err := b.read(ctx, s.Log, func(r segment.Record) error {
			switch {
			case r.Change != nil && s.First <= r.Change.Main && r.Change.Main <= s.Last:
				p.changes = append(p.changes, *r.Change)
			case r.Lease != nil:
				p.leases = append(p.leases, *r.Lease)
			}
			return nil
		})
		return p, err
	}, func(p part) error {
		for _, l := range p.leases {
			f.ttl[l.ID] = l.TTL
		}
		next := p.step.First
		for _, c := range p.changes {
			// Of one that was thinned, not all are there.
			if p.step.Log.Points == nil {
				if c.Main > next {
					return fmt.Errorf("%s: %w: expected revision %d, found %d", b.shelf.place.log(p.step.Log.Level, p.step.Log.Start), segment.ErrDamaged, next, c.Main)
				}
				next = c.Main + 1
			}
			if err := f.change(c); err != nil {
				return err
			}
		}
		return nil
	})
}

// read hands a log object's records on.
func (b *builder) read(ctx context.Context, l catalog.Log, record func(segment.Record) error) error {
	name := b.shelf.place.log(l.Level, l.Start)
	object, err := b.get(ctx, name)
	if err != nil {
		return err
	}
	err = eachRecord(object, b.shelf.find(ctx, b.identities), b.identities, func(h segment.Header) error { return b.shelf.belongs(name, h) }, record)
	b.shelf.found(name, b.identities, err)
	if err != nil {
		return fmt.Errorf("%s in %s: %w", name, b.shelf.store, err)
	}
	return nil
}

// eachRecord hands on what a log object holds, after its header.
func eachRecord(object []byte, dictionary finder, identities []age.Identity, header func(segment.Header) error, record func(segment.Record) error) error {
	r, h, err := segment.Open(object, dictionary, identities...)
	if err != nil {
		return err
	}
	defer r.Close()
	if err := header(h); err != nil {
		return err
	}
	for {
		next, err := r.Next()
		if err == io.EOF {
			return nil
		}
		if err == nil {
			err = record(next)
		}
		if err != nil {
			return err
		}
	}
}

func (b *builder) get(ctx context.Context, name string) ([]byte, error) {
	object, err := b.shelf.get(ctx, name)
	if err != nil {
		return nil, whatIsGone(err, name, b.shelf.store)
	}
	b.tell(object)
	return object, nil
}

// tell says that an object was read.
func (b *builder) tell(object []byte) {
	if b.progress != nil {
		b.progress(int64(len(object)))
	}
}

// whatIsGone says of an object that is not there what to do.
func whatIsGone(err error, name string, store blob.Store) error {
	if errors.Is(err, blob.ErrNotFound) {
		return fmt.Errorf("the object %s is not in %s any more; if it was deleted just now because it is in a larger one, run this again: %w", name, store, err)
	}
	return err
}

// ordered makes something of each input, some at a time, and consumes what was made
// in the order of the inputs.
func ordered[In, Out any](ctx context.Context, inputs []In, make1 func(context.Context, In) (Out, error), consume func(Out) error) error {
	ctx, cancel := context.WithCancel(ctx)
	var making sync.WaitGroup
	defer making.Wait()
	defer cancel()
	type made struct {
		out Out
		err error
	}
	queue := make(chan chan made, readAhead-1)
	making.Go(func() {
		defer close(queue)
		for _, in := range inputs {
			slot := make(chan made, 1)
			select {
			case queue <- slot:
			case <-ctx.Done():
				return
			}
			making.Go(func() {
				out, err := make1(ctx, in)
				slot <- made{out, err}
			})
		}
	})
	for slot := range queue {
		m := <-slot
		if m.err != nil {
			return m.err
		}
		if err := consume(m.out); err != nil {
			return err
		}
	}
	return ctx.Err()
}
