package deploy

import (
	"fmt"
	"strings"
	"time"
	_ "time/tzdata" // a controller on a machine without time zones reads windows as others do
)

// A Window is a time of the week in which stages may begin, such as
// "Mon-Fri 08:00-17:00 Europe/Berlin". Without a place it is UTC's. What counts is what clocks
// at the place show: an hour that is shown twice is in it twice, one that is left out is not.
type Window string

type window struct {
	days     [7]bool // from Sunday
	from, to int     // minutes of the day
	place    *time.Location
}

var weekdays = []string{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"}

const windowForm = "expected one such as \"Mon-Fri 08:00-17:00 Europe/Berlin\""

func (w Window) parse() (*window, error) {
	wrong := fmt.Errorf("the window %q cannot be read; "+windowForm, string(w))
	parts := strings.Fields(string(w))
	if len(parts) != 2 && len(parts) != 3 {
		return nil, wrong
	}
	out := &window{place: time.UTC}
	if len(parts) == 3 {
		place, err := time.LoadLocation(parts[2])
		if err != nil || place == time.Local { // which differs between controllers
			return nil, fmt.Errorf("the window %q is of the place %q, which is in no list of time zones; expected a name such as Europe/Berlin, or none for UTC", string(w), parts[2])
		}
		out.place = place
	}
	for days := range strings.SplitSeq(parts[0], ",") {
		first, last, ranged := strings.Cut(days, "-")
		if !ranged {
			last = first
		}
		from, to := weekday(first), weekday(last)
		if from < 0 || to < 0 {
			return nil, fmt.Errorf("the window %q has no days in %q; expected some of Mon, Tue, Wed, Thu, Fri, Sat, Sun, such as Mon-Thu,Sat", string(w), days)
		}
		for d := from; ; d = (d + 1) % 7 {
			out.days[d] = true
			if d == to {
				break
			}
		}
	}
	begin, end, ok := strings.Cut(parts[1], "-")
	out.from, out.to = minutesOf(begin), minutesOf(end)
	switch {
	case !ok || out.from < 0 || out.to < 0:
		return nil, wrong
	case out.from >= out.to:
		return nil, fmt.Errorf("the window %q ends before it begins; over midnight it takes two, such as \"Mon 22:00-24:00\" and \"Tue 00:00-06:00\"", string(w))
	}
	return out, nil
}

func weekday(name string) int {
	for i, d := range weekdays {
		if strings.EqualFold(d, name) {
			return i
		}
	}
	return -1
}

const midnight = 24 * 60 // of the day's end

// minutesOf is a time of the day in minutes; -1 if it is none.
func minutesOf(text string) int {
	if text == "24:00" {
		return midnight
	}
	t, err := time.Parse("15:04", text)
	if err != nil {
		return -1
	}
	return t.Hour()*60 + t.Minute()
}

// opens is when one of the windows is open next: now itself, if one is; zero if that is not
// within weeks. Windows that cannot be read are never open.
func opens(windows []Window, now time.Time) (at time.Time, isNow bool) {
	if len(windows) == 0 {
		return now, true
	}
	var best time.Time
	for _, text := range windows {
		w, err := text.parse()
		if err != nil {
			continue
		}
		if at := w.next(now); !at.IsZero() && (best.IsZero() || at.Before(best)) {
			best = at
		}
	}
	return best, best.Equal(now)
}

// open reports whether a clock at the place shows a time of the window.
func (w *window) open(at time.Time) bool {
	local := at.In(w.place)
	minute := local.Hour()*60 + local.Minute()
	return w.days[local.Weekday()] && w.from <= minute && minute < w.to
}

// ahead is how many days are looked through for when a window opens: the one of a week may
// have been left out by the clocks.
const ahead = 15

// next is when the window is open next; zero if that is not within the days looked through.
func (w *window) next(now time.Time) time.Time {
	if w.open(now) {
		return now
	}
	local := now.In(w.place)
	var best time.Time
	for day := range ahead {
		for _, at := range w.begins(local, day) {
			if at.After(now) && w.open(at) && (best.IsZero() || at.Before(best)) {
				best = at
			}
		}
		if !best.IsZero() {
			return best
		}
	}
	return best
}

// begins are when the window may open on a day: when a clock shows that it begins, and when
// the clocks are changed, by which it may show a time that is in it, or was in it before.
func (w *window) begins(from time.Time, day int) []time.Time {
	y, m, d := from.Date()
	begin := time.Date(y, m, d+day, w.from/60, w.from%60, 0, 0, w.place)
	noon := time.Date(y, m, d+day, 12, 0, 0, 0, w.place)
	all := []time.Time{begin}
	change, later := noon.ZoneBounds() // the last one before noon
	if !later.IsZero() && later.Sub(noon) <= 13*time.Hour {
		change = later
	}
	if change.IsZero() {
		return all
	}
	_, before := change.Add(-time.Nanosecond).Zone()
	_, after := change.Zone()
	shift := time.Duration(before-after) * time.Second
	return append(all, change, begin.Add(shift), begin.Add(-shift))
}
