package cost

import (
	"time"

	"towpath.dev/internal/blob"
)

// Usage is what a month's bill is of, by class.
type Usage struct {
	Standard, Infrequent ClassUsage
}

// ClassUsage is what of a class was used in a month.
type ClassUsage struct {
	ByteMonths float64 // bytes that were stored on average; minima of the class included
	Puts       float64
	Lists      float64
	Gets       float64
	Retrieved  float64 // bytes that were read
}

func (u *Usage) of(class blob.Class) *ClassUsage {
	if class == blob.Infrequent {
		return &u.Infrequent
	}
	return &u.Standard
}

// Counted is what a metering store has counted for objects of a class.
type Counted struct {
	Class                   blob.Class
	Create, Get, Head, List int64 // requests; of List its pages
	Down                    int64 // bytes that were read
	Stored                  int64 // bytes that are stored in the steady state
}

// FromMeter is a month's usage of what was counted in some time of the steady state: requests
// and reading go on at that rate, and what is stored stays. A run is too short to have a
// steady state of what is kept for months: Stored is for the caller to extrapolate.
func FromMeter(took time.Duration, counted ...Counted) Usage {
	var u Usage
	times := float64(Month) / float64(took)
	for _, c := range counted {
		of := u.of(c.Class)
		of.ByteMonths += float64(c.Stored)
		of.Puts += float64(c.Create) * times
		of.Lists += float64(c.List) * times
		of.Gets += float64(c.Get+c.Head) * times
		of.Retrieved += float64(c.Down) * times
	}
	return u
}

// A Bill is what a scheme costs a month.
type Bill struct {
	Name  string  `json:"name"`
	Lines []Line  `json:"lines"` // the same of each bill
	Total float64 `json:"total"`
	// What is bought, for people; empty of a metered bill.
	Loses    string `json:"loses,omitempty"`    // at most, when the cluster is lost
	Restores string `json:"restores,omitempty"` // to which points
	Note     string `json:"note,omitempty"`
}

// A Line is a quantity, its price, and what that comes to.
type Line struct {
	Item     string  `json:"item"`
	Quantity float64 `json:"quantity"`
	Unit     string  `json:"unit"`
	Price    float64 `json:"price"` // of one unit
	Cost     float64 `json:"cost"`
}

// Bill is what usage costs.
func (s Sheet) Bill(name string, u Usage) Bill {
	b := Bill{Name: name}
	line := func(item string, quantity float64, unit string, price float64) {
		b.Lines = append(b.Lines, Line{item, quantity, unit, price, quantity * price})
		b.Total += quantity * price
	}
	line("storage, standard", u.Standard.ByteMonths/GB, "GB-month", s.Standard.Storage)
	line("storage, infrequent", u.Infrequent.ByteMonths/GB, "GB-month", s.Infrequent.Storage)
	line("PUT, standard", u.Standard.Puts/1000, "1,000", s.Standard.Put)
	line("PUT, infrequent", u.Infrequent.Puts/1000, "1,000", s.Infrequent.Put)
	line("LIST", (u.Standard.Lists+u.Infrequent.Lists)/1000, "1,000", s.Standard.Put)
	line("GET, standard", u.Standard.Gets/1000, "1,000", s.Standard.Get)
	line("GET, infrequent", u.Infrequent.Gets/1000, "1,000", s.Infrequent.Get)
	line("reading, standard", u.Standard.Retrieved/GB, "GB", s.Standard.Retrieval)
	line("reading, infrequent", u.Infrequent.Retrieved/GB, "GB", s.Infrequent.Retrieval)
	return b
}
