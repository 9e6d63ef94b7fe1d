package workload

import (
	"context"
	"fmt"
	"math/rand/v2"
)

// ShelfRequest is W4's input.
type ShelfRequest struct {
	Product string `json:"product"`
	Zip     string `json:"zip"`
}

// Listing is one of the offers that Catalog.offers answers.
type Listing struct {
	ID       string `json:"id"`
	Merchant string `json:"merchant"`
	Price    int    `json:"price"` // cents
	Stock    int    `json:"stock"`
}

// Profile is what Merchants.profile answers.
type Profile struct {
	ID      string  `json:"id"`
	Name    string  `json:"name"`
	Country string  `json:"country"`
	Rating  float64 `json:"rating"`
	Orders  int     `json:"orders"`
	Returns float64 `json:"returns"` // share of the orders
}

// Quote is what Delivery.quote answers.
type Quote struct {
	Carrier string `json:"carrier"`
	Price   int    `json:"price"` // cents
	Days    int    `json:"days"`
}

// Deal is W4's answer, null when there are no offers.
type Deal struct {
	Offer    string  `json:"offer"`
	Merchant string  `json:"merchant"` // its name
	Price    int     `json:"price"`    // cents, with delivery
	Days     int     `json:"days"`
	Score    float64 `json:"score"`
}

// Store holds the answers of W4's services as the JSON that they would send.
// It is read-only once built.
type Store struct {
	offers   map[string][]byte    // by product
	profiles map[string][]byte    // by merchant
	quotes   map[[2]string][]byte // by offer and zip

	byArgs map[string]map[string][]byte // the same, by operation and canonical arguments
}

// Offers is the answer of Catalog.offers.
func (s *Store) Offers(_ context.Context, product string) ([]byte, error) {
	return found(s.offers, product)
}

// Profile is the answer of Merchants.profile.
func (s *Store) Profile(_ context.Context, merchant string) ([]byte, error) {
	return found(s.profiles, merchant)
}

// Quote is the answer of Delivery.quote.
func (s *Store) Quote(_ context.Context, offer, zip string) ([]byte, error) {
	return found(s.quotes, [2]string{offer, zip})
}

// Batch answers one batch of calls of an operation ("Merchants.profile"): for
// each JSON array of arguments, the answer's JSON in the same place. It is the
// shape in which Towpath asks its sources, whose arguments are canonical: a
// store in memory is keyed by them as they are.
func (s *Store) Batch(_ context.Context, op string, args, answers [][]byte) error {
	stored, ok := s.byArgs[op]
	if !ok {
		return fmt.Errorf("no operation %s", op)
	}
	for i, call := range args {
		answer, ok := stored[string(call)]
		if !ok {
			return fmt.Errorf("nothing is stored for %s%s", op, call)
		}
		answers[i] = answer
	}
	return nil
}

func found[K comparable](m map[K][]byte, key K) ([]byte, error) {
	if answer, ok := m[key]; ok {
		return answer, nil
	}
	return nil, fmt.Errorf("nothing is stored for %v", key)
}

// W4 is a view of three rounds, each needing the one before: the offers of a
// product, the profiles of their twenty merchants, a delivery quote for the
// best. The services are in memory.
func W4() *Workload {
	w := &Workload{
		Name:    "W4",
		Doc:     "three dependent rounds of calls: 1, 20, 1",
		Same:    sameJSON[*Deal],
		Project: "w4",
		View:    "w4.deal",
		Store:   newStore(),
	}
	for product := range products {
		w.Inputs = append(w.Inputs, mustJSON(ShelfRequest{Product: productID(product), Zip: "10115"}))
	}
	return w
}

const (
	products         = 8
	offersPerProduct = 20
)

func productID(i int) string { return fmt.Sprintf("p-%d", 100+i) }

func newStore() *Store {
	s := &Store{
		offers:   map[string][]byte{},
		profiles: map[string][]byte{},
		quotes:   map[[2]string][]byte{},
	}
	rnd := rand.New(rand.NewPCG(7, 20))
	for p := range products {
		var listings []Listing
		for i := range offersPerProduct {
			number := p*offersPerProduct + i
			l := Listing{
				ID:       fmt.Sprintf("o-%d", 1000+number),
				Merchant: fmt.Sprintf("m-%d", 500+number),
				Price:    2000 + rnd.IntN(3000),
				Stock:    1 + rnd.IntN(40),
			}
			listings = append(listings, l)
			s.profiles[l.Merchant] = mustJSON(Profile{
				ID:      l.Merchant,
				Name:    fmt.Sprintf("Lamp House %d", number),
				Country: []string{"DE", "FR", "AT"}[rnd.IntN(3)],
				Rating:  0.25 * float64(8+rnd.IntN(13)),
				Orders:  rnd.IntN(100_000),
				Returns: 0.0078125 * float64(rnd.IntN(16)),
			})
			s.quotes[[2]string{l.ID, "10115"}] = mustJSON(Quote{
				Carrier: []string{"DHL", "DPD", "UPS"}[rnd.IntN(3)],
				Price:   300 + rnd.IntN(400),
				Days:    1 + rnd.IntN(5),
			})
		}
		s.offers[productID(p)] = mustJSON(listings)
	}
	s.byArgs = map[string]map[string][]byte{"Catalog.offers": {}, "Merchants.profile": {}, "Delivery.quote": {}}
	for product, answer := range s.offers {
		s.byArgs["Catalog.offers"][string(mustJSON([]string{product}))] = answer
	}
	for merchant, answer := range s.profiles {
		s.byArgs["Merchants.profile"][string(mustJSON([]string{merchant}))] = answer
	}
	for key, answer := range s.quotes {
		s.byArgs["Delivery.quote"][string(mustJSON(key))] = answer
	}
	return s
}
