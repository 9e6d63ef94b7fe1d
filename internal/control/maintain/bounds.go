package maintain

import (
	"cmp"
	"errors"
	"fmt"
	"time"
)

// Bounds are within which a maintainer acts. The zero value works.
type Bounds struct {
	// History is how long revisions can be read after they were replaced. 0: an hour. A
	// watch that was cut off for longer has to begin anew.
	History time.Duration
	// Leap is how many revisions a compaction forgets at least, so that a cluster that is
	// idle is left alone. 0: 1000.
	Leap int64
	// Pressure is the share of the quota in use from which on the floor no longer holds up
	// compaction. 0: 0.75.
	Pressure float64
	// Scarce is the share from which on a twelfth of History is kept. 0: 0.9.
	Scarce float64
	// Quota is in bytes what a member may use that does not say so itself, as those before
	// 3.6 do not. 0: it is not known, and nothing is done because of it.
	Quota int64

	// Share and Bytes are of a member's file what has to be free before defragmentation pays,
	// both of them. 0: 0.45 and 32 MiB.
	Share float64
	Bytes int64
	// Rate is how many entries a second the log may grow by while a member is defragmented,
	// and Latency how long a linearizable read may take. 0: 100, and 100 ms.
	Rate    float64
	Latency time.Duration
	// Lag is how many entries a member may be behind, to be counted on. 0: 1000.
	Lag uint64
	// Backoff is how long a member is left alone once it was defragmented, or was to be. 0: an
	// hour.
	Backoff time.Duration
	// Turn is how much later each member has its turn than the one before it may have ended,
	// where no seat decides. 0: a minute.
	Turn time.Duration
}

// Validate is all that is wrong with the bounds.
func (b Bounds) Validate() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	b = b.filled()
	if b.History < time.Second {
		fault("a history of %s: expected a second at least", b.History)
	}
	if b.Pressure <= 0 || b.Pressure > 1 || b.Scarce < b.Pressure || b.Scarce > 1 {
		fault("pressure from %v of the quota on, scarcity from %v: expected 0 < pressure ≤ scarcity ≤ 1", b.Pressure, b.Scarce)
	}
	if b.Share <= 0 || b.Share >= 1 {
		fault("defragmentation from a free share of %v on: expected more than 0 and less than 1", b.Share)
	}
	for _, n := range []struct {
		what string
		is   bool
	}{
		{"the leap", b.Leap < 0}, {"the quota", b.Quota < 0}, {"the free bytes", b.Bytes < 0}, {"the rate", b.Rate < 0},
		{"the latency", b.Latency < 0}, {"the backoff", b.Backoff < 0}, {"a turn", b.Turn < 0},
	} {
		if n.is {
			fault("%s is below 0", n.what)
		}
	}
	return errors.Join(faults...)
}

// filled has the defaults of what was left out.
func (b Bounds) filled() Bounds {
	b.History = cmp.Or(b.History, time.Hour)
	b.Leap = cmp.Or(b.Leap, 1000)
	b.Pressure = cmp.Or(b.Pressure, 0.75)
	b.Scarce = cmp.Or(b.Scarce, 0.9)
	b.Share = cmp.Or(b.Share, 0.45)
	b.Bytes = cmp.Or(b.Bytes, 32<<20)
	b.Rate = cmp.Or(b.Rate, 100)
	b.Latency = cmp.Or(b.Latency, 100*time.Millisecond)
	b.Lag = cmp.Or(b.Lag, 1000)
	b.Backoff = cmp.Or(b.Backoff, time.Hour)
	b.Turn = cmp.Or(b.Turn, time.Minute)
	return b
}

// compactEvery is how often there is a compaction at most, for a history of that length: as
// often as etcd's own.
func (b Bounds) compactEvery() time.Duration { return b.History / 10 }

// recent is what is kept of the history where space is scarce.
func (b Bounds) recent() time.Duration { return b.History / 12 }

// What a store that is full takes to be mended, and other times.
const (
	roomy    = 0.95             // a file below this share of its quota takes writes for a while
	worth    = 0.05             // of the quota, what a defragmentation has to free
	hurried  = time.Minute      // the backoff
	basedFor = 5 * time.Minute  // for how long a base that was asked for is not asked for again
	baseTime = 8 * time.Minute  // how long a base may take, while history waits for it
	askAgain = 10 * time.Minute // after which the seat is asked for once more, for the backup's sake
)

// unfinishedFor is how long a member whose defragmentation was begun by somebody who has not
// told its end may be busy with it: a file of etcd's greatest size on a slow disk.
const unfinishedFor = 5 * time.Minute
