package grpcproto

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"
)

const fullOffer = `{"id":"o1","sellerId":"m\n1","price":{"currencyCode":"EUR","units":"19","nanos":990000000},
"condition":"CONDITION_LIKE_NEW","stock":"9007199254740993","tags":["a","b"],"scores":{"x":1,"y":-2},
"since":"2026-01-31T09:00:00.500Z","handling":"90061.5s","note":"","grade":0,"card":{"number":"4","year":2030},
"extra":{"a":[1,null,{"b":true}],"c":"d"},"deltas":[0,-1,2],"rating":4.25,"blob":"AQI=","used":true,
"parent":{"id":"o0","price":{"currencyCode":"USD","units":"-1","nanos":-500000000},"voucher":"v"},"share":0.1,"big":"18446744073709551615",
"tiers":{"-5":{"currencyCode":"EUR","units":"3"}}}`

// TestAnswers reads responses into Tow's JSON.
func TestAnswers(t *testing.T) {
	dir, file := shop(t, shopProto)
	s := open(t, dir, "http://localhost", "", Options{})
	for _, c := range []struct{ method, result, settings, response, want string }{
		{"Echo", "Offer", "", fullOffer, `{"id":"o1","seller_id":"m\n1","price":{"amount":"19.99","currency":"EUR"},"condition":"LikeNew","stock":9007199254740993,"tags":["a","b"],"scores":{"x":1,"y":-2},"since":"2026-01-31T09:00:00.5Z","handling":"1d1h1m1s500ms","note":"","grade":0,"payment":{"type":"Card","number":"4","year":2030},"extra":{"a":[1,null,{"b":true}],"c":"d"},"deltas":[0,-1,2],"rating":4.25,"blob":"AQI=","used":true,"parent":{"id":"o0","seller_id":"","price":{"amount":"-1.5","currency":"USD"},"stock":0,"tags":[],"scores":{},"payment":{"type":"Voucher","value":"v"},"deltas":[],"rating":0,"blob":"","used":false,"share":0,"big":0,"tiers":{}},"share":0.1,"big":18446744073709551615,"tiers":{"-5":{"amount":"3","currency":"EUR"}}}`},
		{"Echo", "Offer", "", `{"cash":{}}`, `{"id":"","seller_id":"","stock":0,"tags":[],"scores":{},"payment":{"type":"Cash"},"deltas":[],"rating":0,"blob":"","used":false,"share":0,"big":0,"tiers":{}}`},
		{"Echo", "Money?", `answer = "/price"`, `{}`, `null`},
		{"Echo", "Money?", `answer = "/parent/price"`, fullOffer, `{"amount":"-1.5","currency":"USD"}`},
		{"Echo", "Money?", `answer = "/parent/price"`, `{}`, `null`},
		{"Echo", "Int?", `answer = "/grade"`, `{}`, `null`},
		{"Echo", "Int", `answer = "/stock"`, `{}`, `0`},
		{"Echo", "Decimal", `answer = "/stock"`, `{"stock":"7"}`, `7`},
		{"Echo", "String", `answer = "/sellerId"`, `{"sellerId":"é\u0001\""}`, `"é\u0001\""`},
		{"Echo", "Condition?", `answer = "/condition"`, `{}`, `null`},
		{"Echo", "String", `answer = "/condition"`, `{}`, `"CONDITION_UNSPECIFIED"`},
		{"Echo", "Int", `answer = "/condition"`, `{"condition":77}`, `77`},
		{"Echo", "Set<String>", `answer = "/tags"`, `{"tags":["b","a"]}`, `["b","a"]`},
		{"Echo", "Json", `answer = "/parent"`, `{"parent":{"id":"x","sellerId":"s","condition":9}}`, `{"id":"x","sellerId":"s","condition":"9","stock":0,"tags":[],"scores":{},"deltas":[],"rating":0,"blob":"","used":false,"share":0,"big":0,"tiers":{},"conditions":[]}`},
		{"Echo", "Map<String, Json>?", `answer = "/extra"`, fullOffer, `{"a":[1,null,{"b":true}],"c":"d"}`},
		{"Offers", "List<Short>", "", `{"offers":[{"id":"a","price":{"units":"1","currencyCode":"EUR"}}]}`, `[{"id":"a","price":{"amount":"1","currency":"EUR"}}]`},
		{"Offers", "List<Short>", "", `{}`, `[]`},
		{"Lowest", "Money?", `answer = "/price"`, `{"price":{"units":"0","nanos":-10000000,"currencyCode":"EUR"}}`, `{"amount":"-0.01","currency":"EUR"}`},
	} {
		op := operation(t, shopTow, "Some", "fn ask() -> "+c.result)
		more := ""
		caller := bind(t, s, op, "method = \""+c.method+"\"\n"+c.settings+more)
		m := file.Services().Get(0).Methods().ByName(protoreflect.Name(c.method))
		if m == nil {
			m = file.Services().Get(1).Methods().ByName(protoreflect.Name(c.method))
		}
		data, err := proto.Marshal(message(t, m.Output(), c.response))
		if err != nil {
			t.Fatal(err)
		}
		got, err := caller.single.answer.json(data, 1<<20)
		if err != nil || !sameJSON(got, []byte(c.want)) {
			t.Errorf("%s %s of %s:\n got %s, %v\nwant %s", c.result, c.settings, c.response, got, err, c.want)
		}
	}
}

