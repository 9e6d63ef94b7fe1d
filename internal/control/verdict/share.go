package verdict

import "math"

// Slack is how much worse than the control's a candidate's hosts may be when they are not the same.
const Slack = 1.2

// atOnce is by how much a bettor's money grows at most in one window between hosts. Those say what
// they counted at times that are some hundred milliseconds apart: where all of them begin to fail,
// the window of one has more of it than that of another. One window decides nothing; five do.
const atOnce = 10

// A Share is the part of the comparable requests that the candidate answered, and how much of a
// difference the hosts may make.
type Share struct{ of, slack float64 }

// Stored is the share of the same-host design: the probability by which a hash assigns each root
// request to the candidate, while both releases run on one host and share what it has.
// None or all of the requests say nothing of a difference.
func Stored(w float64) Share { return Share{w, 1} }

// Measured is the share of the fallback design, host against hosts: the requests of one view that
// ended in one window, at the candidate's host and at the control's. The candidate's host may be
// up to 1.2 times worse, or better, for what is not the candidate's fault.
func Measured(ended Pair) Share {
	if ended.Candidate <= 0 || ended.Control <= 0 {
		return Share{0, Slack}
	}
	c := float64(ended.Candidate)
	return Share{c / (c + float64(ended.Control)), Slack}
}

// if the candidate is k times worse, its share of the bad events is worse(w, k).
func worse(w, k float64) float64 { return k * w / (k*w + 1 - w) }

// null is the greatest share of bad events of a candidate that is no worse.
func (s Share) null() float64 { return worse(s.of, s.slack) }

// bad is the least share of bad events of a candidate that is k times worse.
func (s Share) bad(k float64) float64 { return worse(s.of, max(1, k/s.slack)) }

// silent reports whether events at this share say nothing.
func (s Share) silent() bool { return !(s.of > 0 && s.of < 1) }

// valid reports whether it is a share at all.
func (s Share) valid() bool { return s.of >= 0 && s.of <= 1 && !math.IsNaN(s.of) }
