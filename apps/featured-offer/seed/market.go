package main

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"time"
)

// size is how large a market is.
type size struct {
	products, merchants, offers int
}

// market is a marketplace in the making: all of it follows from its seed and size.
type market struct {
	size
	seed uint64

	basePrices []float64 // of products, in euros
	counts     []int     // of offers, by product
	merchants  []merchant
	weights    []float64 // of merchants, summed up: how likely an offer is theirs
}

type merchant struct {
	region  int // of regions
	prompt  float64
	premium float64 // on prices: what a merchant asks more or less than others
}

// region is where merchants are at home and shoppers live.
type region struct {
	name     string
	currency string
	euro     float64 // units of the currency for a euro
	digits   int     // behind the point, 0 or 2
	share    float64 // of the merchants
}

var regions = []region{
	{"Europe", "EUR", 1, 2, 0.5},
	{"NorthAmerica", "USD", 1.12, 2, 0.35},
	{"Japan", "JPY", 171, 0, 0.15},
}

// closing is the instant that the market is as of, and opening when its history
// begins.
var (
	closing = time.Date(2026, time.November, 23, 18, 0, 0, 0, time.UTC)
	opening = closing.AddDate(0, 0, -90)
)

// What the parts of a market are drawn from: a stream each, so that one more
// number in one of them leaves the others as they are.
const (
	streamProducts = iota + 1
	streamMerchants
	streamTransit
	streamOffers
	streamHistory
)

func (m *market) stream(n uint64) *rand.Rand { return rand.New(rand.NewPCG(m.seed, n)) }

func newMarket(seed uint64, s size) *market {
	m := &market{size: s, seed: seed}
	r := m.stream(streamProducts)
	for range s.products {
		// Half of the products cost less than 35 euros, one in fifty more than 400.
		m.basePrices = append(m.basePrices, max(2, 35*math.Exp(1.2*r.NormFloat64())))
	}
	m.counts = proportions(s.products, s.offers)
	r = m.stream(streamMerchants)
	sum := 0.0
	for i := range s.merchants {
		m.merchants = append(m.merchants, merchant{
			region: pick(r, regions[0].share, regions[1].share, regions[2].share), prompt: r.Float64(),
			premium: math.Exp(0.08 * r.NormFloat64()),
		})
		sum += math.Pow(float64(i)+10, -0.7)
		m.weights = append(m.weights, sum)
	}
	return m
}

// proportions deals offers out to products by the Zipf-Mandelbrot law: the product
// of rank k gets a share of (k+20)^-0.6. Of 150,000 offers of 10,000 products the
// first gets 265, the median one ten.
func proportions(products, offers int) []int {
	sum := 0.0
	weights := make([]float64, products)
	for k := range weights {
		weights[k] = math.Pow(float64(k)+21, -0.6)
		sum += weights[k]
	}
	counts := make([]int, products)
	given, share := 0, 0.0
	for k := range counts {
		share += weights[k] / sum
		upTo := int(math.Round(share * float64(offers)))
		counts[k], given = upTo-given, upTo
	}
	return counts
}

// pick is one of several, each as likely as its share.
func pick(r *rand.Rand, shares ...float64) int {
	x := r.Float64()
	for i, s := range shares {
		if x -= s; x < 0 {
			return i
		}
	}
	return len(shares) - 1
}

// one is one of several, all as likely.
func one[T any](r *rand.Rand, of []T) T { return of[r.IntN(len(of))] }

// writer takes the rows of a table, cell by cell in the columns' order: string,
// int, bool, span or nil. It is done with the cells when it returns.
type writer func(cells ...any) error

// span is a length of time in hours, written "1d12h".
type span int

func (s span) String() string {
	switch {
	case s < 24:
		return strconv.Itoa(int(s)) + "h"
	case s%24 == 0:
		return strconv.Itoa(int(s/24)) + "d"
	}
	return strconv.Itoa(int(s/24)) + "d" + strconv.Itoa(int(s%24)) + "h"
}

// amount is a price in a region's currency, with as many digits as its smallest
// coin has.
func (r *region) amount(euros float64) string {
	if r.digits == 0 {
		return strconv.FormatInt(int64(math.Round(euros*r.euro)), 10)
	}
	cents := int64(math.Round(euros * r.euro * 100))
	return fmt.Sprintf("%d.%02d", cents/100, cents%100)
}

func productID(i int) string  { return fmt.Sprintf("p-%05d", i+1) }
func merchantID(i int) string { return fmt.Sprintf("m-%04d", i+1) }
func offerID(i int) string    { return fmt.Sprintf("of-%06d", i+1) }

func (m *market) writeProducts(write writer) error {
	r := m.stream(streamProducts)
	for i, euros := range m.basePrices {
		var list, currency any // one product in four has no list price
		if r.Float64() < 0.75 {
			home := &regions[pick(r, 0.6, 0.3, 0.1)]
			list, currency = home.amount(euros*(1.05+0.25*r.Float64())), home.currency
		}
		title := one(r, adjectives) + " " + one(r, things)
		if err := write(productID(i), title, one(r, makers), list, currency); err != nil {
			return err
		}
	}
	return nil
}

