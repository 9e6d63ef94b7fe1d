package main

import (
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ncruces/go-sqlite3"
)

var small = size{products: 300, merchants: 60, offers: 3000}

// quiet shows nothing.
type quiet struct{}

func (quiet) begin(string, int) func() { return func() {} }
func (quiet) step()                    {}
func (quiet) note(string, ...any)      {}
func (quiet) close()                   {}

// sum is the hash of all rows of a market.
func sum(t *testing.T, m *market) string {
	t.Helper()
	h := sha256.New()
	for i := range tables {
		if err := encode(m, &tables[i], h, quiet{}); err != nil {
			t.Fatal(err)
		}
	}
	return fmt.Sprintf("%x", h.Sum(nil))
}

func TestSameSeedSameMarket(t *testing.T) {
	one, again, other := newMarket(1, small), newMarket(1, small), newMarket(2, small)
	if sum(t, one) != sum(t, again) {
		t.Error("one seed gives two markets")
	}
	if sum(t, one) == sum(t, other) {
		t.Error("two seeds give the same market")
	}
}

func TestProportions(t *testing.T) {
	counts := proportions(10_000, 150_000)
	all := 0
	for _, n := range counts {
		all += n
	}
	if all != 150_000 {
		t.Errorf("%d offers are dealt out of 150000", all)
	}
	if counts[0] < 200 || counts[0] > 300 || counts[5000] < 8 || counts[5000] > 12 || counts[9999] < 4 {
		t.Errorf("the first product has %d offers, the median one %d, the last %d", counts[0], counts[5000], counts[9999])
	}
}

// TestMarketIsLifelike checks what the application and its load tests rely on.
func TestMarketIsLifelike(t *testing.T) {
	file := filepath.Join(t.TempDir(), "market.db")
	if err := writeSQLite(t.Context(), newMarket(1, size{products: 2000, merchants: 400, offers: 20_000}), file, false, quiet{}); err != nil {
		t.Fatal(err)
	}
	db, err := sqlite3.OpenFlags(file, sqlite3.OPEN_READONLY)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for query, between := range map[string][2]float64{
		"select count(*) from current_offers":                                                                    {20_000, 20_000},
		"select avg(stock = 0) from current_offers":                                                              {0.03, 0.3},
		"select count(*) / 20000.0 from price_history":                                                           {1.8, 5},
		"select avg(condition = 'Used') from offers":                                                             {0.15, 0.3},
		"select avg(currency = 'JPY') from offers":                                                               {0.05, 0.3},
		"select avg(shipping + 0 = 0) from offers":                                                               {0.4, 0.7},
		"select avg(suspended) from merchants":                                                                   {0.002, 0.04},
		"select avg(rating + 0) from merchants":                                                                  {4, 4.7},
		"select avg(late_share + 0) from merchants":                                                              {0.01, 0.1},
		"select count(*) from offers where (condition = 'Used') <> (grade is not null)":                          {0, 0},
		"select count(*) from price_history where until <= since":                                                {0, 0},
		"select count(*) from price_history where price + 0 <= 0 or stock < 0":                                   {0, 0},
		"select count(*) from offers where currency = 'JPY' and instr(shipping, '.') > 0":                        {0, 0},
		"select count(*) from products where (list_price is null) <> (list_currency is null)":                    {0, 0},
		"select count(*) from merchants m where 3 <> (select count(*) from transit_times where merchant = m.id)": {0, 0},
	} {
		s, _, err := db.Prepare(query)
		if err != nil {
			t.Fatal(err)
		}
		if s.Step(); s.ColumnFloat(0) < between[0] || s.ColumnFloat(0) > between[1] {
			t.Errorf("%s: %g; expected %g to %g", query, s.ColumnFloat(0), between[0], between[1])
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestRun(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "market.db")
	run := func(args ...string) (int, string) {
		t.Helper()
		out, err := os.Create(filepath.Join(t.TempDir(), "stderr"))
		if err != nil {
			t.Fatal(err)
		}
		defer out.Close()
		code := run(args, out)
		if _, err := out.Seek(0, io.SeekStart); err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(out)
		if err != nil {
			t.Fatal(err)
		}
		return code, string(text)
	}
	args := []string{"-o", file, "-products", "10", "-merchants", "5", "-offers", "50"}
	if code, out := run(args...); code != 0 || !strings.Contains(out, "offers               50 rows") {
		t.Errorf("%d: %s", code, out)
	}
	if code, out := run(args...); code != 0 || out != file+" is there already\n" {
		t.Errorf("again: %d: %s", code, out)
	}
	if code, out := run(append(args, "-seed", "2")...); code != 0 || !strings.Contains(out, "rows") {
		t.Errorf("another seed: %d: %s", code, out)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("the folder holds %v, %v", entries, err)
	}
	for text, args := range map[string][]string{
		"nothing to write to":   {},
		`"x" is not expected`:   {"-o", file, "x"},
		"1 to 99999 products":   {"-o", file, "-products", "0"},
		"no such file":          {"-o", filepath.Join(dir, "none", "x.db")},
		"flag provided but not": {"-x"},
	} {
		if code, out := run(args...); code == 0 || !strings.Contains(out, text) {
			t.Errorf("%v: %d: %s", args, code, out)
		}
	}
}
