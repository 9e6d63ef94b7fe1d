package backup

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"towpath.dev/internal/blob"
	"towpath.dev/internal/control/backup/segment"
)

// A Shared uploader keeps several clusters: what they upload at once is one object, a pack,
// and so one request. Packs are numbered; of two uploaders of one name, one is first with
// each number, and the other goes on behind it.
type Shared struct {
	name  string
	store blob.Store
	all   []*Uploader
	next  int64         // the number of the next pack
	late  chan struct{} // some cluster's changes should have been uploaded by now

	mu    sync.Mutex
	feeds []*Feed // nil where a cluster is not followed now
}

// NewShared makes an uploader of a name that keeps several clusters in one store.
func NewShared(ctx context.Context, name string, all []Options) (*Shared, error) {
	if err := blob.CheckName(name); err != nil {
		return nil, fmt.Errorf("the shared uploader's name: %w", err)
	}
	if len(all) == 0 || len(all) > segment.MaxParts {
		return nil, fmt.Errorf("the shared uploader %s has %d clusters: expected 1 to %d", name, len(all), segment.MaxParts)
	}
	s := &Shared{name: name, late: make(chan struct{}, 1), feeds: make([]*Feed, len(all))}
	store := newRecent(all[0].Store) // one memory for all
	for _, o := range all {
		o.Store = store
		u, err := NewUploader(ctx, o)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", o.Cluster, err)
		}
		s.store = u.o.Store
		err = u.o.Store.Create(ctx, u.shelf.place.shares()+name, []byte{}, blob.Standard)
		if err != nil && !errors.Is(err, blob.ErrExists) {
			return nil, err
		}
		s.all = append(s.all, u)
	}
	return s, nil
}

// Uploaders are those of the clusters, in the order of their options.
func (s *Shared) Uploaders() []*Uploader { return s.all }

// Run keeps the clusters' revisions until the context ends. A cluster that cannot be
// followed does not hold the others up.
func (s *Shared) Run(ctx context.Context) error {
	running, ctx := errgroup.WithContext(ctx)
	for _, u := range s.all {
		running.Go(func() error { return u.care(ctx) })
	}
	running.Go(func() error { return s.sweepAlways(ctx) })
	running.Go(func() error { return s.keep(ctx) })
	return running.Wait()
}

func (s *Shared) keep(ctx context.Context) error {
	var wait backoff
	for {
		err := s.keepOn(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if errors.Is(err, ErrAnother) {
			return err
		}
		s.all[0].o.Log.Warn("backup: the shared uploader begins anew", "uploader", s.name, "error", err)
		if err := wait.sleep(ctx); err != nil {
			return err
		}
	}
}

// keepOn uploads packs until another uploader is first.
func (s *Shared) keepOn(ctx context.Context) error {
	longer, stop := outliving(ctx, leaveTime)
	defer stop()
	ending, cancel := context.WithCancelCause(longer)
	var following sync.WaitGroup
	defer following.Wait()
	defer cancel(nil)
	if err := s.locate(ctx); err != nil {
		return err
	}
	for i, u := range s.all {
		following.Go(func() { cancel(s.follow(ending, i, u)) })
	}
	every := s.all[0].o.Every
	ticks := time.NewTicker(every)
	defer ticks.Stop()
	for {
		select {
		case <-ticks.C:
		case <-s.late:
		case <-ending.Done():
			return context.Cause(ending)
		case <-ctx.Done():
			s.all[0].leave(s.Upload(ending))
			return ctx.Err()
		}
		if err := s.Upload(ending); err != nil {
			return err
		}
	}
}

// locate finds the number of the next pack.
func (s *Shared) locate(ctx context.Context) error {
	s.next = 1
	for info, err := range s.store.List(ctx, packsOf(s.name), "") {
		if err != nil {
			return err
		}
		if n, err := number(info.Name, packsOf(s.name)); err == nil {
			s.next = n + 1
		}
	}
	return nil
}

// follow keeps a cluster followed until the context ends, or the cluster is another one.
func (s *Shared) follow(ctx context.Context, i int, u *Uploader) error {
	var wait backoff
	for ctx.Err() == nil {
		f, err := u.Follow(ctx)
		if err == nil {
			late := f.late
			s.setFeed(i, f)
			if late {
				s.hurry()
			}
			<-f.ctx.Done()
			err = context.Cause(f.ctx)
			s.setFeed(i, nil)
			f.Close()
		}
		if errors.Is(err, ErrAnother) {
			return err
		}
		if ctx.Err() == nil && !u.gap(ctx, err) {
			_ = wait.sleep(ctx)
		}
	}
	return ctx.Err()
}

// hurry has it upload at once.
func (s *Shared) hurry() {
	select {
	case s.late <- struct{}{}:
	default: // it will
	}
}

func (s *Shared) setFeed(i int, f *Feed) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.feeds[i] = f
}

