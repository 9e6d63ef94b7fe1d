package backups

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// Records are those of a shop: offers, price lists and customers, JSON of some 1.4 KB each.
// What a record is at a version depends on nothing but the seed, its number and the version,
// so none of them is kept.
type Records struct {
	seed     uint64
	versions []int32
	changed  []time.Time // when each got its version
}

// begun is when records are as old as they can be.
var begun = time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC)

// NewRecords are n records.
func NewRecords(seed uint64, n int) *Records {
	s := &Records{seed: seed, versions: make([]int32, n), changed: make([]time.Time, n)}
	r := rand.New(rand.NewPCG(seed, 1))
	for i := range n {
		s.versions[i] = 1 + int32(r.ExpFloat64()*20)
		s.changed[i] = begun.Add(time.Duration(r.IntN(200*24*3600*1000)) * time.Millisecond)
	}
	return s
}

// Len is how many there are.
func (s *Records) Len() int { return len(s.versions) }

// Key is a record's key.
func (s *Records) Key(i int) string {
	id := s.id(i)
	switch kindOf(i) {
	case customers:
		return "/shop/customers/" + id
	case priceLists:
		return "/shop/prices/" + id
	}
	return "/shop/offers/" + id
}

// Update gives a record its next version, as of an instant.
func (s *Records) Update(i int, at time.Time) {
	s.versions[i]++
	s.changed[i] = at
}

// Value is a record as it is now.
func (s *Records) Value(i int) []byte {
	var v any
	switch kindOf(i) {
	case customers:
		v = s.customer(i)
	case priceLists:
		v = s.prices(i)
	default:
		v = s.offer(i)
	}
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // structs of strings and numbers
	}
	return text
}

type kind int

const (
	offers kind = iota
	priceLists
	customers
)

// kindOf mixes kinds: of twenty records twelve are offers, five price lists, three customers.
func kindOf(i int) kind {
	switch i * 7 % 20 {
	case 0, 1, 2:
		return customers
	case 3, 4, 5, 6, 7:
		return priceLists
	}
	return offers
}

// fixed is where what never changes of a record comes from.
func (s *Records) fixed(i int) *rand.Rand { return rand.New(rand.NewPCG(s.seed, uint64(i)<<20)) }

// moving is where what a version has comes from.
func (s *Records) moving(i int, version int32) *rand.Rand {
	return rand.New(rand.NewPCG(s.seed, uint64(i)<<20|uint64(version)))
}

// id is unique and random, as identifiers are.
func (s *Records) id(i int) string { return identifier(rand.New(rand.NewPCG(s.seed+1, uint64(i)))) }

func identifier(r *rand.Rand) string { return hex.EncodeToString(random(r, 12)) }

func random(r *rand.Rand, n int) []byte {
	var b []byte
	for len(b) < n {
		b = binary.LittleEndian.AppendUint64(b, r.Uint64())
	}
	return b[:n]
}

type money struct {
	Amount   string `json:"amount"`
	Currency string `json:"currency"`
}

func euros(cents int) money { return money{fmt.Sprintf("%d.%02d", cents/100, cents%100), "EUR"} }

type warehouse struct {
	Location string `json:"location"`
	Quantity int    `json:"quantity"`
	Reserved int    `json:"reserved"`
	Restock  string `json:"restock_on,omitempty"`
}

type delivery struct {
	Carrier string `json:"carrier"`
	Service string `json:"service"`
	MinDays int    `json:"min_days"`
	MaxDays int    `json:"max_days"`
	Cost    money  `json:"cost"`
}

type offer struct {
	ID          string            `json:"id"`
	SKU         string            `json:"sku"`
	EAN         string            `json:"ean"`
	Merchant    party             `json:"merchant"`
	Title       string            `json:"title"`
	Description string            `json:"description"`
	Categories  []string          `json:"categories"`
	Attributes  map[string]string `json:"attributes"`
	Condition   string            `json:"condition"`
	Price       money             `json:"price"`
	ListPrice   money             `json:"list_price"`
	TaxRate     string            `json:"tax_rate"`
	Stock       []warehouse       `json:"stock"`
	Delivery    []delivery        `json:"delivery"`
	Rating      rating            `json:"rating"`
	Images      []string          `json:"images"`
	Active      bool              `json:"active"`
	CreatedAt   time.Time         `json:"created_at"`
	UpdatedAt   time.Time         `json:"updated_at"`
	Version     int32             `json:"version"`
	ETag        string            `json:"etag"`
}

type party struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Country string `json:"country"`
}

type rating struct {
	Count   int     `json:"count"`
	Average float64 `json:"average"`
}

