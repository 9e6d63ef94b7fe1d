// Package celpeer is the benchmarks' peer in CEL (cel.dev/cel-go).
//
// Expressions are compiled, checked and planned once, with OptOptimize as the
// library advises for expressions that are evaluated repeatedly; requests are
// Go structs, declared as native types.
// Two forms of W1 compete, and both are measured: the whole decision as one
// expression over the list, and expressions for one offer that the host calls
// in its loop.
//
//	side, err := celpeer.W1PerOffer("cel", workload.StdJSON())
package celpeer

import (
	"fmt"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/ext"

	"towpath.dev/bench/workload"
)

// program compiles one expression.
func program(env *cel.Env, text string) (cel.Program, error) {
	ast, issues := env.Compile(text)
	if err := issues.Err(); err != nil {
		return nil, err
	}
	return env.Program(ast, cel.EvalOptions(cel.OptOptimize))
}

// side joins decode, decide and encode. Decider takes a decoded request and
// gives the decision, ready to be made; answer makes its result marshallable.
func side[Req, Out any](
	name string, json workload.Codec,
	decider func(*Req) (func() (Out, error), error), answer func(Out) (any, error), keep *Out,
) workload.Side {
	return workload.Side{
		Name: name,
		Answer: func(body []byte) ([]byte, error) {
			var request Req
			if err := json.Unmarshal(body, &request); err != nil {
				return nil, err
			}
			decide, err := decider(&request)
			if err != nil {
				return nil, err
			}
			out, err := decide()
			if err != nil {
				return nil, err
			}
			value, err := answer(out)
			if err != nil {
				return nil, err
			}
			return json.Marshal(value)
		},
		Logic: func(body []byte) (workload.Loop, error) {
			request := new(Req)
			if err := json.Unmarshal(body, request); err != nil {
				return nil, err
			}
			decide, err := decider(request)
			return func(n int) (err error) {
				for range n {
					if *keep, err = decide(); err != nil {
						return err
					}
				}
				return nil
			}, err
		},
	}
}

// What the loops leave behind, so that nothing they do can be dropped.
var (
	kept       ref.Val
	keptChoice *workload.Choice
)

func offersEnv(options ...cel.EnvOption) (*cel.Env, error) {
	return cel.NewEnv(append([]cel.EnvOption{
		ext.NativeTypes(
			cel.NativeTypeFor[workload.Shopper](types.ParseStructTag("json")),
			cel.NativeTypeFor[workload.Offer](types.ParseStructTag("json")),
			cel.NativeTypeFor[workload.Choice](types.ParseStructTag("json")),
		),
		cel.Variable("shopper", cel.ObjectType("workload.Shopper")),
	}, options...)...)
}

const (
	eligible = `offer.stock > 0 && offer.rating >= 3.5 && offer.days <= shopper.maxDays &&
		offer.price + offer.shipping <= shopper.budget`
	score = `double(shopper.budget - (offer.price + offer.shipping)) * 0.03125
		+ (offer.rating - 3.0) * 12.5
		- double(offer.days * offer.days) * 0.75
		+ double(offer.stock) * 0.125
		+ (offer.condition == "new" ? 8.0 : 0.0) * shopper.novelty`
	reason = `offer.days <= 1 ? "fast" : offer.condition == "new" ? "new" : "value"`
	best   = `offers
		.filter(offer, ` + eligible + `)
		.map(offer, workload.Choice{
			offer: offer.id,
			price: offer.price + offer.shipping,
			score: ` + score + `,
			reason: ` + reason + `,
		})
		.sortBy(choice, choice.score)
		.last()`
)

// W1Whole is W1 as one expression over the list of offers.
func W1Whole(name string, json workload.Codec) (workload.Side, error) {
	env, err := offersEnv(
		cel.Variable("offers", cel.ListType(cel.ObjectType("workload.Offer"))),
		cel.OptionalTypes(), ext.Lists(),
	)
	if err != nil {
		return workload.Side{}, err
	}
	prg, err := program(env, best)
	if err != nil {
		return workload.Side{}, err
	}
	decider := func(r *workload.OffersRequest) (func() (ref.Val, error), error) {
		return func() (ref.Val, error) {
			out, _, err := prg.Eval(map[string]any{"shopper": &r.Shopper, "offers": r.Offers})
			return out, err
		}, nil
	}
	return side(name, json, decider, optional, &kept), nil
}

