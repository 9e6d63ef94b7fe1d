package source

import (
	"slices"
	"testing"

	"towpath.dev/internal/abi"
	"towpath.dev/internal/artifact"
)

func TestUnknown(t *testing.T) {
	known := []string{"product", "region", "q"}
	for _, c := range []struct{ name, want string }{
		{"prodct", "there is no x `prodct`; did you mean `product`? There is `product`, `region`, `q`"},
		{"Region", "there is no x `Region`; did you mean `region`? There is `product`, `region`, `q`"},
		{"sku", "there is no x `sku`; there is `product`, `region`, `q`"},
	} {
		if got := Unknown("x", c.name, known); got != c.want {
			t.Errorf("of %s: %s", c.name, got)
		}
	}
	if got := Unknown("x", "a", nil); got != "there is no x `a`, nor any other" {
		t.Error(got)
	}
}

func TestMembers(t *testing.T) {
	schema := &abi.Schema{Types: []abi.Type{
		0: {Kind: abi.String, Name: "String"},
		1: {Kind: abi.Record, Name: "Query", Fields: []abi.Field{{Name: "text", Type: 0}, {Name: "wide", JSON: "is.wide", Type: 0}, {Name: "more", Type: 4}}},
		2: {Kind: abi.Option, Name: "Query?", Elem: 1},
		3: {Kind: abi.Wrapper, Name: "Wish", Elem: 2},
		4: {Kind: abi.Json, Name: "Json"},
		5: {Kind: abi.Money, Name: "Money"},
		6: {Kind: abi.Record, Fields: []abi.Field{{Name: "query", Type: 3}, {Name: "is.on", Type: 0}, {Name: "price", Type: 5}}},
	}}
	op := &Operation{Meta: &artifact.Operation{Args: 6}, Schema: schema}
	for _, c := range []struct {
		name    string
		param   int
		members []string
		typ     abi.TypeID
		ok      bool
		mistake string
	}{
		{"query", 0, nil, 3, true, ""},
		{"is.on", 1, nil, 0, true, ""},
		{"query.text", 0, []string{"text"}, 0, true, ""},
		{"query.more.x.y", 0, []string{"more", "x", "y"}, 0, false, ""},
		{"price.amount", 2, []string{"amount"}, 0, false, ""},
		{"price.amont", 0, nil, 0, false, "there is no member `amont`; did you mean `amount`? There is `amount`, `currency`"},
		{"price.amount.x", 0, nil, 0, false, "`amount` of a Money has no members"},
		{"qeury", 0, nil, 0, false, "there is no parameter `qeury`; did you mean `query`? There is `query`, `is.on`, `price`"},
		{"query.txt", 0, nil, 0, false, "there is no member `txt`; did you mean `text`? There is `text`, `is.wide`, `more` in Query"},
		{"query.text.x", 0, nil, 0, false, "a String has no member `x`"},
	} {
		param, members, typ, ok, mistake := op.Members(c.name)
		if param != c.param || !slices.Equal(members, c.members) || typ != c.typ || ok != c.ok || mistake != c.mistake {
			t.Errorf("%s: %d %q %d %t %q", c.name, param, members, typ, ok, mistake)
		}
	}
	if base, null := Base(schema, 3); base != 1 || !null {
		t.Errorf("the base of Wish is %d, %t", base, null)
	}
}
