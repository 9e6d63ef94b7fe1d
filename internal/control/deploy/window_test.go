package deploy

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

func TestWindows(t *testing.T) {
	for _, test := range []struct{ window, now, want string }{ // 2026-11-28 is a Saturday
		{"Mon-Fri 08:00-17:00", "2026-11-27T09:30:00Z", "2026-11-27T09:30:00Z"},
		{"Mon-Fri 08:00-17:00", "2026-11-27T08:00:00Z", "2026-11-27T08:00:00Z"},
		{"Mon-Fri 08:00-17:00", "2026-11-27T07:59:59Z", "2026-11-27T08:00:00Z"},
		{"Mon-Fri 08:00-17:00", "2026-11-27T17:00:00Z", "2026-11-30T08:00:00Z"}, // over the weekend
		{"Sat 00:00-24:00", "2026-11-28T23:59:59Z", "2026-11-28T23:59:59Z"},
		{"Sat 00:00-24:00", "2026-11-29T00:00:00Z", "2026-12-05T00:00:00Z"},                  // a week later
		{"Sat 10:00-12:00", "2026-11-28T12:00:00Z", "2026-12-05T10:00:00Z"},                  // the same day of the next week
		{"Fri-Mon 10:00-12:00", "2026-11-29T09:00:00Z", "2026-11-29T10:00:00Z"},              // over the week's end
		{"Fri-Mon 10:00-12:00", "2026-11-30T12:00:00Z", "2026-12-04T10:00:00Z"},              //
		{"Tue,thu,SAT 8:00-9:00", "2026-11-25T12:00:00Z", "2026-11-26T08:00:00Z"},            //
		{"Mon 00:00-01:00 Pacific/Auckland", "2026-11-29T10:59:00Z", "2026-11-29T11:00:00Z"}, // Sunday in UTC
		{"Mon 00:00-01:00 Pacific/Auckland", "2026-11-29T11:30:00Z", "2026-11-29T11:30:00Z"},
		{"Sun 23:00-24:00 America/Los_Angeles", "2026-11-30T07:30:00Z", "2026-11-30T07:30:00Z"}, // Monday in UTC
		// The same time of the clock before and after the change of 25 October.
		{"Mon-Fri 08:00-17:00 Europe/Berlin", "2026-10-23T05:00:00Z", "2026-10-23T06:00:00Z"},
		{"Mon-Fri 08:00-17:00 Europe/Berlin", "2026-10-23T15:00:00Z", "2026-10-26T07:00:00Z"},
		// 02:00 to 03:00 is left out on 29 March, and the window with it.
		{"Sun 02:15-02:45 Europe/Berlin", "2026-03-28T12:00:00Z", "2026-04-05T00:15:00Z"},
		{"Sun 01:30-02:30 Europe/Berlin", "2026-03-29T01:00:00Z", "2026-04-04T23:30:00Z"},
		{"Sun 02:30-04:00 Europe/Berlin", "2026-03-29T00:59:00Z", "2026-03-29T01:00:00Z"}, // it is 03:00 at once
		// 02:00 to 03:00 is there twice on 25 October.
		{"Sun 02:15-02:45 Europe/Berlin", "2026-10-25T00:00:00Z", "2026-10-25T00:15:00Z"},
		{"Sun 02:15-02:45 Europe/Berlin", "2026-10-25T00:50:00Z", "2026-10-25T01:15:00Z"},
		{"Sun 01:30-02:15 Europe/Berlin", "2026-10-25T00:30:00Z", "2026-10-25T01:00:00Z"},
		{"Sun 02:15-02:45 Europe/Berlin", "2026-10-25T01:45:00Z", "2026-11-01T01:15:00Z"},
		// Midnight is left out on Friday, 24 April, in Cairo.
		{"Fri 00:00-06:00 Africa/Cairo", "2026-04-23T12:00:00Z", "2026-04-23T22:00:00Z"},
		{"Thu 22:00-24:00 Africa/Cairo", "2026-04-23T21:30:00Z", "2026-04-23T21:30:00Z"},
		{"Fri 00:10-00:50 Africa/Cairo", "2026-04-23T12:00:00Z", "2026-04-30T21:10:00Z"},
	} {
		now, _ := time.Parse(time.RFC3339, test.now)
		want, _ := time.Parse(time.RFC3339, test.want)
		at, isNow := opens([]Window{Window(test.window)}, now)
		if !at.Equal(want) || isNow != want.Equal(now) {
			t.Errorf("%s at %s: opens %s, now: %v; want %s", test.window, test.now, at.UTC().Format(time.RFC3339), isNow, test.want)
		}
	}
}