// optional is the Go value of an optional, nil for none.
func optional(out ref.Val) (any, error) {
	top, ok := out.(*types.Optional)
	if !ok {
		return nil, fmt.Errorf("an optional was expected, not %s", out.Type())
	}
	if !top.HasValue() {
		return nil, nil
	}
	return top.GetValue().Value(), nil
}

// W1PerOffer is W1 as expressions for one offer, in the host's loop.
func W1PerOffer(name string, json workload.Codec) (workload.Side, error) {
	env, err := offersEnv(cel.Variable("offer", cel.ObjectType("workload.Offer")))
	if err != nil {
		return workload.Side{}, err
	}
	var prgs [3]cel.Program
	for i, text := range []string{eligible, score, reason} {
		if prgs[i], err = program(env, text); err != nil {
			return workload.Side{}, err
		}
	}
	host := &offerHost{eligible: prgs[0], score: prgs[1], reason: prgs[2]}
	decider := func(r *workload.OffersRequest) (func() (*workload.Choice, error), error) {
		return func() (*workload.Choice, error) { return host.best(r) }, nil
	}
	answer := func(c *workload.Choice) (any, error) { return c, nil }
	return side(name, json, decider, answer, &keptChoice), nil
}

// offerHost is the loop around the expressions for one offer.
type offerHost struct{ eligible, score, reason cel.Program }

func (h *offerHost) best(r *workload.OffersRequest) (*workload.Choice, error) {
	vars := map[string]any{"shopper": &r.Shopper}
	var top *workload.Offer
	var topScore float64
	for i := range r.Offers {
		vars["offer"] = &r.Offers[i]
		out, _, err := h.eligible.Eval(vars)
		if err != nil {
			return nil, err
		}
		if out != types.True {
			continue
		}
		if out, _, err = h.score.Eval(vars); err != nil {
			return nil, err
		}
		if s, ok := out.(types.Double); ok && (top == nil || float64(s) > topScore) {
			top, topScore = &r.Offers[i], float64(s)
		}
	}
	if top == nil {
		return nil, nil
	}
	vars["offer"] = top
	out, _, err := h.reason.Eval(vars)
	if err != nil {
		return nil, err
	}
	why, _ := out.Value().(string)
	return &workload.Choice{Offer: top.ID, Price: top.Price + top.Shipping, Score: topScore, Reason: why}, nil
}

// W2 is the rule over six variables.
func W2(name string, json workload.Codec) (workload.Side, error) {
	env, err := cel.NewEnv(
		cel.Variable("country", cel.StringType),
		cel.Variable("channel", cel.StringType),
		cel.Variable("age", cel.IntType),
		cel.Variable("amount", cel.IntType),
		cel.Variable("risk", cel.DoubleType),
		cel.Variable("verified", cel.BoolType),
	)
	if err != nil {
		return workload.Side{}, err
	}
	prg, err := program(env, `verified && age >= 18 && amount <= 500000 && risk < 0.75 && channel != "agent" &&
		country in ["DE", "FR", "AT"]`)
	if err != nil {
		return workload.Side{}, err
	}
	decider := func(p *workload.Payment) (func() (ref.Val, error), error) {
		// An activation made once spares each Eval the wrapping of the map.
		vars, err := cel.NewActivation(map[string]any{
			"country": p.Country, "channel": p.Channel, "age": p.Age,
			"amount": p.Amount, "risk": p.Risk, "verified": p.Verified,
		})
		return func() (ref.Val, error) {
			out, _, err := prg.Eval(vars)
			return out, err
		}, err
	}
	answer := func(out ref.Val) (any, error) { return out.Value(), nil }
	return side(name, json, decider, answer, &kept), nil
}
