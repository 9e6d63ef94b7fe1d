package httpjson

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"towpath.dev/internal/artifact"
	"towpath.dev/internal/run/source"
	"towpath.dev/internal/settings"
)

// TestBoundWhileItServes: a source may be bound for another release while it answers.
func TestBoundWhileItServes(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%q", r.URL.Path+r.Header.Get("X-Of")+r.Header.Get("X-All"))
	}))
	defer server.Close()
	s, first, err := open(t, Options{}, fmt.Sprintf("url = %q\nheaders = { X-All = \"!\" }", server.URL), `get = "/first/{product}"`, tString, product)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() {
		for range 200 {
			if a := ask(t, t.Context(), first, `["p"]`)[0]; a.text != `"/first/p!"` {
				t.Errorf("the first is answered %q, %v", a.text, a.err)
			}
		}
	})
	for range 50 {
		f := settings.Parse("x.toml", []byte("[op]\npost = \"/second/{product}\"\nheaders = { X-Of = \"?\" }\nbatch = { post = \"/all\", body = '\"{calls}\"' }\n"))
		table := f.Root.Table("op")
		second := s.Bind(source.Operation{
			Meta:   &artifact.Operation{Module: "m", Service: "S", Name: "ask", Args: tFirstArgs, Result: tString},
			Schema: schemaOf(product), Settings: table,
		})
		if err := f.Err(); err != nil {
			t.Fatal(err)
		}
		if a := ask(t, t.Context(), second, `["q"]`)[0]; a.text != `"/second/q?!"` {
			t.Errorf("the second is answered %q, %v", a.text, a.err)
		}
	}
}
