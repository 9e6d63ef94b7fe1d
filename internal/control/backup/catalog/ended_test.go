package catalog_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"towpath.dev/internal/control/backup/catalog"
)

// TestEnded: a backup that has ended keeps what its policy keeps of the time before, with the newest
// base, and then nothing.
func TestEnded(t *testing.T) {
	keep := catalog.Policy{Any: 2 * day, Hours: 4 * day, Days: 10 * day}
	c := catalog.Catalog{
		Bases: []catalog.Base{baseAt(0)}, Logs: slices.Concat(steady(catalog.DayPoints, 0, 3*day, day, 10), steady(catalog.Minute, 3*day, 3*day+time.Hour, 10*time.Minute, 100)),
		Dictionaries: []catalog.Dictionary{{Name: "d", Time: at(0)}},
	}
	goesOn := c
	c.Ended = at(3*day + 2*hour)
	for _, test := range []struct {
		now  time.Duration
		all  bool // is deleted
		what string
	}{
		{3*day + 3*hour, false, "just after its end"},
		{12 * day, false, "as long as a midnight is kept"},
		{14 * day, true, "when nothing is"},
	} {
		plan := c.Plan(keep, at(test.now))
		bases, logs := 0, 0
		for _, d := range plan.Delete {
			if d.Base != nil {
				bases++
			}
			if d.Log != nil && strings.Contains(d.Reason, "it ended on") {
				logs++
			}
		}
		if want := len(c.Logs); test.all != (bases == 1) || test.all && logs != want {
			t.Errorf("%s: %s", test.what, summary(plan))
		}
		for _, d := range goesOn.Plan(keep, at(test.now)).Delete {
			if d.Base != nil {
				t.Errorf("what goes on loses %v %s", d, test.what)
			}
		}
	}
	empty := catalog.Catalog{Dictionaries: c.Dictionaries, Ended: c.Ended}
	if plan := empty.Plan(keep, at(4*day)); len(plan.Delete) != 1 || plan.Delete[0].Dictionary == nil {
		t.Errorf("what only has a dictionary: %s", summary(plan))
	}
}
