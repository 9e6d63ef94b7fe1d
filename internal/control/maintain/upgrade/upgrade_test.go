package upgrade

import (
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"towpath.dev/internal/control/cluster"
	"towpath.dev/internal/control/member"
	"towpath.dev/internal/testkit/etcd"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, etcd.Leftovers()...) }

var noon = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)

// three is a cluster of three of a release that is ready for anything.
func three(version string) *Facts {
	v, err := ParseVersion(version)
	if err != nil {
		panic(err)
	}
	f := &Facts{
		Seen: &cluster.Observed{
			Time: noon, Majority: true, Leader: 1, Revision: 1000, Quorum: cluster.Quorum{Voters: 3, Well: 3, Need: 2},
		},
		Releases: map[cluster.ID]Release{}, Hashes: map[cluster.ID]Hash{}, HashRevision: 1000,
		Asked: true, Backup: &Backup{Revision: 1000, Time: noon},
	}
	for _, id := range []cluster.ID{1, 2, 3} {
		f.Seen.Members = append(f.Seen.Members, cluster.Member{ID: id, Name: "m" + id.String(), State: cluster.Well, Version: version, Leader: 1, Revision: 1000})
		storage := ""
		if v.Minor >= 6 {
			storage = v.line() + ".0"
		}
		f.Releases[id], f.Hashes[id] = Release{Storage: storage}, Hash{Hash: 7, Compacted: 10}
	}
	return f
}

func (f *Facts) run(id cluster.ID, version string) { f.Seen.Member(id).Version = version }

