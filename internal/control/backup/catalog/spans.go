package catalog

import (
	"cmp"
	"slices"
)

// union is spans in order, those that overlap or touch made one.
func union(spans []Span) []Span {
	slices.SortFunc(spans, func(a, b Span) int { return cmp.Compare(a.First, b.First) })
	var u []Span
	for _, s := range spans {
		if n := len(u); n > 0 && s.First <= u[n-1].Last+1 {
			u[n-1].Last = max(u[n-1].Last, s.Last)
		} else {
			u = append(u, s)
		}
	}
	return u
}

// holding is the span of a union that has a revision; its Last is 0 if there is none.
func holding(u []Span, revision int64) Span {
	i, _ := slices.BinarySearchFunc(u, revision, func(s Span, r int64) int { return cmp.Compare(s.Last, r) })
	if i < len(u) && u[i].First <= revision {
		return u[i]
	}
	return Span{}
}

// within reports whether a revision is in one of the spans of a union.
func within(u []Span, revision int64) bool { return holding(u, revision).Last != 0 }

// intersection is what two unions have in common.
func intersection(a, b []Span) []Span {
	var both []Span
	for len(a) > 0 && len(b) > 0 {
		s := Span{max(a[0].First, b[0].First), min(a[0].Last, b[0].Last)}
		if s.First <= s.Last {
			both = append(both, s)
		}
		if a[0].Last < b[0].Last {
			a = a[1:]
		} else {
			b = b[1:]
		}
	}
	return both
}

// difference is what a union has and another one has not.
func difference(u, other []Span) []Span {
	var rest []Span
	for _, s := range u {
		for _, o := range other {
			if o.Last < s.First || o.First > s.Last {
				continue
			}
			if o.First > s.First {
				rest = append(rest, Span{s.First, o.First - 1})
			}
			s.First = o.Last + 1
		}
		if s.First <= s.Last {
			rest = append(rest, s)
		}
	}
	return rest
}
