package httpjson

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"towpath.dev/internal/run/source"
)

// TestFaults breaks responses in every way.
func TestFaults(t *testing.T) {
	const head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
	say := func(text string) func(net.Conn, *http.Request) {
		return func(conn net.Conn, _ *http.Request) { io.WriteString(conn, text) }
	}
	reset := func(text string) func(net.Conn, *http.Request) {
		return func(conn net.Conn, _ *http.Request) {
			io.WriteString(conn, text)
			conn.(*net.TCPConn).SetLinger(0)
		}
	}
	endless := func(start, more string) func(net.Conn, *http.Request) {
		return func(conn net.Conn, _ *http.Request) {
			_, err := io.WriteString(conn, start)
			for err == nil { // until the client closes
				_, err = io.WriteString(conn, more)
			}
		}
	}
	for _, c := range []struct {
		name    string
		serve   func(net.Conn, *http.Request)
		kind    source.Kind
		message string
	}{
		{"closed at once", say(""), source.Unreachable, "EOF"},
		{"reset at once", reset(""), source.Unreachable, "reset"},
		{"garbage", say("\x00\x01SSH-2.0 hello\r\n\r\n"), source.Unfit, "the response is broken: "},
		{"half a status line", say("HTTP/1.1 20"), source.Unfit, "the response is broken: "},
		{"half of the headers", say(head), source.Unfit, "the response is broken: "},
		{"endless headers", endless(head, "X-More: and more and more\r\n"), source.Unfit, "the response is broken: "},
		{"short body", say(head + "Content-Length: 100\r\n\r\n[1,2"), source.Unfit, "the response broke off after 4 bytes: unexpected EOF"},
		{"short chunk", say(head + "Transfer-Encoding: chunked\r\n\r\n10\r\n[1,2"), source.Unfit, "the response broke off after 4 bytes"},
		{"no last chunk", say(head + "Transfer-Encoding: chunked\r\n\r\n5\r\n[1,2]\r\n"), source.Unfit, "the response broke off after 5 bytes"},
		{"garbage for chunks", say(head + "Transfer-Encoding: chunked\r\n\r\nhello\r\n"), source.Unfit, "the response broke off after 0 bytes"},
		{"reset in the body", reset(head + "Content-Length: 100\r\n\r\n[1,2"), source.Unfit, "the response broke off after "},
		{"closed without a length", say(head + "Connection: close\r\n\r\n[1,2"), source.Unfit, "is no JSON: expected `,` or `]` at byte 5"},
		{"no gzip", say(head + "Content-Encoding: gzip\r\nContent-Length: 5\r\n\r\n[1,2]"), source.Unfit, "the response broke off after 0 bytes: "},
		{"endless body", endless(head+"\r\n[1", strings.Repeat(",1", 100)), source.Unfit, "the response has more than 1000 bytes, the `max_answer` of the source"},
		{"endless white space", endless(head+"\r\n1", strings.Repeat(" ", 100)), source.Unfit, "more than 1000 bytes"},
		{"ten gigabytes announced", func(conn net.Conn, _ *http.Request) {
			io.WriteString(conn, head+"Content-Length: 10737418240\r\n\r\n")
			if n, err := conn.Read(make([]byte, 1)); err == nil {
				t.Errorf("%d bytes more are asked", n)
			}
		}, source.Unfit, "more than 1000 bytes"},
		{"endless refusal", endless("HTTP/1.1 500 No\r\n\r\nsorry, ", "so sorry, "), source.Failed, "500 Internal Server Error: sorry, so sorry, "},
		{"switch of protocols", say("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"), source.Unfit, "101 Switching Protocols"},
	} {
		t.Run(c.name, func(t *testing.T) {
			caller := bind(t, raw(t, c.serve)+"\nmax_answer = 1000", `post = "/x"`, tString)
			wantError(t, ask(t, context.Background(), caller, `[]`)[0], c.kind, c.message)
		})
	}
}

func TestNobodyListens(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	caller := bind(t, `url = "http://user:secret@`+l.Addr().String()+`/?secret"`, `get = "/secret"`, tString)
	a := ask(t, context.Background(), caller, `[]`)[0]
	wantError(t, a, source.Unreachable, "GET from http://"+l.Addr().String()+": dial tcp")
	if strings.Contains(a.err.Error(), "secret") {
		t.Errorf("%v says a secret", a.err)
	}
}