func TestSeveralWindows(t *testing.T) {
	now := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		windows []Window
		want    time.Time
		isNow   bool
	}{
		{nil, now, true},
		{[]Window{"Mon 08:00-09:00", "Sun 08:00-09:00"}, now.Add(20 * time.Hour), false},
		{[]Window{"Mon 08:00-09:00", "Sat 11:00-13:00"}, now, true},
		{[]Window{"nonsense", "Sun 08:00-09:00"}, now.Add(20 * time.Hour), false},
		{[]Window{"nonsense"}, time.Time{}, false},
	} {
		if at, isNow := opens(test.windows, now); !at.Equal(test.want) || isNow != test.isNow {
			t.Errorf("%q: %s, %v; want %s, %v", test.windows, at, isNow, test.want, test.isNow)
		}
	}
}

// TestWindowsByMinutes compares when windows open with what a clock shows, looked at every
// five minutes, around changes of clocks of an hour, half an hour and in both directions.
func TestWindowsByMinutes(t *testing.T) {
	seed := rand.Uint64()
	t.Log("seed", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	const step = 5 * time.Minute
	changes := map[string][]string{
		"Europe/Berlin":       {"2026-03-29T01:00:00Z", "2026-10-25T01:00:00Z"},
		"America/New_York":    {"2026-03-08T07:00:00Z", "2026-11-01T06:00:00Z"},
		"Australia/Lord_Howe": {"2026-04-04T15:00:00Z", "2026-10-03T15:30:00Z"},
		"Africa/Cairo":        {"2026-04-23T22:00:00Z", "2026-10-29T21:00:00Z"},
		"Asia/Kolkata":        {"2026-06-01T00:00:00Z"},
	}
	for place, all := range changes {
		where, err := time.LoadLocation(place)
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range all {
			change, _ := time.Parse(time.RFC3339, text)
			for range 60 {
				w := &window{place: where, from: 5 * r.IntN(288)}
				if r.IntN(2) == 0 {
					w.from = 5 * r.IntN(48) // where changes are
				}
				w.to = min(midnight, w.from+5*(1+r.IntN(60)))
				w.days[change.Add(-time.Hour).In(where).Weekday()], w.days[r.IntN(7)] = true, true
				now := change.Add(step * time.Duration(r.IntN(600)-400))
				want := now
				for !w.open(want) {
					want = want.Add(step)
				}
				if got := w.next(now); !got.Equal(want) {
					t.Fatalf("%+v at %s: opens %s; a clock shows it at %s", w, now.In(where), got.In(where), want.In(where))
				}
			}
		}
	}
}

func TestWindowsThatAreNone(t *testing.T) {
	for text, want := range map[string]string{
		"":                                    "cannot be read; expected one such as",
		"Mon-Fri":                             "cannot be read",
		"Mon-Fri 8-17":                        "cannot be read",
		"Mon-Fri 08:00-25:00":                 "cannot be read",
		"Mon-Fri 24:00-24:00":                 "ends before it begins",
		"Mon-Fri 08:00 - 17:00":               "cannot be read",
		"Mon-Fri 08:00-17:00 Berlin":          `is of the place "Berlin", which is in no list of time zones`,
		"Mon-Fri 08:00-17:00 Local":           `is of the place "Local", which is in no list of time zones`,
		"Mon-Fri 08:00-17:00 ../x":            "is in no list of time zones",
		"Monday 08:00-17:00":                  `has no days in "Monday"; expected some of Mon`,
		"Mon,,Tue 08:00-17:00":                `has no days in ""`,
		"Mon- 08:00-17:00":                    `has no days in "Mon-"`,
		"Mon-Fri 22:00-06:00 Europe/Berlin":   "ends before it begins; over midnight it takes two",
		"Mon-Fri 08:00-08:00":                 "ends before it begins",
		"Mon-Fri 08:00-17:00 Europe/Berlin x": "cannot be read",
	} {
		if _, err := Window(text).parse(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v; want %s", text, err, want)
		}
	}
}
