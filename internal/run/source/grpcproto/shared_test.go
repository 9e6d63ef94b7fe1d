package grpcproto

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/dynamicpb"

	"towpath.dev/internal/run/source"
)

// TestBoundWhileItServes: a source may be bound for another release while it answers.
func TestBoundWhileItServes(t *testing.T) {
	dir, file := shop(t, shopProto)
	server := serve(t, file, map[string]handler{"Lowest": func(context.Context, *dynamicpb.Message, http.Header) (proto.Message, error) {
		return message(t, messageOf(file, "LowestResponse"), `{"price":{"units":"7","currencyCode":"EUR"},"source":"s"}`), nil
	}})
	s := open(t, dir, server.URL, "", Options{})
	price := operation(t, "", "Pricing", "fn lowest(product: String) -> Money?")
	first := bind(t, s, price, "answer = \"/price\"")
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() {
		for range 50 {
			if got := ask(t, first, t.Context(), source.About{}, `["lamp"]`)[0]; got != `{"amount":"7","currency":"EUR"}` {
				t.Errorf("the first is answered %s", got)
			}
		}
	})
	said := operation(t, "", "Pricing", "fn lowest(product: String) -> String")
	for range 20 {
		second := bind(t, s, said, "answer = \"/source\"")
		if got := ask(t, second, t.Context(), source.About{}, `["lamp"]`)[0]; got != `"s"` {
			t.Errorf("the second is answered %s", got)
		}
	}
}

// TestOpenedTellsFilesApart: an import counts as well as the file itself, and where
// they lie does not.
func TestOpenedTellsFilesApart(t *testing.T) {
	sumOf := func(field string) [32]byte {
		dir := t.TempDir()
		for name, text := range map[string]string{
			"shop.proto":   "syntax = \"proto3\";\nimport \"types.proto\";\nservice S { rpc Ask(T) returns (T); }\n",
			"types.proto":  "syntax = \"proto3\";\nimport \"deeper.proto\";\nmessage T { D d = 1; }\n",
			"deeper.proto": fmt.Sprintf("syntax = \"proto3\";\n// %s\nmessage D { string %s = 1; }\n", dir, field),
		} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		sum, shared := open(t, dir, "http://127.0.0.1:1", "", Options{}).Opened()
		if !shared {
			t.Error("it is not shared")
		}
		return sum
	}
	before := sumOf("a")
	if sumOf("a") != before {
		t.Error("the same files in two folders are opened differently")
	}
	if sumOf("b") == before {
		t.Error("an import that differs makes no difference")
	}
}
