package maintain

import (
	"errors"
	"strings"
	"testing"
	"time"

	"towpath.dev/internal/control/cluster"
)

const (
	mib   = 1 << 20
	quota = 1000 * mib
)

var noon = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)

// three is a cluster of three that is well, idle and compact: m1 leads.
func three() *Situation {
	seen := &cluster.Observed{
		Majority: true, Leader: 1, Revision: 50_000, Quorum: cluster.Quorum{Voters: 3, Well: 3, Need: 2}, Alarms: []cluster.Alarm{},
	}
	for _, id := range []cluster.ID{1, 2, 3} {
		seen.Members = append(seen.Members, cluster.Member{
			ID: id, Name: "m" + id.String(), State: cluster.Well, Endpoint: "http://m" + id.String(), Leader: 1, Index: 900, Applied: 900,
			Revision: 50_000, Size: 100 * mib, InUse: 90 * mib, Quota: quota,
		})
	}
	return &Situation{
		Now: noon, Seen: seen, Mine: true, Held: true, Theirs: func(cluster.ID) bool { return false },
		Past: 40_000, Recent: 49_000, Compacted: 40_000, CompactedAt: noon.Add(-time.Hour),
		Rated: true, Tried: map[cluster.ID]time.Time{}, Pays: map[cluster.ID]time.Time{},
	}
}

func (s *Situation) member(id cluster.ID) *cluster.Member { return s.Seen.Member(id) }

// fragment makes members worth defragmenting.
func (s *Situation) fragment(ids ...cluster.ID) {
	for _, id := range ids {
		s.member(id).InUse = 40 * mib
		s.Pays[id] = noon.Add(-time.Hour)
	}
}

// fill makes the store full, by members whose files have reached their quota.
func (s *Situation) fill(ids ...cluster.ID) {
	s.Seen.Alarms = append(s.Seen.Alarms, cluster.Alarm{Member: 2, Kind: cluster.NoSpace})
	s.FullSince = noon
	for _, id := range ids {
		s.member(id).Size, s.member(id).InUse = quota, 300*mib
	}
	s.Compacted = s.Seen.Revision
}

// hide leaves one member to be reached.
func (s *Situation) hide(own cluster.ID) {
	s.Own = own
	for i := range s.Seen.Members {
		if m := &s.Seen.Members[i]; m.ID != own {
			*m = cluster.Member{ID: m.ID, Name: m.Name, State: cluster.Hidden}
		}
	}
}

