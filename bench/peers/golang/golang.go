// Package golang is the benchmarks' first peer: the same decisions written by
// hand in Go, as a service in Go would have them.
//
// Requests decode into structs, the decision is one loop without intermediate
// slices, and the answer is marshalled. The headline sides use
// github.com/goccy/go-json; others use encoding/json, or keep their structs in
// a pool.
//
//	side, err := golang.W1Goccy()
package golang

import "towpath.dev/bench/workload"

// side joins decode, decide and encode. Answer gives what a handler marshals.
// Decide is the decision alone: it leaves its result in a package variable, and
// what it calls is not inlined, so that the compiler can drop none of it.
func side[Req any](name string, c workload.Codec, answer func(*Req) (any, error), decide func(*Req) error) (workload.Side, error) {
	return workload.Side{
		Name: name,
		Answer: func(body []byte) ([]byte, error) {
			var request Req
			if err := c.Unmarshal(body, &request); err != nil {
				return nil, err
			}
			value, err := answer(&request)
			if err != nil {
				return nil, err
			}
			return c.Marshal(value)
		},
		Logic: func(body []byte) (workload.Loop, error) {
			request := new(Req)
			if err := c.Unmarshal(body, request); err != nil {
				return nil, err
			}
			return func(n int) error {
				for range n {
					if err := decide(request); err != nil {
						return err
					}
				}
				return nil
			}, nil
		},
	}, nil
}
