package types

import (
	"strings"
	"testing"

	"towpath.dev/internal/lang/core"
)

const infoText = `
pub type Offer { price: Money, tags: List<String> }

service Catalog { fn offers(product: String) -> List<Offer> }

pub fn best(product: String) -> Money? {
  let offers = Catalog.offers(product)
  let top = offers |> filter(o => o.price > 1 USD) |> maxBy(o => o.price)
  top |> map(x => x.price)
}
`

// place is the offset in the middle of the n-th occurrence of a text.
func place(t *testing.T, text, of string, n int) int {
	t.Helper()
	at := 0
	for range n {
		i := strings.Index(text[at:], of)
		if i < 0 {
			t.Fatalf("%q does not occur %d times", of, n)
		}
		at += i + len(of)
	}
	return at - len(of)/2 - 1
}

func TestInfo(t *testing.T) {
	prog, info, d := check(t, testModule{"main", infoText})
	if len(d.All) > 0 {
		t.Fatal(report(d))
	}
	mod := prog.Modules[len(prog.Modules)-1]
	mi := info.Module(mod.File)

	t.Run("definitions", func(t *testing.T) {
		cases := []struct {
			text string
			n    int
			want any
		}{
			{"Offer", 1, mod.Types[0]},
			{"Offer", 2, mod.Types[0]},
			{"Catalog", 2, mod.Services[0]},
			{"offers", 3, mod.Services[0].Ops[0]},
			{"product", 3, mod.Funcs[0].Params[0]},
			{"price", 2, mod.Types[0].Ctors[0].Fields[0]},
		}
		for _, c := range cases {
			if got, _ := mi.DefinitionAt(place(t, infoText, c.text, c.n)); got != c.want {
				t.Errorf("%s, occurrence %d: %v, want %v", c.text, c.n, got, c.want)
			}
		}
		got, _ := mi.DefinitionAt(place(t, infoText, "maxBy", 1))
		if fn, ok := got.(*core.Func); !ok || fn.QualifiedName() != "std/list.maxBy" {
			t.Errorf("maxBy is %v", got)
		}
	})
	t.Run("types", func(t *testing.T) {
		for text, want := range map[string]string{"top |>": "Offer?", "x.price": "Money", "1 USD": "Money", "o.price >": "Money"} {
			got, _ := mi.TypeAt(strings.Index(infoText, text) + len(strings.Fields(text)[0]) - 1)
			if got == nil || got.String() != want {
				t.Errorf("%s: %v, want %s", text, got, want)
			}
		}
	})
	t.Run("names", func(t *testing.T) {
		seen := map[string]bool{}
		for _, n := range mi.NamesAt(strings.Index(infoText, "o.price >")) {
			seen[n.Text] = true
		}
		for _, want := range []string{"o", "offers", "product", "Catalog", "Offer", "best", "Some", "list", "Money"} {
			if !seen[want] {
				t.Errorf("%s is not in scope", want)
			}
		}
		for _, not := range []string{"top", "x"} {
			if seen[not] {
				t.Errorf("%s is in scope", not)
			}
		}
	})
	t.Run("members", func(t *testing.T) {
		text := ""
		for _, n := range info.Members(&core.Con{Def: mod.Types[0]}) {
			text += n.Text + " "
		}
		for _, n := range info.Members(mod.Services[0]) {
			text += n.Text + " "
		}
		if text != "price tags offers " {
			t.Errorf("members: %s", text)
		}
		if fns := info.PipeTargets(&core.Con{Def: prog.Std.List}); len(fns) < 5 {
			t.Errorf("%d functions for a list", len(fns))
		}
	})
	t.Run("uses", func(t *testing.T) {
		if got := info.Uses(mod.Types[0].Ctors[0].Fields[0]); len(got) != 3 {
			t.Errorf("price is used at %v", got)
		}
	})
}