func TestCompressed(t *testing.T) {
	var small, bomb bytes.Buffer
	for buf, text := range map[*bytes.Buffer]string{&small: `{"a":[1,2,3]}`, &bomb: `"` + strings.Repeat("0", 10<<20) + `"`} {
		z := gzip.NewWriter(buf)
		io.WriteString(z, text)
		z.Close()
	}
	if bomb.Len() > 20<<10 {
		t.Fatalf("the bomb has %d bytes", bomb.Len())
	}
	content := small.Bytes()
	url := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		w.Write(content)
	})
	caller := bind(t, url+"\nmax_answer = 20480", "get = \"/\"\nanswer = \"/a\"", tJSON)
	if a := ask(t, context.Background(), caller, `[]`)[0]; a.text != "[1,2,3]" {
		t.Errorf("the answer is %s, %v", a.text, a.err)
	}
	content = bomb.Bytes()
	wantError(t, ask(t, context.Background(), caller, `[]`)[0], source.Unfit, "more than 20480 bytes")
	content = append(small.Bytes()[:small.Len()-8], 0, 0, 0, 0, 0, 0, 0, 0)
	wantError(t, ask(t, context.Background(), caller, `[]`)[0], source.Unfit, "gzip: invalid checksum")
}

// TestRedirectsStayHere sees that no other host is asked, with our headers.
func TestRedirectsStayHere(t *testing.T) {
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the other host was asked") }))
	defer other.Close()
	caller := bind(t, serve(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other.URL+"/x", http.StatusPermanentRedirect)
	}),
		`get = "/x"`, tString)
	wantError(t, ask(t, context.Background(), caller, `[]`)[0], source.Refused, "308 Permanent Redirect")
}

// TestConnectionsAreKept asks often over one connection, whatever the answers.
func TestConnectionsAreKept(t *testing.T) {
	status := []int{200, 404, 500, 200, 503, 204, 200}
	asked := 0
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status[asked])
		if status[asked] != 204 {
			fmt.Fprintf(w, `"%s"`, strings.Repeat("x", 10_000))
		}
		asked++
	}))
	connections := 0 // counted by the server's only goroutine of Accept
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections++
		}
	}
	server.Start()
	caller := bind(t, `url = "`+server.URL+`"`, `get = "/x"`, tString)
	for range status {
		ask(t, context.Background(), caller, `[]`)
	}
	server.Close()
	if connections != 1 {
		t.Errorf("%d connections for %d requests", connections, asked)
	}
}

// TestIdleConnectionsDie asks again after the service closed what it kept.
func TestIdleConnectionsDie(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "1") }))
	defer server.Close()
	caller := bind(t, `url = "`+server.URL+`"`, `get = "/x"`, tInt)
	for range 5 {
		if a := ask(t, context.Background(), caller, `[]`)[0]; a.text != "1" {
			t.Error(a.err)
		}
		server.CloseClientConnections()
	}
}

// TestCancelled ends calls at any point and sees the connection closed: the
// server only returns then.
func TestCancelled(t *testing.T) {
	const head = "HTTP/1.1 200 OK\r\n"
	for _, c := range []struct{ name, said string }{
		{"before the response", ""}, {"in the status line", "HTTP/1."}, {"in the headers", head + "X: y\r\n"},
		{"in the body", head + "Content-Length: 100\r\n\r\n[1,"}, {"in a chunk", head + "Transfer-Encoding: chunked\r\n\r\n10\r\n[1,"},
		{"in a refusal", "HTTP/1.1 500 No\r\nContent-Length: 100\r\n\r\nwell,"},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(context.Background())
			closed := make(chan error, 1)
			caller := bind(t, raw(t, func(conn net.Conn, _ *http.Request) {
				io.WriteString(conn, c.said)
				cancel()
				_, err := conn.Read(make([]byte, 1))
				closed <- err
			}), "get = \"/x\"", tString)
			a := ask(t, ctx, caller, `[]`)[0]
			if kind := source.KindOf(a.err); kind != source.Expired && !(c.name == "in a refusal" && kind == source.Failed) {
				t.Errorf("%v", a.err)
			}
			if err := <-closed; err == nil {
				t.Error("the connection is still used")
			}
			wantError(t, ask(t, ctx, caller, `[]`)[0], source.Expired, "the answer is not wanted any more")
		})
	}
}