// Follow follows all clusters; what is uploaded then is up to calls of Upload. The function
// that it returns ends following.
func (s *Shared) Follow(ctx context.Context) (func(), error) {
	if err := s.locate(ctx); err != nil {
		return nil, err
	}
	for i, u := range s.all {
		f, err := u.Follow(ctx)
		if err != nil {
			return nil, err
		}
		s.setFeed(i, f)
	}
	return func() {
		for _, f := range s.feeds {
			f.Close()
		}
	}, nil
}

// Upload uploads what changed in any cluster.
func (s *Shared) Upload(ctx context.Context) error {
	s.mu.Lock()
	feeds := append([]*Feed(nil), s.feeds...)
	s.mu.Unlock()
	cuts := make([]cutting, len(feeds))
	var cutting sync.WaitGroup
	for i, f := range feeds {
		if f == nil {
			continue
		}
		cutting.Go(func() {
			var err error
			if cuts[i], err = f.cut(ctx); err != nil {
				f.cancel(err) // it is followed anew from what is in the store
			}
		})
	}
	cutting.Wait()
	var objects [][]byte
	for _, c := range cuts {
		if c.object != nil {
			objects = append(objects, c.object)
		}
	}
	if len(objects) > 0 {
		if err := s.put(ctx, objects); err != nil {
			for _, f := range feeds {
				if f != nil {
					f.cancel(err)
				}
			}
			return err
		}
	}
	for i, f := range feeds {
		if f != nil {
			f.landed(cuts[i])
			if f.late && cuts[i].object != nil {
				s.hurry() // there is more
			}
		}
	}
	return nil
}

// put uploads a pack.
func (s *Shared) put(ctx context.Context, objects [][]byte) error {
	pack, err := segment.Pack(objects)
	if err != nil {
		return err
	}
	name := packName(s.name, s.next)
	err = s.store.Create(ctx, name, pack, blob.Standard)
	if errors.Is(err, blob.ErrExists) {
		var there []byte
		if there, err = s.store.Get(ctx, name); err == nil && !bytes.Equal(there, pack) {
			err = fmt.Errorf("%w: %s is another one's; going on behind it", errOvertaken, name)
		}
	}
	if err == nil {
		s.next++
	}
	return err
}

// sweepAlways deletes packs of which nothing is needed, after the hours are merged.
func (s *Shared) sweepAlways(ctx context.Context) error {
	for {
		now := s.all[0].o.Now()
		next := now.Truncate(time.Hour).Add(careAt + 4*time.Minute)
		if !next.After(now) {
			next = next.Add(time.Hour)
		}
		t := time.NewTimer(next.Sub(now))
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return ctx.Err()
		}
		if err := s.Sweep(ctx); err != nil && ctx.Err() == nil {
			s.all[0].alarm(alarmCare, err.Error())
		}
	}
}

// Sweep deletes the packs of which nothing is needed any more, by what [Uploader.Care] found
// last. The last one stays, as its number says which comes next.
func (s *Shared) Sweep(ctx context.Context) error {
	uploaders := map[place]*Uploader{}
	for _, u := range s.all {
		uploaders[u.shelf.place] = u
		for _, older := range u.olderOnes() {
			uploaders[older.shelf.place] = older
		}
	}
	var packs []string
	needed := map[string]bool{}
	err := eachPack(ctx, s.store, s.name, func(info blob.Info, parts []segment.Part, damaged error) {
		pack := info.Name
		packs = append(packs, pack)
		needed[pack] = damaged != nil // nobody knows what is in it
		for _, p := range parts {
			// Of clusters that are not kept here any more, nobody has merged the minutes.
			u := uploaders[place{p.Header.Cluster, p.Header.Generation}]
			needed[pack] = needed[pack] || u == nil || !u.isSpare(p.Header)
		}
	})
	if err != nil || len(packs) == 0 {
		return err
	}
	for _, pack := range packs[:len(packs)-1] {
		if !needed[pack] {
			if err := s.store.Delete(ctx, pack); err != nil {
				return err
			}
		}
	}
	return nil
}