// merchant is one of some hundreds.
func (s *Records) merchant(n int) party {
	r := rand.New(rand.NewPCG(s.seed+2, uint64(n)))
	return party{"m-" + hex.EncodeToString(random(r, 4)), pick(r, companies) + " " + pick(r, companies) + " " + pick(r, forms), pick(r, []string{"DE", "DE", "DE", "AT", "CH", "FR", "NL", "IT", "PL"})}
}

func (s *Records) offer(i int) offer {
	r, m := s.fixed(i), s.moving(i, s.versions[i])
	brand, thing, colour := pick(r, brands), pick(r, things), pick(r, colours)
	list := 500 + int(r.ExpFloat64()*6000)
	o := offer{
		ID: s.id(i), EAN: fmt.Sprintf("40%011d", r.Int64N(1e11)), Merchant: s.merchant(r.IntN(400)),
		SKU:         fmt.Sprintf("%s-%05d-%s", strings.ToUpper(brand[:3]), r.IntN(1e5), strings.ToUpper(colour[:3])),
		Title:       fmt.Sprintf("%s %s %s, %s, %s", brand, pick(r, qualities), thing, pick(r, qualities), colour),
		Description: text(r, 25+r.IntN(30)), Categories: []string{pick(r, sections), pick(r, sections)},
		Attributes: map[string]string{"brand": brand, "colour": colour, "material": pick(r, materials), "weight_grams": fmt.Sprint(50 + r.IntN(9000)), "energy_class": pick(r, strings.Fields("A B C D E"))},
		Condition:  pick(r, []string{"new", "new", "new", "new", "refurbished", "used"}), TaxRate: pick(r, []string{"0.19", "0.19", "0.07"}),
		ListPrice: euros(list), CreatedAt: s.created(r, i),
	}
	for range 1 + r.IntN(3) {
		o.Delivery = append(o.Delivery, delivery{pick(r, carriers), pick(r, []string{"standard", "express", "pickup"}), 1 + r.IntN(2), 3 + r.IntN(4), euros(r.IntN(10) * 100)})
	}
	for range 1 + r.IntN(3) {
		sum := random(r, 16)
		o.Images = append(o.Images, fmt.Sprintf("https://images.shop.example/p/%02x/%x.jpg", sum[0], sum))
	}
	for range 1 + r.IntN(3) {
		w := warehouse{Location: pick(r, depots), Quantity: int(m.ExpFloat64() * 30), Reserved: m.IntN(4)}
		if w.Quantity < 5 {
			w.Restock = s.changed[i].AddDate(0, 0, 3+m.IntN(20)).Format(time.DateOnly)
		}
		o.Stock = append(o.Stock, w)
	}
	o.Price = euros(list * (70 + m.IntN(31)) / 100)
	count := r.IntN(2000)
	o.Rating = rating{count + int(s.versions[i])/3, float64(100+r.IntN(400)) / 100}
	o.Active, o.UpdatedAt, o.Version, o.ETag = o.Stock[0].Quantity > 0, s.changed[i], s.versions[i], hex.EncodeToString(random(m, 8))
	return o
}

func (s *Records) created(r *rand.Rand, i int) time.Time {
	return begun.Add(-time.Duration(r.Int64N(int64(900 * 24 * time.Hour)))).Truncate(time.Second)
}

type priceList struct {
	ID        string       `json:"id"`
	OfferID   string       `json:"offer_id"`
	Merchant  party        `json:"merchant"`
	Channel   string       `json:"channel"`
	Floor     money        `json:"floor"`
	Ceiling   money        `json:"ceiling"`
	Current   money        `json:"current"`
	Rule      string       `json:"rule"`
	History   []priceEntry `json:"history"`
	CreatedAt time.Time    `json:"created_at"`
	UpdatedAt time.Time    `json:"updated_at"`
	Version   int32        `json:"version"`
}

type priceEntry struct {
	At     time.Time `json:"at"`
	Price  money     `json:"price"`
	Reason string    `json:"reason"`
	By     string    `json:"by"`
}

// prices has the last ten prices; each version adds one and lets the oldest go.
func (s *Records) prices(i int) priceList {
	r := s.fixed(i)
	list := 500 + int(r.ExpFloat64()*6000)
	p := priceList{
		ID: s.id(i), OfferID: identifier(r), Merchant: s.merchant(r.IntN(400)), Channel: pick(r, channels),
		Floor: euros(list * 6 / 10), Ceiling: euros(list * 11 / 10), Rule: "beat " + pick(r, companies) + " by " + fmt.Sprint(r.IntN(5)) + "%",
		CreatedAt: s.created(r, i), UpdatedAt: s.changed[i], Version: s.versions[i],
	}
	at := s.changed[i]
	for v := s.versions[i]; v > max(0, s.versions[i]-10); v-- {
		m := s.moving(i, v)
		price := euros(list * (60 + m.IntN(50)) / 100)
		if v == s.versions[i] {
			p.Current = price
		}
		p.History = append(p.History, priceEntry{at, price, pick(m, reasons), pick(m, []string{"engine", "engine", "engine", strings.ToLower(pick(m, firstNames) + "." + pick(m, lastNames))})})
		at = at.Add(-time.Duration(m.ExpFloat64() * float64(40*time.Hour))).Truncate(time.Millisecond)
	}
	return p
}

