// Package catalog says what a backup's objects are worth: which of them lead to a
// revision, what is missing, what is to be kept, merged, thinned and deleted. It is
// arithmetic over names, revisions and times: it reads no object, no network and no
// clock.
//
// A backup of a store is bases and log objects. A [Base] is the whole store at a
// revision. A [Log] is the changes of all revisions from one to another. A [Chain] is a
// base and what of the log leads from it to a revision. A log object of a higher
// [Level] covers several of a lower one; overlap does no harm, as a change is known by
// its revision. A thinned object can only be left at its [Point]s.
//
//	c := catalog.Catalog{Bases: bases, Logs: logs}
//	chain, err := c.Chain(4711)
//	if err != nil {
//		return err // says what is missing, and which revisions can be had instead
//	}
//	for _, step := range chain.Steps {
//		// Apply the changes of the revisions step.First to step.Last of step.Log.
//	}
package catalog

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// Level is how much of the log an object covers, and whether it was thinned.
type Level uint8

// The levels. A lower one is read sooner and lives shorter.
const (
	Minute     Level = iota // as it was uploaded
	Hour                    // one UTC hour
	Day                     // a UTC day, or a part of one that was too large
	HourPoints              // a day, of which only the end of each hour can be restored
	DayPoints               // a day, of which only its end can be restored
)

var levels = [...]string{"minute", "hour", "day", "hour-points", "day-points"}

// String is the level as names of objects have it.
func (l Level) String() string {
	if int(l) < len(levels) {
		return levels[l]
	}
	return fmt.Sprintf("level %d", uint8(l))
}

// ParseLevel reads what String wrote.
func ParseLevel(s string) (Level, error) {
	if i := slices.Index(levels[:], s); i >= 0 {
		return Level(i), nil
	}
	return 0, fmt.Errorf("%q is no level of the log; the levels are %q", s, levels)
}

// A Point is a revision, and when it was the newest one.
type Point struct {
	Revision int64
	Time     time.Time // UTC
}

func (p Point) String() string {
	if p.Time.IsZero() {
		return fmt.Sprint(p.Revision)
	}
	return fmt.Sprintf("%d (seen %s)", p.Revision, p.Time.UTC().Format(time.RFC3339))
}

// A Log is an object of the log: the changes of the revisions Start to End, both
// included, without a gap.
type Log struct {
	Level      Level
	Start, End int64
	From, To   time.Time // when the uploader saw Start, and End; UTC
	Size, Raw  int64     // bytes as stored, and before compression
	// Points, if not nil, are the revisions that can be restored, in order; the last is
	// End. Of each key only the last change up to the next point is left.
	Points     []Point
	Dictionary string // the name of the one that it cannot be read without; "" is none
	// Damage is why nobody can read it, though it is there; "" if nothing is known to be wrong.
	Damage string
}

// String names an object as people find it in the store.
func (l Log) String() string { return fmt.Sprintf("log/%s/%020d", l.Level, l.Start) }

// exit is the greatest revision, up to target, at which an object can be left: 0 if
// there is none.
func (l Log) exit(target int64) int64 {
	if l.Points == nil {
		if l.Start > target {
			return 0
		}
		return min(l.End, target)
	}
	i, found := slices.BinarySearchFunc(l.Points, target, func(p Point, r int64) int { return cmp.Compare(p.Revision, r) })
	switch {
	case found:
		return target
	case i == 0:
		return 0
	}
	return l.Points[i-1].Revision
}

// A Base is the whole store at a revision.
type Base struct {
	Revision int64
	// Compacted is the revision that the store had been compacted at. A base serves every
	// revision from there on: above it nothing of the store's history is missing.
	Compacted int64
	Time      time.Time // when it was made; UTC
	Size, Raw int64     // bytes as stored, and before compression
	// Name is that of its folder: several bases may be of one revision, as users and roles
	// change without. Default the revision in 20 digits.
	Name string
}

// Folder is what its folder is called.
func (b Base) Folder() string { return cmp.Or(b.Name, fmt.Sprintf("%020d", b.Revision)) }

// String names a base as people find it in the store.
func (b Base) String() string { return "base/" + b.Folder() }

// compare says which of two bases is newer.
func (b Base) compare(other Base) int {
	return cmp.Or(cmp.Compare(b.Revision, other.Revision), b.Time.Compare(other.Time), cmp.Compare(b.Folder(), other.Folder()))
}

// oldest is the first revision that a base serves. A store begins at revision 1.
func (b Base) oldest() int64 { return min(max(b.Compacted, 1), b.Revision) }

// An Orphan is an object beside the bases that no manifest names: of a base that is being
// written, or never was finished.
type Orphan struct {
	Base string // the folder of what would be its base
	Name string
	Time time.Time // when it was stored
}

// A Dictionary is what some log objects cannot be read without.
type Dictionary struct {
	Name string
	Time time.Time // when it was stored
	Size int64     // bytes as stored
}

// A Damage is an object that is there and says nothing, as it is damaged: the manifest of a base,
// an index of minutes, or what has a name that nothing should have.
type Damage struct {
	Name string
	Base string    // the folder of the base that it is of, if it is of one
	Time time.Time // when it was stored
	Why  string
}

// A Catalog is what there is of a backup, in any order.
type Catalog struct {
	Bases        []Base
	Logs         []Log
	Orphans      []Orphan
	Dictionaries []Dictionary
	// Lost are log objects that nobody can read, as they are damaged or their dictionaries are
	// not there: so they lead nowhere. Of one whose header is damaged, End is the last revision
	// that it may have for all that is known of others, From when what is before it had been
	// seen, and To when it was stored.
	Lost []Log
	// Damaged are what else is damaged.
	Damaged []Damage
	// Ended is when the store began to be kept elsewhere: how it was since is not for this backup
	// to say. It is zero as long as the backup goes on.
	Ended time.Time
}

// Newest is the base of the greatest revision, and of several of that the one made last; false
// if there is none.
func (c Catalog) Newest() (Base, bool) {
	if len(c.Bases) == 0 {
		return Base{}, false
	}
	return slices.MaxFunc(c.Bases, Base.compare), true
}
