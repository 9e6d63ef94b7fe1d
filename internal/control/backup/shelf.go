package backup

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"towpath.dev/internal/blob"
	"towpath.dev/internal/control/backup/catalog"
	"towpath.dev/internal/control/backup/segment"
)

// A shelf is the objects of one generation of a cluster. It remembers the headers that it
// has read, as objects do not change.
type shelf struct {
	place place
	store blob.Store

	mu      sync.Mutex
	headers map[string]segment.Header // by name
	parts   map[string]packed         // log objects that are in packs, by what would be their names
	bases   map[int64]Manifest

	dictionaries *shelved
}

func newShelf(store blob.Store, at place) *shelf {
	return &shelf{place: at, store: store, headers: map[string]segment.Header{}, parts: map[string]packed{}, bases: map[int64]Manifest{}, dictionaries: newShelved()}
}

// headsAtOnce is how many headers are read at a time.
const headsAtOnce = 16

// load is the catalog of what there is. Objects that are deleted while it reads are
// left out.
func (s *shelf) load(ctx context.Context) (catalog.Catalog, error) {
	var c catalog.Catalog
	var mu sync.Mutex
	reading, inside := errgroup.WithContext(ctx) // which ends when all is read
	reading.SetLimit(headsAtOnce)
	there := map[string]bool{}
	var chunks []catalog.Orphan // until a manifest names them
	logs := s.place.root() + "log/"
	for info, err := range s.store.List(ctx, logs, "") {
		if err != nil {
			return c, errors.Join(err, reading.Wait())
		}
		folder, digits, _ := strings.Cut(strings.TrimPrefix(info.Name, logs), "/")
		if folder == dictionaries {
			c.Dictionaries = append(c.Dictionaries, catalog.Dictionary{Name: digits, Time: info.Modified, Size: info.Size})
			continue
		}
		level, err := catalog.ParseLevel(folder)
		if err != nil {
			continue // of a later version
		}
		if _, err := number(digits, ""); err != nil {
			return c, errors.Join(fmt.Errorf("the object %s: %w", info.Name, err), reading.Wait())
		}
		there[info.Name] = true
		reading.Go(func() error {
			h, err := s.header(inside, info.Name)
			if errors.Is(err, blob.ErrNotFound) {
				return nil
			}
			if err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			c.Logs = append(c.Logs, entry(level, h, info.Size))
			return nil
		})
	}
	for info, err := range s.store.List(ctx, s.place.bases(), "") {
		if err != nil {
			return c, errors.Join(err, reading.Wait())
		}
		revision, isManifest := manifestOf(strings.TrimPrefix(info.Name, s.place.bases()))
		if !isManifest {
			chunks = append(chunks, catalog.Orphan{Base: revision, Name: info.Name, Time: info.Modified})
			continue
		}
		reading.Go(func() error {
			m, err := s.manifest(inside, revision)
			if errors.Is(err, blob.ErrNotFound) {
				return nil
			}
			if err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			c.Bases = append(c.Bases, catalog.Base{Revision: m.Revision, Compacted: m.Compacted, Time: m.Time, Size: m.Size, Raw: m.Raw})
			return nil
		})
	}
	if err := reading.Wait(); err != nil {
		return c, err
	}
	s.forget(there)
	if err := s.loadParts(ctx, &c); err != nil {
		return c, err
	}
	if err := s.leaveOutLost(ctx, &c); err != nil {
		return c, err
	}
	for _, chunk := range chunks {
		if chunk.Base != 0 && !s.named(chunk) {
			c.Orphans = append(c.Orphans, chunk)
		}
	}
	return c, nil
}

// entry is what a catalog has of a log object.
func entry(level catalog.Level, h segment.Header, size int64) catalog.Log {
	l := catalog.Log{Level: level, Start: h.Start, End: h.End, From: h.From, To: h.To, Size: size, Raw: h.Raw, Dictionary: h.Dictionary}
	for _, p := range h.Points {
		l.Points = append(l.Points, catalog.Point{Revision: p.Revision, Time: p.Time})
	}
	return l
}

