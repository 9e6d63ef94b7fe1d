package serve

import (
	"encoding/json"
	"strconv"
	"time"

	"towpath.dev/internal/run/fetch"
)

// timing is the Server-Timing header: the whole, then the passes together, then
// each ask, all in milliseconds.
//
//	total;dur=8.213, passes;dur=0.041;desc=3, Catalog.offers;dur=3.9;desc="1 call", Merchants.profile;dur=4.1;desc="20 calls, 3 hits"
func (q *query) timing() string {
	b := append(q.scratch.body[:0], "total;dur="...) // the body has been answered
	b = appendMillis(b, time.Since(q.begin))
	b = appendMillis(append(b, ", passes;dur="...), q.ran)
	if n := len(q.trace.Passes); n > 0 {
		b = strconv.AppendInt(append(b, ";desc="...), int64(n), 10)
	}
	const most = 20
	for i, e := range q.events {
		if i == most {
			break
		}
		b = append(append(append(append(b, ", "...), e.Operation.Service...), '.'), e.Operation.Name...)
		b = appendMillis(append(b, ";dur="...), e.End.Sub(e.Begin))
		b = append(appendAsk(append(b, ";desc=\""...), e), '"')
	}
	q.scratch.body = b
	return string(b)
}

// appendAsk says in words how an ask went.
func appendAsk(b []byte, e fetch.Event) []byte {
	b = strconv.AppendInt(b, int64(e.Calls), 10)
	b = append(b, " call"...)
	if e.Calls != 1 {
		b = append(b, 's')
	}
	for _, part := range []struct {
		n    int
		what string
	}{{e.Hits, " from the cache"}, {e.Joined, " shared"}, {e.Retried, " retried"}, {e.Failed, " failed"}} {
		if part.n > 0 {
			b = append(strconv.AppendInt(append(b, ", "...), int64(part.n), 10), part.what...)
		}
	}
	return b
}

// appendMillis appends a duration in milliseconds, with microseconds.
func appendMillis(b []byte, d time.Duration) []byte {
	us := max(d.Microseconds(), 0)
	b = strconv.AppendInt(b, us/1000, 10)
	if us %= 1000; us == 0 {
		return b
	}
	return append(b, '.', byte('0'+us/100), byte('0'+us/10%10), byte('0'+us%10))
}

// Story is how a request went, as it is recorded and explained. Times are
// nanoseconds from the request's beginning.
type Story struct {
	Total    int64          `json:"total"`
	Passes   []StoryPass    `json:"passes,omitempty"`
	Asks     []StoryAsk     `json:"asks,omitempty"`
	Verdicts []StoryVerdict `json:"verdicts,omitempty"`
}

// StoryPass is a run of the view.
type StoryPass struct {
	Begin   int64 `json:"begin"`
	End     int64 `json:"end"`
	Asked   int   `json:"asked"`
	Pending int   `json:"pending"`
	Gas     int64 `json:"gas"`
}

// StoryAsk is a batch of calls of one operation.
type StoryAsk struct {
	Operation string `json:"operation"`
	Begin     int64  `json:"begin"`
	End       int64  `json:"end"`
	Calls     int    `json:"calls"`
	Hits      int    `json:"hits,omitempty"`
	Joined    int    `json:"joined,omitempty"`
	Retried   int    `json:"retried,omitempty"`
	Failed    int    `json:"failed,omitempty"`
	Error     string `json:"error,omitempty"`
}

// StoryVerdict is a scope that did not complete.
type StoryVerdict struct {
	At   int64  `json:"at"`
	Shed bool   `json:"shed,omitempty"`
	File string `json:"file,omitempty"`
	Line int    `json:"line,omitempty"`
}

func (q *query) story() json.RawMessage {
	s := Story{Total: int64(time.Since(q.begin))}
	at := func(t time.Time) int64 { return int64(t.Sub(q.begin)) }
	for _, p := range q.trace.Passes {
		s.Passes = append(s.Passes, StoryPass{at(p.Begin), at(p.End), p.Asked, p.Pending, p.Gas})
	}
	for _, e := range q.events {
		ask := StoryAsk{Operation: e.Operation.QualifiedName(), Begin: at(e.Begin), End: at(e.End), Calls: e.Calls,
			Hits: e.Hits, Joined: e.Joined, Retried: e.Retried, Failed: e.Failed}
		if e.Err != nil {
			ask.Error = e.Err.Error()
		}
		s.Asks = append(s.Asks, ask)
	}
	for _, v := range q.trace.Verdicts {
		s.Verdicts = append(s.Verdicts, StoryVerdict{at(v.At), v.Shed, v.File, v.Place.Line})
	}
	text, err := json.Marshal(s)
	if err != nil {
		return nil // numbers and texts have JSON
	}
	return text
}
