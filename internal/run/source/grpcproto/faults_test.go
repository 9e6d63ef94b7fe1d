package grpcproto

import (
	"context"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/dynamicpb"

	"towpath.dev/internal/run/source"
)

// raw serves what a handler writes, over HTTP/1.1 and HTTP/2.
func raw(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewUnstartedServer(h)
	server.Config.Protocols = new(http.Protocols)
	server.Config.Protocols.SetHTTP1(true)
	server.Config.Protocols.SetUnencryptedHTTP2(true)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.Start()
	t.Cleanup(server.Close)
	return server.URL
}

func lowest(t *testing.T, s *Source) *caller {
	t.Helper()
	return bind(t, s, operation(t, "", "Pricing", "fn lowest(product: String) -> Money?"), `answer = "/price"`)
}

// TestFaults meets services that answer what is no answer.
func TestFaults(t *testing.T) {
	dir, file := shop(t, shopProto)
	full, err := proto.Marshal(message(t, messageOf(file, "LowestResponse"), `{"price":{"units":"1","currencyCode":"EUR"},"source":"`+strings.Repeat("x", 5000)+`"}`))
	if err != nil {
		t.Fatal(err)
	}
	grpc := func(w http.ResponseWriter) {
		w.Header().Set("Content-Type", "application/grpc+proto")
		w.Header().Set("Trailer", "Grpc-Status, Grpc-Message")
	}
	frame := func(data []byte) []byte {
		n := len(data)
		return append([]byte{0, byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}, data...)
	}
	for _, c := range []struct {
		name, settings, want string
		answer               http.HandlerFunc
	}{
		{"hung up at once", "", "unreachable: http://", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }},
		{"cut off", "", "unfit: the answer of shop.v1.Pricing/Lowest broke off", func(w http.ResponseWriter, _ *http.Request) {
			grpc(w)
			_, _ = w.Write(frame(full)[:100])
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}},
		{"ends early", "", "unfit: the answer of shop.v1.Pricing/Lowest is none of its protocol", func(w http.ResponseWriter, _ *http.Request) {
			grpc(w)
			_, _ = w.Write(frame(full)[:100])
			w.Header().Set("Grpc-Status", "0")
		}},
		{"no trailers", "", "unfit: the answer of shop.v1.Pricing/Lowest is none of its protocol", func(w http.ResponseWriter, _ *http.Request) {
			grpc(w)
			_, _ = w.Write(frame(full))
		}},
		{"garbage trailers", "", "unfit: the answer of shop.v1.Pricing/Lowest is none of its protocol", func(w http.ResponseWriter, _ *http.Request) {
			grpc(w)
			_, _ = w.Write(frame(full))
			w.Header().Set("Grpc-Status", "fine")
		}},
		{"no message", "", "unfit: ", func(w http.ResponseWriter, _ *http.Request) {
			grpc(w)
			w.Header().Set("Grpc-Status", "0")
		}},
		{"two messages", "", "unfit: ", func(w http.ResponseWriter, _ *http.Request) {
			grpc(w)
			_, _ = w.Write(append(frame(full), frame(full)...))
			w.Header().Set("Grpc-Status", "0")
		}},
		{"no protobuf", "", "unfit: shop.v1.Pricing/Lowest: the answer is no protobuf message", func(w http.ResponseWriter, _ *http.Request) {
			grpc(w)
			_, _ = w.Write(frame([]byte("hello, world")))
			w.Header().Set("Grpc-Status", "0")
		}},
		{"oversized", "max_answer = 1000", "unfit: the answer of shop.v1.Pricing/Lowest is larger than `max_answer`, 1000 bytes", func(w http.ResponseWriter, _ *http.Request) {
			grpc(w)
			_, _ = w.Write(frame(full))
			w.Header().Set("Grpc-Status", "0")
		}},
		{"a web page", "", "unfit: ", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") }},
		{"overloaded", "", "unavailable: shop.v1.Pricing/Lowest answered HTTP status 503 Service Unavailable: come back; ", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "2")
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = io.WriteString(w, "come\nback")
		}},
		{"moved", "", "failed: shop.v1.Pricing/Lowest answered HTTP status 302", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) }},
		{"forbidden, connect", "protocol = \"connect\"", "refused: shop.v1.Pricing/Lowest answered HTTP status 403", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }},
		{"other JSON, connect", "protocol = \"connect\"", "unfit: ", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, "{}")
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := open(t, dir, raw(t, c.answer), c.settings, Options{})
			if got := ask(t, lowest(t, s), t.Context(), source.About{}, `["lamp"]`); !strings.HasPrefix(got[0], c.want) {
				t.Errorf("got %q, want %q", got[0], c.want)
			}
		})
	}
	t.Run("nobody there", func(t *testing.T) {
		s := open(t, dir, unreachable(t), "", Options{})
		if got := ask(t, lowest(t, s), t.Context(), source.About{}, `["lamp"]`); !strings.HasPrefix(got[0], "unreachable: ") {
			t.Errorf("got %q", got)
		}
		if err := s.Probe(t.Context(), nil); source.KindOf(err) != source.Unreachable {
			t.Errorf("probe: %v", err)
		}
	})
	t.Run("no HTTP/2", func(t *testing.T) {
		server := httptest.NewServer(http.NotFoundHandler())
		defer server.Close()
		s := open(t, dir, server.URL, "", Options{})
		if got := ask(t, lowest(t, s), t.Context(), source.About{}, `["lamp"]`); !strings.HasPrefix(got[0], "unreachable: ") {
			t.Errorf("got %q", got)
		}
	})
}

