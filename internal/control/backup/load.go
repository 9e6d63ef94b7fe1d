package backup

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"towpath.dev/internal/blob"
	"towpath.dev/internal/control/backup/catalog"
	"towpath.dev/internal/control/backup/segment"
)

// headsAtOnce is how many headers are read at a time.
const headsAtOnce = 16

// A loading makes a shelf's catalog.
type loading struct {
	*shelf
	reading *errgroup.Group
	there   map[string]bool // all log objects and manifests, by name

	mu     sync.Mutex // guards what follows
	c      catalog.Catalog
	chunks []catalog.Orphan // until a manifest names them
	secret map[string]bool  // folders of bases whose manifests do not say which chunks they have
}

// load is the catalog of what there is. Objects that are deleted while it reads are
// left out. What is damaged is among what is lost, and keeps nobody from what is not.
func (s *shelf) load(ctx context.Context) (catalog.Catalog, error) {
	l := &loading{shelf: s, there: map[string]bool{}, secret: map[string]bool{}}
	var inside context.Context // which ends when all is read
	l.reading, inside = errgroup.WithContext(ctx)
	l.reading.SetLimit(headsAtOnce)
	err := l.listLogs(ctx, inside)
	if err == nil {
		err = l.listBases(ctx, inside)
	}
	if err := errors.Join(err, l.reading.Wait()); err != nil {
		return l.c, err
	}
	s.forget(l.there)
	if err := s.loadParts(ctx, &l.c); err != nil {
		return l.c, err
	}
	if err := s.leaveOutLost(ctx, &l.c); err != nil {
		return l.c, err
	}
	supposeEnds(&l.c)
	for _, chunk := range l.chunks {
		if chunk.Base != "" && !l.secret[chunk.Base] && !s.named(chunk) {
			l.c.Orphans = append(l.c.Orphans, chunk)
		}
	}
	return l.c, nil
}

func (l *loading) listLogs(ctx, inside context.Context) error {
	logs := l.place.root() + "log/"
	for info, err := range l.store.List(ctx, logs, "") {
		if err != nil {
			return err
		}
		folder, digits, _ := strings.Cut(strings.TrimPrefix(info.Name, logs), "/")
		if folder == dictionaries {
			l.c.Dictionaries = append(l.c.Dictionaries, catalog.Dictionary{Name: digits, Time: info.Modified, Size: info.Size})
			continue
		}
		level, err := catalog.ParseLevel(folder)
		if err != nil {
			continue // of a later version
		}
		start, err := number(digits, "")
		if err != nil {
			l.damaged(info, "", err)
			continue
		}
		l.there[info.Name] = true
		l.reading.Go(func() error { return l.log(inside, info, level, start) })
	}
	return nil
}

// log reads what there is to know of one log object.
func (l *loading) log(ctx context.Context, info blob.Info, level catalog.Level, start int64) error {
	h, err := l.header(ctx, info.Name)
	headless := errors.Is(err, segment.ErrDamaged)
	if errors.Is(err, blob.ErrNotFound) {
		return nil
	}
	if err == nil {
		err = l.again(ctx, info.Name)
	}
	damaged := errors.Is(err, segment.ErrDamaged)
	if err != nil && !damaged {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if !damaged {
		l.c.Logs = append(l.c.Logs, entry(level, h, info.Size))
		return nil
	}
	lost := catalog.Log{Level: level, Start: start, To: info.Modified, Size: info.Size}
	if !headless {
		lost = entry(level, h, info.Size)
	}
	lost.Damage = err.Error()
	l.c.Lost = append(l.c.Lost, lost)
	return nil
}

func (l *loading) listBases(ctx, inside context.Context) error {
	for info, err := range l.store.List(ctx, l.place.bases(), "") {
		if err != nil {
			return err
		}
		folder, isManifest := l.place.manifestOf(info.Name)
		if !isManifest {
			l.mu.Lock()
			l.chunks = append(l.chunks, catalog.Orphan{Base: folder, Name: info.Name, Time: info.Modified})
			l.mu.Unlock()
			continue
		}
		l.there[info.Name] = true
		l.reading.Go(func() error { return l.base(inside, info, folder) })
	}
	return nil
}

func (l *loading) base(ctx context.Context, info blob.Info, folder string) error {
	m, err := l.manifest(ctx, folder)
	if errors.Is(err, blob.ErrNotFound) {
		return nil
	}
	if errors.Is(err, segment.ErrDamaged) {
		l.damaged(info, folder, err)
		l.mu.Lock()
		defer l.mu.Unlock()
		l.secret[folder] = true
		return nil
	}
	if err != nil {
		return err
	}
	if why, spoiled := l.isSpoiled(folder); spoiled {
		l.damaged(info, folder, errors.New(why))
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.c.Bases = append(l.c.Bases, m.entry())
	return nil
}

// damaged notes an object that is no log, or has no name that a log has. A base's is of its folder.
func (l *loading) damaged(info blob.Info, folder string, why error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.c.Damaged = append(l.c.Damaged, catalog.Damage{Name: info.Name, Base: folder, Time: info.Modified, Why: why.Error()})
}

// named says whether the manifest of its base names a chunk.
func (s *shelf) named(chunk catalog.Orphan) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.ContainsFunc(s.bases[chunk.Base].Chunks, func(c Chunk) bool { return s.place.chunk(chunk.Base, c.SHA256) == chunk.Name })
}

// supposeEnds says of lost objects that have no header what can be known by others: they end
// before the next one begins, and begin after what is before them was seen.
func supposeEnds(c *catalog.Catalog) {
	starts := make([]int64, 0, len(c.Logs)+len(c.Lost))
	for _, l := range slices.Concat(c.Logs, c.Lost) {
		starts = append(starts, l.Start)
	}
	slices.Sort(starts)
	for i := range c.Lost {
		l := &c.Lost[i]
		if l.End != 0 {
			continue
		}
		l.End = l.Start
		if next, _ := slices.BinarySearch(starts, l.Start+1); next < len(starts) {
			l.End = starts[next] - 1
		}
		l.From = seenBefore(*c, l.Start)
	}
}

// seenBefore is the last instant at which a revision before one is known to have been seen.
func seenBefore(c catalog.Catalog, revision int64) (at time.Time) {
	for _, b := range c.Bases {
		if b.Revision < revision && b.Time.After(at) {
			at = b.Time
		}
	}
	for _, l := range c.Logs {
		if l.End < revision && l.To.After(at) {
			at = l.To
		}
	}
	return at
}

// damages names all that is damaged or lost, for people.
func damages(c catalog.Catalog) (all []string) {
	for _, l := range c.Lost {
		all = append(all, c.LostError(l.Start-1, l.Start).Error())
	}
	for _, d := range c.Damaged {
		all = append(all, fmt.Sprintf("%s is damaged: %s; put back a copy if there is one, or delete it", d.Name, d.Why))
	}
	slices.Sort(all)
	return all
}
