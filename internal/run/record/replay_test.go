package record

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"towpath.dev/internal/run/engine"
)

const before = `
	type Offer { id: String, @private seller: String = "nobody", grade: Int = 1 }
	service Stock { fn left(offer: Offer) -> Int within 10ms }
	type Answer { left: Int, at: Instant }
	view left(offer: Offer) -> Answer { Answer { left: Stock.left(offer), at: now } }
	view share(n: Int) -> Int { 10 / n }
	type Born { @private on: Date }
	view born(born: Born) -> Int { 1 }
`

// after asks with a field more, and answers otherwise.
const after = `
	type Offer { id: String, @private seller: String = "nobody", grade: Int = 1, rank: Int = 5 }
	service Stock {
		fn left(offer: Offer) -> Int within 10ms
		fn more(id: String) -> Int within 10ms
	}
	type Answer { left: Int, at: Instant }
	view left(offer: Offer) -> Answer {
		let more = if offer.id == "p2" { Stock.more(offer.id) else 0 } else { 0 }
		Answer { left: Stock.left(offer) + offer.rank + more, at: now }
	}

	view share(n: Int) -> Int { 10 / n }
	type Born { @private on: Date }
	view born(born: Born) -> Int { 1 }
`

func replayer(t *testing.T, text string) (*engine.Program, *Replayer) {
	t.Helper()
	p := load(t, compiled(text), engine.SourceFunc(func(_ context.Context, b *engine.Batch) {
		for i := range b.Len() {
			b.Answer(i, []byte("20"))
		}
	}))
	r, err := NewReplayer(p)
	if err != nil {
		t.Fatal(err)
	}
	return p, r
}

func TestCompare(t *testing.T) {
	program, own := replayer(t, before)
	_, against := replayer(t, after)
	redactor := NewRedactor(program.Manifest(), Key{3})
	for _, c := range []struct {
		view, input string
		own, other  string // what the comparison says
	}{
		{"left", `{"offer":{"id":"p1","seller":"ada"}}`, `same`, `$.left: 20, 25`},
		{"left", `{"offer":{"id":"p1"}}`, `same`, `$.left: 20, 25`},
		{"left", `{"offer":{"id":"p2"}}`, `same`, `shop.Stock.more["p2"] is not recorded, $.left: 20, 25`},
		{"left", `{"offer":{"id":"p1","grade":true}}`, `same`, `same`},
		{"left", `{"offer":{"id":"p1","seller":7}}`, `same`, `same`},
		{"born", `{"born":{"on":"yesterday"}}`, `skipped: the private value that was refused has a stand-in`, `same`},
		{"left", `{"offer":`, `skipped: the input is no JSON`, `skipped: the input is no JSON`},
		{"share", `{"n":5}`, `same`, `same`},
		{"share", `{"n":0}`, `same`, `same`}, // the fault has another line there
	} {
		e := recorded(t, program, redactor, c.view, c.input)
		text, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		for _, pair := range []struct {
			own, against *Replayer
			want         string
		}{{own, nil, c.own}, {own, against, c.other}, {nil, against, strings.Replace(c.other, "same", c.own, 1)}} {
			e := new(Entry)
			if err := json.Unmarshal(text, e); err != nil {
				t.Fatal(err)
			}
			got, err := Compare(t.Context(), e, pair.own, pair.against)
			if err != nil {
				t.Fatal(err)
			}
			if said := said(got); said != pair.want {
				t.Errorf("%s%s: %s, want %s", c.view, c.input, said, pair.want)
			}
		}
	}
}

func said(c *Comparison) string {
	if c.Skipped != "" {
		return "skipped: " + c.Skipped
	}
	if c.Same {
		return "same"
	}
	var all []string
	for _, m := range c.Missing {
		all = append(all, m.Operation+string(m.Args)+" is not recorded")
	}
	for _, d := range c.Differences {
		all = append(all, d.Path+": "+string(d.Before)+", "+string(d.After))
	}
	if len(all) == 0 {
		all = append(all, c.Before.Error+", "+c.After.Error)
	}
	return strings.Join(all, ", ")
}

// TestCompareSkips: what a replay cannot come to is no difference.
func TestCompareSkips(t *testing.T) {
	program, own := replayer(t, before)
	redactor := NewRedactor(program.Manifest(), Key{3})
	for _, err := range []error{context.Canceled, context.DeadlineExceeded, &engine.LimitError{View: "shop.left", What: "CPU", Limit: int64(time.Second)}} {
		e := &Entry{Record: engine.Record{Artifact: program.Hash(), View: "shop.left", Input: json.RawMessage(`{"offer":{"id":"p1"}}`), Error: err.Error()}}
		redactor.Redact(e, err)
		c, err2 := Compare(t.Context(), e, own, nil)
		if err2 != nil || c.Skipped == "" {
			t.Errorf("%v: %+v, %v", err, c, err2)
		}
	}
	e := entry("r1", 1)
	e.Record.View = "shop.gone"
	if _, err := Compare(t.Context(), e, own, nil); err == nil {
		t.Error("a view that is gone is compared")
	}
}
