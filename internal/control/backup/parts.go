package backup

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"towpath.dev/internal/blob"
	"towpath.dev/internal/control/backup/catalog"
	"towpath.dev/internal/control/backup/segment"
)

// A packed log object is a part of a pack.
type packed struct {
	segment.Part
	pack string // the pack's name
}

// readParts finds the log objects that are in packs.
func (s *shelf) readParts(ctx context.Context) error {
	parts := map[string]packed{}
	var damaged []catalog.Damage
	for info, err := range s.store.List(ctx, s.place.shares(), "") {
		if err != nil {
			return err
		}
		err := eachPack(ctx, s.store, strings.TrimPrefix(info.Name, s.place.shares()), func(pack blob.Info, all []segment.Part, err error) {
			if err != nil {
				damaged = append(damaged, catalog.Damage{Name: pack.Name, Time: pack.Modified, Why: err.Error()})
			}
			for _, p := range all {
				name := s.place.log(catalog.Minute, p.Header.Start)
				if p.Header.Cluster == s.place.cluster && p.Header.Generation == s.place.generation && p.Header.End >= parts[name].Header.End {
					parts[name] = packed{p, pack.Name}
				}
			}
		})
		if err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.parts, s.packs = parts, damaged
	return nil
}

// eachPack visits the packs of an uploader, the oldest first. Of one that is damaged it says why
// its parts are not known.
func eachPack(ctx context.Context, store blob.Store, uploader string, visit func(pack blob.Info, parts []segment.Part, err error)) error {
	var packs []blob.Info
	for info, err := range store.List(ctx, packsOf(uploader), "") {
		if err != nil {
			return err
		}
		packs = append(packs, info)
	}
	indexes, damaged := make([][]segment.Part, len(packs)), make([]error, len(packs))
	reading, ctx := errgroup.WithContext(ctx)
	reading.SetLimit(headsAtOnce)
	for i, pack := range packs {
		reading.Go(func() (err error) {
			indexes[i], err = readIndex(ctx, store, pack.Name)
			if errors.Is(err, segment.ErrDamaged) {
				damaged[i] = err
			}
			if isGone(err) { // or deleted just now
				return nil
			}
			return err
		})
	}
	if err := reading.Wait(); err != nil {
		return err
	}
	for i, parts := range indexes {
		if parts != nil || damaged[i] != nil {
			visit(packs[i], parts, damaged[i])
		}
	}
	return nil
}

func readIndex(ctx context.Context, store blob.Store, pack string) ([]segment.Part, error) {
	first, _, err := store.Head(ctx, pack, segment.MaxHeader)
	if err != nil {
		return nil, err
	}
	parts, err := segment.ReadIndex(first)
	if err != nil {
		return nil, fmt.Errorf("the object %s in %s: %w", pack, store, err)
	}
	return parts, nil
}

// loadParts adds to a catalog what is in packs. Where there is an object of its own that
// begins at the same revision, the one that reaches further counts.
func (s *shelf) loadParts(ctx context.Context, c *catalog.Catalog) error {
	if err := s.readParts(ctx); err != nil {
		return err
	}
	bad := map[string]error{}
	for name := range s.packed() {
		if err := s.again(ctx, name); errors.Is(err, segment.ErrDamaged) {
			bad[name] = err
		} else if err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c.Damaged = append(c.Damaged, s.packs...)
	longer := map[int64]bool{} // starts
	for name, p := range s.parts {
		if own, both := s.headers[name]; both && own.End >= p.Header.End {
			delete(s.parts, name)
		} else {
			longer[p.Header.Start] = true
		}
	}
	c.Logs = slices.DeleteFunc(c.Logs, func(l catalog.Log) bool { return l.Level == catalog.Minute && longer[l.Start] })
	for name, p := range s.parts {
		l := entry(catalog.Minute, p.Header, p.Size)
		if err := bad[name]; err != nil {
			l.Damage = err.Error()
			c.Lost = append(c.Lost, l)
			continue
		}
		c.Logs = append(c.Logs, l)
	}
	return nil
}

// packed is the log objects in packs, as they were read last.
func (s *shelf) packed() map[string]packed {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.parts)
}

// packedAlone says whether a log object is in a pack, and not an object of its own as well.
func (s *shelf) packedAlone(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, packed := s.parts[name]
	_, own := s.headers[name]
	return packed && !own
}

// get reads an object, out of its pack if it is in one.
func (s *shelf) get(ctx context.Context, name string) ([]byte, error) {
	s.mu.Lock()
	p, inPack := s.parts[name]
	s.mu.Unlock()
	if !inPack {
		return s.store.Get(ctx, name)
	}
	pack, err := s.store.Get(ctx, p.pack)
	if err != nil {
		return nil, err
	}
	object, err := p.Cut(pack)
	if err != nil {
		return nil, fmt.Errorf("the object %s in %s: %w", p.pack, s.store, err)
	}
	return object, nil
}
