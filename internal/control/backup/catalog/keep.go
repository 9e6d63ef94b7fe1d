package catalog

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// A Policy says to which points a backup can be restored, and for how long. A zero field
// is a tier that there is none of. Each tier reaches further back than those before it.
//
// The newest base and all that is after it are kept whatever the policy says.
type Policy struct {
	Any   time.Duration // every revision
	Hours time.Duration // how the store was at every whole hour, UTC
	Days  time.Duration // how the store was at every midnight, UTC
}

// The lengths of the units of policies. A month is 30 days and a year 365.
const (
	day   = 24 * time.Hour
	week  = 7 * day
	month = 30 * day
	year  = 365 * day
)

// units are ascending; String takes the greatest that fits.
var units = []struct {
	name   string
	length time.Duration
}{{"minute", time.Minute}, {"hour", time.Hour}, {"day", day}, {"week", week}, {"month", month}, {"year", year}}

// longest is the longest tier: a time.Duration has no room for 300 years.
const longest = 100 * year

// steps are the tiers as Parse knows and String writes them: the first form is the
// canonical one.
var steps = []struct {
	forms []string
	field func(*Policy) *time.Duration
}{
	{[]string{"any minute", "every minute", "any", "minutes"}, func(p *Policy) *time.Duration { return &p.Any }},
	{[]string{"hours", "every hour", "hourly"}, func(p *Policy) *time.Duration { return &p.Hours }},
	{[]string{"days", "every day", "daily"}, func(p *Policy) *time.Duration { return &p.Days }},
}

// policyExample is shown where a policy is not understood.
const policyExample = "any minute for 2 days, hours for 2 weeks, days for 3 months"

// Parse reads a policy such as
//
//	any minute for 2 days, hours for 2 weeks, days for 3 months
//
// that is tiers with commas between them: a step ("any minute", "hours" or "days"), "for",
// a whole number and a unit (minutes, hours, days, weeks, months of 30 days, years of 365
// days). A tier may be left out. An error says which words are wrong, and what could
// stand there.
func Parse(s string) (Policy, error) {
	var p Policy
	if strings.TrimSpace(s) == "" {
		return Policy{}, fmt.Errorf("the policy is empty; write what to keep, such as %q", policyExample)
	}
	for tier := range strings.SplitSeq(s, ",") {
		if err := p.parseTier(strings.Join(strings.Fields(tier), " ")); err != nil {
			return Policy{}, err
		}
	}
	return p, p.Validate()
}

func (p *Policy) parseTier(tier string) error {
	if tier == "" {
		return fmt.Errorf("there is nothing between two commas, or behind the last one; tiers look like %q", policyExample)
	}
	what, length, found := strings.Cut(strings.ToLower(tier), " for ")
	if !found {
		return fmt.Errorf("%q says not for how long; a tier is a step, \"for\" and a duration, such as \"hours for 2 weeks\"", tier)
	}
	field := stepField(what)
	if field == nil {
		return fmt.Errorf("in %q, %q is no step; the steps are \"any minute\", \"hours\" and \"days\"", tier, what)
	}
	d, err := parseLength(length)
	if err != nil {
		return fmt.Errorf("in %q, %w", tier, err)
	}
	if *field(p) != 0 {
		return fmt.Errorf("%q comes twice; the other one says for %s", what, formatLength(*field(p)))
	}
	*field(p) = d
	return nil
}

func stepField(what string) func(*Policy) *time.Duration {
	for _, step := range steps {
		for _, form := range step.forms {
			if what == form {
				return step.field
			}
		}
	}
	return nil
}

func parseLength(s string) (time.Duration, error) {
	const expected = "a whole number and a unit, such as \"2 weeks\""
	number, name, found := strings.Cut(s, " ")
	if !found {
		return 0, fmt.Errorf("%q is no duration; it is %s", s, expected)
	}
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || n < 1 {
		return 0, fmt.Errorf("%q is not a whole number of 1 or more; a duration is %s", number, expected)
	}
	for _, u := range units {
		if strings.TrimSuffix(name, "s") != u.name {
			continue
		}
		if n > int64(longest/u.length) {
			return 0, fmt.Errorf("%q is more than 100 years; that is the most", s)
		}
		return time.Duration(n) * u.length, nil
	}
	return 0, fmt.Errorf("%q is no unit; the units are minutes, hours, days, weeks, months (30 days) and years (365 days)", name)
}

// Validate reports whether the tiers make sense: there is one at least, none is negative,
// and a coarser one reaches further back than the finer ones.
func (p Policy) Validate() error {
	finer, reach := "", time.Duration(0)
	for _, step := range steps {
		d := *step.field(&p)
		switch {
		case d == 0:
			continue
		case d < 0 || d%time.Minute != 0 || d > longest:
			return fmt.Errorf("%s cannot be kept for %v; it has to be whole minutes, and 100 years at most", step.forms[0], d)
		case d <= reach:
			return fmt.Errorf("\"%s for %s\" keeps nothing, as \"%s for %s\" has it all; tiers have to get coarser as they get longer, so keep %s for longer, or leave it out",
				step.forms[0], formatLength(d), finer, formatLength(reach), step.forms[0])
		}
		finer, reach = step.forms[0], d
	}
	if reach == 0 {
		return fmt.Errorf("the policy keeps nothing; write what to keep, such as %q", policyExample)
	}
	return nil
}

// String is the sentence that Parse reads.
func (p Policy) String() string {
	var tiers []string
	for _, step := range steps {
		if d := *step.field(&p); d != 0 {
			tiers = append(tiers, step.forms[0]+" for "+formatLength(d))
		}
	}
	return strings.Join(tiers, ", ")
}

// formatLength writes whole minutes in the greatest unit that fits.
func formatLength(d time.Duration) string {
	unit := units[0]
	for _, u := range units[1:] {
		if d%u.length == 0 {
			unit = u
		}
	}
	if d == unit.length {
		return "1 " + unit.name
	}
	return fmt.Sprintf("%d %ss", d/unit.length, unit.name)
}

// Reach is how far back the policy goes: the longest tier.
func (p Policy) Reach() time.Duration { return max(p.Any, p.Hours, p.Days) }

// MarshalText writes the sentence.
func (p Policy) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText reads the sentence.
func (p *Policy) UnmarshalText(text []byte) error {
	parsed, err := Parse(string(text))
	if err == nil {
		*p = parsed
	}
	return err
}
