package cost

import (
	"math"
	"testing"
	"time"

	"towpath.dev/internal/blob"
	"towpath.dev/internal/control/backup/catalog"
)

// TestModelIsWhatPlansDo lives through some months by the catalog's own plans, all of which
// are carried out, counts what that would be billed for, and compares with the model.
func TestModelIsWhatPlansDo(t *testing.T) {
	const day = 24 * time.Hour
	for _, test := range []struct {
		name  string
		keep  catalog.Policy
		shape Shape
	}{
		{"all tiers", catalog.Policy{Any: 2 * day, Hours: 7 * day, Days: 30 * day}, Shape{InUse: 64 << 20, Change: 1 << 20}},
		{"many changes", catalog.Policy{Any: 2 * day, Hours: 5 * day, Days: 12 * day}, Shape{InUse: 32 << 20, Change: 80 << 20}},
		{"few changes", catalog.Policy{Any: 2 * day, Hours: 7 * day, Days: 30 * day}, Shape{InUse: 640 << 20, Change: 1 << 20}},
		{"one tier", catalog.Policy{Any: 10 * day}, Shape{InUse: 64 << 20, Change: 2 << 20}},
		{"days", catalog.Policy{Any: 1 * day, Days: 20 * day}, Shape{InUse: 64 << 20, Change: 5 << 20}},
		{"hours", catalog.Policy{Hours: 9 * day}, Shape{InUse: 64 << 20, Change: 5 << 20}},
	} {
		t.Run(test.name, func(t *testing.T) {
			shape, err := test.shape.filled()
			if err != nil {
				t.Fatal(err)
			}
			schedule, err := Schedule{Keep: test.keep, Every: 30 * time.Minute, Standard: true, Unread: true}.filled()
			if err != nil {
				t.Fatal(err)
			}
			counted := newLedger(shape, schedule).month()
			got, want := ours(DefaultSheet(), shape, schedule), FromMeter(Month, counted)
			near(t, "bytes", got.Standard.ByteMonths, want.Standard.ByteMonths, 0.15)
			// Of objects that do not fill the largest size the model has too few. The ledger has no proofs.
			near(t, "PUT", got.Standard.Puts-30, want.Standard.Puts, 0.15)
			near(t, "LIST", got.Standard.Lists, want.Standard.Lists, 0.01)
		})
	}
}

func near(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if math.Abs(got-want) > tolerance*want {
		t.Errorf("%s: the model has %.0f, and plans lead to %.0f", what, got, want)
	} else {
		t.Logf("%s: the model has %.0f, and plans lead to %.0f", what, got, want)
	}
}

// A ledger is a backup, and what of it would be billed.
type ledger struct {
	shape    Shape
	schedule Schedule
	now      time.Time
	revision int64 // one a minute
	catalog  catalog.Catalog
	counted  Counted
	bytes    float64 // times hours
}

func newLedger(shape Shape, schedule Schedule) *ledger {
	return &ledger{shape: shape, schedule: schedule, now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), revision: 1}
}

// month is what is counted in one, after so long that all that goes has begun to go.
func (l *ledger) month() Counted {
	for range int(l.schedule.Keep.Reach().Hours()) + 15*24 {
		l.hour()
	}
	l.counted, l.bytes = Counted{Class: blob.Standard}, 0
	for range 30 * 24 {
		l.hour()
	}
	l.counted.Stored = int64(l.bytes / 30 / 24)
	return l.counted
}

// hour lets half-hours be uploaded, and does what is due.
func (l *ledger) hour() {
	for range 2 {
		start, from := l.revision+1, l.now.Add(time.Minute)
		l.revision += 30
		l.now = l.now.Add(30 * time.Minute)
		raw := int64(l.shape.Change / 2)
		l.create(catalog.Log{Start: start, End: l.revision, From: from, To: l.now, Raw: raw, Size: int64(float64(raw) / l.shape.LogRatio)})
	}
	at := l.now.Add(11 * time.Minute)
	if due, _ := l.catalog.BaseDue(l.schedule.Keep, at); due {
		l.catalog.Bases = append(l.catalog.Bases, catalog.Base{Revision: l.revision, Compacted: l.revision, Time: l.now, Raw: l.shape.InUse, Size: int64(float64(l.shape.InUse) / l.shape.BaseRatio)})
		l.counted.Create += 1 + (l.shape.InUse+chunkRaw-1)/chunkRaw
	}
	plan := l.catalog.Plan(l.schedule.Keep, at)
	for _, r := range append(plan.Merge, plan.Thin...) {
		l.rewrite(r)
	}
	for _, d := range plan.Delete {
		l.delete(d)
	}
	l.counted.List += careLists
	for _, o := range l.catalog.Logs {
		l.bytes += float64(o.Size)
	}
	for _, b := range l.catalog.Bases {
		l.bytes += float64(b.Size)
	}
}

func (l *ledger) create(o catalog.Log) {
	l.catalog.Logs = append(l.catalog.Logs, o)
	l.counted.Create++
}

// rewrite merges, or thins to as many bytes as the model takes that to be.
func (l *ledger) rewrite(r catalog.Rewrite) {
	first, last := r.Inputs[0], r.Inputs[len(r.Inputs)-1]
	o := catalog.Log{Level: r.Level, Start: r.First, End: r.Last, From: first.From, To: last.To}
	for _, in := range r.Inputs {
		o.Raw += in.Raw
		o.Size += in.Size
	}
	step, days := time.Duration(0), float64(r.Last-r.First+1)/60/24
	switch r.Level {
	case catalog.HourPoints:
		step, o.Size = time.Hour, int64(l.shape.thinned(1)*days)
	case catalog.DayPoints:
		step, o.Size = 24*time.Hour, int64(l.shape.thinned(24)*days)
	}
	if step != 0 {
		for p := first.From.Truncate(step).Add(step); p.Before(last.To); p = p.Add(step) {
			o.Points = append(o.Points, catalog.Point{Revision: r.Last - int64(last.To.Sub(p).Minutes()), Time: p})
		}
		o.Points = append(o.Points, catalog.Point{Revision: r.Last, Time: last.To})
	}
	l.create(o)
}

func (l *ledger) delete(d catalog.Deletion) {
	var left catalog.Catalog
	for _, o := range l.catalog.Logs {
		if d.Log == nil || o.Level != d.Log.Level || o.Start != d.Log.Start {
			left.Logs = append(left.Logs, o)
		}
	}
	for _, b := range l.catalog.Bases {
		if d.Base == nil || b.Revision != d.Base.Revision {
			left.Bases = append(left.Bases, b)
		}
	}
	l.catalog = left
}
