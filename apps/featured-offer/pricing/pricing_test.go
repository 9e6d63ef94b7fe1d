package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ncruces/go-sqlite3"
)

func TestShareOfLateAnswers(t *testing.T) {
	for _, late := range []float64{0, 0.02, 0.2} {
		d := newDelays(7, late)
		const n = 20_000
		slow, fast := 0, 0
		for range n {
			switch delay := d.next(); {
			case delay > lateAfter:
				slow++
			case delay < median:
				fast++
			}
		}
		if got := float64(slow) / n; got < late*0.85 || got > late*1.15 {
			t.Errorf("%g of the answers are late; expected %g", got, late)
		}
		if got := float64(fast) / n; late > 0 && (got < 0.48 || got > 0.52) {
			t.Errorf("%g of the answers take less than the median", got)
		}
	}
	one, again, other := newDelays(1, 0.02).next(), newDelays(1, 0.02).next(), newDelays(2, 0.02).next()
	if one != again || one == other {
		t.Error("delays do not follow from the seed")
	}
}

func TestAnswers(t *testing.T) {
	server := httptest.NewServer((&service{delays: newDelays(1, 0)}).handler())
	defer server.Close()
	do := func(method, path, body string) (int, string) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, server.URL+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		text, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, strings.TrimSpace(string(text))
	}
	var products []string
	for i := range 50 {
		products = append(products, fmt.Sprintf("p-%05d", i))
	}
	asked, err := json.Marshal(map[string]any{"products": products})
	if err != nil {
		t.Fatal(err)
	}
	status, text := do("POST", "/lowest", string(asked))
	var all struct{ Prices map[string]json.RawMessage }
	if err := json.Unmarshal([]byte(text), &all); err != nil || status != 200 || len(all.Prices) != 50 {
		t.Fatalf("%d: %s", status, text)
	}
	none := 0
	for _, p := range products[:10] {
		status, text := do("GET", "/lowest/"+p, "")
		if string(all.Prices[p]) == "null" {
			none++
			if status != 404 {
				t.Errorf("%s: %d %s; the batch has none", p, status, text)
			}
		} else if status != 200 || text != string(all.Prices[p]) {
			t.Errorf("%s: %d %s; the batch has %s", p, status, text, all.Prices[p])
		}
	}
	if none == 10 {
		t.Error("no product has a price")
	}
	for _, c := range []struct {
		method, path, body string
		status             int
	}{
		{"GET", "/healthz", "", 200},
		{"POST", "/lowest", "{", 400},
		{"POST", "/lowest", `{"products":[` + strings.Repeat(`"x",`, maxProducts) + `"x"]}`, 413},
		{"GET", "/", "", 404},
		{"PUT", "/lowest", "", 405},
	} {
		if status, text := do(c.method, c.path, c.body); status != c.status {
			t.Errorf("%s %s: %d %s; expected %d", c.method, c.path, status, text, c.status)
		}
	}
}

func TestPricesNearTheMarket(t *testing.T) {
	file := filepath.Join(t.TempDir(), "market.db")
	db, err := sqlite3.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Exec(`create table current_offers (product, price, shipping, currency, condition, stock);
		insert into current_offers values ('a', '1000.00', '5.00', 'EUR', 'New', 1), ('a', '900.00', '5.00', 'EUR', 'Used', 1),
			('a', '900.00', '0', 'USD', 'New', 1), ('a', '900.00', '0', 'EUR', 'New', 0)`)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	market, err := readMarket(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	if len(market) != 1 || market["a"] != 1005 {
		t.Errorf("the market asks %v", market)
	}
}

// TestServeAndStop runs the command until its input ends.
func TestServeAndStop(t *testing.T) {
	in, end := io.Pipe()
	out, stdout := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		ended <- run(context.Background(), []string{"-until-eof", "-late", "0"}, in, stdout, io.Discard)
	}()
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Timeout: time.Minute}
	defer client.CloseIdleConnections()
	res, err := client.Get(strings.TrimSpace(line) + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	if err := res.Body.Close(); err != nil || res.StatusCode != 200 {
		t.Errorf("healthz: %s, %v", res.Status, err)
	}
	if err := end.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
	for text, args := range map[string][]string{
		"expected a share":     {"-late", "0.5"},
		"is not expected":      {"x"},
		"make it with go run":  {"-db", filepath.Join(t.TempDir(), "none.db")},
		"flag provided but no": {"-x"},
	} {
		if err := run(t.Context(), args, in, io.Discard, io.Discard); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("%v: %v", args, err)
		}
	}
}