// TestInTime runs in virtual time: that a call ends when its time does, not a
// nanosecond later, whatever the service does meanwhile.
func TestInTime(t *testing.T) {
	const head = "HTTP/1.1 200 OK\r\n"
	trickle := func(start, more string) func(net.Conn, *http.Request) {
		return func(conn net.Conn, _ *http.Request) {
			_, err := io.WriteString(conn, start)
			for err == nil {
				time.Sleep(10 * time.Millisecond) // virtual
				_, err = io.WriteString(conn, more)
			}
		}
	}
	for name, serve := range map[string]func(net.Conn, *http.Request){
		"hang":         func(conn net.Conn, _ *http.Request) { conn.Read(make([]byte, 1)) },
		"slow headers": trickle(head, "X: y\r\n"),
		"slow status":  trickle("H", "T"),
		"trickle":      trickle(head+"\r\n[1", ",1"),
	} {
		for _, c := range []struct {
			name    string
			within  func(context.Context) (context.Context, context.CancelFunc)
			ends    time.Duration
			message string
		}{
			{"deadline", func(ctx context.Context) (context.Context, context.CancelFunc) {
				return context.WithTimeout(ctx, 40*time.Millisecond)
			}, 40 * time.Millisecond, "no answer in time"},
			{"cancelled", func(ctx context.Context) (context.Context, context.CancelFunc) {
				ctx, cancel := context.WithCancel(ctx)
				time.AfterFunc(55*time.Millisecond, cancel)
				return ctx, cancel
			}, 55 * time.Millisecond, "the answer is not wanted any more"},
			{"timeout", context.WithCancel, 3 * time.Second, "no answer within 3s, the `timeout` of the source"},
		} {
			t.Run(name+" "+c.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					network := newPipes()
					stop := serveRaw(network, serve)
					s, caller, err := open(t, Options{Dial: network.dial}, "url = \"http://service.test\"\ntimeout = \"3s\"", `get = "/{product}"`, tString, product)
					if err != nil {
						t.Fatal(err)
					}
					start := time.Now()
					ctx, cancel := c.within(context.Background())
					for _, a := range ask(t, ctx, caller, `["a"]`, `["b"]`, `["c"]`) {
						wantError(t, a, source.Expired, c.message)
					}
					if took := time.Since(start); took != c.ends {
						t.Errorf("it took %s, not %s", took, c.ends)
					}
					cancel()
					s.Close()
					stop() // waits for the connections to be closed
				})
			})
		}
	}
}

// TestDialInTime hangs before there is a connection.
func TestDialInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hung := make(chan struct{})
		s, caller, err := open(t, Options{Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
			defer close(hung)
			<-ctx.Done()
			return nil, ctx.Err()
		}}, `url = "http://service.test"`, `get = "/"`, tString)
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Millisecond)
		defer cancel()
		wantError(t, ask(t, ctx, caller, `[]`)[0], source.Expired, "no answer in time")
		if took := time.Since(start); took != 30*time.Millisecond {
			t.Errorf("it took %s", took)
		}
		s.Close()
		<-hung // Close ends the dial that nobody waits for
	})
}

func TestHTTP2WithoutTLS(t *testing.T) {
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	testProtocol(t, "HTTP/2.0", func(server *httptest.Server) string {
		server.Config.Protocols = &protocols
		server.Start()
		return "http2 = true"
	})
	// A service that speaks HTTP/1.1 alone is no peer.
	caller := bind(t, serve(t, func(http.ResponseWriter, *http.Request) {})+"\nhttp2 = true", `get = "/"`, tString)
	if a := ask(t, context.Background(), caller, `[]`)[0]; a.err == nil {
		t.Error("HTTP/2 is spoken with HTTP/1.1")
	}
}

