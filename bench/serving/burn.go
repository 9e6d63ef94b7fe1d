package serving

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// burnSteps is how long a loop is that takes more than 5 ms of CPU time.
const burnSteps = 4_000_000

const burnPath = "/v1/w3/hashLoop"

// A Burned says what requests came to that take more than 5 ms of CPU time each.
type Burned struct {
	Calm     float64 // requests a second that closed loops get answered
	Asked    float64 // requests a second in overload
	Answered float64 // and what of them
	Failed   int     // neither answered nor refused
}

// Burn has a server of the kind "tow-burn" at addr answer as much as it can, and then
// asks it ten times as much for a while.
func Burn(addr string, span time.Duration) (Burned, error) {
	p := &pool{addr: addr}
	defer p.close()
	request := post(burnPath, fmt.Appendf(nil, `{"n":%d}`, burnSteps))
	var answered atomic.Int64
	var failure error
	var mu sync.Mutex
	var wg sync.WaitGroup
	begin := time.Now()
	for range 8 {
		wg.Go(func() {
			for time.Since(begin) < 3*time.Second {
				c, err := p.get()
				if err == nil {
					var status int
					if status, _, err = c.ask(request); err == nil {
						p.put(c)
						if status == 200 {
							answered.Add(1)
						}
						continue
					}
				}
				mu.Lock()
				failure = err
				mu.Unlock()
				return
			}
		})
	}
	wg.Wait()
	if failure != nil {
		return Burned{}, failure
	}
	b := Burned{Calm: float64(answered.Load()) / time.Since(begin).Seconds()}
	var o outcome
	rate := max(int(10*b.Calm), 10)
	begin = time.Now()
	openLoopOf(p, request, rate, span, &o)
	took := time.Since(begin).Seconds()
	b.Asked = float64(len(o.answered)+o.refused+o.failed) / took
	b.Answered, b.Failed = float64(len(o.answered))/took, o.failed
	return b, nil
}
