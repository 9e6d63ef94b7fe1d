// What is kept: every key with its versions, and every revision with its events.

package memstore

import (
	"cmp"
	"slices"
	"strings"

	"towpath.dev/election"
)

// An index is the keys in order, those included that are removed and not compacted.
// A slice will do: to put a key between ten thousand moves 80 kB.
type index []*record

// A record is a key's versions, oldest first.
type record struct {
	key      string
	versions []election.Event
}

func (x index) find(key string) (int, bool) {
	return slices.BinarySearchFunc(x, key, func(r *record, key string) int { return strings.Compare(r.key, key) })
}

// within is the records of keys.
func (x index) within(keys election.Keys) []*record {
	from, found := x.find(keys.First)
	switch keys.End {
	case "":
		if !found {
			return nil
		}
		return x[from : from+1]
	case "\x00":
		return x[from:]
	}
	to, _ := x.find(keys.End)
	return x[from:max(from, to)]
}

// latest is a key as it is now.
func (x index) latest(key string) (election.Entry, bool) {
	i, found := x.find(key)
	if !found {
		return election.Entry{}, false
	}
	return x[i].latest()
}

// add appends a version to its key's.
func (x *index) add(version election.Event) {
	key := version.Entry.Key
	i, found := x.find(key)
	if !found {
		*x = slices.Insert(*x, i, &record{key: key})
	}
	r := (*x)[i]
	r.versions = append(r.versions, version)
}

// compact drops the versions that no revision from this one on shows.
func (x *index) compact(revision int64) {
	*x = slices.DeleteFunc(*x, func(r *record) bool {
		i := r.shown(revision)
		if i >= 0 && r.versions[i].Removed {
			i++
		}
		r.versions = slices.Delete(r.versions, 0, max(i, 0))
		return len(r.versions) == 0
	})
}

// clone is a copy that does not change with x.
func (x index) clone() index {
	c := make(index, len(x))
	for i, r := range x {
		c[i] = &record{r.key, slices.Clone(r.versions)}
	}
	return c
}

// shown is which version shows at a revision; -1 is none.
func (r *record) shown(revision int64) int {
	i, found := slices.BinarySearchFunc(r.versions, revision, func(v election.Event, revision int64) int {
		return cmp.Compare(v.Entry.Modified, revision)
	})
	if found {
		return i
	}
	return i - 1
}

func (r *record) at(revision int64) (election.Entry, bool) {
	i := r.shown(revision)
	if i < 0 || r.versions[i].Removed {
		return election.Entry{}, false
	}
	return r.versions[i].Entry, true
}

func (r *record) latest() (election.Entry, bool) {
	v := r.versions[len(r.versions)-1]
	if v.Removed {
		return election.Entry{}, false // not the one that says when it was removed
	}
	return v.Entry, true
}

// A history is the events of each revision from first on. What it holds is never
// changed, so that slices of it can be read without the store's lock.
type history struct {
	first     int64
	revisions [][]election.Event
}

func (h *history) add(events []election.Event) { h.revisions = append(h.revisions, events) }

// end is the first revision that is yet to come.
func (h *history) end() int64 { return h.first + int64(len(h.revisions)) }

// since is the revisions from one on, which must not be before first.
func (h *history) since(revision int64) [][]election.Event {
	return h.revisions[min(revision-h.first, int64(len(h.revisions))):]
}

// compact drops the revisions before one; it stays itself, for watches from it on.
func (h *history) compact(revision int64) {
	if revision > h.first {
		h.revisions = slices.Clone(h.since(revision))
		h.first = revision
	}
}
