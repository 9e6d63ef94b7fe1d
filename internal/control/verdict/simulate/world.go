package simulate

import (
	"math"
	"math/rand/v2"

	"towpath.dev/internal/control/verdict"
)

// metrics are those that every simulated deployment has.
var metrics = [...]string{verdict.Error, verdict.Timeout, verdict.Slow, verdict.CPU}

const errs = 0 // the index of verdict.Error

// A world is what happens to one deployment while it runs, second by second.
type world struct {
	seconds int
	share   float64 // of the candidate; 0: it drifts, over stages and within them
	worse   float64 // how much worse the candidate is in errors
	from    int     // second from which it is so
	retries int     // bad answers that a bad root request gives at most; all of them are counted
	rates   [len(metrics)]float64
}

// traffic is requests a second, of both.
const traffic = 100

// healthy is an hour in which the candidate is what the control is.
func healthy(rng *rand.Rand) world {
	w := world{seconds: 3600, worse: 1, retries: 1}
	for i := range w.rates {
		w.rates[i] = 1e-4 * math.Pow(20, rng.Float64()) // 0.01% to 0.2%
	}
	return w
}

// A bad is a root request that was answered badly.
type bad struct {
	second    int
	share     float64 // by which it was assigned
	candidate bool
	metrics   uint8 // a bit for each
	answers   int   // of it that were bad
}

// play gives each bad request in turn until yield says no.
//
// What is drawn is as unpleasant as production is: the host's part in what goes wrong differs from
// host to host, and the program is moved among them; every few minutes a dependency fails for
// some seconds, and tens of requests fail together; a request that is slow is an error too, or takes too
// much CPU. None of that depends on the release, which the hash of the request alone decides.
func (w world) play(rng *rand.Rand, yield func(bad) bool) {
	host, share := 1.0, w.share
	burst, burstOf, burstTimes := 0, 0, 1.0
	for second := range w.seconds {
		if second%600 == 0 {
			host = 0.5 + 1.5*rng.Float64()
		}
		if w.share == 0 {
			share = drift(rng, share, second, w.seconds)
		}
		if burst--; burst < 0 && rng.Float64() < 1./300 {
			burst, burstOf, burstTimes = 1+rng.IntN(20), rng.IntN(len(metrics)), 5+45*rng.Float64()
		}
		for m, p := range w.rates {
			worse := 1.0
			if m == errs && second >= w.from {
				worse = w.worse
			}
			p *= host * max(worse, 1)
			if burst >= 0 && m == burstOf {
				p *= burstTimes
			}
			for range poisson(rng, p*traffic) {
				b := bad{second: second, share: share, metrics: 1 << m, answers: 1 + rng.IntN(w.retries)}
				b.candidate = assigned(rng.Uint64(), share)
				if keep := 1 / worse; (b.candidate && worse < 1 && rng.Float64() > worse) || (!b.candidate && worse > 1 && rng.Float64() > keep) {
					continue
				}
				if other := rng.IntN(2 * len(metrics)); other < len(metrics) && w.worse == 1 {
					b.metrics |= 1 << other
				}
				if !yield(b) {
					return
				}
			}
		}
	}
}

// drift is the share in a second: 1%, 5%, 10%, 25%, 50% in five stages, and in each a walk of some
// percent a second within a third and thrice that.
func drift(rng *rand.Rand, share float64, second, seconds int) float64 {
	stages := [...]float64{0.01, 0.05, 0.1, 0.25, 0.5}
	length := (seconds + len(stages) - 1) / len(stages)
	stage := stages[second/length]
	if second%length == 0 {
		return stage
	}
	return min(max(share*math.Exp(0.05*rng.NormFloat64()), stage/3), stage*3, 0.9)
}

// assigned is what a hash of a root request says.
func assigned(request uint64, share float64) bool {
	return float64(mix(request)>>11)/(1<<53) < share
}

// poisson draws a number with a mean.
func poisson(rng *rand.Rand, mean float64) int {
	if mean > 50 { // near enough a normal one, and far quicker
		return max(0, int(math.Round(mean+math.Sqrt(mean)*rng.NormFloat64())))
	}
	n := 0
	for p, limit := rng.Float64(), math.Exp(-mean); p > limit; p *= rng.Float64() {
		n++
	}
	return n
}