func (m *market) writeMerchants(write writer) error {
	r := m.stream(streamMerchants)
	for i, s := range m.merchants {
		name := one(r, adjectives) + " " + one(r, shops)
		ratings := int(math.Exp(4.5+1.8*r.NormFloat64())) + 1
		rating := min(5, max(1, 4.45+0.4*r.NormFloat64()-0.5*s.prompt*r.Float64()))
		late := min(0.6, 0.01+0.08*s.prompt*s.prompt*r.ExpFloat64())
		joined := opening.AddDate(0, 0, -r.IntN(3000)).Format(time.DateOnly)
		err := write(merchantID(i), name, regions[s.region].name, joined,
			fmt.Sprintf("%.2f", rating), ratings, fmt.Sprintf("%.3f", late), r.Float64() < 0.015)
		if err != nil {
			return err
		}
	}
	return nil
}

// writeTransit writes how long the carriers need from each merchant to each
// region: a day or two at home, and up to two weeks across an ocean.
func (m *market) writeTransit(write writer) error {
	r := m.stream(streamTransit)
	for i, s := range m.merchants {
		for to := range regions {
			hours := 20 + r.IntN(40)
			if to != s.region {
				hours = 72 + r.IntN(10)*24 + r.IntN(24)
			}
			if err := write(merchantID(i), regions[to].name, one(r, carriers), span(hours)); err != nil {
				return err
			}
		}
	}
	return nil
}

// writeOffers writes what does not change about an offer. each hears of every
// offer, in order.
func (m *market) writeOffers(write writer) error {
	return m.eachOffer(func(o *offer) error {
		var grade any
		if o.grade > 0 {
			grade = o.grade
		}
		at := &regions[m.merchants[o.merchant].region]
		return write(offerID(o.number), productID(o.product), merchantID(o.merchant), conditions[o.condition], grade,
			at.currency, at.amount(o.shipping), span(o.handling), instant(o.listed))
	})
}

// offer is one merchant's offer of a product.
type offer struct {
	number, product, merchant int
	condition, grade          int
	price, shipping           float64 // in euros
	handling                  int     // hours
	listed                    time.Time
}

var conditions = []string{"New", "Refurbished", "Used"}

func (m *market) eachOffer(do func(o *offer) error) error {
	r := m.stream(streamOffers)
	number := 0
	taken := map[int]bool{}
	for product, count := range m.counts {
		clear(taken)
		for range count {
			by := m.seller(r, taken)
			s := &m.merchants[by]
			o := &offer{number: number, product: product, merchant: by, condition: pick(r, 0.7, 0.08, 0.22)}
			o.price = m.basePrices[product] * s.premium * math.Exp(0.06*r.NormFloat64())
			switch o.condition {
			case 1:
				o.price *= 0.85
			case 2:
				o.grade = 1 + pick(r, 0.08, 0.17, 0.3, 0.3, 0.15)
				o.price *= 0.45 + 0.08*float64(o.grade)
			}
			if r.Float64() < 0.45 { // others deliver free of charge
				o.shipping = 2.5 + 5*r.Float64()
			}
			o.handling = []int{4, 12, 24, 24, 48, 72}[min(5, int(6*s.prompt*r.Float64()*1.4))]
			o.listed = opening.Add(-time.Duration(r.IntN(400*24)) * time.Hour)
			if err := do(o); err != nil {
				return err
			}
			number++
		}
	}
	return nil
}

// seller draws a merchant, the first ones more often than the last, that does not
// offer the product yet if one is soon found.
func (m *market) seller(r *rand.Rand, taken map[int]bool) int {
	by := 0
	for range 20 {
		x := r.Float64() * m.weights[len(m.weights)-1]
		low, high := 0, len(m.weights)-1
		for low < high {
			if mid := (low + high) / 2; m.weights[mid] <= x {
				low = mid + 1
			} else {
				high = mid
			}
		}
		if by = low; !taken[by] {
			break
		}
	}
	taken[by] = true
	return by
}

// writeHistory writes what offers cost over time and how many were left: a row
// from each change to the next. Half of the offers hardly ever change, a few are
// repriced all the time.
func (m *market) writeHistory(write writer) error {
	r := m.stream(streamHistory)
	return m.eachOffer(func(o *offer) error {
		at := &regions[m.merchants[o.merchant].region]
		price, stock := o.price, 1
		if o.condition == 0 {
			stock = 1 + int(20*r.ExpFloat64())
		}
		since := opening
		rows := 1 + min(24, int(r.ExpFloat64()*r.ExpFloat64()*2.2))
		gap := closing.Sub(opening) / time.Duration(rows)
		for i := range rows {
			var until any
			next := since.Add(time.Minute + time.Duration(r.Int64N(int64(2*gap-time.Minute)))).Truncate(time.Second)
			last := i == rows-1 || !next.Before(closing)
			if !last {
				until = instant(next)
			}
			if err := write(offerID(o.number), instant(since), until, at.amount(price), stock); err != nil || last {
				return err
			}
			since = next
			switch what := r.Float64(); {
			case stock == 0:
				stock = 1 + int(20*r.ExpFloat64())
			case what < 0.25:
				stock = 0
			default:
				stock = max(1, stock-r.IntN(stock+1))
				price = max(o.price*0.7, min(o.price*1.3, price*(1+0.04*r.NormFloat64())))
			}
		}
		return nil
	})
}

func instant(t time.Time) string { return t.Format(time.RFC3339) }
