package backup

import (
	"context"
	"strconv"
	"strings"
	"time"

	"towpath.dev/internal/blob"
	"towpath.dev/internal/control/backup/catalog"
)

// A Listing is what there is of one generation of a cluster.
type Listing struct {
	Cluster     string        `json:"cluster"`
	Generation  uint64        `json:"generation"`
	Bases       int           `json:"bases"`
	Objects     int           `json:"objects"` // of the log
	Bytes       int64         `json:"bytes"`   // as stored
	First, Last catalog.Point `json:"-"`
	Restorable  []Range       `json:"restorable"`
	Gaps        int           `json:"gaps"`
	// Damaged says of each object that cannot be read why.
	Damaged []string `json:"damaged,omitempty"`
}

// A Range is revisions that can be restored, both ends included; of those that are kept
// by points, not all between them.
type Range struct {
	First int64 `json:"first"`
	Last  int64 `json:"last"`
}

// List says what a store has of a cluster, or with no name, of all.
func List(ctx context.Context, store blob.Store, cluster string) ([]Listing, error) {
	places, err := placesOf(ctx, store, cluster)
	if err != nil {
		return nil, err
	}
	var all []Listing
	for _, at := range places {
		c, err := newShelf(store, at).load(ctx)
		if err != nil {
			return nil, err
		}
		l := Listing{Cluster: at.cluster, Generation: at.generation, Bases: len(c.Bases), Objects: len(c.Logs), Gaps: len(c.Gaps()), Damaged: damages(c)}
		for _, b := range c.Bases {
			l.Bytes += b.Size
		}
		for _, o := range c.Logs {
			l.Bytes += o.Size
		}
		for _, d := range c.Dictionaries {
			l.Bytes += d.Size
		}
		for _, s := range c.Restorable() {
			l.Restorable = append(l.Restorable, Range{s.First, s.Last})
		}
		if n := len(l.Restorable); n > 0 {
			l.Last = c.Durable()
			l.First = catalog.Point{Revision: l.Restorable[0].First, Time: knownBy(c, l.Restorable[0].First)}
		}
		all = append(all, l)
	}
	return all, nil
}

// knownBy is when a revision had been seen: the earliest time that the catalog has of it or
// of a later one.
func knownBy(c catalog.Catalog, revision int64) (at time.Time) {
	see := func(r int64, t time.Time) {
		if r >= revision && (at.IsZero() || t.Before(at)) {
			at = t
		}
	}
	for _, b := range c.Bases {
		see(b.Revision, b.Time)
	}
	for _, l := range c.Logs {
		see(l.Start, l.From)
		see(l.End, l.To)
	}
	return at
}

// placesOf finds the generations that have something.
func placesOf(ctx context.Context, store blob.Store, cluster string) ([]place, error) {
	prefix := ""
	if cluster != "" {
		prefix = cluster + "/"
	}
	var all []place
	after := ""
	for {
		var next string
		for info, err := range store.List(ctx, prefix, after) {
			if err != nil {
				return nil, err
			}
			next = info.Name
			break
		}
		if next == "" {
			return all, nil
		}
		at, ok := placeOf(next)
		if ok {
			all = append(all, at)
		}
		after = folderOf(next) + "~" // behind all names that begin like this one
	}
}

// folderOf is the first two parts of a name, or fewer if it has no more.
func folderOf(name string) string {
	parts := strings.SplitN(name, "/", 3)
	return strings.Join(parts[:len(parts)-1], "/") + "/"
}

// placeOf is the place that an object is of.
func placeOf(name string) (place, bool) {
	parts := strings.SplitN(name, "/", 3)
	if len(parts) < 3 || len(parts[1]) != 6 || strings.HasPrefix(name, sharedRoot) {
		return place{}, false
	}
	g, err := strconv.ParseUint(parts[1], 10, 64)
	return place{parts[0], g}, err == nil
}
