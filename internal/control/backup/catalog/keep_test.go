package catalog_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"towpath.dev/internal/control/backup/catalog"
)

const (
	hour = time.Hour
	day  = 24 * hour
)

func TestParse(t *testing.T) {
	for _, test := range []struct {
		text      string
		policy    catalog.Policy
		canonical string
	}{
		{"any minute for 2 days, hours for 2 weeks, days for 3 months", catalog.Policy{Any: 2 * day, Hours: 14 * day, Days: 90 * day}, "any minute for 2 days, hours for 2 weeks, days for 3 months"},
		{" Every  minute for 48 hours ,daily for 365 days", catalog.Policy{Any: 2 * day, Days: 365 * day}, "any minute for 2 days, days for 1 year"},
		{"hourly for 1 week", catalog.Policy{Hours: 7 * day}, "hours for 1 week"},
		{"days for 30 days, any for 90 minutes", catalog.Policy{Any: 90 * time.Minute, Days: 30 * day}, "any minute for 90 minutes, days for 1 month"},
	} {
		got, err := catalog.Parse(test.text)
		if err != nil || got != test.policy || got.String() != test.canonical {
			t.Errorf("Parse(%q) = %v, %v; want %v", test.text, got, err, test.canonical)
		}
	}
}

func TestParseSaysWhatIsWrong(t *testing.T) {
	for text, want := range map[string]string{
		"":                                   `the policy is empty; write what to keep, such as "any minute for 2 days, hours for 2 weeks, days for 3 months"`,
		"hours for 2 weeks,":                 `there is nothing between two commas, or behind the last one; tiers look like "any minute for 2 days, hours for 2 weeks, days for 3 months"`,
		"hours":                              `"hours" says not for how long; a tier is a step, "for" and a duration, such as "hours for 2 weeks"`,
		"weeks for 2 months":                 `in "weeks for 2 months", "weeks" is no step; the steps are "any minute", "hours" and "days"`,
		"hours for ever":                     `in "hours for ever", "ever" is no duration; it is a whole number and a unit, such as "2 weeks"`,
		"hours for 0 days":                   `in "hours for 0 days", "0" is not a whole number of 1 or more; a duration is a whole number and a unit, such as "2 weeks"`,
		"hours for 2 fortnights":             `in "hours for 2 fortnights", "fortnights" is no unit; the units are minutes, hours, days, weeks, months (30 days) and years (365 days)`,
		"days for 101 years":                 `in "days for 101 years", "101 years" is more than 100 years; that is the most`,
		"days for 9999999999 months":         `in "days for 9999999999 months", "9999999999 months" is more than 100 years; that is the most`,
		"hours for 1 day, hourly for 2 days": `"hourly" comes twice; the other one says for 1 day`,
		"any minute for 2 days, hours for 1 week, days for 7 days": `"days for 1 week" keeps nothing, as "hours for 1 week" has it all; tiers have to get coarser as they get longer, so keep days for longer, or leave it out`,
	} {
		if _, err := catalog.Parse(text); err == nil || err.Error() != want {
			t.Errorf("Parse(%q): %v\nwant %s", text, err, want)
		}
	}
}

// TestPolicyRoundTrips parses what String wrote.
func TestPolicyRoundTrips(t *testing.T) {
	seed := *seedFlag
	random := rand.New(rand.NewPCG(seed, 0))
	for range 2000 {
		p := randomPolicy(random)
		got, err := catalog.Parse(p.String())
		if err != nil || got != p {
			t.Fatalf("Parse(%q) = %+v, %v; want %+v", p, got, err, p)
		}
	}
}

// randomPolicy has one tier at least, of some minutes to some hundred days.
func randomPolicy(random *rand.Rand) catalog.Policy {
	for {
		var p catalog.Policy
		reach := time.Duration(0)
		for _, field := range []*time.Duration{&p.Any, &p.Hours, &p.Days} {
			if random.IntN(3) == 0 {
				continue
			}
			unit := []time.Duration{time.Minute, hour, day, 7 * day}[random.IntN(4)]
			reach += unit * time.Duration(1+random.IntN(20))
			*field = reach
		}
		if reach > 0 {
			return p
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("any minute for 2 days, hours for 2 weeks, days for 3 months")
	f.Add("daily for 1 year")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := catalog.Parse(text)
		if err != nil {
			return
		}
		if again, err := catalog.Parse(p.String()); err != nil || again != p {
			t.Errorf("Parse(%q) is %q, which is read as %+v, %v", text, p, again, err)
		}
	})
}
