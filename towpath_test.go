package towpath_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"testing/fstest"

	"towpath.dev"
)

var shop = fstest.MapFS{"market/shop.tow": {Data: []byte(`
service Pricing { fn lowest(product: String) -> Money batch 10 }

/// Twice a number.
view double(n: Int) -> Int { n * 2 }

view saving(product: String, price: Money) -> Money {
  price - (Pricing.lowest(product) else price)
}
`)}}

func load(t testing.TB, opts towpath.Options) *towpath.Program {
	t.Helper()
	artifact, err := towpath.Compile(shop, "shop")
	if err != nil {
		t.Fatal(err)
	}
	p, err := towpath.Load(t.Context(), artifact, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close(context.Background()) })
	return p
}

func TestCompileError(t *testing.T) {
	_, err := towpath.Compile(fstest.MapFS{"a.tow": {Data: []byte("view v(n: Int) -> Int { n + \"x\" }\n")}}, "")
	var broken *towpath.CompileError
	if !errors.As(err, &broken) || len(broken.Diagnostics) != 1 {
		t.Fatalf("got %v", err)
	}
	if d := broken.Diagnostics[0]; d.File != "a.tow" || d.Line != 1 || d.Code == "" {
		t.Errorf("got %+v", d)
	}
}

func TestErrors(t *testing.T) {
	p := load(t, towpath.Options{})
	_, err := p.Call(t.Context(), "double", []byte(`{"n":"1"}`))
	if e := (*towpath.InputError)(nil); !errors.As(err, &e) || e.Path != "$.n" || e.Expected != "Int" {
		t.Errorf("input: %v", err)
	}
	_, err = p.Call(t.Context(), "double", []byte(`{"n":9000000000000000000}`))
	if e := (*towpath.Fault)(nil); !errors.As(err, &e) || e.Kind != "overflow" || e.File != "market/shop.tow" || e.Line != 5 {
		t.Errorf("fault: %#v", err)
	}
}

// TestWholeInput says what an input that is no object should be.
func TestWholeInput(t *testing.T) {
	p := load(t, towpath.Options{})
	_, err := p.Call(t.Context(), "double", []byte(`[1]`))
	if err == nil || err.Error() != "the input of market/shop.double: at $: expected an object with a member for each parameter, found an array" {
		t.Errorf("got %v", err)
	}
}

// TestShed tells where the scope is that may be left out.
func TestShed(t *testing.T) {
	artifact, err := towpath.Compile(fstest.MapFS{"a.tow": {Data: []byte(`service S { fn f() -> Int }
view v() -> Int {
  optional S.f() else -1
}
`)}}, "")
	if err != nil {
		t.Fatal(err)
	}
	var asked []towpath.Scope
	p, err := towpath.Load(t.Context(), artifact, towpath.Options{Shed: func(s towpath.Scope) bool { asked = append(asked, s); return true }})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close(t.Context())
	out, err := p.Call(t.Context(), "v", []byte(`{}`))
	want := towpath.Scope{View: "a.v", File: "a.tow", Line: 3, Column: 3}
	if string(out) != "-1" || err != nil || len(asked) != 1 || asked[0] != want {
		t.Errorf("got %s %v, asked %v", out, err, asked)
	}
}

func TestClosed(t *testing.T) {
	p := load(t, towpath.Options{})
	if err := p.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Call(t.Context(), "double", []byte(`{"n":1}`)); !errors.Is(err, towpath.ErrClosed) {
		t.Errorf("got %v", err)
	}
}

func TestRecord(t *testing.T) {
	p := load(t, towpath.Options{Source: towpath.SourceFunc(func(_ context.Context, op string, args []byte) ([]byte, error) {
		if op != "market/shop.Pricing.lowest" || string(args) != `["lamp"]` {
			return nil, errors.New("unknown")
		}
		return []byte(`{"amount":"15.00","currency":"EUR"}`), nil
	})})
	v, err := p.View("saving")
	if err != nil {
		t.Fatal(err)
	}
	out, rec, err := v.Record(t.Context(), []byte(`{"product":"lamp","price":{"amount":"19.99","currency":"EUR"}}`))
	if want := `{"amount":"4.99","currency":"EUR"}`; err != nil || string(out) != want {
		t.Fatalf("got %s %v, want %s", out, err, want)
	}
	text, err := json.Marshal(rec)
	if err != nil {
		t.Fatal(err)
	}
	again := new(towpath.Record)
	if err := json.Unmarshal(text, again); err != nil {
		t.Fatal(err)
	}
	replayed, err := load(t, towpath.Options{}).Replay(t.Context(), again)
	if err != nil || string(replayed) != string(out) {
		t.Errorf("replayed %s: got %s %v", text, replayed, err)
	}
}