func TestTLS(t *testing.T) {
	dir := t.TempDir()
	trusting := func(server *httptest.Server) string {
		ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
		if err := os.WriteFile(filepath.Join(dir, "ca.pem"), ca, 0o600); err != nil {
			t.Fatal(err)
		}
		return `ca = "` + filepath.Join(dir, "ca.pem") + `"`
	}
	for _, c := range []struct{ proto, setting string }{{"HTTP/2.0", ""}, {"HTTP/1.1", "http2 = false"}} {
		testProtocol(t, c.proto, func(server *httptest.Server) string {
			server.EnableHTTP2 = true
			server.StartTLS()
			return trusting(server) + "\n" + c.setting
		})
	}

	// A client's certificate, from files that count from Dir.
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, len(r.TLS.PeerCertificates))
	}))
	server.Config.ErrorLog = quiet
	server.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert}
	server.StartTLS()
	defer server.Close()
	src := fmt.Sprintf("url = %q\n%s\n", server.URL, trusting(server))
	writeKeyPair(t, dir)
	_, caller, err := open(t, Options{Dir: dir}, src+"cert = \"client.pem\"\nkey = \"client.key\"", `get = "/"`, tInt)
	if err != nil {
		t.Fatal(err)
	}
	if a := ask(t, context.Background(), caller, `[]`)[0]; a.text != "1" {
		t.Errorf("with a certificate: %s, %v", a.text, a.err)
	}
	if a := ask(t, context.Background(), bind(t, src, `get = "/"`, tInt), `[]`)[0]; a.err == nil {
		t.Error("an answer without a certificate")
	}
	wantError(t, ask(t, context.Background(), bind(t, fmt.Sprintf("url = %q", server.URL), `get = "/"`, tInt), `[]`)[0],
		source.Unreachable, "name the CA that signed its certificate in `ca`")
}

// testProtocol speaks with a server and is cancelled by it. start gives settings.
func testProtocol(t *testing.T, proto string, start func(*httptest.Server) string) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	freed := make(chan struct{})
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/proto":
			fmt.Fprintf(w, "%q", r.Proto)
		case "/hang":
			cancel()
			<-r.Context().Done()
			close(freed)
		case "/cut":
			io.WriteString(w, "[1,")
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		case "/endless":
			for err := error(nil); err == nil; {
				_, err = io.WriteString(w, "          ")
			}
		}
	}))
	server.Config.ErrorLog = quiet
	defer server.Close()
	src := start(server)
	caller := bind(t, fmt.Sprintf("url = %q\nmax_answer = 1000\n%s", server.URL, src), `get = "/{product}"`, tString, product)
	for _, a := range ask(t, context.Background(), caller, `["proto"]`, `["proto"]`, `["proto"]`) {
		if a.text != `"`+proto+`"` {
			t.Errorf("spoken is %s, %v; want %s", a.text, a.err, proto)
		}
	}
	wantError(t, ask(t, context.Background(), caller, `["cut"]`)[0], source.Unfit, "the response broke off after 3 bytes")
	wantError(t, ask(t, context.Background(), caller, `["endless"]`)[0], source.Unfit, "more than 1000 bytes")
	wantError(t, ask(t, ctx, caller, `["hang"]`)[0], source.Expired, "the answer is not wanted any more")
	<-freed
}

func TestProbe(t *testing.T) {
	status := http.StatusOK
	var asked string
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		asked = r.Method + " " + r.RequestURI
		w.WriteHeader(status)
		if r.Method == http.MethodGet {
			io.WriteString(w, "fine")
		}
	})
	base := strings.TrimSuffix(url, `"`) + `/v1?k=v"`
	for _, c := range []struct {
		probe, asked string
		status       int
		message      string // "" for none
	}{
		{"", "HEAD /v1?k=v", 200, ""}, {"", "HEAD /v1?k=v", 404, ""}, {"", "HEAD /v1?k=v", 501, ""}, {"", "HEAD /v1?k=v", 503, "unavailable: HEAD from "},
		{"/health?a=b", "GET /v1/health?k=v&a=b", 200, ""}, {"?a=b", "GET /v1?k=v&a=b", 200, ""}, {"/health", "GET /v1/health?k=v", 404, "404 Not Found: fine"},
	} {
		src := base
		if c.probe != "" {
			src += "\nprobe = \"" + c.probe + "\""
		}
		s, _, err := open(t, Options{}, src, `get = "/"`, tString)
		if err != nil {
			t.Fatal(err)
		}
		status = c.status
		err = s.Probe(context.Background(), nil)
		if asked != c.asked || (err == nil) != (c.message == "") || err != nil && !strings.Contains(err.Error(), c.message) {
			t.Errorf("%q asks %s: %v", c.probe, asked, err)
		}
	}
	s, _, err := open(t, Options{}, url, `get = "/"`, tString)
	if err != nil {
		t.Fatal(err)
	}
	if s.Probe(context.Background(), nil); asked != "HEAD /" {
		t.Errorf("without a path it asks %s", asked)
	}
}
