package deploy

import (
	"fmt"
	"strings"
	"time"
)

// A Window is a time of the week in which stages may begin, such as
// "Mon-Fri 08:00-17:00 Europe/Berlin". Without a place it is UTC's.
type Window string

type window struct {
	days     [7]bool // from Sunday
	from, to int     // minutes of the day
	place    *time.Location
}

var weekdays = []string{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"}

func (w Window) parse() (*window, error) {
	wrong := fmt.Errorf("the window %q cannot be read; expected one such as \"Mon-Fri 08:00-17:00 Europe/Berlin\"", string(w))
	parts := strings.Fields(string(w))
	if len(parts) != 2 && len(parts) != 3 {
		return nil, wrong
	}
	out := &window{place: time.UTC}
	if len(parts) == 3 {
		place, err := time.LoadLocation(parts[2])
		if err != nil {
			return nil, fmt.Errorf("the window %q: %w", string(w), err)
		}
		out.place = place
	}
	for days := range strings.SplitSeq(parts[0], ",") {
		first, last, ranged := strings.Cut(days, "-")
		from, to := weekday(first), weekday(last)
		if !ranged {
			to = from
		}
		if from < 0 || to < 0 {
			return nil, wrong
		}
		for d := from; ; d = (d + 1) % 7 {
			out.days[d] = true
			if d == to {
				break
			}
		}
	}
	begin, end, ok := strings.Cut(parts[1], "-")
	from, err1 := time.Parse("15:04", begin)
	to, err2 := time.Parse("15:04", end)
	if end == "24:00" {
		to, err2 = time.Date(0, 1, 2, 0, 0, 0, 0, time.UTC), nil
	}
	out.from, out.to = minutes(from), minutes(to)
	if end == "24:00" {
		out.to = 24 * 60
	}
	if !ok || err1 != nil || err2 != nil || out.from >= out.to {
		return nil, wrong
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

func minutes(t time.Time) int { return t.Hour()*60 + t.Minute() }

// opens is when one of the windows is open next: now itself, if one is. Windows that cannot
// be read are never open.
func opens(windows []Window, now time.Time) (time.Time, bool) {
	if len(windows) == 0 {
		return now, true
	}
	var best time.Time
	for _, text := range windows {
		w, err := text.parse()
		if err != nil {
			continue
		}
		if at := w.next(now); best.IsZero() || at.Before(best) {
			best = at
		}
	}
	return best, best.Equal(now)
}

// next is when the window is open next.
func (w *window) next(now time.Time) time.Time {
	local := now.In(w.place)
	for day := range 8 {
		y, m, d := local.Date()
		begin := time.Date(y, m, d+day, w.from/60, w.from%60, 0, 0, w.place)
		end := time.Date(y, m, d+day, w.to/60, w.to%60, 0, 0, w.place)
		switch {
		case !w.days[begin.Weekday()] || !now.Before(end):
		case now.Before(begin):
			return begin
		default:
			return now
		}
	}
	return time.Time{}
}
