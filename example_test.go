package towpath_test

import (
	"context"
	"fmt"
	"testing/fstest"

	"towpath.dev"
)

func Example() {
	sources := fstest.MapFS{"greet.tow": {Data: []byte(`
view hello(name: String) -> String { "Hello, {name}!" }
`)}}
	artifact, err := towpath.Compile(sources, "greet")
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	program, err := towpath.Load(ctx, artifact, towpath.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer program.Close(ctx)
	answer, err := program.Call(ctx, "greet.hello", []byte(`{"name":"Ada"}`))
	fmt.Println(string(answer), err)
	// Output: "Hello, Ada!" <nil>
}

// A view that makes a call gets its answer from a Source. Without one, or when
// it fails, the nearest `else` stands in.
func ExampleSourceFunc() {
	artifact, err := towpath.Compile(shop, "shop")
	if err != nil {
		fmt.Println(err)
		return
	}
	prices := map[string]string{`["lamp"]`: `{"amount":"15.00","currency":"EUR"}`}
	source := towpath.SourceFunc(func(_ context.Context, _ string, args []byte) ([]byte, error) {
		if price, ok := prices[string(args)]; ok {
			return []byte(price), nil
		}
		return nil, fmt.Errorf("no price of %s", args)
	})
	ctx := context.Background()
	program, err := towpath.Load(ctx, artifact, towpath.Options{Source: source})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer program.Close(ctx)
	for _, product := range []string{"lamp", "desk"} {
		input := fmt.Appendf(nil, `{"product":%q,"price":{"amount":"19.99","currency":"EUR"}}`, product)
		answer, err := program.Call(ctx, "saving", input)
		fmt.Println(string(answer), err)
	}
	// Output:
	// {"amount":"4.99","currency":"EUR"} <nil>
	// {"amount":"0.00","currency":"EUR"} <nil>
}
