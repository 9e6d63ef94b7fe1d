// Package cost says what backups cost a month, and why. It is arithmetic: it reads no store
// and no clock.
//
// A [Sheet] is the prices of a store. A [Shape] is a cluster: how much it holds, and how much
// of that changes. A [Schedule] is how it is backed up. [Compare] puts the bill of that beside
// those of other ways to have backups for as long. A [Bill] is lines: a quantity times a
// price. [FromMeter] makes the same bill of what was counted, so that a run can be held
// against the model.
//
//	keep, err := catalog.Parse("any minute for 2 days, hours for 2 weeks, days for 3 months")
//	…
//	c, err := cost.Compare(cost.DefaultSheet(),
//		cost.Shape{InUse: 2 << 30, Change: 20 << 20},
//		cost.Schedule{Keep: keep})
//	…
//	fmt.Print(c.Text())
//
// The model is of a steady state: as much goes as comes. Where it has to choose it favours the
// other ways, and says so. What is left out of all of them: traffic (free within a region), and
// the machines on which they run.
package cost
