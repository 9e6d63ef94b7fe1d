package deploy

import (
	"cmp"
	"time"

	"towpath.dev/internal/control/verdict"
)

// threshold is what makes an answer of a view slow, or dear: what one in a hundred of the
// control's exceeded in the window before.
type threshold struct {
	window *verdict.Histogram // that fills
	since  time.Time
	most   int64 // microseconds; 0 is not known yet
}

// thresholdOf is what a threshold is of. Hosts that have both releases and those that have
// either may be others.
type thresholdOf struct {
	view   string
	both   bool
	metric string
}

const (
	thresholdWindow = time.Minute // at least, where one is known
	thresholdAt     = 0.99        // the quantile that makes the threshold
)

// threshold is what was too much as the window began, and takes the control's into the
// next one. A window grows until it gives a threshold: a view that is seldom asked has one
// later, and until then nobody knows what is slow.
func (c *collector) threshold(key thresholdOf, control *verdict.Histogram, now time.Time) int64 {
	t := c.thresholds[key]
	if t == nil {
		t = &threshold{window: &verdict.Histogram{}, since: now}
		c.thresholds[key] = t
	}
	most := t.most
	t.window.Merge(control)
	if most == 0 || now.Sub(t.since) >= thresholdWindow {
		if next, ok := t.window.Threshold(thresholdAt); ok {
			t.most, t.window, t.since = next, &verdict.Histogram{}, now
		}
	}
	return most
}

// compare puts what is compared into an order.
func (c compared) compare(other compared) int {
	return cmp.Or(cmp.Compare(c.view, other.view), cmp.Compare(c.share, other.share))
}