// TestDecide is what is decided, and what is told.
func TestDecide(t *testing.T) {
	for _, c := range []struct {
		what string
		make func(*Situation)
		step Step   // without Why and Name
		says string // "": nothing; else what one of the notes has
	}{
		{"all is well", func(*Situation) {}, Step{}, ""},
		{"no majority", func(s *Situation) { s.Seen.Majority, s.Seen.NoMajority = false, "no leader" }, Step{}, "has no majority (no leader)"},

		{"history is forgotten", func(s *Situation) { s.Compacted = 30_000 }, Step{Do: Compact, Revision: 40_000}, ""},
		{"the first time nothing is known", func(s *Situation) { s.Compacted, s.CompactedAt, s.Past = 0, time.Time{}, 0 }, Step{}, ""},
		{"the first time it is known", func(s *Situation) { s.Compacted, s.CompactedAt = 0, time.Time{} }, Step{Do: Compact, Revision: 40_000}, ""},
		{"there is little to forget", func(s *Situation) { s.Compacted = 39_500 }, Step{}, ""},
		{"it was just done", func(s *Situation) { s.Compacted, s.CompactedAt = 30_000, noon.Add(-time.Minute) }, Step{}, ""},
		{"it is not mine to compact", func(s *Situation) { s.Compacted, s.Mine = 30_000, false }, Step{}, ""},
		{"the backup has it", func(s *Situation) { s.Compacted, s.Backup, s.Floor = 30_000, true, 49_990 }, Step{Do: Compact, Revision: 40_000}, ""},
		{"the backup has some of it", func(s *Situation) { s.Compacted, s.Backup, s.Floor = 30_000, true, 35_000 }, Step{Do: Compact, Revision: 35_000}, "compaction waits at the revision 35000, because the backup has not got more yet; it would be at 40000"},
		{"the backup has nothing of it", func(s *Situation) { s.Compacted, s.Backup, s.Floor = 30_000, true, 30_000 }, Step{}, "waits at the revision 30000"},
		{"the backup does not know", func(s *Situation) { s.Compacted, s.Backup, s.FloorErr = 30_000, true, errors.New("no bucket") }, Step{}, "cannot tell up to which revision it has everything: no bucket"},
		{"the quota presses", func(s *Situation) {
			s.Compacted, s.CompactedAt = 39_500, noon.Add(-2*time.Minute)
			s.member(2).Size, s.member(2).InUse = 800*mib, 760*mib
		}, Step{Do: Compact, Revision: 40_000}, "m2 uses 76% of its quota of 1000 MiB"},
		{"the quota presses, and the backup is behind", func(s *Situation) {
			s.Compacted, s.Backup, s.Floor, s.Bases = 30_000, true, 31_000, true
			s.member(2).Size, s.member(2).InUse = 800*mib, 760*mib
		}, Step{Do: Compact, Revision: 40_000, Base: true}, "the backup is behind (it has everything up to the revision 31000, of 50000), and 76% of the quota of m2 is in use: history stays until a base has it, or 90% are in use"},
		{"nobody can make a base", func(s *Situation) {
			s.Compacted, s.Backup, s.Floor = 30_000, true, 31_000
			s.member(2).Size, s.member(2).InUse = 800*mib, 760*mib
		}, Step{}, "history stays until a base has it, or 90% are in use"},
		{"nobody can make a base, and space is scarce", func(s *Situation) {
			s.Compacted, s.Backup, s.Floor = 30_000, true, 31_000
			s.member(2).Size, s.member(2).InUse = 920*mib, 910*mib
		}, Step{Do: Compact, Revision: 49_000, Anyhow: true}, "is forgotten, after a base if one can be made"},
		{"it was asked for a base already", func(s *Situation) {
			s.Compacted, s.Backup, s.FloorErr, s.BasedAt, s.Bases = 30_000, true, errors.New("no bucket"), noon.Add(-time.Minute), true
			s.member(2).Size, s.member(2).InUse = 800*mib, 760*mib
		}, Step{}, "the backup is behind (no bucket)"},
		{"another one holds the seat, and cannot ask the backup", func(s *Situation) { s.Mine, s.Asks = false, true }, Step{Do: Ask}, ""},
		{"another one holds the seat, and was asked for it just now", func(s *Situation) { s.Mine, s.Asks, s.AskedAt = false, true, noon.Add(-5*time.Minute) }, Step{}, ""},
		{"another one holds the seat, and can", func(s *Situation) { s.Mine, s.Asks, s.TheyAsk = false, true, true }, Step{}, ""},
		{"space is scarce", func(s *Situation) {
			s.Compacted, s.CompactedAt = 40_000, noon.Add(-2*time.Minute)
			s.member(3).Size, s.member(3).InUse = 980*mib, 950*mib
		}, Step{Do: Compact, Revision: 49_000}, "m3 uses 95%"},
		{"before 3.6 no quota is known", func(s *Situation) {
			s.Compacted, s.Backup, s.Floor = 30_000, true, 30_000
			s.member(2).Size, s.member(2).InUse, s.member(2).Quota = 2000*mib, 1900*mib, 0
		}, Step{}, "waits at the revision 30000"},

		{"a member is fragmented", func(s *Situation) { s.fragment(3) }, Step{Do: Defragment, Member: 3}, ""},
		{"one of two is more so", func(s *Situation) { s.fragment(2, 3); s.member(3).InUse = 20 * mib }, Step{Do: Defragment, Member: 3}, ""},
		{"too little is free", func(s *Situation) { s.fragment(3); s.member(3).Size, s.member(3).InUse = 40*mib, 10*mib }, Step{}, ""},
		{"too small a share is free", func(s *Situation) { s.fragment(3); s.member(3).InUse = 60 * mib }, Step{}, ""},
		{"the leader is last", func(s *Situation) { s.fragment(1, 2); s.member(1).InUse = 10 * mib }, Step{Do: Defragment, Member: 2}, ""},
		{"the leader's lead is moved first, to who is the farthest", func(s *Situation) { s.fragment(1); s.member(2).Applied = 899 }, Step{Do: Move, Member: 1, To: 3}, ""},
		{"a leader that is alone", func(s *Situation) { s.fragment(1); s.Seen.Members = s.Seen.Members[:1] }, Step{Do: Defragment, Member: 1}, ""},
		{"a member is down", func(s *Situation) {
			s.fragment(2)
			s.member(3).State, s.member(3).Reason = cluster.Down, "nothing listens there"
		}, Step{}, "defragmentation of m2 waits, because m3 is down (nothing listens there)"},
		{"a member has not started", func(s *Situation) { s.fragment(2); s.member(3).State = cluster.Unstarted }, Step{}, "m3 is unstarted"},
		{"a member learns", func(s *Situation) { s.fragment(2); s.member(3).Learner = true }, Step{}, "m3 is a learner"},
		{"nobody leads", func(s *Situation) { s.fragment(2); s.Seen.Leader = 0 }, Step{}, "do not agree on a leader"},
		{"members are being changed", func(s *Situation) { s.fragment(2); s.Seen.Change = &cluster.Change{} }, Step{}, "members are being changed"},
		{"a member is behind", func(s *Situation) {
			s.fragment(2)
			s.member(1).Index, s.member(1).Applied, s.member(3).Applied = 9000, 9000, 7999
			s.member(2).Applied = 9000
		}, Step{}, "m3 is 1001 entries behind"},
		{"too much is written", func(s *Situation) { s.fragment(2); s.Rate = 101 }, Step{}, "101 entries a second are written, and more than 100 are too many"},
		{"it is not known how much", func(s *Situation) { s.fragment(2); s.Rated = false }, Step{}, "not known yet how much is written"},
		{"reads are slow", func(s *Situation) { s.fragment(2); s.member(3).Reads.P99 = time.Second }, Step{}, "reads of m3 take 1s"},
		{"it was just done to it", func(s *Situation) { s.fragment(2); s.Tried[2] = noon.Add(-59 * time.Minute) }, Step{}, "it was its turn at 11:01:00Z, and it is left alone for 1h0m0s"},
		{"it was just done to one of two", func(s *Situation) { s.fragment(2, 3); s.Tried[2] = noon.Add(-time.Minute) }, Step{Do: Defragment, Member: 3}, ""},
		{"compaction comes before", func(s *Situation) { s.fragment(2); s.Compacted = 30_000 }, Step{Do: Compact, Revision: 40_000}, ""},

		{"my member needs it, and the holder does not reach it", func(s *Situation) { s.hide(2); s.fragment(2); s.Mine = false }, Step{Do: Ask, Member: 2}, ""},
		{"the seat was asked for just now", func(s *Situation) { s.hide(2); s.fragment(2); s.Mine, s.AskedAt = false, noon.Add(-time.Second) }, Step{}, ""},
		{"the seat that was asked for is here", func(s *Situation) {
			s.hide(2)
			s.fragment(2)
			s.Compacted, s.AskedAt = 30_000, noon.Add(-time.Second)
		}, Step{Do: Defragment, Member: 2}, ""},
		{"the holder reaches it", func(s *Situation) {
			s.hide(2)
			s.fragment(2)
			s.Mine, s.Theirs = false, func(cluster.ID) bool { return true }
		}, Step{}, ""},
		{"nobody holds the seat yet", func(s *Situation) { s.hide(2); s.fragment(2); s.Mine, s.Held = false, false }, Step{}, ""},
		{"my member needs it, and I hold the seat", func(s *Situation) { s.hide(2); s.fragment(2) }, Step{Do: Defragment, Member: 2}, ""},
		{"my member leads, and others may need it first", func(s *Situation) { s.hide(1); s.fragment(1); s.Pays[1] = noon.Add(-time.Minute) }, Step{}, "because it leads, and those that do not have their turn first"},
		{"my member leads, and others have had their turn", func(s *Situation) { s.hide(1); s.fragment(1) }, Step{Do: Move, Member: 1, To: 2}, ""},

		{"full: history goes first", func(s *Situation) { s.fill(2); s.Compacted = 49_999 }, Step{Do: Compact, Revision: 50_000}, "takes no writes (alarm NOSPACE of m2)"},
		{"full: the backup keeps history that would help little", func(s *Situation) { s.fill(2); s.Compacted, s.Backup, s.Floor = 30_000, true, 31_000 }, Step{Do: Compact, Revision: 31_000}, ""},
		{"full: the backup keeps no history that would help", func(s *Situation) {
			s.fill(2)
			s.member(2).InUse = 900 * mib
			s.Compacted, s.Backup, s.Floor, s.Bases = 30_000, true, 31_000, true
		}, Step{Do: Compact, Revision: 50_000, Base: true, Anyhow: true}, "the backup is behind"},
		{"full: then space is given back", func(s *Situation) { s.fill(2, 3); s.member(3).InUse = 200 * mib }, Step{Do: Defragment, Member: 3}, ""},
		{"full: under load all the same", func(s *Situation) { s.fill(2); s.Rate, s.Rated = 5000, true }, Step{Do: Defragment, Member: 2}, ""},
		{"full: never while a member is down", func(s *Situation) { s.fill(2); s.member(3).State = cluster.Down }, Step{}, "would make room, and waits, because m3 is down"},
		{"full: the leader moves first", func(s *Situation) { s.fill(1) }, Step{Do: Move, Member: 1, To: 2}, ""},
		{"full: keys fill it", func(s *Situation) { s.fill(2); s.member(2).InUse, s.Tried[2] = 980*mib, noon }, Step{}, "m2 uses 980 MiB of its quota of 1000 MiB by keys that are there now"},
		{"full: keys fill one, another has room", func(s *Situation) { s.fill(2, 3); s.member(2).InUse, s.Tried[2] = 980*mib, noon }, Step{Do: Defragment, Member: 3}, "m2 uses 980 MiB"},
		{"full: what it says of its free space is old", func(s *Situation) { s.fill(2); s.member(2).InUse = 999 * mib }, Step{Do: Defragment, Member: 2}, ""},
		{"full: it was tried before history was forgotten", func(s *Situation) {
			s.fill(2)
			s.member(2).InUse, s.Tried[2], s.CompactedAt, s.Now = 999*mib, noon.Add(time.Second), noon.Add(2*time.Second), noon.Add(time.Hour)
		}, Step{Do: Defragment, Member: 2}, ""},
		{"full: there is room", func(s *Situation) { s.fill() }, Step{Do: Disarm, Member: 2}, ""},
		{"full: the alarm is of a member that is no more", func(s *Situation) { s.fill(); s.Seen.Alarms[0].Member = 9 }, Step{Do: Disarm, Member: 9}, "the former member 9"},
		{"full: no quota is known", func(s *Situation) {
			s.fill()
			for i := range s.Seen.Members {
				s.Seen.Members[i].Quota = 0
			}
		}, Step{}, "name it with --quota"},
		{"full: it was just tried", func(s *Situation) { s.fill(2); s.Tried[2] = noon.Add(-30 * time.Second) }, Step{}, "left alone for 1m0s"},
		{"full: the holder does what it can reach", func(s *Situation) { s.fill(); s.hide(2); s.member(2).Size = quota }, Step{Do: Defragment, Member: 2}, ""},
		{"full: I do not hold the seat, and my turn is to come", func(s *Situation) { s.fill(); s.hide(2); s.member(2).Size, s.Mine = quota, false }, Step{}, "waits for its turn at 12:02:00Z"},
		{"full: my turn has come", func(s *Situation) {
			s.fill()
			s.hide(2)
			s.member(2).Size, s.Mine, s.FullSince = quota, false, noon.Add(-2*time.Minute)
		}, Step{Do: Defragment, Member: 2}, ""},
		{"full: the holder does it for me", func(s *Situation) {
			s.fill(2)
			s.Mine, s.Theirs = false, func(cluster.ID) bool { return true }
		}, Step{}, ""},
		{"full: nobody holds the seat", func(s *Situation) { s.fill(2); s.Mine, s.Held, s.Compacted = false, false, 1 }, Step{Do: Compact, Revision: 50_000}, ""},
		{"full: nobody holds the seat, and space is to be given back", func(s *Situation) { s.fill(2); s.Mine, s.Held = false, false }, Step{Do: Defragment, Member: 2}, ""},
		{"full: mine has room, and others have not had their turn", func(s *Situation) { s.fill(); s.hide(2) }, Step{}, "the alarm of m2 stays until 12:08:00Z"},
		{"full: another's alarm", func(s *Situation) { s.fill(); s.hide(3) }, Step{}, "the alarm of m2 stays until who reaches it takes it back"},

		{"corrupt: nothing is touched", func(s *Situation) {
			s.fill(2)
			s.fragment(3)
			s.Compacted = 1
			s.Seen.Alarms = append(s.Seen.Alarms, cluster.Alarm{Member: 3, Kind: cluster.Corrupt})
		}, Step{}, "the data of m3 differs from the others' (alarm CORRUPT)"},
		// Which is what the tool takes: see the plans of "remove" under CORRUPT.
		{"corrupt: what a person has to do", func(s *Situation) {
			s.Seen.Alarms = append(s.Seen.Alarms, cluster.Alarm{Member: 3, Kind: cluster.Corrupt})
		}, Step{}, "remove the member whose data differs, with \"tow cluster remove m3\", and let it join anew with an empty folder; docs/maintenance.md"},
	} {
		s := three()
		c.make(s)
		d := decide(Bounds{}.filled(), s)
		got := d.Step
		if got.Do != Nothing && got.Why == "" {
			t.Errorf("%s: %+v says no reason", c.what, got)
		}
		got.Why, got.Name = "", ""
		if got != c.step {
			t.Errorf("%s: %+v, want %+v; it says %+v", c.what, got, c.step, d.Notes)
		}
		var said []string
		for _, n := range d.Notes {
			said = append(said, n.Text)
		}
		if all := strings.Join(said, "\n"); c.says == "" && !s.full() && all != "" || !strings.Contains(all, c.says) {
			t.Errorf("%s: it says %q, want %q", c.what, all, c.says)
		}
	}
}

