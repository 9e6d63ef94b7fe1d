package grpcproto

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"
	"google.golang.org/protobuf/types/known/durationpb"

	"towpath.dev/internal/run/source"
)

var protocols = []string{"grpc", "grpcweb", "connect"}

// text is a text field of a message.
func text(m *dynamicpb.Message, name protoreflect.Name) string {
	return m.Get(m.Descriptor().Fields().ByName(name)).String()
}

// TestCalls asks a service that knows one product by each protocol.
func TestCalls(t *testing.T) {
	dir, file := shop(t, shopProto)
	server := serve(t, file, map[string]handler{"Lowest": func(_ context.Context, r *dynamicpb.Message, _ http.Header) (proto.Message, error) {
		switch product := text(r, "product"); product {
		case "lamp":
			return message(t, messageOf(file, "LowestResponse"), `{"price":{"units":"7","currencyCode":"EUR"}}`), nil
		case "free":
			return message(t, messageOf(file, "LowestResponse"), `{}`), nil
		default:
			return nil, connect.NewError(connect.CodeNotFound, errors.New("no "+product))
		}
	}})
	for _, protocol := range protocols {
		t.Run(protocol, func(t *testing.T) {
			s := open(t, dir, server.URL, "protocol = \""+protocol+"\"", Options{Parallel: 2})
			op := operation(t, "", "Pricing", "fn lowest(product: String) -> Money?")
			c := bind(t, s, op, "answer = \"/price\"\nnone = [\"not_found\"]")
			got := ask(t, c, t.Context(), source.About{}, `["lamp"]`, `["free"]`, `["chair"]`, `["lamp"]`, `["lamp"]`)
			lamp := `{"amount":"7","currency":"EUR"}`
			if want := []string{lamp, "null", "null", lamp, lamp}; !slices.Equal(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
			strict := bind(t, s, op, "answer = \"/price\"")
			if got := ask(t, strict, t.Context(), source.About{}, `["chair"]`); got[0] != "refused: shop.v1.Pricing/Lowest answered not_found: no chair" {
				t.Errorf("got %q", got)
			}
			if err := s.Probe(t.Context(), nil); err != nil {
				t.Errorf("a host without a health service: %v", err)
			}
		})
	}
}

// TestCompany checks what accompanies a call.
func TestCompany(t *testing.T) {
	dir, file := shop(t, shopProto)
	var mu sync.Mutex
	var seen http.Header
	var left bool
	server := serve(t, file, map[string]handler{"Lowest": func(ctx context.Context, _ *dynamicpb.Message, h http.Header) (proto.Message, error) {
		mu.Lock()
		defer mu.Unlock()
		seen = h.Clone()
		_, left = ctx.Deadline()
		return dynamicpb.NewMessage(messageOf(file, "LowestResponse")), nil
	}})
	for protocol, timeout := range map[string]string{"grpc": "Grpc-Timeout", "grpcweb": "Grpc-Timeout", "connect": "Connect-Timeout-Ms"} {
		s := open(t, dir, server.URL, "protocol = \""+protocol+"\"\nheaders = { authorization = \"Bearer x\" }", Options{})
		c := bind(t, s, operation(t, "", "Pricing", "fn lowest(product: String) -> Money?"), `answer = "/price"`)
		about := source.About{Request: "r1", Criticality: "bulk", TraceParent: "00-1-2-01"}
		if got := ask(t, c, t.Context(), about, `["lamp"]`); got[0] != "null" {
			t.Errorf("%s: %q", protocol, got)
		}
		for name, want := range map[string]string{"Towpath-Request": "r1", "Towpath-Criticality": "bulk", "Traceparent": "00-1-2-01", "Authorization": "Bearer x"} {
			if seen.Get(name) != want {
				t.Errorf("%s: %s is %q, want %q", protocol, name, seen.Get(name), want)
			}
		}
		if seen.Get(timeout) == "" || !left {
			t.Errorf("%s: no deadline in %v", protocol, seen)
		}
	}
}

// TestCodes gives every code its kind.
func TestCodes(t *testing.T) {
	dir, file := shop(t, shopProto)
	var code connect.Code
	server := serve(t, file, map[string]handler{"Lowest": func(context.Context, *dynamicpb.Message, http.Header) (proto.Message, error) {
		err := connect.NewError(code, errors.New("because"))
		if code == connect.CodeUnavailable {
			err.AddDetail(retryInfo(t, 1500*time.Millisecond))
		}
		return nil, err
	}})
	for _, protocol := range protocols {
		s := open(t, dir, server.URL, "protocol = \""+protocol+"\"", Options{})
		c := bind(t, s, operation(t, "", "Pricing", "fn lowest(product: String) -> Money?"), `answer = "/price"`)
		for code = connect.CodeCanceled; code <= connect.CodeUnauthenticated; code++ {
			want := kinds[code]
			c.Call(t.Context(), &source.Batch{Args: [][]byte{[]byte(`["lamp"]`)}}, func(_ int, _ []byte, err error) {
				var e *source.Error
				if !errors.As(err, &e) || e.Kind != want || !strings.Contains(e.Message, code.String()+": because") {
					t.Errorf("%s, %s: %v", protocol, code, err)
				} else if (e.After == 1500*time.Millisecond) != (code == connect.CodeUnavailable) {
					t.Errorf("%s, %s: after %s", protocol, code, e.After)
				}
			})
		}
	}
	c := bind(t, open(t, dir, server.URL, "", Options{}), operation(t, shopTow, "Catalog", "fn offers(product: String) -> List<Short>"), "")
	if got := ask(t, c, t.Context(), source.About{}, `["lamp"]`); !strings.Contains(got[0], "refused: shop.v1.Catalog/Offers answered HTTP status 404") {
		t.Errorf("a method that is not there: %q", got)
	}
}

func retryInfo(t *testing.T, d time.Duration) *connect.ErrorDetail {
	t.Helper()
	_, file := shop(t, "syntax = \"proto3\"; package google.rpc; import \"google/protobuf/duration.proto\"; message RetryInfo { google.protobuf.Duration retry_delay = 1; }")
	m := dynamicpb.NewMessage(messageOf(file, "RetryInfo"))
	value := dynamicpb.NewMessage(m.Descriptor().Fields().Get(0).Message())
	raw, err := proto.Marshal(durationpb.New(d))
	if err == nil {
		err = proto.Unmarshal(raw, value)
	}
	if err != nil {
		t.Fatal(err)
	}
	m.Set(m.Descriptor().Fields().Get(0), protoreflect.ValueOfMessage(value))
	detail, err := connect.NewErrorDetail(m)
	if err != nil {
		t.Fatal(err)
	}
	return detail
}

// batchServer answers BatchLowest from a table of prices, and notes the requests.
func batchServer(t *testing.T, file protoreflect.FileDescriptor, answer func(products []string) string) (url string, asked func() []string) {
	t.Helper()
	var mu sync.Mutex
	var seen []string
	server := serve(t, file, map[string]handler{"BatchLowest": func(_ context.Context, r *dynamicpb.Message, _ http.Header) (proto.Message, error) {
		var products []string
		list := r.Get(r.Descriptor().Fields().ByName("products")).List()
		for i := range list.Len() {
			products = append(products, list.Get(i).String())
		}
		list = r.Get(r.Descriptor().Fields().ByName("requests")).List()
		for i := range list.Len() {
			products = append(products, text(list.Get(i).Message().Interface().(*dynamicpb.Message), "product"))
		}
		mu.Lock()
		seen = append(seen, text(r, "region")+":"+strings.Join(products, ","))
		mu.Unlock()
		return message(t, messageOf(file, "BatchLowestResponse"), answer(products)), nil
	}, "Lowest": func(_ context.Context, r *dynamicpb.Message, _ http.Header) (proto.Message, error) {
		return message(t, messageOf(file, "LowestResponse"), `{"source":"`+text(r, "product")+`"}`), nil
	}})
	return server.URL, func() []string {
		mu.Lock()
		defer mu.Unlock()
		slices.Sort(seen)
		out := seen
		seen = nil
		return out
	}
}

func TestBatches(t *testing.T) {
	dir, file := shop(t, shopProto)
	priced := func(products []string) string {
		var prices, entries, counts []string
		for i, p := range slices.Backward(products) {
			if p == "none" {
				continue
			}
			prices = append(prices, `{"product":"`+p+`","price":{"units":"`+strconv.Itoa(i)+`","currencyCode":"EUR"}}`)
			entries = append(entries, `"`+p+`":{"units":"`+strconv.Itoa(i)+`","currencyCode":"EUR"}`)
		}
		for i := range products {
			counts = append(counts, `"`+strconv.Itoa(i*10)+`"`)
		}
		return `{"prices":[` + strings.Join(prices, ",") + `],"byProduct":{` + strings.Join(entries, ",") + `},"counts":[` + strings.Join(counts, ",") + `]}`
	}
	url, asked := batchServer(t, file, priced)
	s := open(t, dir, url, "", Options{})
	eur := func(n int) string { return `{"amount":"` + strconv.Itoa(n) + `","currency":"EUR"}` }
	missing := func(n, of int, key string) string {
		return "unfit: shop.v1.Pricing/BatchLowest answered " + strconv.Itoa(n) + " of " + strconv.Itoa(of) + " calls, and has no element whose key is \"" + key + "\""
	}
	for _, c := range []struct {
		name, declaration, settings string
		args, want, asked           []string
	}{
		{"by key, beside it", "fn lowest(product: String) -> Money?", `request = { products = "{product[]}" }, answer = "/prices", key = "/product"`,
			[]string{`["a"]`, `["none"]`, `["b"]`}, []string{eur(0), missing(2, 3, "none"), eur(2)}, []string{":a,none,b"}},
		{"by key, each, missing", "fn lowest(product: String) -> Money?", `request = { products = "{product[]}" }, answer = "/prices", key = "/product", of = "product", each = "/price", missing = "none"`,
			[]string{`["a"]`, `["none"]`}, []string{eur(0), "null"}, []string{":a,none"}},
		{"the element", "fn lowest(product: String) -> Priced", `request = { products = "{product[]}" }, answer = "/prices", key = "/product"`,
			[]string{`["a"]`, `["b"]`}, []string{`{"product":"a","price":` + eur(0) + `}`, `{"product":"b","price":` + eur(1) + `}`}, []string{":a,b"}},
		{"gathered", "fn lowest(product: String) -> List<Money>", `request = { products = "{product[]}" }, answer = "/prices", key = "/product"`,
			[]string{`["a"]`, `["none"]`}, []string{"[" + eur(0) + "]", "[]"}, []string{":a,none"}},
		{"a map", "fn lowest(product: Id) -> Money?", `request = { products = "{product[]}" }, answer = "/by_product"`,
			[]string{`["a"]`, `["none"]`}, []string{eur(0), missing(1, 2, "none")}, []string{":a,none"}},
		{"in order, apart by region", "fn lowest(product: String, region: String) -> Int", `request = { products = "{product[]}", region = "{region}" }, answer = "/counts"`,
			[]string{`["a","EU"]`, `["b","US"]`, `["c","EU"]`}, []string{"0", "0", "10"}, []string{"EU:a,c", "US:b"}},
		{"a message a call", "fn lowest(product: String) -> Int", `request = { "requests.product" = "{product[]}" }, answer = "/counts"`,
			[]string{`["a"]`, `["b"]`}, []string{"0", "10"}, []string{":a,b"}},
		{"one call", "fn lowest(product: String) -> Int", `request = { "requests.product" = "{product[]}" }, answer = "/counts"`,
			[]string{`["a"]`}, []string{"0"}, []string{":a"}},
		{"half of them", "fn lowest(product: String) -> Money?", `request = { products = "{product[]}" }, answer = "/prices", each = "/price"`,
			[]string{`["a"]`, `["none"]`}, slices.Repeat([]string{"unfit: shop.v1.Pricing/BatchLowest answered 1 of 2 calls; the answers stand in the calls' order, so there must be as many (or name the field with their `key`)"}, 2), []string{":a,none"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			op := operation(t, "pub type Id(String)\npub type Priced { product: String\n price: Money }", "Pricing", c.declaration)
			caller := bind(t, s, op, `batch = { method = "BatchLowest", `+c.settings+` }`)
			if got := ask(t, caller, t.Context(), source.About{}, c.args...); !slices.Equal(got, c.want) {
				t.Errorf("got\n%q, want\n%q", got, c.want)
			}
			if got := asked(); !slices.Equal(got, c.asked) {
				t.Errorf("asked %q, want %q", got, c.asked)
			}
		})
	}
	t.Run("requests of the single method", func(t *testing.T) {
		op := operation(t, "", "Pricing", "fn lowest(product: String) -> Json")
		c := bind(t, s, op, "method = \"Lowest\"\nanswer = \"/source\"\nbatch = { answer = \"/counts\" }")
		if got := ask(t, c, t.Context(), source.About{}, `["a"]`, `["b"]`); !slices.Equal(got, []string{"0", "10"}) {
			t.Errorf("got %q", got)
		}
		if got := ask(t, c, t.Context(), source.About{}, `["a"]`); !slices.Equal(got, []string{`"a"`}) {
			t.Errorf("a batch of one got %q", got)
		}
	})
}
