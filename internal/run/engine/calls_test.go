package engine_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"towpath.dev/internal/run/engine"
)

const shop = `
	type Offer { id: String, merchant: String, price: Int }
	type Profile { rating: Int, name: String }
	service Catalog { fn offers(product: String) -> List<Offer> batch 100 }
	service Merchants { fn profile(id: String) -> Profile batch 3 }
	service Pricing { fn lowest(product: String) -> Int within 50ms }

	type Choice { offer: String, merchant: String, rating: Int }

	view choose(product: String) -> Choice? {
		let offers = Catalog.offers(product)
		offers |> map(o => rate(o)) |> maxBy(c => c.rating)
	}
	fn rate(o: Offer) -> Choice {
		let p = Merchants.profile(o.merchant)
		Choice { offer: o.id, merchant: p.name, rating: p.rating }
	}
	view lowest(product: String) -> Int { Pricing.lowest(product) }
	view guarded(product: String) -> Int { Pricing.lowest(product) else -1 }
	view timed(product: String) -> Int { Pricing.lowest(product) within 10ms else -2 }
	view bare(product: String) -> Int { Pricing.lowest(product) within 10ms }
	view maybe(product: String) -> Int { optional Pricing.lowest(product) else -3 }
	view each(products: List<String>) -> List<Int> { products |> map(p => Pricing.lowest(p) within 10ms else -4) }
	view chain(product: String) -> Int { Pricing.lowest("{product}{Pricing.lowest(product)}") }
	view sum(a: String, b: String) -> Int { Pricing.lowest(a) + Pricing.lowest(b) }
	view total(products: List<String>) -> Int { products |> fold(0, (t, p) => t + Pricing.lowest(p)) }
	view late(product: String) -> Int within 30ms { Pricing.lowest(product) }
	view divides(product: String) -> Int { 10 / Pricing.lowest(product) + (1 / 0) }
`

// table answers calls from a map of "Service.op args", "fail: …" being failures.
// It notes every batch.
type table struct {
	answers map[string]string
	delay   map[string]time.Duration

	mu      sync.Mutex
	batches []string
	ended   []string
}

func (s *table) Ask(ctx context.Context, b *engine.Batch) {
	s.mu.Lock()
	defer s.mu.Unlock()
	op := b.Operation.Service + "." + b.Operation.Name
	line := op
	for i := range b.Len() {
		key := op + " " + string(b.Args(i))
		line += " " + string(b.Args(i))
		respond := func() {
			answer, ok := s.answers[key]
			switch {
			case !ok:
				b.Fail(i, errors.New("unknown"))
			case answer == "never":
			default:
				b.Answer(i, []byte(answer))
			}
		}
		if d := s.delay[key]; d > 0 {
			go func() {
				select {
				case <-time.After(d):
					respond()
				case <-ctx.Done():
					s.mu.Lock()
					s.ended = append(s.ended, key)
					s.mu.Unlock()
				}
			}()
			continue
		}
		respond()
	}
	s.batches = append(s.batches, line)
}

