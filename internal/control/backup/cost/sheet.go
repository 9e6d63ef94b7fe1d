package cost

import (
	_ "embed"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2"

	"towpath.dev/internal/blob"
)

// GB is what AWS bills as one.
const GB = 1 << 30

// Month is what the model takes a month for.
const Month = 30 * 24 * time.Hour

// A Sheet is what a store asks for.
type Sheet struct {
	Name     string // of the store
	Source   string // where the numbers are from
	Date     string // when they were, such as 2026-11-01
	Currency string // a sign, such as $

	Standard, Infrequent Prices
}

// Prices are those of a class of storage, in the sheet's currency.
type Prices struct {
	Storage   float64       // for a GB and month
	Put       float64       // for 1,000 PUT, COPY, POST and LIST
	Get       float64       // for 1,000 GET and all others, but DELETE, which is free
	Retrieval float64       // for a GB that is read
	MinSize   int64         // bytes that an object is billed for at least
	MinLife   time.Duration // for which an object is billed at least
}

//go:embed prices/aws-us-east-1-2026-11.toml
var defaultSheet []byte

// DefaultSheet is the sheet that comes with Towpath: of S3 in us-east-1.
func DefaultSheet() Sheet {
	s, err := Load("prices/aws-us-east-1-2026-11.toml", defaultSheet)
	if err != nil {
		panic(err) // a test reads it
	}
	return s
}

// Class is the one in which an object of so many bytes costs least, over all of its life, in
// which it is read so many times. The cheaper storage of Infrequent is paid for by each
// reading, and by each object that is small or dies young: so it depends on how often
// backups are verified.
func (s Sheet) Class(size int64, life time.Duration, reads float64) blob.Class {
	if s.whole(blob.Infrequent, size, life, reads) < s.whole(blob.Standard, size, life, reads) {
		return blob.Infrequent
	}
	return blob.Standard
}

// whole is what an object costs from its creation to its end.
func (s Sheet) whole(class blob.Class, size int64, life time.Duration, reads float64) float64 {
	p := s.Of(class)
	months := float64(max(life, p.MinLife)) / float64(Month)
	return p.Storage*months*float64(max(size, p.MinSize))/GB + p.Put/1000 +
		reads*(p.Get/1000+p.Retrieval*float64(size)/GB)
}

// Of is the prices of a class.
func (s Sheet) Of(class blob.Class) Prices {
	if class == blob.Infrequent {
		return s.Infrequent
	}
	return s.Standard
}

// A sheetFile is a sheet as its file has it: what is missing is nil.
type sheetFile struct {
	Name       *string         `toml:"name"`
	Source     *string         `toml:"source"`
	Date       *toml.LocalDate `toml:"date"`
	Currency   *string         `toml:"currency"`
	Standard   *pricesFile     `toml:"standard"`
	Infrequent *pricesFile     `toml:"infrequent"`
}

type pricesFile struct {
	Storage   *float64 `toml:"storage"`
	Put       *float64 `toml:"put"`
	Get       *float64 `toml:"get"`
	Retrieval float64  `toml:"retrieval"`
	MinSize   int64    `toml:"minimum-size"`
	MinDays   int64    `toml:"minimum-days"`
}

// Load reads a price sheet, which is called name in errors. All that the embedded one has is
// required, but retrieval and minima, which are 0 by default; and nothing else may be there.
func Load(name string, text []byte) (Sheet, error) {
	var f sheetFile
	if err := toml.NewDecoder(strings.NewReader(string(text))).DisallowUnknownFields().Decode(&f); err != nil {
		return Sheet{}, unreadable(name, err)
	}
	var faults []error
	missing := func(key, example string) {
		faults = append(faults, fmt.Errorf("%s: %s is missing; write it as in %s", name, key, example))
	}
	required := func(key string, value *string, example string) string {
		if value == nil || *value == "" {
			missing(key, example)
			return ""
		}
		return *value
	}
	s := Sheet{
		Name:     required("name", f.Name, `name = "AWS S3, us-east-1"`),
		Source:   required("source", f.Source, `source = "https://aws.amazon.com/s3/pricing/"`),
		Currency: required("currency", f.Currency, `currency = "$"`),
	}
	if f.Date == nil {
		missing("date", "date = 2026-11-01")
	} else {
		s.Date = f.Date.String()
	}
	var err error
	if s.Standard, err = f.Standard.prices(name, "standard"); err != nil {
		faults = append(faults, err)
	}
	if s.Infrequent, err = f.Infrequent.prices(name, "infrequent"); err != nil {
		faults = append(faults, err)
	}
	return s, errors.Join(faults...)
}

func (f *pricesFile) prices(file, table string) (Prices, error) {
	if f == nil {
		return Prices{}, fmt.Errorf("%s: the table [%s] is missing; a store with one class has the same prices in both", file, table)
	}
	p := Prices{Retrieval: f.Retrieval, MinSize: f.MinSize, MinLife: time.Duration(f.MinDays) * 24 * time.Hour}
	var faults []error
	for _, price := range []struct {
		key      string
		from     *float64
		to       *float64
		whatItIs string
	}{
		{"storage", f.Storage, &p.Storage, "the price of a GB and month"},
		{"put", f.Put, &p.Put, "the price of 1,000 PUT, COPY, POST and LIST"},
		{"get", f.Get, &p.Get, "the price of 1,000 GET and HEAD"},
		{"retrieval", &f.Retrieval, &p.Retrieval, "the price of a GB that is read"},
	} {
		switch {
		case price.from == nil:
			faults = append(faults, fmt.Errorf("%s: %s.%s is missing; it is %s", file, table, price.key, price.whatItIs))
		case !(*price.from >= 0 && *price.from < 1e6):
			faults = append(faults, fmt.Errorf("%s: %s.%s is %v; %s is 0 or more", file, table, price.key, *price.from, price.whatItIs))
		default:
			*price.to = *price.from
		}
	}
	if f.MinSize < 0 || f.MinDays < 0 || f.MinDays > 3650 {
		faults = append(faults, fmt.Errorf("%s: %s.minimum-size is %d and minimum-days %d; they are bytes and days, 0 or more and 3650 days at most", file, table, f.MinSize, f.MinDays))
	}
	return p, errors.Join(faults...)
}

// unreadable says where a file is no price sheet.
func unreadable(name string, err error) error {
	if strict, ok := errors.AsType[*toml.StrictMissingError](err); ok {
		var faults []error
		for _, e := range strict.Errors {
			line, column := e.Position()
			faults = append(faults, fmt.Errorf("%s:%d:%d: %s is no key of a price sheet; those are name, date, source, currency and, in [standard] and [infrequent], storage, put, get, retrieval, minimum-size and minimum-days",
				name, line, column, strings.Join(e.Key(), ".")))
		}
		return errors.Join(faults...)
	}
	if at, ok := errors.AsType[*toml.DecodeError](err); ok {
		line, column := at.Position()
		if key := strings.Join(at.Key(), "."); key != "" {
			return fmt.Errorf("%s:%d:%d: %s is of another type than in the sheet that comes with Towpath: prices and minima are numbers, date is a date such as 2026-11-01, and the others are texts in quotes", name, line, column, key)
		}
		return fmt.Errorf("%s:%d:%d: %s", name, line, column, strings.TrimPrefix(at.Error(), "toml: "))
	}
	return fmt.Errorf("%s: %w", name, err)
}
