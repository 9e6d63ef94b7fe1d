// Package starlarkpeer is the benchmarks' peer in Starlark (go.starlark.net).
//
// The script is loaded once and frozen; each request runs one function of it
// on a thread of its own, decoding and encoding JSON with the library's json
// module.
//
//	side, err := starlarkpeer.New("W1", "best")
package starlarkpeer

import (
	_ "embed"
	"fmt"

	"go.starlark.net/lib/json"
	"go.starlark.net/starlark"
	"go.starlark.net/syntax"

	"towpath.dev/bench/workload"
)

//go:embed script.star
var script string

// kept is what the loops leave behind, so that nothing they do can be dropped.
var kept starlark.Value

// New is the side that runs a function of the script. The function takes the
// decoded request and gives the answer to encode.
func New(function string) (workload.Side, error) {
	globals, err := starlark.ExecFileOptions(
		&syntax.FileOptions{Recursion: true},
		&starlark.Thread{Name: "load"}, "script.star", script,
		starlark.StringDict{"json": json.Module})
	if err != nil {
		return workload.Side{}, err
	}
	globals.Freeze()
	decide, text := globals[function], globals[function+"_json"]
	if decide == nil || text == nil {
		return workload.Side{}, fmt.Errorf("the script has no %s and %[1]s_json", function)
	}
	decode := json.Module.Members["decode"]
	return workload.Side{
		Name: "starlark",
		Answer: func(body []byte) ([]byte, error) {
			thread := &starlark.Thread{Name: function}
			out, err := starlark.Call(thread, text, starlark.Tuple{starlark.String(body)}, nil)
			if err != nil {
				return nil, err
			}
			answer, _ := starlark.AsString(out)
			return []byte(answer), nil
		},
		Logic: func(body []byte) (workload.Loop, error) {
			thread := &starlark.Thread{Name: function}
			request, err := starlark.Call(thread, decode, starlark.Tuple{starlark.String(body)}, nil)
			if err != nil {
				return nil, err
			}
			args := starlark.Tuple{request}
			return func(n int) (err error) {
				for range n {
					if kept, err = starlark.Call(thread, decide, args, nil); err != nil {
						return err
					}
				}
				return nil
			}, nil
		},
	}, nil
}