func TestCalls(t *testing.T) {
	s := &table{answers: map[string]string{
		`Catalog.offers ["lamp"]`:  `[{"id":"o1","merchant":"m1","price":5},{"id":"o2","merchant":"m2","price":6},{"id":"o3","merchant":"m3","price":7},{"id":"o4","merchant":"m4","price":1},{"id":"o5","merchant":"m1","price":2}]`,
		`Merchants.profile ["m1"]`: `{"rating":3,"name":"One"}`, `Merchants.profile ["m2"]`: `{"rating":5,"name":"Tw\u00f6"}`,
		`Merchants.profile ["m3"]`: `{"rating":4,"name":"Three"}`, `Merchants.profile ["m4"]`: `{"rating":1,"name":"Four"}`,
		`Pricing.lowest ["a"]`: `7`, `Pricing.lowest ["b"]`: `8`, `Pricing.lowest ["a7"]`: `9`, `Pricing.lowest ["bad"]`: `"x"`, `Pricing.lowest ["zero"]`: `0`,
	}}
	p := load(t, shop, engine.Options{Source: s})
	for _, c := range []struct{ view, input, want, batches string }{
		{"choose", `{"product":"lamp"}`, `{"offer":"o2","merchant":"Twö","rating":5}`,
			`Catalog.offers ["lamp"]; Merchants.profile ["m1"] ["m2"] ["m3"]; Merchants.profile ["m4"]`},
		{"choose", `{"product":"none"}`, `error: shop.choose: shop.Catalog.offers failed: unknown`, `Catalog.offers ["none"]`},
		{"guarded", `{"product":"none"}`, `-1`, `Pricing.lowest ["none"]`},
		{"guarded", `{"product":"a"}`, `7`, `Pricing.lowest ["a"]`},
		{"guarded", `{"product":"bad"}`, `-1`, `Pricing.lowest ["bad"]`},
		{"lowest", `{"product":"bad"}`, `error: shop.lowest: shop.Pricing.lowest failed: its answer: at $: expected Int, found string "x"`, `Pricing.lowest ["bad"]`},
		{"chain", `{"product":"a"}`, `9`, `Pricing.lowest ["a"]; Pricing.lowest ["a7"]`},
		{"sum", `{"a":"a","b":"b"}`, `15`, `Pricing.lowest ["a"]; Pricing.lowest ["b"]`},
		{"sum", `{"a":"a","b":"a"}`, `14`, `Pricing.lowest ["a"]`},
		{"total", `{"products":["a","b","a"]}`, `22`, `Pricing.lowest ["a"]; Pricing.lowest ["b"]`},
		{"each", `{"products":["a","none","b"]}`, `[7,-4,8]`, `Pricing.lowest ["a"]; Pricing.lowest ["none"]; Pricing.lowest ["b"]`},
		{"divides", `{"product":"a"}`, `error: shop.tow:28:73: division by zero`, `Pricing.lowest ["a"]`},
		{"divides", `{"product":"none"}`, `error: shop.divides: shop.Pricing.lowest failed: unknown`, `Pricing.lowest ["none"]`},
		{"divides", `{"product":"zero"}`, `error: shop.tow:28:41: division by zero`, `Pricing.lowest ["zero"]`},
	} {
		s.batches = nil
		if got := answer(t, p, c.view, c.input); got != c.want {
			t.Errorf("%s %s:\n got %s\nwant %s", c.view, c.input, got, c.want)
		}
		if got := strings.Join(s.batches, "; "); got != c.batches {
			t.Errorf("%s %s: asked\n%s, want\n%s", c.view, c.input, got, c.batches)
		}
	}
}

func TestDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const ms = time.Millisecond
		s := &table{
			answers: map[string]string{`Pricing.lowest ["a"]`: `7`, `Pricing.lowest ["b"]`: `8`, `Pricing.lowest ["slow"]`: `9`, `Pricing.lowest ["hung"]`: "never"},
			delay:   map[string]time.Duration{`Pricing.lowest ["a"]`: 5 * ms, `Pricing.lowest ["slow"]`: 20 * ms, `Pricing.lowest ["hung"]`: time.Hour},
		}
		p := load(t, shop, engine.Options{Source: s})
		for _, c := range []struct {
			view, input, want string
			took              time.Duration
		}{
			{"timed", `{"product":"a"}`, `7`, 5 * ms},
			{"timed", `{"product":"slow"}`, `-2`, 10 * ms},
			{"lowest", `{"product":"slow"}`, `9`, 20 * ms},
			{"lowest", `{"product":"hung"}`, `error: shop.lowest: shop.Pricing.lowest failed: no answer within the operation's time`, 50 * ms},
			{"guarded", `{"product":"hung"}`, `-1`, 50 * ms},
			{"bare", `{"product":"slow"}`, `error: shop.bare: a scope at shop.tow:21:38 failed: the deadline expired`, 10 * ms},
			{"each", `{"products":["a","slow","b"]}`, `[7,-4,8]`, 10 * ms},
			{"late", `{"product":"slow"}`, `9`, 20 * ms},
			{"late", `{"product":"hung"}`, `error: shop.late: the view's time went by`, 30 * ms},
		} {
			start := time.Now()
			if got := answer(t, p, c.view, c.input); got != c.want {
				t.Errorf("%s %s:\n got %s\nwant %s", c.view, c.input, got, c.want)
			}
			if took := time.Since(start); took != c.took {
				t.Errorf("%s %s: took %s, want %s", c.view, c.input, took, c.took)
			}
			synctest.Wait()
		}
		want := `Pricing.lowest ["slow"] Pricing.lowest ["hung"] Pricing.lowest ["hung"] Pricing.lowest ["slow"] Pricing.lowest ["slow"] Pricing.lowest ["hung"]`
		if got := strings.Join(s.ended, " "); got != want {
			t.Errorf("cancelled\n%s, want\n%s", got, want)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 3*ms)
		defer cancel()
		if _, err := p.AppendCall(ctx, nil, "lowest", []byte(`{"product":"hung"}`)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a context's deadline: %v", err)
		}
		synctest.Wait()
	})
}

