package catalog_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"towpath.dev/internal/control/backup/catalog"
)

// steady is a backup with a revision a minute, which is revision 1 at day0: log objects of
// a level that are step long, from one time to another.
func steady(level catalog.Level, from, to, step time.Duration, size int64) []catalog.Log {
	var logs []catalog.Log
	for t := from; t < to; t += step {
		l := catalog.Log{
			Level: level, Start: revisionAt(t) + 1, End: revisionAt(t + step), From: at(t + time.Minute), To: at(t + step), Size: size, Raw: 4 * size,
		}
		points := map[catalog.Level]time.Duration{catalog.HourPoints: hour, catalog.DayPoints: day}[level]
		for p := t + points; points > 0 && p <= t+step; p += points {
			l.Points = append(l.Points, catalog.Point{Revision: revisionAt(p), Time: at(p)})
		}
		logs = append(logs, l)
	}
	return logs
}

// behind is log objects behind a dictionary.
func behind(dictionary string, logs []catalog.Log) []catalog.Log {
	for i := range logs {
		logs[i].Dictionary = dictionary
	}
	return logs
}

func revisionAt(t time.Duration) int64 { return 1 + int64(t/time.Minute) }

func baseAt(t time.Duration) catalog.Base {
	return catalog.Base{Revision: revisionAt(t), Compacted: revisionAt(t), Time: at(t), Size: 1 << 20, Raw: 4 << 20}
}

