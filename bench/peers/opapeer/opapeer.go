// Package opapeer is the benchmarks' peer in Rego, on Open Policy Agent as a
// library (github.com/open-policy-agent/opa/v1/rego).
//
// The policy is compiled and the query prepared once. Requests are parsed
// straight into OPA's own values and given as parsed input, which spares the
// conversion that EvalInput makes.
//
//	side, err := opapeer.W2()
package opapeer

import (
	"bytes"
	"context"
	_ "embed"
	"errors"

	goccy "github.com/goccy/go-json"
	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"

	"towpath.dev/bench/workload"
)

//go:embed w1.rego
var w1Policy string

//go:embed w2.rego
var w2Policy string

// W1 is the best offer, by comprehensions and rules.
func W1() (workload.Side, error) { return side("data.offers.best", w1Policy) }

// W2 is the rule over six fields.
func W2() (workload.Side, error) { return side("data.payments.allow", w2Policy) }

// kept is what the loops leave behind, so that nothing they do can be dropped.
var kept rego.ResultSet

func side(query, policy string) (workload.Side, error) {
	ctx := context.Background()
	prepared, err := rego.New(rego.Query(query), rego.Module("policy.rego", policy)).PrepareForEval(ctx)
	if err != nil {
		return workload.Side{}, err
	}
	return workload.Side{
		Name: "opa",
		Answer: func(body []byte) ([]byte, error) {
			input, err := ast.ValueFromReader(bytes.NewReader(body))
			if err != nil {
				return nil, err
			}
			results, err := prepared.Eval(ctx, rego.EvalParsedInput(input))
			if err != nil {
				return nil, err
			}
			if len(results) != 1 || len(results[0].Expressions) != 1 {
				return nil, errors.New(query + " is undefined")
			}
			return goccy.Marshal(results[0].Expressions[0].Value)
		},
		Logic: func(body []byte) (workload.Loop, error) {
			input, err := ast.ValueFromReader(bytes.NewReader(body))
			if err != nil {
				return nil, err
			}
			parsed := rego.EvalParsedInput(input)
			return func(n int) (err error) {
				for range n {
					if kept, err = prepared.Eval(ctx, parsed); err != nil {
						return err
					}
				}
				return nil
			}, nil
		},
	}, nil
}
