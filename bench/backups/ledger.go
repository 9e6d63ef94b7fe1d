package backups

import (
	"context"
	"errors"
	"iter"
	"slices"
	"strings"
	"sync"
	"time"

	"towpath.dev/internal/blob"
)

// A Line is what was asked of objects of one kind and class, and what of them is stored.
type Line struct {
	Kind  string // such as "log/minute" or "base"
	Class blob.Class

	Create, Get, Head, List, Delete int64 // requests; of List its pages
	Up, Down                        int64 // bytes
	// What is stored now, and for how long how much was, in the clock's time.
	Objects, Bytes int64
	ByteHours      float64
}

// A ledger counts by kinds what a store is asked for. It stands where a bill is made, above a
// [blob.Meter], and both have to agree.
type ledger struct {
	blob.Store
	now func() time.Time

	mu      sync.Mutex
	lines   []*Line
	objects map[string]*Line // that are stored
	sizes   map[string]int64
	created map[string]time.Time // of all of them, as the store's clock is the simulated one
	counted time.Time
}

func newLedger(store blob.Store, now func() time.Time) *ledger {
	return &ledger{Store: store, now: now, counted: now(), objects: map[string]*Line{}, sizes: map[string]int64{}, created: map[string]time.Time{}}
}

// kindOfObject is what a name says: what stands behind the cluster and its generation.
func kindOfObject(name string) string {
	parts := strings.Split(strings.TrimSuffix(name, "/"), "/")
	if parts[0] == "shared" { // where several clusters have one object
		return "pack"
	}
	if len(parts) > 3 && parts[2] == "log" {
		return "log/" + parts[3]
	}
	if len(parts) > 2 {
		return parts[2]
	}
	return parts[len(parts)-1]
}

// line is that of a kind and a class. The caller holds the lock.
func (l *ledger) line(kind string, class blob.Class) *Line {
	i := slices.IndexFunc(l.lines, func(x *Line) bool { return x.Kind == kind && x.Class == class })
	if i < 0 {
		i = len(l.lines)
		l.lines = append(l.lines, &Line{Kind: kind, Class: class})
	}
	return l.lines[i]
}

// of is the line of an object that may be there. The caller holds the lock.
func (l *ledger) of(name string) *Line {
	if line := l.objects[name]; line != nil {
		return line
	}
	return l.line(kindOfObject(name), blob.Standard)
}

// Lines is what was counted up to now.
func (l *ledger) Lines() []Line {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.passTime()
	var all []Line
	for _, line := range l.lines {
		all = append(all, *line)
	}
	return all
}

func (l *ledger) passTime() {
	now := l.now()
	for _, line := range l.lines {
		line.ByteHours += float64(line.Bytes) * now.Sub(l.counted).Hours()
	}
	l.counted = now
}

func (l *ledger) Create(ctx context.Context, name string, data []byte, class blob.Class) error {
	err := l.Store.Create(ctx, name, data, class)
	l.mu.Lock()
	defer l.mu.Unlock()
	line := l.line(kindOfObject(name), class)
	line.Create++
	line.Up += int64(len(data))
	if err == nil {
		l.passTime()
		line.Objects++
		line.Bytes += int64(len(data))
		l.objects[name], l.sizes[name], l.created[name] = line, int64(len(data)), l.counted
	}
	return err
}

func (l *ledger) Get(ctx context.Context, name string) ([]byte, error) {
	data, err := l.Store.Get(ctx, name)
	l.mu.Lock()
	defer l.mu.Unlock()
	line := l.of(name)
	line.Get++
	line.Down += int64(len(data))
	return data, err
}

func (l *ledger) Head(ctx context.Context, name string, n int) ([]byte, int64, error) {
	data, size, err := l.Store.Head(ctx, name, n)
	l.mu.Lock()
	defer l.mu.Unlock()
	line := l.of(name)
	line.Head++
	line.Down += int64(len(data))
	return data, size, err
}

// listPage is how many objects one request lists.
const listPage = 1000

func (l *ledger) List(ctx context.Context, prefix, after string) iter.Seq2[blob.Info, error] {
	page := func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.line("list", blob.Standard).List++
	}
	return func(yield func(blob.Info, error) bool) {
		n := 0
		page()
		for info, err := range l.Store.List(ctx, prefix, after) {
			if n++; n > listPage {
				page()
				n = 1
			}
			l.mu.Lock()
			if at, known := l.created[info.Name]; known {
				info.Modified = at
			}
			l.mu.Unlock()
			if !yield(info, err) {
				return
			}
		}
	}
}

func (l *ledger) Delete(ctx context.Context, name string) error {
	err := l.Store.Delete(ctx, name)
	l.mu.Lock()
	defer l.mu.Unlock()
	line := l.of(name)
	line.Delete++
	if err == nil && l.objects[name] != nil {
		l.passTime()
		line.Objects--
		line.Bytes -= l.sizes[name]
		delete(l.objects, name)
		delete(l.sizes, name)
		delete(l.created, name)
	}
	return err
}

// agrees compares a ledger's lines with a meter's count.
func agrees(lines []Line, u blob.Usage) error {
	var sum blob.Usage
	for _, l := range lines {
		sum.Create, sum.Get, sum.Head = sum.Create+l.Create, sum.Get+l.Get, sum.Head+l.Head
		sum.ListPages, sum.Delete = sum.ListPages+l.List, sum.Delete+l.Delete
		sum.Up, sum.Down = sum.Up+l.Up, sum.Down+l.Down
		sum.Stored[l.Class].Bytes += l.Bytes
		sum.Stored[l.Class].Objects += l.Objects
	}
	for i := range u.Stored {
		u.Stored[i].ByteSeconds = 0
	}
	if sum != u {
		return errors.New("the ledger's counts are not the meter's")
	}
	return nil
}

// since is what has come between two counts.
func since(before, after []Line) []Line {
	all := slices.Clone(after)
	for i := range all {
		a := &all[i]
		for _, b := range before {
			if b.Kind == a.Kind && b.Class == a.Class {
				a.Create, a.Get, a.Head, a.List, a.Delete = a.Create-b.Create, a.Get-b.Get, a.Head-b.Head, a.List-b.List, a.Delete-b.Delete
				a.Up, a.Down, a.ByteHours = a.Up-b.Up, a.Down-b.Down, a.ByteHours-b.ByteHours
			}
		}
	}
	return all
}

// void is a store that keeps nothing: what is made for being counted alone.
type void struct{ blob.Store }

func (void) Create(context.Context, string, []byte, blob.Class) error { return nil }
func (void) Delete(context.Context, string) error                     { return nil }
func (void) String() string                                           { return "nowhere" }
