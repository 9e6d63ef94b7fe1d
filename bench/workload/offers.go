package workload

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
)

// Shopper is who asks in W1. The tags name the fields alike for JSON, for expr
// and for CEL.
type Shopper struct {
	ID      string  `json:"id" expr:"id"`
	Budget  int     `json:"budget" expr:"budget"` // cents
	MaxDays int     `json:"maxDays" expr:"maxDays"`
	Novelty float64 `json:"novelty" expr:"novelty"` // weight of the bonus for new things
}

// Offer is one of W1's twenty.
type Offer struct {
	ID        string  `json:"id" expr:"id"`
	Condition string  `json:"condition" expr:"condition"` // new, used, refurbished
	Price     int     `json:"price" expr:"price"`         // cents
	Shipping  int     `json:"shipping" expr:"shipping"`   // cents
	Days      int     `json:"days" expr:"days"`
	Rating    float64 `json:"rating" expr:"rating"` // stars, in quarters
	Stock     int     `json:"stock" expr:"stock"`
}

// OffersRequest is W1's input, about 2 KB of JSON.
type OffersRequest struct {
	Shopper Shopper `json:"shopper" expr:"shopper"`
	Offers  []Offer `json:"offers" expr:"offers"`
}

// Choice is W1's answer, null when no offer is eligible.
type Choice struct {
	Offer  string  `json:"offer" expr:"offer"`
	Price  int     `json:"price" expr:"price"` // cents, with shipping
	Score  float64 `json:"score" expr:"score"`
	Reason string  `json:"reason" expr:"reason"`
}

// W1 is the best of twenty offers: filter by four conditions, score by thirteen
// arithmetic operations and a comparison of strings, take the highest score.
//
// Weights and ratings are binary fractions, so that every side's arithmetic,
// OPA's decimal one included, gives the same digits in any order.
func W1() *Workload {
	w := &Workload{
		Name:    "W1",
		Doc:     "best of 20 offers, 2 KB of JSON, money in cents",
		Same:    sameJSON[*Choice],
		Project: "w1",
		View:    "w1.best",
	}
	rnd := rand.New(rand.NewPCG(1, 20))
	for range 16 {
		w.Inputs = append(w.Inputs, mustJSON(offersRequest(rnd, 20)))
	}
	return w
}

// W1Edges are inputs off the beaten track, for the tests of equality.
func W1Edges() [][]byte {
	rnd := rand.New(rand.NewPCG(2, 20))
	poor := offersRequest(rnd, 20)
	poor.Shopper.Budget = 1
	edges := [][]byte{mustJSON(poor)}
	for n := range 40 {
		edges = append(edges, mustJSON(offersRequest(rnd, n)))
	}
	return edges
}

func offersRequest(rnd *rand.Rand, offers int) OffersRequest {
	r := OffersRequest{
		Shopper: Shopper{
			ID:      fmt.Sprintf("s-%d", 1000+rnd.IntN(9000)),
			Budget:  8000 + rnd.IntN(4000),
			MaxDays: 4 + rnd.IntN(4),
			Novelty: 0.5 * float64(1+rnd.IntN(4)),
		},
		Offers: []Offer{},
	}
	conditions := []string{"new", "used", "refurbished"}
	for i := range offers {
		r.Offers = append(r.Offers, Offer{
			ID:        fmt.Sprintf("o-%d", 1000+i),
			Condition: conditions[rnd.IntN(len(conditions))],
			Price:     4000 + rnd.IntN(7000),
			Shipping:  rnd.IntN(800),
			Days:      1 + rnd.IntN(8),
			Rating:    0.25 * float64(10+rnd.IntN(11)),
			Stock:     rnd.IntN(30),
		})
	}
	return r
}

func mustJSON(v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // the generators' own values: a mistake in this package
	}
	return text
}

// sameJSON compares answers by the values that they decode to.
func sameJSON[T any](a, b []byte) error {
	var x, y T
	if err := json.Unmarshal(a, &x); err != nil {
		return fmt.Errorf("%s: %w", a, err)
	}
	if err := json.Unmarshal(b, &y); err != nil {
		return fmt.Errorf("%s: %w", b, err)
	}
	if s, t := mustJSON(x), mustJSON(y); string(s) != string(t) {
		return fmt.Errorf("%s is not %s", s, t)
	}
	return nil
}
