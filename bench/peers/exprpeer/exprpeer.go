// Package exprpeer is the benchmarks' peer in Expr (github.com/expr-lang/expr).
//
// Programs are compiled once against a struct environment, so that they are
// type-checked and their fields resolved ahead, and run on one reused virtual
// machine. Environments are given by value, as in the library's guide, which is
// a good deal faster than by pointer. Two forms of W1 compete, and both are measured: the whole decision
// as one program over the list, and programs for one offer that the host calls
// in its loop.
//
//	side, err := exprpeer.W1PerOffer("expr", workload.StdJSON())
package exprpeer

import (
	"fmt"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/vm"

	"towpath.dev/bench/workload"
)

const (
	eligible = `%[1]s.stock > 0 && %[1]s.rating >= 3.5 && %[1]s.days <= shopper.maxDays &&
		%[1]s.price + %[1]s.shipping <= shopper.budget`
	score = `(shopper.budget - (%[1]s.price + %[1]s.shipping)) * 0.03125
		+ (%[1]s.rating - 3.0) * 12.5
		- %[1]s.days * %[1]s.days * 0.75
		+ %[1]s.stock * 0.125
		+ (%[1]s.condition == "new" ? 8.0 : 0.0) * shopper.novelty`
	reason = `%[1]s.days <= 1 ? "fast" : %[1]s.condition == "new" ? "new" : "value"`
	best   = `let fit = filter(offers, ` + eligible + `);
		let rated = map(fit, {{
			"offer": %[1]s.id,
			"price": %[1]s.price + %[1]s.shipping,
			"score": ` + score + `,
			"reason": ` + reason + `,
		}});
		len(rated) == 0 ? nil : reduce(rated, #.score > #acc.score ? # : #acc)`
)

// W1Whole is W1 as one program over the list of offers.
func W1Whole(name string, json workload.Codec) (workload.Side, error) {
	program, err := expr.Compile(fmt.Sprintf(best, "#"), expr.Env(workload.OffersRequest{}))
	if err != nil {
		return workload.Side{}, err
	}
	var machine vm.VM
	return side(name, json, func(r *workload.OffersRequest) func() (any, error) {
		return func() (any, error) { return machine.Run(program, *r) }
	}), nil
}

// offerEnv is the environment of the programs for one offer.
type offerEnv struct {
	Shopper workload.Shopper `expr:"shopper"`
	Offer   workload.Offer   `expr:"offer"`
}

// W1PerOffer is W1 as programs for one offer, in the host's loop.
func W1PerOffer(name string, json workload.Codec) (workload.Side, error) {
	var programs [3]*vm.Program
	for i, text := range []string{eligible, score, reason} {
		var err error
		if programs[i], err = expr.Compile(fmt.Sprintf(text, "offer"), expr.Env(offerEnv{})); err != nil {
			return workload.Side{}, err
		}
	}
	host := &offerHost{eligible: programs[0], score: programs[1], reason: programs[2]}
	return side(name, json, func(r *workload.OffersRequest) func() (any, error) {
		return func() (any, error) { return host.best(r) }
	}), nil
}

// offerHost is the loop around the programs for one offer.
type offerHost struct {
	eligible, score, reason *vm.Program
	machine                 vm.VM
}

func (h *offerHost) best(r *workload.OffersRequest) (*workload.Choice, error) {
	var top any // the environment of the best offer so far
	var choice *workload.Choice
	for i := range r.Offers {
		offer := &r.Offers[i]
		var env any = offerEnv{Shopper: r.Shopper, Offer: *offer} // boxed once for both programs
		out, err := h.machine.Run(h.eligible, env)
		if err != nil {
			return nil, err
		}
		if out != true {
			continue
		}
		if out, err = h.machine.Run(h.score, env); err != nil {
			return nil, err
		}
		if score, ok := out.(float64); ok && (choice == nil || score > choice.Score) {
			top = env
			choice = &workload.Choice{Offer: offer.ID, Price: offer.Price + offer.Shipping, Score: score}
		}
	}
	if choice == nil {
		return nil, nil
	}
	out, err := h.machine.Run(h.reason, top)
	choice.Reason, _ = out.(string)
	return choice, err
}

// W2 is the rule over the fields of a Payment.
func W2(name string, json workload.Codec) (workload.Side, error) {
	program, err := expr.Compile(`verified && age >= 18 && amount <= 500000 && risk < 0.75 && channel != "agent" &&
		country in ["DE", "FR", "AT"]`, expr.Env(workload.Payment{}), expr.AsBool())
	if err != nil {
		return workload.Side{}, err
	}
	var machine vm.VM
	return side(name, json, func(p *workload.Payment) func() (any, error) {
		var env any = *p // boxed once for a request
		return func() (any, error) { return machine.Run(program, env) }
	}), nil
}

// kept is what the loops leave behind, so that nothing they do can be dropped.
var kept any

// side joins decode, decide and encode. Decider takes a decoded request and
// gives the decision, ready to be made.
func side[Req any](name string, json workload.Codec, decider func(*Req) func() (any, error)) workload.Side {
	return workload.Side{
		Name: name,
		Answer: func(body []byte) ([]byte, error) {
			var request Req
			if err := json.Unmarshal(body, &request); err != nil {
				return nil, err
			}
			out, err := decider(&request)()
			if err != nil {
				return nil, err
			}
			return json.Marshal(out)
		},
		Logic: func(body []byte) (workload.Loop, error) {
			request := new(Req)
			if err := json.Unmarshal(body, request); err != nil {
				return nil, err
			}
			decide := decider(request)
			return func(n int) (err error) {
				for range n {
					if kept, err = decide(); err != nil {
						return err
					}
				}
				return nil
			}, nil
		},
	}
}