// TestGivingUp ends calls that hang: by their caller, by the deadline, and by the
// source's own timeout. What hangs is the service, or the network.
func TestGivingUp(t *testing.T) {
	dir, file := shop(t, shopProto)
	var begun atomic.Int64
	all := make(chan struct{})
	server := serve(t, file, map[string]handler{"Lowest": func(ctx context.Context, _ *dynamicpb.Message, _ http.Header) (proto.Message, error) {
		if begun.Add(1) == 3 {
			close(all)
		}
		<-ctx.Done()
		return nil, ctx.Err()
	}})
	for _, protocol := range protocols {
		begun.Store(0)
		all = make(chan struct{})
		s := open(t, dir, server.URL, "protocol = \""+protocol+"\"", Options{Parallel: 3})
		ctx, cancel := context.WithCancel(t.Context())
		go func() { <-all; cancel() }()
		got := ask(t, lowest(t, s), ctx, source.About{}, `["a"]`, `["b"]`, `["c"]`, `["d"]`)
		for i, g := range got {
			if !strings.HasPrefix(g, "expired: ") {
				t.Errorf("%s, call %d: %q", protocol, i, g)
			}
		}
		begun.Store(10)
		ctx, cancel = context.WithTimeout(t.Context(), 20*time.Millisecond)
		if got := ask(t, lowest(t, s), ctx, source.About{}, `["a"]`); !strings.HasPrefix(got[0], "expired: ") {
			t.Errorf("%s: %q", protocol, got)
		}
		cancel()
		s = open(t, dir, server.URL, "timeout = \"20ms\"\nprotocol = \""+protocol+"\"", Options{})
		if got := ask(t, lowest(t, s), t.Context(), source.About{}, `["a"]`); !strings.HasPrefix(got[0], "expired: ") {
			t.Errorf("%s: %q", protocol, got)
		}
	}
	t.Run("a network that swallows all", func(t *testing.T) {
		dialing := make(chan struct{}, 4)
		s := open(t, dir, "http://localhost:1", "", Options{Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
			dialing <- struct{}{}
			<-ctx.Done()
			return nil, ctx.Err()
		}})
		ctx, cancel := context.WithCancel(t.Context())
		go func() { <-dialing; cancel() }()
		if got := ask(t, lowest(t, s), ctx, source.About{}, `["a"]`); !strings.HasPrefix(got[0], "expired: ") {
			t.Errorf("%q", got)
		}
		s.Close() // ends the dialing, which goleak would see
	})
}

// TestArguments that a message cannot hold fail alone.
func TestArguments(t *testing.T) {
	dir, file := shop(t, shopProto)
	url, asked := batchServer(t, file, func(products []string) string { return `{"counts":["1"]}` })
	s := open(t, dir, url, "", Options{})
	c := bind(t, s, operation(t, "", "Pricing", "fn lowest(product: String?) -> Int"), `batch = { method = "BatchLowest", request = { products = "{product[]}" }, answer = "/counts" }`)
	got := ask(t, c, t.Context(), source.About{}, `[null]`, `["a"]`)
	want := []string{"failed: shop.v1.Pricing/BatchLowest: an argument cannot be sent: {product} is nothing, and the elements of a repeated field cannot be left out", "1"}
	if !slices.Equal(got, want) || !slices.Equal(asked(), []string{":a"}) {
		t.Errorf("got\n%q, want\n%q", got, want)
	}
	c = bind(t, s, operation(t, "", "Catalog", "fn offers(limit: Int) -> Json"), "")
	if got := ask(t, c, t.Context(), source.About{}, `[2147483648]`); !strings.Contains(got[0], "2147483648 is beyond int32") {
		t.Errorf("got %q", got)
	}
}

// TestTLS trusts the settings' CA and nobody else's.
func TestTLS(t *testing.T) {
	dir, file := shop(t, shopProto)
	server := httptest.NewUnstartedServer(routes(file, map[string]handler{"Lowest": func(context.Context, *dynamicpb.Message, http.Header) (proto.Message, error) {
		return dynamicpb.NewMessage(messageOf(file, "LowestResponse")), nil
	}}))
	server.EnableHTTP2 = true
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(filepath.Join(dir, "ca.pem"), ca, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, protocol := range protocols {
		s := open(t, dir, server.URL, "ca = \"ca.pem\"\nprotocol = \""+protocol+"\"", Options{})
		if got := ask(t, lowest(t, s), t.Context(), source.About{}, `["lamp"]`); got[0] != "null" {
			t.Errorf("%s: %q", protocol, got)
		}
		s.Close()
		s = open(t, dir, server.URL, "protocol = \""+protocol+"\"", Options{})
		if got := ask(t, lowest(t, s), t.Context(), source.About{}, `["lamp"]`); !strings.HasPrefix(got[0], "unreachable: ") || !strings.Contains(got[0], "name the CA") {
			t.Errorf("%s, without its CA: %q", protocol, got)
		}
	}
}

// TestHealth asks hosts that say how they are.
func TestHealth(t *testing.T) {
	dir, _ := shop(t, shopProto)
	for status, want := range map[byte]error{1: nil, 2: &source.Error{Kind: source.Unavailable}} {
		url := raw(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/grpc.health.v1.Health/Check" {
				t.Errorf("asked %s", r.URL.Path)
			}
			w.Header().Set("Content-Type", "application/grpc+proto")
			w.Header().Set("Trailer", "Grpc-Status")
			_, _ = w.Write([]byte{0, 0, 0, 0, 2, 8, status})
			w.Header().Set("Grpc-Status", "0")
		})
		err := open(t, dir, url, "", Options{}).Probe(t.Context(), nil)
		var e *source.Error
		if (err == nil) != (want == nil) || err != nil && (!errors.As(err, &e) || e.Kind != source.Unavailable) {
			t.Errorf("status %d: %v", status, err)
		}
	}
}
