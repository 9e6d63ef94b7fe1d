package main

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"towpath.dev/internal/run/serve"
)

// TestSpansReachTheCollector: what a server traced until it stopped is with the
// collector, under the program's name.
func TestSpansReachTheCollector(t *testing.T) {
	type export struct {
		path, form string
		body       []byte
	}
	exports := make(chan export, 8)
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		exports <- export{r.Method + " " + r.URL.Path, r.Header.Get("Content-Type"), body}
	}))
	defer collector.Close()
	var opts serve.Options
	stop, err := (&serving{otlp: collector.URL, sample: 1}).trace(t.Context(), &opts)
	if err != nil {
		t.Fatal(err)
	}
	_, span := opts.Tracer.Start(t.Context(), "shop.left")
	span.End()
	stop()
	select {
	case got := <-exports:
		if got.path != "POST /v1/traces" || got.form != "application/x-protobuf" {
			t.Errorf("the collector was asked %s with %s", got.path, got.form)
		}
		for _, want := range []string{"shop.left", "service.name", "towpath", "service.version"} {
			if !bytes.Contains(got.body, []byte(want)) {
				t.Errorf("no %s in what was sent: %q", want, got.body)
			}
		}
	default:
		t.Error("the server stopped and kept its last spans")
	}
}

func TestNoCollector(t *testing.T) {
	var opts serve.Options
	stop, err := (&serving{}).trace(t.Context(), &opts)
	if err != nil || opts.Tracer != nil {
		t.Errorf("spans without a collector: %v, %v", opts.Tracer, err)
	}
	stop()
	for _, address := range []string{"localhost", "4318", "http://", "http://%"} {
		if _, err := (&serving{otlp: address}).trace(t.Context(), &opts); !errors.As(err, new(usage)) {
			t.Errorf("--otlp %s: %v", address, err)
		}
	}
}
