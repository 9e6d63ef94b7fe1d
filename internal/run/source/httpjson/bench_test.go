package httpjson

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"towpath.dev/internal/run/source"
)

const benchCalls = 20

// benchServer answers a batch of products with two offers each, and costs as
// little as it can.
func benchServer(b *testing.B) string {
	var items []string
	for i := range benchCalls {
		items = append(items, fmt.Sprintf(`{"product":"sku-%04d","offers":[{"id":"offer-%d-1","merchant":"Northwind Traders","price":{"amount":"19.99","currency":"EUR"}},`+
			`{"id":"offer-%d-2","merchant":"Contoso","price":{"amount":"21.50","currency":"EUR"}}]}`, i, i, i))
	}
	response := []byte(`{"items":[` + strings.Join(items, ",") + `]}`)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/json")
		w.Write(response)
	}))
	b.Cleanup(server.Close)
	return server.URL
}

func benchArgs() (args [][]byte) {
	for i := range benchCalls {
		args = append(args, fmt.Appendf(nil, `["sku-%04d"]`, i))
	}
	return args
}

// BenchmarkBatch asks a batch of 20 offers over loopback.
func BenchmarkBatch(b *testing.B) {
	caller := bind(b, fmt.Sprintf("url = %q", benchServer(b)),
		"[op.batch]\npost = \"/offers\"\nanswer = \"/items\"\nkey = \"/product\"\neach = \"/offers\"", tJSON, product)
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()
	batch := &source.Batch{Args: benchArgs(), About: source.About{Request: "r-1"}}
	b.ReportAllocs()
	for b.Loop() {
		got := 0
		caller.Call(ctx, batch, func(_ int, answer []byte, err error) {
			if err != nil || len(answer) == 0 {
				b.Errorf("%s, %v", answer, err)
			}
			got++
		})
		if got != benchCalls {
			b.Fatalf("%d answers", got)
		}
	}
}

// BenchmarkByHand is what a client written for the same service does.
func BenchmarkByHand(b *testing.B) {
	c := &handClient{url: benchServer(b) + "/offers", http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 256}}}
	defer c.http.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()
	args := benchArgs()
	b.ReportAllocs()
	for b.Loop() {
		answers, err := c.offers(ctx, args)
		if err != nil || len(answers) != benchCalls {
			b.Fatal(len(answers), err)
		}
	}
}

type handClient struct {
	url  string
	http *http.Client
}

type handCall struct {
	Product json.RawMessage `json:"product"`
}

type handItem struct {
	Product string          `json:"product"`
	Offers  json.RawMessage `json:"offers"`
}

// offers gives the offers of each call's product.
func (c *handClient) offers(ctx context.Context, args [][]byte) (map[string]json.RawMessage, error) {
	var calls struct {
		Calls []handCall `json:"calls"`
	}
	for _, a := range args {
		var product [1]json.RawMessage
		if err := json.Unmarshal(a, &product); err != nil {
			return nil, err
		}
		calls.Calls = append(calls.Calls, handCall{product[0]})
	}
	body, err := json.Marshal(calls)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	req.Header.Set("Towpath-Request", "r-1")
	req.Header.Set("Towpath-Criticality", "default")
	deadline, _ := ctx.Deadline()
	req.Header.Set("Towpath-Deadline", fmt.Sprint(time.Until(deadline).Milliseconds()))
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("status %s", resp.Status)
	}
	var answers struct {
		Items []handItem `json:"items"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&answers); err != nil {
		return nil, err
	}
	byProduct := make(map[string]json.RawMessage, len(answers.Items))
	for _, item := range answers.Items {
		byProduct[item.Product] = item.Offers
	}
	return byProduct, nil
}
