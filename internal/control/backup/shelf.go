package backup

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"filippo.io/age"

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
	packs   []catalog.Damage          // that could not be read
	bases   map[string]Manifest       // by their folders
	sound   map[string]bool           // log objects, and folders of bases, that were read whole here
	doubted map[string][]age.Identity // log objects that were found damaged, and who found that
	spoiled map[string]string         // why bases are damaged, by their folders

	dictionaries *shelved
}

func newShelf(store blob.Store, at place) *shelf {
	return &shelf{
		place: at, store: store, headers: map[string]segment.Header{}, parts: map[string]packed{}, bases: map[string]Manifest{},
		sound: map[string]bool{}, doubted: map[string][]age.Identity{}, spoiled: map[string]string{}, dictionaries: newShelved(),
	}
}

// entry is what a catalog has of a log object.
func entry(level catalog.Level, h segment.Header, size int64) catalog.Log {
	l := catalog.Log{Level: level, Start: h.Start, End: h.End, From: h.From, To: h.To, Size: size, Raw: h.Raw, Dictionary: h.Dictionary}
	for _, p := range h.Points {
		l.Points = append(l.Points, catalog.Point{Revision: p.Revision, Time: p.Time})
	}
	return l
}

// newestBase is the manifest of the newest base that can be read; false if there is none.
func (s *shelf) newestBase(ctx context.Context) (Manifest, bool, error) {
	var folders []string
	for info, err := range s.store.List(ctx, s.place.bases(), "") {
		if err != nil {
			return Manifest{}, false, err
		}
		if folder, is := s.place.manifestOf(info.Name); is {
			folders = append(folders, folder)
		}
	}
	var newest Manifest
	some := false
	for _, folder := range slices.Backward(folders) { // which begin with their revisions
		if revision, _ := folderRevision(folder); some && revision < newest.Revision {
			break
		}
		m, err := s.manifest(ctx, folder)
		if err != nil && !isGone(err) {
			return m, false, err
		}
		if err == nil && (!some || m.Time.After(newest.Time)) {
			newest, some = m, true
		}
	}
	return newest, some, nil
}

// isGone says whether an object is damaged, or not there any more: others may be.
func isGone(err error) bool {
	return errors.Is(err, segment.ErrDamaged) || errors.Is(err, blob.ErrNotFound)
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

// drop forgets all about a log object that is deleted: another one may take its name.
func (s *shelf) drop(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.headers, name)
	delete(s.sound, name)
	delete(s.doubted, name)
}

// forget drops what is known of objects that are no more.
func (s *shelf) forget(there map[string]bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name := range s.headers {
		if !there[name] {
			delete(s.headers, name)
		}
	}
	for folder := range s.bases {
		if !there[s.place.manifest(folder)] {
			delete(s.bases, folder)
			delete(s.spoiled, folder)
		}
	}
}

func (s *shelf) manifest(ctx context.Context, folder string) (Manifest, error) {
	s.mu.Lock()
	m, known := s.bases[folder]
	s.mu.Unlock()
	if known {
		return m, nil
	}
	m, err := readManifest(ctx, s.store, s.place, folder)
	if err != nil {
		return m, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bases[folder] = m
	return m, nil
}

// last is the header of the log object that starts last, of those whose headers can be read;
// false if there is none.
func (s *shelf) last(ctx context.Context) (segment.Header, bool, error) {
	type object struct {
		name  string
		start int64
	}
	var all []object
	logs := s.place.root() + "log/"
	for info, err := range s.store.List(ctx, logs, "") {
		if err != nil {
			return segment.Header{}, false, err
		}
		_, digits, _ := strings.Cut(strings.TrimPrefix(info.Name, logs), "/")
		if n, err := number(digits, ""); err == nil {
			all = append(all, object{info.Name, n})
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
	slices.Reverse(all)
	slices.SortStableFunc(all, func(a, b object) int { return cmp.Compare(b.start, a.start) })
	for _, o := range all {
		if o.start < latest.Start {
			break
		}
		h, err := s.header(ctx, o.name)
		if isGone(err) {
			continue
		}
		if err != nil {
			return h, false, err
		}
		if latest.Start == h.Start && latest.End > h.End {
			h = latest
		}
		return h, true, nil
	}
	return latest, latest.Start > 0, nil
}