func TestShed(t *testing.T) {
	s := &table{answers: map[string]string{`Pricing.lowest ["a"]`: `7`}}
	var asked []engine.ScopeInfo
	shed := true
	p := load(t, shop, engine.Options{Source: s, Shed: func(i engine.ScopeInfo) bool { asked = append(asked, i); return shed }})
	if got := answer(t, p, "maybe", `{"product":"a"}`); got != "-3" || len(s.batches) != 0 {
		t.Errorf("shed: got %s, asked %v", got, s.batches)
	}
	shed = false
	if got := answer(t, p, "maybe", `{"product":"a"}`); got != "7" || len(asked) != 2 {
		t.Errorf("not shed: got %s, decided %v", got, asked)
	}
	shed = true
	if got := answer(t, p, "guarded", `{"product":"a"}`); got != "7" || len(asked) != 2 {
		t.Errorf("not optional: got %s, decided %v", got, asked)
	}
}

func TestRecordAndReplay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &table{
			answers: map[string]string{`Pricing.lowest ["a"]`: `7`, `Pricing.lowest ["b"]`: `8`, `Pricing.lowest ["slow"]`: `9`},
			delay:   map[string]time.Duration{`Pricing.lowest ["slow"]`: 20 * time.Millisecond},
		}
		_, data := buildProgram(t, shop)
		p, err := engine.Load(t.Context(), data, engine.Options{Source: s})
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close(t.Context())
		other, err := engine.Load(t.Context(), data, engine.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer other.Close(t.Context())
		for _, c := range []struct{ view, input string }{
			{"each", `{"products":["a","none","slow","b","slow"]}`},
			{"chain", `{"product":"a"}`},
			{"sum", `{"a":"a","b":"b"}`},
			{"divides", `{"product":"b"}`},
			{"lowest", `{"product":3}`},
		} {
			v, err := p.View(c.view)
			if err != nil {
				t.Fatal(err)
			}
			var rec engine.Record
			out, err := v.Do(t.Context(), nil, engine.Request{Input: []byte(c.input), Record: &rec})
			text, _ := json.Marshal(&rec)
			var again engine.Record
			if e := json.Unmarshal(text, &again); e != nil {
				t.Fatalf("%s: %v", text, e)
			}
			out2, err2 := other.Replay(t.Context(), nil, &again)
			if string(out) != string(out2) || fmt.Sprint(err) != fmt.Sprint(err2) {
				t.Errorf("%s %s: %s %v, replayed %s %v", c.view, c.input, out, err, out2, err2)
			}
		}
	})
}

// TestReplayOnAnotherArtifact replays a request on what the program has become.
func TestReplayOnAnotherArtifact(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		before := load(t, `
			service Old { fn get(n: Int) -> Int }
			service S { fn get(n: Int) -> Int }
			view v(n: Int) -> Int { S.get(n) + Old.get(n) }
		`, engine.Options{Source: engine.SourceFunc(func(_ context.Context, b *engine.Batch) {
			for i := range b.Len() {
				b.Answer(i, []byte("20"))
			}
		})})
		v, err := before.View("v")
		if err != nil {
			t.Fatal(err)
		}
		var rec engine.Record
		if _, err := v.Do(t.Context(), nil, engine.Request{Input: []byte(`{"n":1}`), Record: &rec}); err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct{ body, want string }{
			{"S.get(n) + 2", "22"},
			{"S.get(n) + S.get(n + 1)", "shop.v: shop.S.get failed: the record has no answer to it"},
		} {
			after := load(t, `
				service S { fn get(n: Int) -> Int }
				view v(n: Int) -> Int { `+c.body+` }
			`, engine.Options{})
			v, err := after.View("v")
			if err != nil {
				t.Fatal(err)
			}
			out, err := v.Do(t.Context(), nil, engine.Request{Replay: &rec, AnyArtifact: true})
			if got := string(out); got != c.want && fmt.Sprint(err) != c.want {
				t.Errorf("%s: %s %v, want %s", c.body, got, err, c.want)
			}
			if _, err := v.Do(t.Context(), nil, engine.Request{Replay: &rec}); !errors.Is(err, engine.ErrArtifact) {
				t.Errorf("%s without AnyArtifact: %v", c.body, err)
			}
		}
	})
}
