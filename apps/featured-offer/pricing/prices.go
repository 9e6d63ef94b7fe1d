package main

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/ncruces/go-sqlite3"
)

// money is a price as JSON has it.
type money struct {
	Amount   string `json:"amount"`
	Currency string `json:"currency"`
}

// euros is an amount in euros.
type euros float64

// lowest is what other markets ask for a product at the least; nil when they do
// not have it, as it is with one in ten.
func (s *service) lowest(product string) *money {
	h := fnv.New64a()
	_, _ = h.Write([]byte(product)) // a hash's never fails
	r := rand.New(rand.NewPCG(h.Sum64(), 1))
	if r.Float64() < 0.1 {
		return nil
	}
	price, known := s.market[product]
	if !known {
		price = euros(35 * math.Exp(1.2*r.NormFloat64()))
	}
	// From a little less than in the market to a fifth more; for one in twenty so
	// much less that an offer there looks dear.
	factor := 0.95 + 0.25*r.Float64()
	if r.Float64() < 0.05 {
		factor = 0.6 + 0.2*r.Float64()
	}
	cents := max(1, int64(math.Round(float64(price)*factor*100)))
	return &money{fmt.Sprintf("%d.%02d", cents/100, cents%100), "EUR"}
}

// readMarket reads what new and available offers cost in a market, delivered.
func readMarket(ctx context.Context, file string) (_ map[string]euros, err error) {
	db, err := sqlite3.OpenFlags(file, sqlite3.OPEN_READONLY)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	db.SetInterrupt(ctx)
	// The amounts are texts; as real numbers they are near enough here.
	s, _, err := db.Prepare(`select product, min(price + shipping) from current_offers
		where currency = 'EUR' and condition = 'New' and stock > 0 group by product`)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	prices := map[string]euros{}
	for s.Step() {
		prices[s.ColumnText(0)] = euros(s.ColumnFloat(1))
	}
	return prices, s.Err()
}

const (
	median    = 4 * time.Millisecond
	lateAfter = 10 * time.Millisecond
)

// delays says how long answers take: log-normal, as the times of many services are.
type delays struct {
	seed  uint64
	sigma float64 // of the logarithm
	n     atomic.Uint64
}

// newDelays chooses the spread so that a share of them is beyond lateAfter.
func newDelays(seed uint64, late float64) *delays {
	z := math.Sqrt2 * math.Erfinv(1-2*late) // the share lies beyond z standard deviations
	return &delays{seed: seed, sigma: math.Log(float64(lateAfter)/float64(median)) / z}
}

func (d *delays) next() time.Duration {
	r := rand.New(rand.NewPCG(d.seed, d.n.Add(1)))
	return time.Duration(float64(median) * math.Exp(d.sigma*r.NormFloat64()))
}
