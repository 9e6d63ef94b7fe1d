package admit

import (
	"math"
	"net/http"
	"time"
)

// Refusal is what a request that is not taken on is told. It is shared and must
// not be changed.
type Refusal struct {
	Status     int // of HTTP: 429 where others ask less, or 503
	RetryAfter time.Duration
	Reason     string // one of Reasons
}

// Reasons are those of refusals.
var Reasons = [reasons]string{
	"the server is at its limit",
	"the server is at its limit with more critical requests",
	"the caller is over its share",
}

const (
	atLimit = iota
	outranked
	overShare

	reasons = 3
)

// mostSeconds bounds what is said to clients.
const mostSeconds = 60

// refusals holds all that there are, by reason and seconds: a refusal is to cost
// nothing.
var refusals = func() (all [reasons][mostSeconds + 1]Refusal) {
	for reason := range all {
		status := http.StatusServiceUnavailable
		if reason == overShare {
			status = http.StatusTooManyRequests
		}
		for s := range all[reason] {
			all[reason][s] = Refusal{status, time.Duration(s) * time.Second, Reasons[reason]}
		}
	}
	return all
}()

// refuse says why, and when to come again: after a second for each time that the
// demand is the capacity, or the caller's his share, and up to twice that, so that
// not all come at once.
func (l *Limiter) refuse(c *class, k *caller) *Refusal {
	reason, times := atLimit, c.overload
	switch {
	case c.contended && c.held < besideAll*l.meter.capacity:
		reason = outranked
	case c.contended && k.over && c.unfair:
		reason, times = overShare, min(times, 1/max(k.ratio, 1e-3))
	}
	c.refused[reason]++
	l.refused++
	seconds := int(math.Ceil(min(max(times, 1), mostSeconds/2)))
	return &refusals[reason][seconds+l.refused%(seconds+1)]
}