type customer struct {
	ID          string    `json:"id"`
	Number      string    `json:"number"`
	FirstName   string    `json:"first_name"`
	LastName    string    `json:"last_name"`
	Email       string    `json:"email"`
	Phone       string    `json:"phone"`
	BornOn      string    `json:"born_on"`
	Addresses   []address `json:"addresses"`
	Payment     []payment `json:"payment_methods"`
	Consents    []consent `json:"consents"`
	Points      int       `json:"loyalty_points"`
	Orders      []order   `json:"recent_orders"`
	Segment     string    `json:"segment"`
	Locale      string    `json:"locale"`
	LastSeenAt  time.Time `json:"last_seen_at"`
	CreatedAt   time.Time `json:"created_at"`
	UpdatedAt   time.Time `json:"updated_at"`
	Version     int32     `json:"version"`
	SessionHash string    `json:"session_hash"`
}

type address struct {
	Kind       string `json:"kind"`
	Street     string `json:"street"`
	PostalCode string `json:"postal_code"`
	City       string `json:"city"`
	Country    string `json:"country"`
}

type payment struct {
	Kind    string `json:"kind"`
	Token   string `json:"token"`
	Last    string `json:"last_four"`
	Expires string `json:"expires"`
}

type consent struct {
	Purpose string    `json:"purpose"`
	Granted bool      `json:"granted"`
	At      time.Time `json:"at"`
}

type order struct {
	ID     string    `json:"id"`
	At     time.Time `json:"at"`
	Total  money     `json:"total"`
	Status string    `json:"status"`
}

func (s *Records) customer(i int) customer {
	r, m := s.fixed(i), s.moving(i, s.versions[i])
	first, last := pick(r, firstNames), pick(r, lastNames)
	c := customer{
		ID: s.id(i), Number: fmt.Sprintf("C%08d", r.IntN(1e8)), FirstName: first, LastName: last,
		Email: fmt.Sprintf("%s.%s%d@mail.example", strings.ToLower(first), strings.ToLower(last), r.IntN(100)),
		Phone: fmt.Sprintf("+49 1%d %07d", 50+r.IntN(30), r.IntN(1e7)), BornOn: begun.AddDate(-18-r.IntN(60), 0, -r.IntN(365)).Format(time.DateOnly),
		Segment: pick(r, []string{"new", "regular", "premium", "business"}), Locale: pick(r, []string{"de-DE", "de-AT", "fr-FR", "nl-NL", "it-IT"}),
		CreatedAt: s.created(r, i), UpdatedAt: s.changed[i], LastSeenAt: s.changed[i], Version: s.versions[i],
		Points: int(s.versions[i])*10 + m.IntN(10), SessionHash: hex.EncodeToString(random(m, 16)),
	}
	for _, kind := range []string{"billing", "shipping"}[:1+r.IntN(2)] {
		c.Addresses = append(c.Addresses, address{kind, fmt.Sprintf("%s %d", pick(r, streets), 1+r.IntN(150)), fmt.Sprintf("%05d", 1000+r.IntN(98000)), pick(r, cities), "DE"})
	}
	for range 1 + r.IntN(2) {
		c.Payment = append(c.Payment, payment{pick(r, []string{"card", "debit", "paypal"}), "tok_" + hex.EncodeToString(random(r, 12)), fmt.Sprintf("%04d", r.IntN(1e4)), fmt.Sprintf("%02d/%02d", 1+r.IntN(12), 27+r.IntN(5))})
	}
	for _, purpose := range []string{"newsletter", "profiling", "third_party"} {
		c.Consents = append(c.Consents, consent{purpose, r.IntN(3) > 0, c.CreatedAt.Add(time.Duration(r.IntN(1e6)) * time.Second)})
	}
	for v := s.versions[i]; v > max(0, s.versions[i]-5); v-- {
		o := s.moving(i, v)
		c.Orders = append(c.Orders, order{"o-" + hex.EncodeToString(random(o, 6)), s.changed[i].Add(-time.Duration(s.versions[i]-v) * 311 * time.Hour), euros(900 + int(o.ExpFloat64()*8000)), pick(o, []string{"paid", "shipped", "delivered", "returned"})})
	}
	return c
}
