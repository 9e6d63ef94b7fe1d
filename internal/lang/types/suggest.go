package types

import (
	"slices"
	"strings"

	"towpath.dev/internal/lang/diag"
	"towpath.dev/internal/lang/span"
)

// nearest gives the candidate that is most likely meant by a mistyped name, ""
// when none is near. Equally near ones are told apart by the alphabet.
func nearest(name string, candidates []string) string {
	for _, here := range elsewhere[name] {
		if slices.Contains(candidates, here) {
			return here
		}
	}
	limit := 1 + len(name)/4
	if len(name) <= 2 {
		limit = 1
	}
	best, bestDistance := "", limit+1
	for _, c := range candidates {
		if c == name || c == "" {
			continue
		}
		if len(c)-len(name) > limit || len(name)-len(c) > limit {
			continue
		}
		d := distance(name, c, limit)
		if strings.EqualFold(name, c) {
			d = 0
		}
		if 2*d > len(c) { // less than half of it is left
			continue
		}
		if d < bestDistance || d == bestDistance && c < best {
			best, bestDistance = c, d
		}
	}
	return best
}

// elsewhere says what other languages' names for common functions are here, the
// likeliest first.
var elsewhere = map[string][]string{
	"add": {"insert", "append"}, "push": {"append"}, "cons": {"prepend"},
	"put": {"insert"}, "set": {"insert"}, "delete": {"remove"},
	"len": {"length", "size"}, "size": {"length"}, "length": {"size"},
	"contains": {"has"}, "includes": {"contains", "has"}, "member": {"contains", "has"}, "elem": {"contains", "has"},
	"containsKey": {"has"}, "hasKey": {"has"},
	"head": {"first"}, "tail": {"drop"}, "nth": {"get"}, "skip": {"drop"}, "limit": {"take"},
	"reduce": {"fold"}, "foldl": {"fold"}, "foldLeft": {"fold"}, "inject": {"fold"},
	"forEach": {"map"}, "each": {"map"}, "collect": {"map"}, "select": {"filter"},
	"concatMap": {"flatMap"}, "bind": {"flatMap"}, "andThen": {"flatMap"}, "mapErr": {"mapError"},
	"exists": {"any"}, "some": {"any"}, "every": {"all"}, "forAll": {"all"},
	"uniq": {"distinct"}, "unique": {"distinct"}, "dedup": {"distinct"},
	"sorted": {"sort"}, "sortWith": {"sortBy"}, "orderBy": {"sortBy"}, "reversed": {"reverse"}, "group": {"groupBy"},
	"unwrapOr": {"withDefault"}, "getOr": {"withDefault"}, "orElse": {"or", "withDefault"}, "okOr": {"toResult"},
	"upper": {"toUpper"}, "uppercase": {"toUpper"}, "upcase": {"toUpper"}, "toUpperCase": {"toUpper"},
	"lower": {"toLower"}, "lowercase": {"toLower"}, "downcase": {"toLower"}, "toLowerCase": {"toLower"},
	"substring": {"slice"}, "substr": {"slice"}, "strip": {"trim"}, "hasPrefix": {"startsWith"}, "hasSuffix": {"endsWith"},
	"ceil": {"ceiling"}, "trunc": {"truncate"}, "mod": {"modulo"}, "average": {"mean"}, "avg": {"mean"},
	"print": {"debug"}, "println": {"debug"}, "log": {"debug"},
}

// distance is the number of letters inserted, dropped, changed or swapped with
// their neighbour (optimal string alignment) between a and b; anything beyond
// limit is limit+1.
func distance(a, b string, limit int) int {
	before := make([]int, len(b)+1)
	last := make([]int, len(b)+1)
	row := make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return min(last[len(b)], limit+1)
}

// maxGuesses bounds the names that are compared for suggestions in one check, so
// that a file full of unknown names is refused as fast as any other.
const maxGuesses = 300_000

// didYouMean adds the nearest candidate to a diagnostic about the name at a
// span, as a fix.
func (c *checker) didYouMean(d *diag.Diagnostic, at span.Span, name string, candidates []string) *diag.Diagnostic {
	if c.guesses += len(candidates); c.guesses > maxGuesses {
		return d
	}
	if n := nearest(name, candidates); n != "" {
		d.Note(span.Span{}, "did you mean `%s`?", n)
		d.FixWith("write `"+n+"`", at, n)
	}
	return d
}

// list writes names as "`a`, `b` and `c`", at most a few of them.
func list(names []string) string {
	const most = 4
	quoted := make([]string, 0, most+1)
	for i, n := range names {
		if i == most && len(names) > most+1 {
			quoted = append(quoted, plural(len(names)-most, "more"))
			break
		}
		quoted = append(quoted, "`"+n+"`")
	}
	switch len(quoted) {
	case 0:
		return "nothing"
	case 1:
		return quoted[0]
	}
	return strings.Join(quoted[:len(quoted)-1], ", ") + " and " + quoted[len(quoted)-1]
}

// plural writes a count with its noun.
func plural(n int, noun string) string {
	s := itoa(n) + " " + noun
	if n != 1 && noun != "more" {
		s += "s"
	}
	return s
}
