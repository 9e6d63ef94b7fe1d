package backup

import (
	"errors"
	"slices"
	"testing"
	"time"

	"towpath.dev/internal/control/backup/catalog"
)

// TestWrongClock: a machine's clock that is wrong for a while deletes nothing, and what was proven by
// it does not keep anybody from proving it again.
func TestWrongClock(t *testing.T) {
	for _, wrong := range []time.Duration{400 * 24 * time.Hour, 20 * time.Minute, -20 * time.Minute, -400 * 24 * time.Hour} {
		t.Run(wrong.String(), func(t *testing.T) {
			p := newPair(t)
			p.zombie.Close()
			var off time.Duration
			o := p.options(t)
			o.Keep, _ = catalog.Parse(DefaultKeep)
			o.Now = func() time.Time { return p.clock.now().Add(off) }
			u, err := NewUploader(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			feed, err := u.Follow(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer feed.Close()
			for range 10 {
				p.minutes(t, &feed, 3)
				p.clock.pass(15 * time.Minute)
			}
			if err := u.Care(t.Context()); err != nil { // hours, whose minutes may go
				t.Fatal(err)
			}
			p.compact(t, p.durable(t))
			if _, err := u.MakeBase(t.Context(), "a test's"); err != nil {
				t.Fatal(err)
			}
			p.minutes(t, &feed, 3)
			p.clock.pass(2 * time.Hour)
			before, all := p.load(t).Restorable(), p.names(t, "")

			off = wrong
			for range 2 {
				if err := u.Care(t.Context()); err != nil {
					t.Log(err)
				}
			}
			for _, name := range all {
				if !slices.Contains(p.names(t, ""), name) {
					t.Errorf("%s was deleted", name)
				}
			}
			if c := p.load(t); !slices.Equal(c.Restorable(), before) {
				t.Errorf("what can be restored is %v, expected %v", c.Restorable(), before)
			}
			if wrong > 0 && alarms(t, u, alarmCare) == 0 {
				t.Error("nobody is told")
			}

			off = 0
			p.clock.pass(25 * time.Hour)
			u.verified = time.Time{} // as another uploader begins
			p.minutes(t, &feed, 1)
			for range 4 {
				if err := u.Care(t.Context()); err != nil {
					t.Error(err)
				}
			}
			if late := p.clock.now().Sub(u.verified); late > time.Hour || late < 0 {
				t.Errorf("verified %s ago", late)
			}
			for _, l := range p.load(t).Logs {
				if l.Level == catalog.Minute && l.To.Before(p.clock.now().Add(-3*time.Hour)) {
					t.Errorf("%s is left", l)
				}
			}
			if left := p.names(t, "time/"); len(left) > 0 {
				t.Errorf("left are %q", left)
			}
		})
	}
}

// TestNoStoreTime: if the store does not say what time it is, nothing is deleted.
func TestNoStoreTime(t *testing.T) {
	p := newPair(t)
	p.minutes(t, &p.zombie, 5)
	p.clock.pass(2 * time.Hour)
	if err := p.zombie.u.Care(t.Context()); err != nil {
		t.Fatal(err)
	}
	u := p.feed(t).u
	u.o.Store = deaf{u.o.Store, "/time/"}
	all := p.names(t, "log/")
	if err := u.Care(t.Context()); !errors.Is(err, errDeaf) {
		t.Errorf("care: %v", err)
	}
	if left := p.names(t, "log/"); !slices.Equal(left, all) {
		t.Errorf("left are %q of %q", left, all)
	}
}
