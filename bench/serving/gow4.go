package serving

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	goccy "github.com/goccy/go-json"

	"towpath.dev/bench/peers/golang"
	"towpath.dev/bench/workload"
)

// goW4 is W4 by hand: three rounds over one http.Client, the profiles in one
// batch that a team makes by itself, goccy/go-json on the way in and out.
func goW4() (http.Handler, error) {
	base := "http://" + os.Getenv("BENCH_SERVICES")
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 256
	s := &shelf{base, &http.Client{Transport: transport}}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), 5*time.Second)
		defer cancel()
		out, err := s.answer(ctx, body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(out)
	}), nil
}

type shelf struct {
	base   string
	client *http.Client
}

func (s *shelf) answer(ctx context.Context, body []byte) ([]byte, error) {
	var q workload.ShelfRequest
	if err := goccy.Unmarshal(body, &q); err != nil {
		return nil, err
	}
	var offers []workload.Listing
	if err := s.get(ctx, "/w4/offers/"+q.Product, &offers); err != nil {
		return nil, err
	}
	var ids struct {
		IDs []string `json:"ids"`
	}
	for i := range offers {
		ids.IDs = append(ids.IDs, offers[i].Merchant)
	}
	var profiles []workload.Profile
	if err := s.post(ctx, "/w4/profiles", &ids, &profiles); err != nil {
		return nil, err
	}
	deal := golang.BestOf(offers, profiles)
	if deal == nil {
		return []byte("null"), nil
	}
	var quote workload.Quote
	if err := s.get(ctx, "/w4/quote/"+deal.Offer+"/"+q.Zip, &quote); err != nil {
		return nil, err
	}
	deal.Price += quote.Price
	deal.Days = quote.Days
	return goccy.Marshal(deal)
}

func (s *shelf) get(ctx context.Context, path string, into any) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.base+path, nil)
	if err != nil {
		return err
	}
	return s.do(r, into)
}

func (s *shelf) post(ctx context.Context, path string, body, into any) error {
	text, err := goccy.Marshal(body)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.base+path, bytes.NewReader(text))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	return s.do(r, into)
}

func (s *shelf) do(r *http.Request, into any) error {
	resp, err := s.client.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", r.URL, resp.Status)
	}
	return goccy.Unmarshal(body, into)
}
