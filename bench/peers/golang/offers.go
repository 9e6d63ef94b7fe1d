package golang

import (
	"bytes"
	"sync"

	goccy "github.com/goccy/go-json"

	"towpath.dev/bench/workload"
)

// W1Goccy is W1 with github.com/goccy/go-json, the headline peer.
func W1Goccy() (workload.Side, error) { return w1("go-goccy", workload.GoccyJSON()) }

// W1Std is W1 with encoding/json.
func W1Std() (workload.Side, error) { return w1("go-std", workload.StdJSON()) }

// W1Pooled is W1Goccy by a team that has been through a profiler: requests and
// buffers come from a pool.
func W1Pooled() (workload.Side, error) {
	type scratch struct {
		request workload.OffersRequest
		answer  bytes.Buffer
	}
	pool := sync.Pool{New: func() any { return new(scratch) }}
	var answer []byte
	return workload.Side{
		Name: "go-goccy-pooled",
		Answer: func(body []byte) ([]byte, error) {
			s := pool.Get().(*scratch)
			defer pool.Put(s)
			// What the decoder does not find must not be the last request's.
			clear(s.request.Offers)
			s.request = workload.OffersRequest{Offers: s.request.Offers[:0]}
			if err := goccy.UnmarshalNoEscape(body, &s.request); err != nil {
				return nil, err
			}
			s.answer.Reset()
			var value any
			if choice, ok := best(&s.request); ok {
				value = &choice
			}
			if err := goccy.NewEncoder(&s.answer).Encode(value); err != nil {
				return nil, err
			}
			answer = append(answer[:0], s.answer.Bytes()...) // as a write to the connection
			return answer, nil
		},
	}, nil
}

func w1(name string, c workload.Codec) (workload.Side, error) {
	return side(name, c,
		func(r *workload.OffersRequest) (any, error) {
			if choice, ok := best(r); ok {
				return &choice, nil
			}
			return nil, nil
		},
		func(r *workload.OffersRequest) error {
			keptChoice, keptOK = best(r)
			return nil
		})
}

var (
	keptChoice workload.Choice
	keptOK     bool
)

// best is the whole decision; ok is false when no offer is eligible.
//
//go:noinline
func best(r *workload.OffersRequest) (top workload.Choice, ok bool) {
	for i := range r.Offers {
		offer := &r.Offers[i]
		if !eligible(offer, &r.Shopper) {
			continue
		}
		if c := rate(offer, &r.Shopper); !ok || c.Score > top.Score {
			top, ok = c, true
		}
	}
	return top, ok
}

func eligible(o *workload.Offer, s *workload.Shopper) bool {
	return o.Stock > 0 && o.Rating >= 3.5 && o.Days <= s.MaxDays && o.Price+o.Shipping <= s.Budget
}

func rate(o *workload.Offer, s *workload.Shopper) workload.Choice {
	total := o.Price + o.Shipping
	bonus := 0.0
	if o.Condition == "new" {
		bonus = 8
	}
	score := float64(s.Budget-total)*0.03125 +
		(o.Rating-3)*12.5 -
		float64(o.Days*o.Days)*0.75 +
		float64(o.Stock)*0.125 +
		bonus*s.Novelty
	return workload.Choice{Offer: o.ID, Price: total, Score: score, Reason: reason(o)}
}

func reason(o *workload.Offer) string {
	switch {
	case o.Days <= 1:
		return "fast"
	case o.Condition == "new":
		return "new"
	default:
		return "value"
	}
}

// Best is the decision for those who bring the request decoded.
func Best(r *workload.OffersRequest) (workload.Choice, bool) { return best(r) }
