package verdict_test

import (
	"fmt"

	"towpath.dev/internal/control/verdict"
)

// Each second a controller adds what has happened, and asks.
func Example() {
	t, err := verdict.New(verdict.Options{Metrics: []string{verdict.Error, verdict.Slow}})
	if err != nil {
		panic(err)
	}
	onebox := verdict.Stored(0.1) // of the hash that assigns root requests
	for second := range 60 {
		bad := verdict.Pair{Control: int64(second % 2)}
		if second >= 20 { // the candidate meets what it cannot do
			bad.Candidate = 1
		}
		if err := t.Serve(verdict.Pair{Candidate: 10, Control: 90}); err != nil {
			panic(err)
		}
		if err := t.Add(verdict.Error, onebox, bad); err != nil {
			panic(err)
		}
		if t.Decision() == verdict.Abort {
			fmt.Println("after", second, "seconds:", t.Verdict())
			break
		}
	}
	fmt.Println(t.Summary(nil, nil))
	// Output:
	// after 30 seconds: abort: 11 of 26 errors are the candidate's, which answered 310 of 3,100 requests (E 1083 of 1000)
	// errors 3.55% vs 0.54% · abort (E 1083 of 1000)
}
