// Package jspeer is the benchmarks' peer in JavaScript: the same script on
// goja (github.com/dop251/goja), an interpreter in Go, and on Node, a process
// of its own that measures its own CPU time.
//
//	side, err := jspeer.Goja("best")
//	side, err := jspeer.Node("best", workload.W1().Inputs)
package jspeer

import (
	_ "embed"
	"fmt"

	"github.com/dop251/goja"

	"towpath.dev/bench/workload"
)

//go:embed decisions.js
var decisions string

// overJSON is what a host runs for a request: text in, text out.
const overJSON = `(body => JSON.stringify(%s(JSON.parse(body))))`

// kept is what the loops leave behind, so that nothing they do can be dropped.
var kept goja.Value

// Goja is the side that runs a function of the script on one goja runtime. The
// function takes the decoded request and gives the answer to encode.
func Goja(function string) (workload.Side, error) {
	runtime := goja.New()
	if _, err := runtime.RunScript("decisions.js", decisions); err != nil {
		return workload.Side{}, err
	}
	wrapped, err := runtime.RunString(fmt.Sprintf(overJSON, function))
	if err != nil {
		return workload.Side{}, err
	}
	text, ok := goja.AssertFunction(wrapped)
	if !ok {
		return workload.Side{}, fmt.Errorf("%s is not a function", function)
	}
	decide, ok := goja.AssertFunction(runtime.Get(function))
	if !ok {
		return workload.Side{}, fmt.Errorf("%s is not a function", function)
	}
	parse, err := runtime.RunString("JSON.parse")
	if err != nil {
		return workload.Side{}, err
	}
	decode, _ := goja.AssertFunction(parse)
	return workload.Side{
		Name: "goja",
		Answer: func(body []byte) ([]byte, error) {
			out, err := text(goja.Undefined(), runtime.ToValue(string(body)))
			if err != nil {
				return nil, err
			}
			return []byte(out.String()), nil
		},
		Logic: func(body []byte) (workload.Loop, error) {
			request, err := decode(goja.Undefined(), runtime.ToValue(string(body)))
			if err != nil {
				return nil, err
			}
			return func(n int) (err error) {
				for range n {
					if kept, err = decide(goja.Undefined(), request); err != nil {
						return err
					}
				}
				return nil
			}, nil
		},
	}, nil
}
