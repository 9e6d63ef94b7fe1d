package maintain

import (
	"slices"
	"time"

	"towpath.dev/internal/control/cluster"
)

// A Situation is all that a decision depends on.
type Situation struct {
	Now  time.Time
	Seen *cluster.Observed

	// Own is the one member that this process reaches; 0: it reaches all.
	Own cluster.ID
	// Mine says that this process holds the seat. Held says that any does; Theirs is
	// whether it reaches a member.
	Mine, Held bool
	Theirs     func(cluster.ID) bool

	// Past is the newest revision that is older than the history, Recent the same of what is
	// kept of it where space is scarce; 0 is none that is known.
	Past, Recent int64
	// Compacted is the revision of the last compaction that is known of, CompactedAt its time.
	Compacted   int64
	CompactedAt time.Time
	// Backup says that there is one. Floor is the revision up to which it has everything;
	// FloorErr is why that cannot be told. BasedAt is when a base was asked for last.
	Backup   bool
	Floor    int64
	FloorErr error
	BasedAt  time.Time
	// Bases says that a base can be made from here, Asks that the backup can be asked, and
	// TheyAsk that the seat's holder can ask it.
	Bases, Asks, TheyAsk bool

	// Rate is by how many entries a second the log has grown; Rated is whether it is known.
	Rate  float64
	Rated bool
	// Tried is when a member was last defragmented, or was to be; Pays since when it pays.
	Tried, Pays map[cluster.ID]time.Time
	// Last is what was done at the look before.
	Last Do
	// AskedAt is when this process asked for the seat last, to defragment its member.
	AskedAt time.Time
	// Unfinished is a defragmentation that another process has begun, and not said how it went;
	// nil is none.
	Unfinished *Event
	// FullSince is since when the store is full; zero while it is not.
	FullSince time.Time
}

// full reports whether the store takes no writes.
func (s *Situation) full() bool { return s.alarmed(cluster.NoSpace) }

func (s *Situation) alarmed(kind cluster.AlarmKind) bool {
	return slices.ContainsFunc(s.Seen.Alarms, func(a cluster.Alarm) bool { return a.Kind == kind })
}

// reached is the members that this process reaches and that are its to look after: all for
// the holder of the seat, and for others those that the holder does not reach.
func (s *Situation) reached() []*cluster.Member {
	var all []*cluster.Member
	for i := range s.Seen.Members {
		m := &s.Seen.Members[i]
		if s.reaches(m) && (s.Mine || !s.Held || !s.Theirs(m.ID)) {
			all = append(all, m)
		}
	}
	return all
}

// reaches reports whether this process can do something with a member.
func (s *Situation) reaches(m *cluster.Member) bool {
	return answers(m) && (s.Own == 0 || s.Own == m.ID)
}

// answers reports whether a member said how it is.
func answers(m *cluster.Member) bool { return m.State == cluster.Well && m.Size > 0 }

// inUse is the greatest share of its quota that a member uses, and which one. Without a
// quota it is 0.
func (s *Situation) inUse(b Bounds) (share float64, of *cluster.Member) {
	for i := range s.Seen.Members {
		m := &s.Seen.Members[i]
		if quota := quotaOf(m, b); quota > 0 {
			if at := float64(m.InUse) / float64(quota); at > share {
				share, of = at, m
			}
		}
	}
	return share, of
}

func quotaOf(m *cluster.Member, b Bounds) int64 {
	if m.Quota > 0 {
		return m.Quota
	}
	return b.Quota
}

// free is how many bytes of a member's file are free.
func free(m *cluster.Member) int64 { return max(m.Size-m.InUse, 0) }

// pays reports whether a member's defragmentation does.
func pays(m *cluster.Member, b Bounds) bool {
	return free(m) >= b.Bytes && float64(free(m)) >= b.Share*float64(m.Size)
}

// nearlyPays reports whether half of that is free. What is free comes with each compaction, and
// goes with what is written: one who waits for a turn does not begin to wait anew with each.
func nearlyPays(m *cluster.Member, b Bounds) bool {
	return 2*free(m) >= b.Bytes && 2*float64(free(m)) >= b.Share*float64(m.Size)
}

