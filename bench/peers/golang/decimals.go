package golang

import (
	"github.com/govalues/decimal"

	"towpath.dev/bench/workload"
)

// W1dGoccy is W1d with github.com/govalues/decimal and github.com/goccy/go-json.
func W1dGoccy() (workload.Side, error) {
	return side("go-goccy", workload.GoccyJSON(),
		func(r *workload.DecimalRequest) (any, error) {
			choice, ok, err := bestDecimal(r)
			if err != nil || !ok {
				return nil, err
			}
			return &choice, nil
		},
		func(r *workload.DecimalRequest) (err error) {
			keptDecimalChoice, keptOK, err = bestDecimal(r)
			return err
		})
}

var keptDecimalChoice workload.DecimalChoice

var (
	minRating      = decimal.MustParse("3.5")
	ratingBase     = decimal.MustParse("3")
	ratingWeight   = decimal.MustParse("12.5")
	savedWeight    = decimal.MustParse("3.125")
	daysWeight     = decimal.MustParse("0.75")
	stockWeight    = decimal.MustParse("0.125")
	noveltyBonus   = decimal.MustParse("8")
	noNoveltyBonus = decimal.MustParse("0")
)

//go:noinline
func bestDecimal(r *workload.DecimalRequest) (top workload.DecimalChoice, ok bool, err error) {
	for i := range r.Offers {
		offer := &r.Offers[i]
		total, err := offer.Price.Add(offer.Shipping)
		if err != nil {
			return top, false, err
		}
		if !eligibleDecimal(offer, &r.Shopper, total) {
			continue
		}
		score, err := scoreDecimal(offer, &r.Shopper, total)
		if err != nil {
			return top, false, err
		}
		if !ok || score.Cmp(top.Score) > 0 {
			ok = true
			top = workload.DecimalChoice{
				Offer: offer.ID, Price: total, Score: score, Reason: decimalReason(offer),
			}
		}
	}
	return top, ok, nil
}

func eligibleDecimal(o *workload.DecimalOffer, s *workload.DecimalShopper, total decimal.Decimal) bool {
	return o.Stock > 0 && o.Rating.Cmp(minRating) >= 0 && o.Days <= s.MaxDays && total.Cmp(s.Budget) <= 0
}

func scoreDecimal(o *workload.DecimalOffer, s *workload.DecimalShopper, total decimal.Decimal) (decimal.Decimal, error) {
	fail := func(err error) (decimal.Decimal, error) { return decimal.Decimal{}, err }
	saved, err := s.Budget.Sub(total)
	if err != nil {
		return fail(err)
	}
	score, err := saved.Mul(savedWeight)
	if err != nil {
		return fail(err)
	}
	rating, err := o.Rating.Sub(ratingBase)
	if err != nil {
		return fail(err)
	}
	// AddMul and SubMul are the library's own way to accumulate.
	if score, err = score.AddMul(rating, ratingWeight); err != nil {
		return fail(err)
	}
	squared, err := decimal.New(int64(o.Days*o.Days), 0)
	if err != nil {
		return fail(err)
	}
	if score, err = score.SubMul(squared, daysWeight); err != nil {
		return fail(err)
	}
	stock, err := decimal.New(int64(o.Stock), 0)
	if err != nil {
		return fail(err)
	}
	if score, err = score.AddMul(stock, stockWeight); err != nil {
		return fail(err)
	}
	bonus := noNoveltyBonus
	if o.Condition == "new" {
		bonus = noveltyBonus
	}
	return score.AddMul(bonus, s.Novelty)
}

func decimalReason(o *workload.DecimalOffer) string {
	switch {
	case o.Days <= 1:
		return "fast"
	case o.Condition == "new":
		return "new"
	default:
		return "value"
	}
}
