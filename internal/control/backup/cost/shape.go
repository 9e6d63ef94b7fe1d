package cost

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"towpath.dev/internal/control/backup/catalog"
)

// A Shape is what of a cluster its backup costs by. InUse and Change have no default.
type Shape struct {
	InUse  int64   // bytes of the keys and values that there are
	Change float64 // bytes of the keys and values that are written in an hour

	DB        int64   // bytes of the store's file, which is what a snapshot is; default InUse
	Rows      int64   // keys; default one for each KiB
	BaseRatio float64 // bytes before compression for one after it, of a base; default 4
	LogRatio  float64 // and of the log; default 4
	Busy      float64 // the share of minutes in which something changes; default 1
	Clusters  int     // that share the uploader, and so its requests; default 1
}

// defaultRatio is what JSON of a few hundred bytes compresses by, at the least.
const defaultRatio = 4

func (s Shape) filled() (Shape, error) {
	s.DB = cmp.Or(s.DB, s.InUse)
	s.Rows = cmp.Or(s.Rows, max(s.InUse>>10, 1))
	s.BaseRatio = cmp.Or(s.BaseRatio, defaultRatio)
	s.LogRatio = cmp.Or(s.LogRatio, defaultRatio)
	s.Busy = cmp.Or(s.Busy, 1)
	s.Clusters = cmp.Or(s.Clusters, 1)
	var faults []error
	fault := func(bad bool, format string, args ...any) {
		if bad {
			faults = append(faults, fmt.Errorf(format, args...))
		}
	}
	fault(s.InUse < 1, "a cluster has %d bytes in use; it is 1 or more", s.InUse)
	fault(s.DB < s.InUse, "the store's file has %d bytes, which is less than the %d in use", s.DB, s.InUse)
	fault(s.Rows < 1 || s.Rows > max(s.InUse, 1), "a cluster has %d keys; it is 1 or more, and no more than its %d bytes", s.Rows, s.InUse)
	fault(!(s.Change >= 0 && s.Change < 1e15), "%v bytes change in an hour; it is 0 or more", s.Change)
	fault(!(s.BaseRatio > 0 && s.LogRatio > 0), "ratios of compression are %v and %v; they are more than 0", s.BaseRatio, s.LogRatio)
	fault(!(s.Busy > 0 && s.Busy <= 1), "something changes in a share of %v of all minutes; it is more than 0 and 1 at most", s.Busy)
	fault(s.Clusters < 1, "%d clusters share the uploader; it is 1 or more", s.Clusters)
	return s, errors.Join(faults...)
}

// writes is how many rows are written in some hours.
func (s Shape) writes(hours float64) float64 {
	return s.Change * hours * float64(s.Rows) / float64(s.InUse)
}

// busyIn is the share of periods in which something changes, if what happens in a minute says
// nothing of the next one.
func (s Shape) busyIn(d time.Duration) float64 { return 1 - math.Pow(1-s.Busy, d.Minutes()) }

// thinned is the stored bytes of log a day if each key's last change in each period of some
// hours is left. With k writes to n keys, all as likely, n·(1−e^(−k/n)) different ones are
// written. If some are written more often than others there are fewer.
func (s Shape) thinned(hours float64) float64 {
	n, k := float64(s.Rows), s.writes(hours)
	return n * -math.Expm1(-k/n) * float64(s.InUse) / n / s.LogRatio * 24 / hours
}

// ShapeOf is the shape of the cluster that a catalog is of, by its newest base and the log
// of the last week that was not thinned. DB, Rows and Clusters are not in it.
func ShapeOf(c catalog.Catalog, now time.Time) (Shape, error) {
	if len(c.Bases) == 0 {
		return Shape{}, errors.New("the backup has no base yet; what it costs is known when it has run for some hours")
	}
	newest := slices.MaxFunc(c.Bases, func(a, b catalog.Base) int { return cmp.Compare(a.Revision, b.Revision) })
	s := Shape{InUse: newest.Raw, BaseRatio: float64(newest.Raw) / float64(max(newest.Size, 1))}
	since := now.Add(-7 * 24 * time.Hour)
	logs := slices.DeleteFunc(slices.Clone(c.Logs), func(l catalog.Log) bool { return l.Points != nil || l.From.Before(since) })
	slices.SortFunc(logs, func(a, b catalog.Log) int { return cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(b.End, a.End)) })
	if len(logs) == 0 || now.Sub(logs[0].From) < time.Minute {
		return Shape{}, errors.New("the backup has no log of the last week; what it costs is known when it has run for some hours")
	}
	var raw, size float64
	at := int64(0)
	for _, l := range logs {
		if l.End > at { // of what several objects have, the first one counts
			share := float64(l.End-max(at, l.Start-1)) / float64(l.End-l.Start+1)
			raw, size, at = raw+share*float64(l.Raw), size+share*float64(l.Size), l.End
		}
	}
	s.Change = raw / now.Sub(logs[0].From).Hours()
	s.LogRatio = raw / max(size, 1)
	s.Busy = busy(logs, now)
	return s, nil
}

// busy is the share of the minutes since the oldest object of a minute that have one, 0 (the
// default) if there is none.
func busy(logs []catalog.Log, now time.Time) float64 {
	n, from := 0.0, now
	for _, l := range logs {
		if l.Level == catalog.Minute {
			n++
			if l.From.Before(from) {
				from = l.From
			}
		}
	}
	if n == 0 {
		return 0
	}
	return min(1, n/max(1, now.Sub(from).Minutes()))
}

// A Schedule is how a cluster is backed up. Keep has no default.
type Schedule struct {
	Keep  catalog.Policy
	Every time.Duration // how much may be lost; default one minute
	// Reads is how often a month verification reads each byte that is stored, beside the one time
	// when it is fresh. Default: with each new base one of the others is restored, so of those
	// of H days each is read 30/H times.
	Reads    float64
	Unread   bool // nothing is read again: Reads is 0
	Unmerged bool // minutes stay as they are, and nothing is thinned
	Standard bool // all objects are in the class Standard
}

func (s Schedule) filled() (Schedule, error) {
	s.Every = cmp.Or(s.Every, time.Minute)
	if err := s.Keep.Validate(); err != nil {
		return s, err
	}
	switch {
	case s.Unread:
		s.Reads = 0
	case s.Reads == 0:
		s.Reads = float64(Month) / float64(s.Keep.Reach())
	}
	if s.Every < time.Second || !(s.Reads >= 0) {
		return s, fmt.Errorf("a backup every %v, read %v times a month: expected a second or more, and 0 times or more", s.Every, s.Reads)
	}
	return s, nil
}

func days(d time.Duration) float64 { return d.Hours() / 24 }