// manifestOf reads a name behind the folder of the bases.
func manifestOf(name string) (revision int64, isManifest bool) {
	digits, rest, _ := strings.Cut(name, "/")
	revision, err := number(digits, "")
	return revision, err == nil && rest == "manifest"
}

// named says whether the manifest of its base names a chunk.
func (s *shelf) named(chunk catalog.Orphan) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.ContainsFunc(s.bases[chunk.Base].Chunks, func(c Chunk) bool { return s.place.chunk(chunk.Base, c.SHA256) == chunk.Name })
}

// newestBase is the revision of the newest base, 0 if there is none.
func (s *shelf) newestBase(ctx context.Context) (newest int64, err error) {
	for info, err := range s.store.List(ctx, s.place.bases(), "") {
		if err != nil {
			return 0, err
		}
		if revision, isManifest := manifestOf(strings.TrimPrefix(info.Name, s.place.bases())); isManifest {
			newest = max(newest, revision)
		}
	}
	return newest, nil
}

// header reads the header of a log object.
func (s *shelf) header(ctx context.Context, name string) (segment.Header, error) {
	s.mu.Lock()
	h, known := s.headers[name]
	s.mu.Unlock()
	if known {
		return h, nil
	}
	first, _, err := s.store.Head(ctx, name, segment.MaxHeader)
	if err != nil {
		return h, err
	}
	if h, _, err = segment.ReadHeader(first); err != nil {
		return h, fmt.Errorf("the object %s in %s: %w", name, s.store, err)
	}
	if err := s.belongs(name, h); err != nil {
		return h, err
	}
	s.remember(name, h)
	return h, nil
}

// belongs refuses an object that stands where another should.
func (s *shelf) belongs(name string, h segment.Header) error {
	if h.Cluster != s.place.cluster || h.Generation != s.place.generation || !strings.HasSuffix(name, fmt.Sprintf("/%020d", h.Start)) {
		return fmt.Errorf("the object %s in %s: %w: it says that it is of %s, generation %d, from revision %d on", name, s.store, segment.ErrDamaged, h.Cluster, h.Generation, h.Start)
	}
	return nil
}

func (s *shelf) remember(name string, h segment.Header) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.headers[name] = h
}

// forget drops the headers of objects that are no more.
func (s *shelf) forget(there map[string]bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name := range s.headers {
		if !there[name] {
			delete(s.headers, name)
		}
	}
}

func (s *shelf) manifest(ctx context.Context, revision int64) (Manifest, error) {
	s.mu.Lock()
	m, known := s.bases[revision]
	s.mu.Unlock()
	if known {
		return m, nil
	}
	m, err := readManifest(ctx, s.store, s.place, revision)
	if err != nil {
		return m, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bases[revision] = m
	return m, nil
}

// last is the header of the log object that starts last; false if there is none.
func (s *shelf) last(ctx context.Context) (segment.Header, bool, error) {
	var name string
	var start int64
	logs := s.place.root() + "log/"
	for info, err := range s.store.List(ctx, logs, "") {
		if err != nil {
			return segment.Header{}, false, err
		}
		_, digits, _ := strings.Cut(strings.TrimPrefix(info.Name, logs), "/")
		if n, err := number(digits, ""); err == nil && n >= start {
			name, start = info.Name, n
		}
	}
	if err := s.readParts(ctx); err != nil {
		return segment.Header{}, false, err
	}
	var latest segment.Header
	for _, p := range s.packed() {
		if p.Header.Start > latest.Start {
			latest = p.Header
		}
	}
	if name == "" || latest.Start > start {
		return latest, latest.Start > 0, nil
	}
	h, err := s.header(ctx, name)
	if latest.Start == start && latest.End > h.End {
		h = latest
	}
	return h, err == nil, err
}
