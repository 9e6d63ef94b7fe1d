package catalog

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// What is written is behind the newest dictionary, and who writes looks which one that is
// at least once in Fresh. One that has not been the newest for as long as retired is not
// written behind any more, whoever stood still meanwhile.
const (
	Fresh   = day
	retired = week
)

// NewestDictionary is the one that was stored last; false if there is none.
func (c Catalog) NewestDictionary() (Dictionary, bool) {
	if len(c.Dictionaries) == 0 {
		return Dictionary{}, false
	}
	return slices.MaxFunc(c.Dictionaries, func(a, b Dictionary) int {
		return cmp.Or(a.Time.Compare(b.Time), cmp.Compare(a.Name, b.Name))
	}), true
}

// unused deletes dictionaries that nothing is behind, and nothing will be. What the same plan
// deletes, or merges, may stay, and so does its dictionary.
func (c Catalog) unused(now time.Time) []Deletion {
	newest, _ := c.NewestDictionary()
	used := map[string]bool{newest.Name: true}
	for _, l := range c.Logs {
		used[l.Dictionary] = true
	}
	var deletions []Deletion
	for _, d := range c.Dictionaries {
		succeeded := slices.ContainsFunc(c.Dictionaries, func(next Dictionary) bool {
			return next.Time.After(d.Time) && now.Sub(next.Time) > retired
		})
		if over := !c.Ended.IsZero() && len(c.Logs)+len(c.Lost) == 0; over {
			deletions = append(deletions, Deletion{Dictionary: &d, Reason: "the backup has ended, and nothing is behind it"})
			continue
		}
		if succeeded && !used[d.Name] {
			deletions = append(deletions, Deletion{Dictionary: &d, Reason: "nothing is behind it, and another one has been the newest for a week"})
		}
	}
	return deletions
}

// hopeless deletes lost log objects once those of higher levels have their revisions, or nothing that the policy
// keeps is that old. Until then, who finds the dictionary may put it back, and who has another
// copy of what is damaged may put that in its place. Of what has lost its header nobody knows
// which revisions others would have to have, so it stays until it is old.
func (c Catalog) hopeless(p Policy, now time.Time) []Deletion {
	var deletions []Deletion
	for _, l := range c.Lost {
		why := fmt.Sprintf("its dictionary, %s, is lost", l.Dictionary)
		if l.Damage != "" {
			why = "it is damaged"
		}
		switch by, all := c.having(l, DayPoints); {
		case all && !l.headless():
			deletions = append(deletions, Deletion{Log: &l, By: by, Reason: why + ", and others have its revisions"})
		case l.To.Before(now.Add(-p.Reach())):
			deletions = append(deletions, Deletion{Log: &l, Reason: fmt.Sprintf("%s, and %q keeps nothing that old", why, p)})
		}
	}
	for _, d := range c.Damaged {
		if d.Base != "" && d.Time.Before(now.Add(-p.Reach())) {
			deletions = append(deletions, Deletion{Orphan: &Orphan{Base: d.Base, Name: d.Name, Time: d.Time}, Reason: fmt.Sprintf("it is damaged, and %q keeps nothing that old", p)})
		}
	}
	return deletions
}

// headless says whether nothing but the name of a lost object is known.
func (l Log) headless() bool { return l.Damage != "" && l.Raw == 0 }

// LostError says of the revisions after one, up to another, that a lost log object has some;
// nil if none has.
func (c Catalog) LostError(after, upTo int64) error {
	for _, l := range c.Lost {
		if l.End <= after || l.Start > upTo {
			continue
		}
		switch {
		case l.headless():
			return fmt.Errorf("%s has revisions from %d on, and cannot be read: %s; put back a copy of the object if there is one, or delete it", l, l.Start, l.Damage)
		case l.Damage != "":
			return fmt.Errorf("%s has the revisions %d to %d, and cannot be read: %s; put back a copy of what is damaged if there is one, or delete it", l, l.Start, l.End, l.Damage)
		default:
			return fmt.Errorf("%s has the revisions %d to %d, and cannot be read: its dictionary, log/dictionary/%s, is not there; put it back if there is a copy", l, l.Start, l.End, l.Dictionary)
		}
	}
	return nil
}
