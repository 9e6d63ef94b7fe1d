package workload

import "math/rand/v2"

// Payment is W2's input: six fields.
type Payment struct {
	Country  string  `json:"country" expr:"country"`
	Channel  string  `json:"channel" expr:"channel"`
	Age      int     `json:"age" expr:"age"`
	Amount   int     `json:"amount" expr:"amount"` // cents
	Risk     float64 `json:"risk" expr:"risk"`
	Verified bool    `json:"verified" expr:"verified"`
}

// W2 is one boolean rule over six fields. The first input passes every
// condition, so that the logic alone does all of the rule.
func W2() *Workload {
	w := &Workload{
		Name:    "W2",
		Doc:     "a boolean rule over six fields",
		Same:    sameJSON[bool],
		Project: "w2",
		View:    "w2.allow",
	}
	w.Inputs = append(w.Inputs, mustJSON(Payment{
		Country: "AT", Channel: "web", Age: 34, Amount: 129_99, Risk: 0.25, Verified: true,
	}))
	w.Inputs = append(w.Inputs, payments(rand.New(rand.NewPCG(5, 6)), 15)...)
	return w
}

// W2Edges are more inputs, for the tests of equality.
func W2Edges() [][]byte { return payments(rand.New(rand.NewPCG(6, 6)), 200) }

func payments(rnd *rand.Rand, n int) [][]byte {
	countries := []string{"DE", "FR", "AT", "US"}
	channels := []string{"web", "app", "app", "agent"}
	var bodies [][]byte
	for range n {
		bodies = append(bodies, mustJSON(Payment{
			Country:  countries[rnd.IntN(len(countries))],
			Channel:  channels[rnd.IntN(len(channels))],
			Age:      16 + rnd.IntN(40),
			Amount:   rnd.IntN(600_000),
			Risk:     0.125 * float64(rnd.IntN(8)),
			Verified: rnd.IntN(8) > 0,
		}))
	}
	return bodies
}