// TestCheck is what is found to be in the way, and what to do about it.
func TestCheck(t *testing.T) {
	for _, c := range []struct {
		what, from, to string
		way            Way
		make           func(*Facts)
		failed         []string // the names of the checks
		says           string   // of what was found or is next, with failures and notes
	}{
		{what: "3.6 to 3.7", from: "3.6.13", to: "3.7.3", says: "--experimental-*: all are gone"},
		{what: "3.5 to 3.6", from: "3.5.32", to: "3.6.16", says: `see that "etcdutl check v2store" finds nothing`},
		{what: "3.5.26 to 3.6", from: "3.5.26", to: "3.6.16", says: "etcd's guide asks for 3.5.32"},
		{what: "3.5.25 to 3.6", from: "3.5.25", to: "3.6.16", failed: []string{"patch releases"}, says: "members that were removed come back (etcd-io/etcd#20967"},
		{what: "3.5.32-rc.0 to 3.6", from: "3.5.26-rc.0", to: "3.6", failed: []string{"patch releases"}, says: "bring all members to the newest 3.5 first"},
		{what: "3.5.25 to 3.5.32", from: "3.5.25", to: "3.5.32"},
		{what: "3.6.10 to 3.7", from: "3.6.10", to: "3.7", failed: []string{"patch releases"}, says: "3.6.11 at least"},
		{what: "3.6 to any 3.7", from: "3.6.13", to: "3.7", says: "take the newest"},
		{what: "3.4 to a bad 3.5", from: "3.4.40", to: "3.5.2", failed: []string{"patch releases"}, says: "may corrupt data"},
		{what: "3.4 to 3.5", from: "3.4.40", to: "3.5.32"},
		{what: "two at once", from: "3.5.32", to: "3.7.3", failed: []string{"step"}, says: "go by way of each: 3.5 → 3.6 → 3.7, every one on all members before the next; begin with 3.6"},
		{what: "down instead of up", from: "3.7.3", to: "3.6.16", failed: []string{"step"}, says: `ask "tow cluster downgrade --check 3.6.16" about it`},
		{what: "down a patch instead of up", from: "3.7.3", to: "3.7.1", failed: []string{"step"}, says: "is a downgrade"},
		{what: "up a patch", from: "3.7.1", to: "3.7.3"},
		{what: "to itself", from: "3.7.3", to: "3.7.3"},
		{what: "another major release", from: "3.7.3", to: "4.0", failed: []string{"step"}, says: "different major releases"},

		{what: "no majority", from: "3.6.13", to: "3.7.3", make: func(f *Facts) { f.Seen.Majority, f.Seen.NoMajority = false, "no leader" }, failed: []string{"members"}, says: "no majority: no leader"},
		{what: "a member is down", from: "3.6.13", to: "3.7.3", make: func(f *Facts) {
			f.Seen.Members[1].State, f.Seen.Members[1].Reason = cluster.Down, "nothing listens there"
		}, failed: []string{"members"}, says: "m2 is down: nothing listens there"},
		{what: "a member has not started", from: "3.6.13", to: "3.7.3", make: func(f *Facts) { f.Seen.Members[1].State = cluster.Unstarted }, failed: []string{"members"}, says: "has never started"},
		{what: "a member is behind", from: "3.6.13", to: "3.7.3", make: func(f *Facts) { f.Seen.Members[1].Lag = 5000 }, failed: []string{"members"}, says: "5000 entries behind"},
		{what: "nobody leads", from: "3.6.13", to: "3.7.3", make: func(f *Facts) { f.Seen.Leader = 0 }, failed: []string{"members"}, says: "do not agree on a leader"},
		{what: "one can be hidden", from: "3.6.13", to: "3.7.3", make: func(f *Facts) {
			f.Seen.Members[1].State = cluster.Hidden
			delete(f.Releases, 2)
			delete(f.Hashes, 2)
		}, says: "m2 could not be compared with the others"},
		{what: "one alone", from: "3.6.13", to: "3.7.3", make: func(f *Facts) {
			f.Seen.Members, f.Seen.Quorum = f.Seen.Members[:1], cluster.Quorum{Voters: 1, Well: 1, Need: 1}
		}, says: "stands still while one of them is restarted"},
		{what: "a member that cannot be read", from: "3.6.13", to: "3.7.3", make: func(f *Facts) { f.run(2, "next") }, failed: []string{"versions"}, says: `m2 says that it is "next"`},
		{what: "nobody says", from: "3.6.13", to: "3.7.3", make: func(f *Facts) {
			for i := range f.Seen.Members {
				f.Seen.Members[i].Version = ""
			}
		}, failed: []string{"versions"}, says: "no member says"},
		{what: "patches differ", from: "3.6.13", to: "3.7.3", make: func(f *Facts) { f.run(2, "3.6.12") }, failed: []string{"versions"}, says: "3.6.12 on m2, 3.6.13 on m1 and m3"},
		{what: "under way", from: "3.6.13", to: "3.7.3", make: func(f *Facts) { f.run(2, "3.7.3") }, says: "it is under way: go on"},
		{what: "three releases", from: "3.6.13", to: "3.7.3", make: func(f *Facts) { f.run(2, "3.5.32") }, failed: []string{"versions", "step"}, says: "bring all to one release first"},
		{what: "storage is behind", from: "3.7.3", to: "3.7.4", make: func(f *Facts) { f.Releases[3] = Release{Storage: "3.6.0"} }, failed: []string{"storage version"}, says: "the data of m3 is of 3.6.0, where 3.7 is expected"},
		{what: "storage is of none", from: "3.6.13", to: "3.7.3", make: func(f *Facts) { f.Releases[3] = Release{} }, failed: []string{"storage version"}, says: "first snapshot of its log"},
		{what: "an alarm", from: "3.6.13", to: "3.7.3", make: func(f *Facts) { f.Seen.Alarms = []cluster.Alarm{{Member: 2, Kind: cluster.NoSpace}} }, failed: []string{"alarms"}, says: "NOSPACE of m2"},
		{what: "a bad alarm", from: "3.6.13", to: "3.7.3", make: func(f *Facts) { f.Seen.Alarms = []cluster.Alarm{{Member: 2, Kind: cluster.Corrupt}} }, failed: []string{"alarms"}, says: "replace that member first"},
		{what: "a learner", from: "3.6.13", to: "3.7.3", make: func(f *Facts) { f.Seen.Members[2].Learner = true }, failed: []string{"learners"}, says: "m3 is a learner"},
		{what: "a change", from: "3.6.13", to: "3.7.3", make: func(f *Facts) { f.Seen.Change = &cluster.Change{Who: "ann", What: "replace", Since: noon} }, failed: []string{"changes"}, says: "ann changes the members since 12:00:00: replace"},
		{what: "the data differs", from: "3.6.13", to: "3.7.3", make: func(f *Facts) { f.Hashes[2] = Hash{Hash: 8, Compacted: 10} }, failed: []string{"data"}, says: "at the revision 1000 the data differs: m1 and m3 against m2"},
		{what: "compacted meanwhile", from: "3.6.13", to: "3.7.3", make: func(f *Facts) { f.Hashes[2] = Hash{Hash: 8, Compacted: 11} }, says: "run this again"},
		{what: "a hash that failed", from: "3.6.13", to: "3.7.3", make: func(f *Facts) { f.Hashes[2] = Hash{Err: "no"} }, says: "m2 could not be compared"},
		{what: "no backup is known", from: "3.6.13", to: "3.7.3", make: func(f *Facts) { f.Backup = nil }, says: "take one now"},
		{what: "there is no backup", from: "3.6.13", to: "3.7.3", make: func(f *Facts) { f.Backup = &Backup{Err: "the store has none"} }, failed: []string{"backup"}, says: "the store has none"},
		{what: "a backup that is behind a little", from: "3.6.13", to: "3.7.3", make: func(f *Facts) { f.Backup = &Backup{Revision: 900, Time: noon.Add(-time.Minute)} }},
		{what: "a backup that is old", from: "3.6.13", to: "3.7.3", make: func(f *Facts) { f.Backup = &Backup{Revision: 900, Time: noon.Add(-time.Hour)} }, failed: []string{"backup"}, says: "it ends 1h0m0s ago, at the revision 900 of 1000"},
		{what: "Towpath's own", from: "3.6.13", to: "3.7.3", make: func(f *Facts) { f.Own = true }},
		{what: "up while going down", from: "3.6.13", to: "3.7.3", make: func(f *Facts) { f.Releases[1] = Release{Storage: "3.6.0", Downgrade: "3.5.0"} }, failed: []string{"downgrade"}, says: "a downgrade to 3.5.0 is under way"},

		{what: "3.7 to 3.6", from: "3.7.3", to: "3.6.16", way: Down},
		{what: "3.7 to a bad 3.6", from: "3.7.3", to: "3.6.4", way: Down, failed: []string{"patch releases"}, says: "choose the newest 3.6"},
		{what: "3.6 to 3.5", from: "3.6.16", to: "3.5.32", way: Down, says: "3.5 does not know them"},
		{what: "3.5 to 3.4", from: "3.5.32", to: "3.4.40", way: Down, failed: []string{"step"}, says: "restore a backup from before the upgrade"},
		{what: "two down", from: "3.7.3", to: "3.5.32", way: Down, failed: []string{"step"}, says: "3.7 → 3.6 → 3.5"},
		{what: "up instead of down", from: "3.6.16", to: "3.7.3", way: Down, failed: []string{"step"}, says: `ask "tow cluster upgrade --check 3.7.3" about it`},
		{what: "etcd refuses", from: "3.7.3", to: "3.6.16", way: Down, make: func(f *Facts) { f.Validated = "no" }, failed: []string{"downgrade"}, says: "etcd refuses it: no"},
		{what: "etcd was not asked", from: "3.7.3", to: "3.6.16", way: Down, make: func(f *Facts) { f.Asked = false }, says: `"etcdctl downgrade validate 3.6"`},
		{what: "down is under way", from: "3.7.3", to: "3.6.16", way: Down, make: func(f *Facts) {
			f.run(2, "3.6.16")
			for id := range f.Releases {
				f.Releases[id] = Release{Storage: "3.6.0", Downgrade: "3.6.0"}
			}
		}, says: "stop one member at a time, the leader last"},
		{what: "down to one without a storage version is under way", from: "3.6.16", to: "3.5.35", way: Down, make: func(f *Facts) {
			f.run(2, "3.5.35")
			f.Releases[1], f.Releases[2], f.Releases[3] = Release{"3.5.0", "3.5.0"}, Release{}, Release{"3.5.0", "3.5.0"}
		}, says: "stop one member at a time, the leader last"},
		{what: "down was enabled just now", from: "3.6.16", to: "3.5.35", way: Down, make: func(f *Facts) {
			for id := range f.Releases {
				f.Releases[id] = Release{"3.6.0", "3.5.0"}
			}
		}, failed: []string{"storage version"}, says: "restart none meanwhile"},
		{what: "another one is under way", from: "3.7.3", to: "3.6.16", way: Down, make: func(f *Facts) { f.Releases[1] = Release{Storage: "3.7.0", Downgrade: "3.5.0"} }, failed: []string{"downgrade"}, says: "finish that one"},
	} {
		f := three(c.from)
		if c.make != nil {
			c.make(f)
		}
		target, err := ParseVersion(c.to)
		if err != nil {
			t.Fatal(err)
		}
		all := Check(f, target, c.way)
		var failed, texts []string
		for _, x := range all {
			if x.State == Fail {
				failed = append(failed, x.Name)
			}
			if x.State != OK {
				texts = append(texts, x.Found+"\n"+x.Next)
				if x.Next == "" {
					t.Errorf("%s: %s has no next step", c.what, x.Name)
				}
			}
		}
		if !slices.Equal(failed, c.failed) || Ready(all) != (len(c.failed) == 0) {
			t.Errorf("%s: %q failed, want %q\n%s", c.what, failed, c.failed, strings.Join(texts, "\n"))
		}
		if !strings.Contains(strings.Join(texts, "\n"), c.says) {
			t.Errorf("%s: it says\n%s\nwant %q", c.what, strings.Join(texts, "\n"), c.says)
		}
	}
}

