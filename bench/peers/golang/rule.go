package golang

import "towpath.dev/bench/workload"

// W2Goccy is W2 with github.com/goccy/go-json.
func W2Goccy() (workload.Side, error) { return w2("go-goccy", workload.GoccyJSON()) }

// W2Std is W2 with encoding/json.
func W2Std() (workload.Side, error) { return w2("go-std", workload.StdJSON()) }

func w2(name string, c workload.Codec) (workload.Side, error) {
	return side(name, c,
		func(p *workload.Payment) (any, error) { return allow(p), nil },
		func(p *workload.Payment) error {
			keptAllow = allow(p)
			return nil
		})
}

var keptAllow bool

//go:noinline
func allow(p *workload.Payment) bool {
	return p.Verified &&
		p.Age >= 18 &&
		p.Amount <= 500_000 &&
		p.Risk < 0.75 &&
		p.Channel != "agent" &&
		(p.Country == "DE" || p.Country == "FR" || p.Country == "AT")
}
