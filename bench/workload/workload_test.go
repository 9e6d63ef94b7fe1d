package workload_test

import (
	"context"
	"encoding/json"
	"testing"

	"towpath.dev/bench/workload"
)

func TestW1IsTwoKilobytes(t *testing.T) {
	for _, input := range workload.W1().Inputs {
		if len(input) < 1900 || len(input) > 2200 {
			t.Errorf("a request has %d bytes", len(input))
		}
	}
}

// Every side's arithmetic has to give the same digits, so weights and ratings
// are binary fractions of few bits.
func TestRatingsAreExact(t *testing.T) {
	for _, input := range workload.W1().Inputs {
		var r workload.OffersRequest
		if err := json.Unmarshal(input, &r); err != nil {
			t.Fatal(err)
		}
		if len(r.Offers) != 20 {
			t.Errorf("%d offers", len(r.Offers))
		}
		for _, o := range r.Offers {
			if q := o.Rating * 4; q != float64(int(q)) {
				t.Errorf("a rating of %v is not in quarters", o.Rating)
			}
		}
	}
}

func TestSame(t *testing.T) {
	choice := `{"offer":"o-1","price":1,"score":2.50,"reason":"new"}`
	w1, w1d := workload.W1(), workload.W1d()
	for _, test := range []struct {
		name string
		same func(a, b []byte) error
		a, b string
		want bool
	}{
		{"order and digits of numbers", w1.Same, choice, `{"price":1,"score":2.5,"reason":"new","offer":"o-1"}`, true},
		{"another offer", w1.Same, choice, `{"offer":"o-2","price":1,"score":2.5,"reason":"new"}`, false},
		{"none", w1.Same, `null`, ` null `, true},
		{"none and some", w1.Same, `null`, choice, false},
		{"no JSON", w1.Same, choice, `{`, false},
		{"trailing zeros", w1d.Same, `{"price":"1.50","score":"2.0"}`, `{"price":"1.5","score":"2"}`, true},
		{"another price", w1d.Same, `{"price":"1.50","score":"2.0"}`, `{"price":"1.51","score":"2"}`, false},
		{"no choice", w1d.Same, `null`, `null`, true},
	} {
		if err := test.same([]byte(test.a), []byte(test.b)); (err == nil) != test.want {
			t.Errorf("%s: %v", test.name, err)
		}
	}
}

func TestStoreAnswersBatches(t *testing.T) {
	store, ctx := workload.W4().Store, context.Background()
	args := [][]byte{[]byte(`["m-500"]`), []byte(`["m-519"]`)}
	answers := make([][]byte, len(args))
	if err := store.Batch(ctx, "Merchants.profile", args, answers); err != nil {
		t.Fatal(err)
	}
	for i, id := range []string{"m-500", "m-519"} {
		var p workload.Profile
		if err := json.Unmarshal(answers[i], &p); err != nil || p.ID != id {
			t.Errorf("%s: %v", answers[i], err)
		}
	}
	for op, call := range map[string]string{
		"Catalog.offers":    `["p-none"]`,
		"Catalog.none":      `["p-100"]`,
		"Merchants.profile": `m-500`,
	} {
		if err := store.Batch(ctx, op, [][]byte{[]byte(call)}, answers); err == nil {
			t.Errorf("%s%s was answered", op, call)
		}
	}
}
