package catalog

import (
	"fmt"
	"math"
	"time"
)

// What makes a base due for the sake of who restores: log of so many times the bytes of the
// base. A log that is read in seconds is no reason.
const (
	tooLong   = 8
	shortEver = 512 << 20 // bytes before compression
)

// BaseDue says whether a base should be made now, and why or why not. One is due
//
//   - if there is none;
//   - if the log does not lead on from the newest one: what is behind the gap cannot be
//     restored until there is a base behind it;
//   - if the log since the newest one is eight times as many bytes, before compression, and
//     no less than half a GiB: a restore would take too long;
//   - if t ≥ √(2·B·H/L), where t is the days since the newest base, B its bytes, L the bytes of
//     log a day since then, as stored, and H the days that the policy reaches back.
//
// The last one is the cheapest spacing. With bases t days apart, H/t of them are kept: B·H/t
// bytes. The oldest point that is kept is anywhere between two bases, on average t/2 behind
// one, and the log from that base to it is kept for nothing else: L·t/2 bytes. The sum
//
//	B·H/t + L·t/2
//
// is least where its derivative −B·H/t² + L/2 is zero. With S = L·t, the bytes since the base,
// the rule is t·S ≥ 2·B·H, which is what is compared: so an idle store never needs another
// base, and one that writes much gets them often.
func (c Catalog) BaseDue(p Policy, now time.Time) (bool, string) {
	newest, ok := c.Newest()
	if !ok {
		return true, "there is none"
	}
	durable := c.Durable()
	if last, is := c.Broken(); is {
		return true, fmt.Sprintf("the log behind the newest base, %s, ends at revision %d, and goes on later, up to %d", newest, durable.Revision, last)
	}
	size, raw := c.behind(newest, durable.Revision)
	if raw >= readable(newest.Raw) {
		return true, fmt.Sprintf("a restore would take long: the log since the newest base is %s before compression, and the base %s", mebibytes(raw), mebibytes(newest.Raw))
	}
	days := now.Sub(newest.Time).Hours() / 24
	if size == 0 || days <= 0 {
		return false, "nothing was logged since the newest base"
	}
	best := cheapest(newest.Size, float64(size)/days, p)
	return days >= best, fmt.Sprintf("the newest base is %.1f days old; with %s a base, %s of log a day and %.0f days to keep, bases %.1f days apart are the cheapest",
		days, mebibytes(newest.Size), mebibytes(int64(float64(size)/days)), p.Reach().Hours()/24, best)
}

// Broken says whether there is log that the newest base, and what leads on from it, does not
// reach, and the last revision of that: until there is another base, it would be lost.
func (c Catalog) Broken() (last int64, is bool) {
	for _, l := range c.Logs {
		last = max(last, l.End)
	}
	return last, last > c.Durable().Revision
}

// BaseEvery is how many days apart bases are by the rules of [Catalog.BaseDue], if a base is
// of size bytes as stored and raw before compression, and the log of so many a day.
func BaseEvery(size, raw int64, logSize, logRaw float64, p Policy) (days float64) {
	return min(cheapest(size, logSize, p), float64(readable(raw))/logRaw)
}

// cheapest is how many days apart bases cost least.
func cheapest(base int64, logADay float64, p Policy) (days float64) {
	return math.Sqrt(2 * float64(base) * p.Reach().Hours() / 24 / logADay)
}

// readable is how many bytes of log, before compression, a restore may read behind a base.
func readable(base int64) int64 { return max(tooLong*base, shortEver) }

// behind is the bytes of the log from a base to a revision, as stored and before
// compression. Of an object that begins before the base it is the share of its revisions.
func (c Catalog) behind(b Base, revision int64) (size, raw int64) {
	chain, ok := c.chain(revision, func(o Base) bool { return o == b })
	if !ok {
		return 0, 0 // cannot be, as the log leads on from it
	}
	for _, s := range chain.Steps {
		share := float64(s.Last-s.First+1) / float64(s.Log.End-s.Log.Start+1)
		size += int64(share * float64(s.Log.Size))
		raw += int64(share * float64(s.Log.Raw))
	}
	return size, raw
}

func mebibytes(n int64) string { return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)) }

// Life is for how long an object of a level is there, from when it can be made to when a
// higher level or nobody needs what is in it. A base is there as long as the policy
// reaches.
func (p Policy) Life(l Level) time.Duration {
	switch l {
	case Minute:
		return time.Hour
	case Hour:
		return day
	case Day:
		return p.Any
	case HourPoints:
		return max(p.Hours-p.Any, 0)
	}
	return max(p.Days-max(p.Any, p.Hours), 0)
}