// TestParseVersion reads releases as etcd and people write them.
func TestParseVersion(t *testing.T) {
	for text, want := range map[string]string{"3.7": "3.7", "v3.7.3": "3.7.3", "3.7.0-rc.1": "3.7.0-rc.1", "3": "", "3.7.x": "", "": "", "3.7.3.1": "", "3.7-rc.1": "", "-1.2": "", "99999999.1": ""} {
		v, err := ParseVersion(text)
		if (err == nil) != (want != "") || err == nil && v.String() != want {
			t.Errorf("%q is read as %s, %v", text, v, err)
		}
	}
}

func FuzzParseVersion(f *testing.F) {
	f.Add("3.7.3")
	f.Add("v3.7.0-rc.1")
	f.Fuzz(func(t *testing.T, s string) {
		v, err := ParseVersion(s)
		if err != nil {
			return
		}
		if again, err := ParseVersion(v.String()); err != nil || again != v {
			t.Errorf("%q is read as %s, and that as %s, %v", s, v, again, err)
		}
	})
}

// TestLook is three members that run: they are ready for the next release, and etcd would
// take the last one back.
func TestLook(t *testing.T) {
	if testing.Short() {
		t.Skip("a real cluster")
	}
	c := etcd.Start(t, 3, func(o *member.Options) { o.SnapshotEvery = 10 })
	client := c.Client(t)
	for range 50 {
		if _, err := client.Put(t.Context(), "k", "v"); err != nil {
			t.Fatal(err)
		}
	}
	c.UpToDate(t)
	for _, x := range []struct {
		to     string
		way    Way
		failed []string
	}{{"3.8.0", Up, nil}, {"3.9.0", Up, []string{"step"}}, {"3.6.16", Down, nil}, {"3.5.32", Down, []string{"step"}}} {
		target, err := ParseVersion(x.to)
		if err != nil {
			t.Fatal(err)
		}
		o := Options{}
		if x.way == Down {
			o.Downgrade = &target
		}
		facts, err := Look(t.Context(), client, o)
		if err != nil {
			t.Fatal(err)
		}
		var failed []string
		for _, found := range Check(facts, target, x.way) {
			if found.State == Fail {
				failed = append(failed, found.Name)
				t.Logf("%s: %+v", x.to, found)
			}
			if found.Name == "data" && found.State != OK {
				t.Errorf("%s: %+v", x.to, found)
			}
		}
		if !slices.Equal(failed, x.failed) {
			t.Errorf("%s: %q failed, want %q", x.to, failed, x.failed)
		}
	}
	c.Stop((c.Leader(t) + 1) % 3)
	target, _ := ParseVersion("3.8.0")
	facts, err := Look(t.Context(), c.Client(t, c.Leader(t)), Options{Patience: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	if all := Check(facts, target, Up); Ready(all) || all[0].State != Fail {
		t.Errorf("with a member down: %+v", all[0])
	}
}
