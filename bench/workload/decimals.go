package workload

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"

	"github.com/govalues/decimal"
)

// DecimalShopper is a Shopper whose numbers are decimals.
type DecimalShopper struct {
	ID      string          `json:"id"`
	Budget  decimal.Decimal `json:"budget"`
	MaxDays int             `json:"maxDays"`
	Novelty decimal.Decimal `json:"novelty"`
}

// DecimalOffer is an Offer whose money and rating are decimals.
type DecimalOffer struct {
	ID        string          `json:"id"`
	Condition string          `json:"condition"`
	Price     decimal.Decimal `json:"price"`
	Shipping  decimal.Decimal `json:"shipping"`
	Days      int             `json:"days"`
	Rating    decimal.Decimal `json:"rating"`
	Stock     int             `json:"stock"`
}

// DecimalRequest is W1d's input.
type DecimalRequest struct {
	Shopper DecimalShopper `json:"shopper"`
	Offers  []DecimalOffer `json:"offers"`
}

// DecimalChoice is W1d's answer, null when no offer is eligible.
type DecimalChoice struct {
	Offer  string          `json:"offer"`
	Price  decimal.Decimal `json:"price"`
	Score  decimal.Decimal `json:"score"`
	Reason string          `json:"reason"`
}

// W1d is W1 with exact decimals in place of cents and floats. In JSON they are
// strings.
func W1d() *Workload {
	w := &Workload{
		Name:    "W1d",
		Doc:     "best of 20 offers, money and scores as exact decimals",
		Same:    sameDecimalChoice,
		Project: "w1d",
		View:    "w1d.best",
	}
	rnd := rand.New(rand.NewPCG(3, 20))
	for range 16 {
		w.Inputs = append(w.Inputs, mustJSON(decimals(offersRequest(rnd, 20))))
	}
	return w
}

// W1dEdges are inputs off the beaten track, for the tests of equality.
func W1dEdges() [][]byte {
	rnd := rand.New(rand.NewPCG(4, 20))
	var edges [][]byte
	for n := range 20 {
		edges = append(edges, mustJSON(decimals(offersRequest(rnd, n))))
	}
	return edges
}

// decimals turns cents into units of money.
func decimals(r OffersRequest) DecimalRequest {
	d := DecimalRequest{
		Shopper: DecimalShopper{
			ID:      r.Shopper.ID,
			Budget:  decimal.MustNew(int64(r.Shopper.Budget), 2),
			MaxDays: r.Shopper.MaxDays,
			Novelty: decimal.MustParse(fmt.Sprint(r.Shopper.Novelty)),
		},
		Offers: []DecimalOffer{},
	}
	for _, o := range r.Offers {
		d.Offers = append(d.Offers, DecimalOffer{
			ID:        o.ID,
			Condition: o.Condition,
			Price:     decimal.MustNew(int64(o.Price), 2),
			Shipping:  decimal.MustNew(int64(o.Shipping), 2),
			Days:      o.Days,
			Rating:    decimal.MustParse(fmt.Sprint(o.Rating)),
			Stock:     o.Stock,
		})
	}
	return d
}

// sameDecimalChoice compares numbers by value: 199.90 is 199.9.
func sameDecimalChoice(a, b []byte) error {
	trimmed := func(text []byte) ([]byte, error) {
		var c *DecimalChoice
		if err := json.Unmarshal(text, &c); err != nil || c == nil {
			return []byte("null"), err
		}
		c.Price, c.Score = c.Price.Trim(0), c.Score.Trim(0)
		return mustJSON(c), nil
	}
	x, err := trimmed(a)
	if err != nil {
		return err
	}
	y, err := trimmed(b)
	if err != nil {
		return err
	}
	if string(x) != string(y) {
		return fmt.Errorf("%s is not %s", x, y)
	}
	return nil
}
