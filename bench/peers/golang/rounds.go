package golang

import (
	"context"
	"time"

	goccy "github.com/goccy/go-json"
	"golang.org/x/sync/errgroup"

	"towpath.dev/bench/workload"
)

// deadline is the view's own, in both languages.
const deadline = 5 * time.Second

// W4Goroutines is W4 with one goroutine for each merchant, each decoding its
// answer: the usual fan-out.
func W4Goroutines(store *workload.Store) (workload.Side, error) {
	return rounds("go-goroutines", store, profilesByGoroutine)
}

// W4Serial is W4 with the twenty profiles asked one after the other: the least
// that Go can spend on it where, as here, no answer takes any time.
func W4Serial(store *workload.Store) (workload.Side, error) {
	return rounds("go-serial", store, profilesInTurn)
}

type fetchProfiles func(context.Context, *workload.Store, []workload.Listing) ([]workload.Profile, error)

func rounds(name string, store *workload.Store, fetch fetchProfiles) (workload.Side, error) {
	return workload.Side{
		Name: name,
		Answer: func(body []byte) ([]byte, error) {
			var request workload.ShelfRequest
			if err := goccy.Unmarshal(body, &request); err != nil {
				return nil, err
			}
			ctx, cancel := context.WithTimeout(context.Background(), deadline)
			defer cancel()
			deal, err := bestDeal(ctx, store, &request, fetch)
			if err != nil {
				return nil, err
			}
			return goccy.Marshal(deal)
		},
	}, nil
}

func bestDeal(ctx context.Context, store *workload.Store, r *workload.ShelfRequest, fetch fetchProfiles) (*workload.Deal, error) {
	text, err := store.Offers(ctx, r.Product)
	if err != nil {
		return nil, err
	}
	var offers []workload.Listing
	if err := goccy.Unmarshal(text, &offers); err != nil {
		return nil, err
	}
	profiles, err := fetch(ctx, store, offers)
	if err != nil {
		return nil, err
	}
	deal := BestOf(offers, profiles)
	if deal == nil {
		return nil, nil
	}
	if text, err = store.Quote(ctx, deal.Offer, r.Zip); err != nil {
		return nil, err
	}
	var quote workload.Quote
	if err := goccy.Unmarshal(text, &quote); err != nil {
		return nil, err
	}
	deal.Price += quote.Price
	deal.Days = quote.Days
	return deal, nil
}

func dealScore(o *workload.Listing, p *workload.Profile) float64 {
	return p.Rating*16 - p.Returns*64 - float64(o.Price)*0.015625 + float64(o.Stock)*0.125
}

func profilesByGoroutine(ctx context.Context, store *workload.Store, offers []workload.Listing) ([]workload.Profile, error) {
	profiles := make([]workload.Profile, len(offers))
	group, ctx := errgroup.WithContext(ctx)
	for i := range offers {
		group.Go(func() error { return fetchProfile(ctx, store, offers[i].Merchant, &profiles[i]) })
	}
	return profiles, group.Wait()
}

func profilesInTurn(ctx context.Context, store *workload.Store, offers []workload.Listing) ([]workload.Profile, error) {
	profiles := make([]workload.Profile, len(offers))
	for i := range offers {
		if err := fetchProfile(ctx, store, offers[i].Merchant, &profiles[i]); err != nil {
			return nil, err
		}
	}
	return profiles, nil
}

func fetchProfile(ctx context.Context, store *workload.Store, merchant string, into *workload.Profile) error {
	text, err := store.Profile(ctx, merchant)
	if err != nil {
		return err
	}
	return goccy.Unmarshal(text, into)
}

// BestOf is the deal of the best offer, its delivery still to come; nil without
// offers.
func BestOf(offers []workload.Listing, profiles []workload.Profile) *workload.Deal {
	top, topScore := -1, 0.0
	for i := range offers {
		if score := dealScore(&offers[i], &profiles[i]); top < 0 || score > topScore {
			top, topScore = i, score
		}
	}
	if top < 0 {
		return nil
	}
	return &workload.Deal{Offer: offers[top].ID, Merchant: profiles[top].Name, Price: offers[top].Price, Score: topScore}
}
