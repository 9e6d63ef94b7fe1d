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
		if succeeded && !used[d.Name] {
			deletions = append(deletions, Deletion{Dictionary: &d, Reason: "nothing is behind it, and another one has been the newest for a week"})
		}
	}
	return deletions
}

// hopeless deletes lost log objects once others have their revisions, or nothing that the policy
// keeps is that old. Until then, who finds the dictionary may put it back.
func (c Catalog) hopeless(p Policy, now time.Time) []Deletion {
	var spans []Span
	for _, l := range c.Logs {
		spans = append(spans, Span{l.Start, l.End})
	}
	had := union(spans)
	var deletions []Deletion
	for _, l := range c.Lost {
		switch h := holding(had, l.Start); {
		case h.Last >= l.End:
			deletions = append(deletions, Deletion{Log: &l, Reason: fmt.Sprintf("its dictionary, %s, is lost, and others have its revisions", l.Dictionary)})
		case l.To.Before(now.Add(-p.Reach())):
			deletions = append(deletions, Deletion{Log: &l, Reason: fmt.Sprintf("its dictionary, %s, is lost, and %q keeps nothing that old", l.Dictionary, p)})
		}
	}
	return deletions
}

// LostError says of the revisions after one, up to another, that a lost log object has some;
// nil if none has.
func (c Catalog) LostError(after, upTo int64) error {
	for _, l := range c.Lost {
		if l.End > after && l.Start <= upTo {
			return fmt.Errorf("%s has the revisions %d to %d, and cannot be read: its dictionary, log/dictionary/%s, is not there; put it back if there is a copy", l, l.Start, l.End, l.Dictionary)
		}
	}
	return nil
}
