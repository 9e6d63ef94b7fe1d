package catalog_test

import (
	"slices"
	"testing"
	"time"

	"towpath.dev/internal/control/backup/catalog"
)

// BenchmarkPlan plans for a backup of three months whose minutes of two days were not merged.
func BenchmarkPlan(b *testing.B) {
	keep := catalog.Policy{Any: 2 * day, Hours: 14 * day, Days: 90 * day}
	c := catalog.Catalog{Logs: slices.Concat(
		steady(catalog.DayPoints, 0, 76*day, day, 10), steady(catalog.HourPoints, 76*day, 88*day, day, 10), steady(catalog.Minute, 88*day, 90*day, time.Minute, 1),
	)}
	for t := time.Duration(0); t < 90*day; t += day {
		c.Bases = append(c.Bases, baseAt(t))
	}
	for b.Loop() {
		if len(c.Plan(keep, at(90*day+hour)).Merge) == 0 {
			b.Fatal("nothing to merge")
		}
	}
}

// BenchmarkChain finds the chain to the last revision of the same.
func BenchmarkChain(b *testing.B) {
	c := catalog.Catalog{Bases: []catalog.Base{baseAt(0)}, Logs: slices.Concat(steady(catalog.Day, 0, 88*day, day, 10), steady(catalog.Minute, 88*day, 90*day, time.Minute, 1))}
	for b.Loop() {
		if _, err := c.Chain(revisionAt(90 * day)); err != nil {
			b.Fatal(err)
		}
	}
}