// TestBounds: the zero bounds are good, and of others every fault is told.
func TestBounds(t *testing.T) {
	if err := (Bounds{}).Validate(); err != nil {
		t.Error(err)
	}
	err := Bounds{History: time.Millisecond, Pressure: 0.95, Scarce: 0.5, Share: 1, Leap: -1, Rate: -1, Turn: -1}.Validate()
	if err == nil || strings.Count(err.Error(), "\n") != 5 {
		t.Errorf("%v", err)
	}
}

// TestMemory: history is told by the time at which revisions were seen, and not before it
// is known.
func TestMemory(t *testing.T) {
	b := Bounds{}.filled()
	k := newMemory()
	seen := func(revision int64, index uint64) *cluster.Observed {
		return &cluster.Observed{Revision: revision, Members: []cluster.Member{{ID: 1, State: cluster.Well, Size: 100 * mib, InUse: 10 * mib, Index: index}}}
	}
	for i := range 200 { // an hour and forty minutes, a look each half of a minute
		now := noon.Add(time.Duration(i) * 30 * time.Second)
		k.learn(b, seen(int64(1000+i), uint64(60*(i+1))), now)
		s := k.situation(b, seen(int64(1000+i), 0), now)
		past, recent := int64(0), int64(0)
		if i >= 120 {
			past = int64(1000 + i - 120)
		}
		if i >= 10 {
			recent = int64(1000 + i - 10)
		}
		if s.Past != past || s.Recent != recent {
			t.Fatalf("look %d: an hour ago %d, five minutes ago %d; want %d and %d", i, s.Past, s.Recent, past, recent)
		}
		if i > 0 && (!s.Rated || s.Rate != 2) {
			t.Fatalf("look %d: a rate of %v", i, s.Rate)
		}
		if s.Pays[1] != noon {
			t.Fatalf("look %d: it pays since %v", i, s.Pays[1])
		}
	}
	if len(k.samples) > 130 {
		t.Errorf("%d samples of two hours are kept", len(k.samples))
	}
	// Looks in quick succession keep no more.
	for range 1000 {
		k.learn(b, seen(2000, 99999), noon.Add(100*time.Minute))
	}
	if len(k.samples) > 130 {
		t.Errorf("%d samples are kept", len(k.samples))
	}
}