// missing is a member that is not there, or is there and has no leader; nil is none.
func (s *Situation) missing() *cluster.Member {
	for i := range s.Seen.Members {
		if m := &s.Seen.Members[i]; m.State != cluster.Well && m.State != cluster.Hidden {
			return m
		}
	}
	return nil
}

// leads reports whether a member leads.
func (s *Situation) leads(m *cluster.Member) bool { return m.ID == s.Seen.Leader }

// A memory is what a process has seen before. It is not shared: a process that takes the
// seat over has looked on before, and a new one waits.
type memory struct {
	samples     []sample // oldest first, at times that are some way apart
	compacted   int64
	compactedAt time.Time
	basedAt     time.Time
	askedAt     time.Time
	last        Do // what was done at the look before
	tried, pays map[cluster.ID]time.Time
	unfinished  *Event
	fullSince   time.Time

	index   uint64 // of the log
	indexAt time.Time
	rate    float64
	rated   bool
}

// A sample is which revision there was when.
type sample struct {
	at       time.Time
	revision int64
}

func newMemory() *memory {
	return &memory{tried: map[cluster.ID]time.Time{}, pays: map[cluster.ID]time.Time{}}
}

// leastApart is between two looks that say how fast the log grows.
const leastApart = time.Second

// learn takes in what was seen.
func (k *memory) learn(b Bounds, seen *cluster.Observed, now time.Time) {
	k.sample(b, seen.Revision, now)
	index := uint64(0)
	for i := range seen.Members {
		m := &seen.Members[i]
		index = max(index, m.Index)
		switch {
		case !answers(m) || !nearlyPays(m, b):
			delete(k.pays, m.ID)
		case pays(m, b) && k.pays[m.ID].IsZero():
			k.pays[m.ID] = now
		}
	}
	if since := now.Sub(k.indexAt); index > 0 && since >= leastApart {
		if k.index > 0 && index >= k.index {
			k.rate, k.rated = float64(index-k.index)/since.Seconds(), true
		}
		k.index, k.indexAt = index, now
	}
	if seen.Measured && (!k.rated || seen.Rate > k.rate) { // what was measured just now, if it is more
		k.rate, k.rated = seen.Rate, true
	}
	full := slices.ContainsFunc(seen.Alarms, func(a cluster.Alarm) bool { return a.Kind == cluster.NoSpace })
	switch {
	case !full:
		k.fullSince = time.Time{}
	case k.fullSince.IsZero():
		k.fullSince = now
	}
}

// sample keeps which revision there is now. Of samples close together the first is enough.
func (k *memory) sample(b Bounds, revision int64, now time.Time) {
	apart := b.recent() / 10
	if n := len(k.samples); n > 0 && now.Sub(k.samples[n-1].at) < apart {
		return
	}
	k.samples = append(k.samples, sample{now, revision})
	// The newest one that is older than the history stays.
	old := 0
	for old+1 < len(k.samples) && now.Sub(k.samples[old+1].at) >= b.History {
		old++
	}
	k.samples = slices.Delete(k.samples, 0, old)
}

// before is the newest revision that is known to be so old.
func (k *memory) before(t time.Time) int64 {
	for i := len(k.samples) - 1; i >= 0; i-- {
		if !k.samples[i].at.After(t) {
			return k.samples[i].revision
		}
	}
	return 0
}

// situation is what was seen, with what is remembered.
func (k *memory) situation(b Bounds, seen *cluster.Observed, now time.Time) *Situation {
	return &Situation{
		Now: now, Seen: seen, Theirs: func(cluster.ID) bool { return false },
		Past: k.before(now.Add(-b.History)), Recent: k.before(now.Add(-b.recent())),
		Compacted: k.compacted, CompactedAt: k.compactedAt, BasedAt: k.basedAt, AskedAt: k.askedAt,
		Rate: k.rate, Rated: k.rated, Tried: k.tried, Pays: k.pays, Last: k.last, Unfinished: k.unfinished, FullSince: k.fullSince,
	}
}