// sameJSON compares texts whose members may stand in another order.
func sameJSON(a, b []byte) bool {
	read := func(text []byte) (v any) {
		d := json.NewDecoder(bytes.NewReader(text))
		d.UseNumber()
		if err := d.Decode(&v); err != nil {
			return err.Error()
		}
		return v
	}
	x, _ := json.Marshal(read(a))
	y, _ := json.Marshal(read(b))
	return bytes.Equal(x, y)
}

// TestRequests writes arguments to the wire; protojson says what is there.
func TestRequests(t *testing.T) {
	dir, file := shop(t, shopProto)
	s := open(t, dir, "http://localhost", "", Options{})
	const offer = `{"id":"o1","seller_id":"m1","price":{"amount":"-19.99","currency":"EUR"},"condition":"LikeNew","stock":9007199254740993,"tags":["a",""],"scores":{"x":1},"since":"1969-12-31T23:59:59.5Z","handling":"-1d1h1m1.5s","grade":0,"payment":{"type":"Card","number":"4","year":0},"extra":{"a":[1,null,{"b":true}]},"deltas":[0,-1],"rating":4.25,"blob":"AQI=","used":false,"parent":{"id":"p","seller_id":"s","price":{"amount":"1","currency":"EUR"},"stock":0,"tags":[],"scores":{},"payment":{"type":"Cash"},"deltas":[],"rating":0,"blob":"","used":false,"share":"0","big":0,"tiers":{}},"share":"0.1","big":5,"tiers":{"-5":{"amount":"3","currency":"EUR"}}}`
	for _, c := range []struct{ method, params, settings, args, want string }{
		{"Echo", "offer: Offer", "", "[" + strings.Replace(offer, "1m1.5s", "1m1s500ms", 1) + "]", `{"id":"o1","sellerId":"m1","price":{"currencyCode":"EUR","units":"-19","nanos":-990000000},"condition":"CONDITION_LIKE_NEW","stock":"9007199254740993","tags":["a",""],"scores":{"x":1},"since":"1969-12-31T23:59:59.500Z","handling":"-90061.500s","grade":0,"card":{"number":"4"},"extra":{"a":[1,null,{"b":true}]},"deltas":[0,-1],"rating":4.25,"blob":"AQI=","parent":{"id":"p","sellerId":"s","price":{"currencyCode":"EUR","units":"1"},"cash":{}},"share":0.1,"big":"5","tiers":{"-5":{"currencyCode":"EUR","units":"3"}}}`},
		{"Echo", "id: OfferId, payment: Payment?, note: String?", "", `["x",{"type":"Voucher","value":""},""]`, `{"id":"x","voucher":"","note":""}`},
		{"Echo", "id: OfferId, payment: Payment?, note: String?", "", `["x",null,null]`, `{"id":"x"}`},
		{"Offers", "product: String, region: String", "", `["p\n","EU"]`, `{"product":"p\n","region":"EU"}`},
		{"Offers", "product: String, size: Int", `request = { product = "{product}", region = "EU", limit = "7", "page.size" = "{size}", condition = "CONDITION_NEW", path = "products/{product}/{size}" }`, `["p",3]`, `{"product":"p","region":"EU","limit":7,"page":{"size":3},"condition":"CONDITION_NEW","path":"products/p/3"}`},
		{"Offers", "offer: Offer", `request = { product = "{offer.id}", limit = "{offer.stock}", region = "{offer.price.currency}", ids = "{offer.tags}" }`, `[` + offer[:strings.Index(offer, `"stock"`)] + `"stock":4,"tags":["a"]}]`, `{"product":"o1","limit":4,"region":"EUR","ids":["a"]}`},
		{"Offers", "", "", `[]`, `{}`},
	} {
		op := operation(t, shopTow, "Some", "fn ask("+c.params+") -> Json")
		caller := bind(t, s, op, "method = \""+c.method+"\"\n"+c.settings)
		data, err := caller.single.request.append(nil, [][]json.RawMessage{parts(t, c.args)})
		if err != nil {
			t.Errorf("%s: %v", c.args, err)
			continue
		}
		m := dynamicpb.NewMessage(file.Services().Get(0).Methods().ByName(protoreflect.Name(c.method)).Input())
		if err := proto.Unmarshal(data, m); err != nil {
			t.Errorf("%s: %v", c.args, err)
			continue
		}
		if got, _ := protojson.Marshal(m); !sameJSON(got, []byte(c.want)) {
			t.Errorf("%s:\n got %s\nwant %s", c.args, got, c.want)
		}
	}
}

func parts(t testing.TB, args string) (out []json.RawMessage) {
	t.Helper()
	if err := json.Unmarshal([]byte(args), &out); err != nil {
		t.Fatal(err)
	}
	return out
}
