//go:build !solo

package main

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// TestRests: a control node that lets others wait is asked seldom, and again as always once it
// has answered.
func TestRests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r rests
		asked := func(takes time.Duration, err error) (n int) {
			for began := time.Now(); time.Since(began) < time.Minute; time.Sleep(500 * time.Millisecond) {
				if r.why("https://c2") == nil {
					n++
					time.Sleep(takes)
					r.note("https://c2", takes, err)
				}
			}
			return n
		}
		away := errors.New("no answer")
		if n := asked(time.Millisecond, away); n < 100 {
			t.Errorf("one that refuses at once was asked %d times in a minute; expected each time", n)
		}
		if n := asked(2*time.Second, away); n < 3 || n > 7 {
			t.Errorf("one that hangs was asked %d times in a minute; expected every 15 s in the end", n)
		}
		time.Sleep(restMost)
		if n := asked(time.Millisecond, nil); n < 100 {
			t.Errorf("one that is back was asked %d times in a minute; expected each time", n)
		}
	})
}