// summary is a plan in short: of what it rewrites the level and the revisions, and of
// what it deletes the name and the reason.
func summary(p catalog.Plan) string {
	var lines []string
	for _, r := range slices.Concat(p.Merge, p.Thin) {
		lines = append(lines, fmt.Sprintf("%v %d-%d of %d: %s", r.Level, r.First, r.Last, len(r.Inputs), r.Reason))
	}
	reasons := map[string]int{}
	for _, d := range p.Delete {
		switch {
		case d.Log != nil:
			reasons["delete "+d.Log.Level.String()+": "+d.Reason]++
		case d.Base != nil:
			reasons["delete a base: "+d.Reason]++
		case d.Dictionary != nil:
			reasons["delete the dictionary "+d.Dictionary.Name+": "+d.Reason]++
		default:
			reasons["delete "+d.Orphan.Name+": "+d.Reason]++
		}
	}
	for reason, n := range reasons {
		lines = append(lines, fmt.Sprintf("%d × %s", n, reason))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

func TestPlan(t *testing.T) {
	keep, err := catalog.Parse("any minute for 2 days, hours for 4 days, days for 10 days")
	if err != nil {
		t.Fatal(err)
	}
	first := []catalog.Base{baseAt(0)}
	for _, test := range []struct {
		name string
		c    catalog.Catalog
		now  time.Duration
		want string
	}{
		{"an hour that is not over", catalog.Catalog{Bases: first, Logs: steady(catalog.Minute, 0, hour, 10*time.Minute, 100)}, hour + 9*time.Minute, ""},
		{
			"an hour that is over", catalog.Catalog{Bases: first, Logs: steady(catalog.Minute, 0, 2*hour, 10*time.Minute, 100)}, 2*hour + 5*time.Minute,
			"hour 2-61 of 6: 2026-11-02 00:00 is over",
		},
		{
			"an hour with a gap",
			catalog.Catalog{Bases: first, Logs: slices.Delete(steady(catalog.Minute, 0, hour, 10*time.Minute, 100), 2, 3)}, 2 * hour,
			"hour 2-21 of 2: 2026-11-02 00:00 is over\nhour 32-61 of 3: 2026-11-02 00:00 is over",
		},
		{
			"an hour of more bytes than an object has", catalog.Catalog{Bases: first, Logs: steady(catalog.Minute, 0, hour, 10*time.Minute, catalog.MaxObject*2/5)}, 2 * hour,
			"hour 2-21 of 2: 2026-11-02 00:00 is over\nhour 22-41 of 2: 2026-11-02 00:00 is over\nhour 42-61 of 2: 2026-11-02 00:00 is over",
		},
		{
			"minutes that are merged", catalog.Catalog{Bases: first, Logs: slices.Concat(steady(catalog.Minute, 0, hour, 10*time.Minute, 100), steady(catalog.Hour, 0, hour, hour, 100))}, 2 * hour,
			"6 × delete minute: objects of higher levels cover it",
		},
		{
			"a late minute in hours that are merged",
			catalog.Catalog{Bases: first, Logs: slices.Concat(steady(catalog.Minute, 50*time.Minute, 70*time.Minute, 20*time.Minute, 100), steady(catalog.Hour, 0, hour, hour, 100))}, 3 * hour,
			"hour 62-71 of 1: 2026-11-02 00:00 is over",
		},
		{
			"a day that is over", catalog.Catalog{Bases: first, Logs: steady(catalog.Hour, 0, 24*hour, hour, 100)}, 24*hour + 10*time.Minute,
			"day 2-1441 of 24: 2026-11-02 is over",
		},
		{
			"a day with minutes that are not merged",
			catalog.Catalog{Bases: first, Logs: slices.Concat(steady(catalog.Hour, 0, 23*hour, hour, 100), steady(catalog.Minute, 23*hour, 24*hour, 10*time.Minute, 100))}, 25 * hour,
			"hour 1382-1441 of 6: 2026-11-02 23:00 is over",
		},
		{
			"days that are older than what needs all of them", catalog.Catalog{Bases: first, Logs: steady(catalog.Day, 0, 5*day, day, 100)}, 5*day + hour,
			"hour-points 1442-2881 of 1: of 2026-11-03 only whole hours are kept\nhour-points 2882-4321 of 1: of 2026-11-04 only whole hours are kept\n" +
				"day-points 2-1441 of 1: of 2026-11-02 only its end is kept",
		},
		{
			"a day that is current, as nothing has happened since", catalog.Catalog{Bases: first, Logs: steady(catalog.Day, 0, day, day, 100)}, 8 * day, "",
		},
		{
			"days that are thinned", catalog.Catalog{Bases: first, Logs: slices.Concat(
				steady(catalog.Day, 0, 5*day, day, 100), steady(catalog.DayPoints, 0, day, day, 10), steady(catalog.HourPoints, day, 3*day, day, 10))}, 5*day + hour,
			"3 × delete day: objects of higher levels cover it",
		},
		{
			"what is older than all that is kept", catalog.Catalog{
				Bases: []catalog.Base{baseAt(0), baseAt(3 * day), baseAt(9 * day)}, Logs: slices.Concat(steady(catalog.DayPoints, 0, 12*day, day, 10), steady(catalog.Day, 12*day, 14*day, day, 100)),
			}, 14*day + hour,
			`1 × delete a base: all that "any minute for 2 days, hours for 4 days, days for 10 days" keeps is behind the next one, base/00000000000000004321` +
				"\n" + `3 × delete day-points: all that "any minute for 2 days, hours for 4 days, days for 10 days" keeps is behind base/00000000000000004321`,
		},
		{
			"bases that serve nothing", catalog.Catalog{
				Bases: []catalog.Base{baseAt(0), baseAt(30 * hour), baseAt(36 * hour), baseAt(60 * hour)}, Logs: slices.Concat(steady(catalog.DayPoints, 0, 5*day, day, 10), steady(catalog.Day, 5*day, 7*day, day, 100)),
			}, 7*day + hour,
			`1 × delete a base: "any minute for 2 days, hours for 4 days, days for 10 days" keeps nothing from it to the next one, base/00000000000000002161`,
		},
		{
			"chunks without a base", catalog.Catalog{Bases: first, Orphans: []catalog.Orphan{
				{Base: "7", Name: "old", Time: at(0)},
				{Base: "8", Name: "old but in use", Time: at(0)},
				{Base: "8", Name: "new", Time: at(day)},
			}}, 30 * hour, "1 × delete old: its base has no manifest, and got no chunk for a day",
		},
		{
			"dictionaries", catalog.Catalog{
				Bases: first, Logs: behind("used", steady(catalog.Minute, 9*day-30*time.Minute, 9*day, 10*time.Minute, 100)),
				Dictionaries: []catalog.Dictionary{{Name: "unused", Time: at(0)}, {Name: "used", Time: at(hour)}, {Name: "until lately", Time: at(day)}, {Name: "newest", Time: at(2*day + 1)}},
			}, 9 * day, "1 × delete the dictionary unused: nothing is behind it, and another one has been the newest for a week",
		},
		{
			"a dictionary that what is merged is behind", catalog.Catalog{
				Bases:        first,
				Logs:         slices.Concat(behind("used", steady(catalog.Minute, 0, hour, 10*time.Minute, 100)), steady(catalog.Hour, 0, hour, hour, 100)),
				Dictionaries: []catalog.Dictionary{{Name: "used", Time: at(-30 * day)}, {Name: "newest", Time: at(-20 * day)}},
			}, 2 * hour, "6 × delete minute: objects of higher levels cover it",
		},
		{
			"what is lost", catalog.Catalog{
				Bases: first, Logs: steady(catalog.Hour, 0, 30*time.Minute, 10*time.Minute, 100),
				Lost: behind("lost", steady(catalog.Minute, 10*time.Minute, 50*time.Minute, 20*time.Minute, 100)),
			}, 50 * time.Minute, "1 × delete minute: its dictionary, lost, is lost, and others have its revisions",
		},
		{
			"what was lost long ago", catalog.Catalog{Bases: first, Lost: behind("lost", steady(catalog.Minute, 0, 10*time.Minute, 10*time.Minute, 100))}, 11 * day,
			`1 × delete minute: its dictionary, lost, is lost, and "any minute for 2 days, hours for 4 days, days for 10 days" keeps nothing that old`,
		},
		{"nothing", catalog.Catalog{}, 0, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := summary(test.c.Plan(keep, at(test.now))); got != sorted(test.want) {
				t.Errorf("got\n%s\nwant\n%s", got, test.want)
			}
		})
	}
}

func sorted(lines string) string {
	all := strings.Split(lines, "\n")
	slices.Sort(all)
	return strings.Join(all, "\n")
}

func TestBaseDue(t *testing.T) {
	keep := catalog.Policy{Days: 90 * day}
	log := func(days time.Duration, size int64) []catalog.Log {
		return steady(catalog.Day, 0, days*day, day, size)
	}
	for _, test := range []struct {
		name   string
		c      catalog.Catalog
		now    time.Duration
		due    bool
		reason string
	}{
		{"no base", catalog.Catalog{Logs: log(1, 1)}, day, true, "there is none"},
		{"no log", catalog.Catalog{Bases: []catalog.Base{baseAt(0)}}, 300 * day, false, "nothing was logged since the newest base"},
		{
			"a gap", catalog.Catalog{Bases: []catalog.Base{baseAt(0)}, Logs: log(3, 1)[1:]}, 3 * day, true,
			"the log behind the newest base, base/00000000000000000001, ends at revision 1, and goes on later, up to 4321",
		},
		{ // √(2·1·90/1.8) = 10
			"before it is the cheapest", catalog.Catalog{Bases: []catalog.Base{baseAt(0)}, Logs: log(9, 9<<20/5)}, 9 * day, false,
			"the newest base is 9.0 days old; with 1.0 MiB a base, 1.8 MiB of log a day and 90 days to keep, bases 10.0 days apart are the cheapest",
		},
		{
			"when it is the cheapest", catalog.Catalog{Bases: []catalog.Base{baseAt(0)}, Logs: log(11, 9<<20/5)}, 11 * day, true,
			"the newest base is 11.0 days old; with 1.0 MiB a base, 1.8 MiB of log a day and 90 days to keep, bases 10.0 days apart are the cheapest",
		},
		{
			"too much to read", catalog.Catalog{Bases: []catalog.Base{baseAt(0)}, Logs: log(1, 200<<20)}, hour, true,
			"a restore would take long: the log since the newest base is 800.0 MiB before compression, and the base 4.0 MiB",
		},
		{
			"only what is behind the base counts", catalog.Catalog{Bases: []catalog.Base{baseAt(0), baseAt(12 * hour)}, Logs: log(1, 40<<20)}, day, false,
			"the newest base is 0.5 days old; with 1.0 MiB a base, 40.0 MiB of log a day and 90 days to keep, bases 2.1 days apart are the cheapest",
		},
	} {
		due, reason := test.c.BaseDue(keep, at(test.now))
		if due != test.due || reason != test.reason {
			t.Errorf("%s: %v, %q\nwant %v, %q", test.name, due, reason, test.due, test.reason)
		}
	}
}

// TestBaseEveryIsTheCheapest compares the distance of bases with others near it.
func TestBaseEveryIsTheCheapest(t *testing.T) {
	const base, log = 80e6, 3e6 // bytes, and bytes a day
	keep := catalog.Policy{Days: 90 * day}
	best := catalog.BaseEvery(base, base, log, log, keep)
	bytes := func(apart float64) float64 { return base*90/apart + log*apart/2 }
	for _, other := range []float64{best * 0.9, best * 1.1} {
		if bytes(other) <= bytes(best) {
			t.Errorf("bases %.1f days apart cost %.0f bytes, and %.1f days apart %.0f", best, bytes(best), other, bytes(other))
		}
	}
	if idle := catalog.BaseEvery(base, base, 0, 0, keep); !math.IsInf(idle, 1) {
		t.Errorf("without log, bases are %v days apart", idle)
	}
	if busy := catalog.BaseEvery(1<<30, 4<<30, 1<<30, 32<<30, catalog.Policy{Days: 3650 * day}); busy != 1 {
		t.Errorf("with a log of eight times the base a day, bases are %v days apart", busy)
	}
}

func TestLife(t *testing.T) {
	keep := catalog.Policy{Any: 2 * day, Hours: 14 * day, Days: 90 * day}
	for level, want := range map[catalog.Level]time.Duration{
		catalog.Minute: hour, catalog.Hour: day, catalog.Day: 2 * day, catalog.HourPoints: 12 * day, catalog.DayPoints: 76 * day,
	} {
		if got := keep.Life(level); got != want {
			t.Errorf("a %v lives for %v, want %v", level, got, want)
		}
	}
}

func TestLevels(t *testing.T) {
	for l := catalog.Minute; l <= catalog.DayPoints; l++ {
		if got, err := catalog.ParseLevel(l.String()); err != nil || got != l {
			t.Errorf("ParseLevel(%q) = %v, %v", l, got, err)
		}
	}
	if _, err := catalog.ParseLevel("week"); err == nil || err.Error() != `"week" is no level of the log; the levels are ["minute" "hour" "day" "hour-points" "day-points"]` {
		t.Errorf("ParseLevel of a week: %v", err)
	}
}
