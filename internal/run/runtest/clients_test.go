package runtest

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"towpath.dev/internal/run/serve"
)

// dial connects to a responder, until the test ends.
func (r *responder) dial() net.Conn {
	r.t.Helper()
	c, err := net.Dial("tcp", r.addr)
	if err != nil {
		r.t.Fatal(err)
	}
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = c.Close() })
	return c
}

// post is a request to a view, as it goes over a connection.
func post(view, input string) string {
	return fmt.Sprintf("POST /v1/shop/%s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", view, len(input), input)
}

// status is that of a connection's next response, 0 when it ends without one.
func status(c net.Conn) int {
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return 0
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	return resp.StatusCode
}

func TestMalformedRequests(t *testing.T) {
	s := newService(t, faulty)
	r := respond(t, serve.Options{}, serve.Limits{Header: 300 * time.Millisecond})
	r.put(stock, stockAt(s.addr))
	fine := post("required", `{"item":"good"}`)
	for _, c := range []struct {
		name, text string
		want       string // statuses that are right, 0 for none
	}{
		{"fine", fine, "200"},
		{"no HTTP", "hello\r\n\r\n", "400"},
		{"another version", strings.Replace(fine, "HTTP/1.1", "HTTP/3.7", 1), "505"},
		{"no method", strings.TrimPrefix(fine, "POST "), "400"},
		{"a space in a name", strings.Replace(fine, "Host:", "Host :", 1), "400"},
		{"a folded header", strings.Replace(fine, "Host: x\r\n", "Host: x\r\nX: a\r\n b\r\n", 1), "200"},
		{"two hosts", strings.Replace(fine, "Host: x\r\n", "Host: x\r\nHost: y\r\n", 1), "400"},
		{"two lengths", strings.Replace(fine, "Content-Length", "Content-Length: 3\r\nContent-Length", 1), "400"},
		{"a negative length", strings.Replace(fine, "Content-Length: ", "Content-Length: -", 1), "400"},
		{"a length and chunks", strings.Replace(fine, "15\r\n\r\n", "3\r\nTransfer-Encoding: chunked\r\n\r\nf\r\n", 1) + "\r\n0\r\n\r\n", "200"},
		{"a length and no chunks", strings.Replace(fine, "Content-Length", "Transfer-Encoding: chunked\r\nContent-Length", 1) + "\r\n", "400"},
		{"an unknown coding", strings.Replace(fine, "Content-Length: 15", "Transfer-Encoding: lzma", 1), "501"},
		{"a chunk too long", strings.Replace(fine, "Content-Length: 15\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n", 1), "400"},
		{"a nul", strings.Replace(fine, "Host: x", "Host: x\r\nX: \x00", 1), "400"},
		{"a line end in the path", strings.Replace(fine, "/v1", "/\n/v1", 1), "400"},
		{"a header in the id", strings.Replace(fine, "Host: x", "Host: x\r\nTowpath-Request: a\tSet-Cookie: b", 1), "200"},
		{"many headers", strings.Replace(fine, "Host: x\r\n", "Host: x\r\n"+strings.Repeat("X: y\r\n", 10_000), 1), "431"},
		{"a tunnel", "CONNECT x:80 HTTP/1.1\r\nHost: x:80\r\n\r\n", "404"},
		{"TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", "400"},
		{"half of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\xff\xff\xff\xff\xff\xff", "0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			conn := r.dial()
			write(conn, c.text) // which may be refused before it has ended
			if got := fmt.Sprint(status(conn)); got != c.want {
				t.Errorf("status %s, want %s", got, c.want)
			}
			_ = conn.Close()
			r.expect("required", `{"item":"good"}`, "7")
		})
	}
}

func TestTricklingClients(t *testing.T) {
	s := newService(t, faulty)
	r := respond(t, serve.Options{}, serve.Limits{Header: 60 * time.Millisecond, Body: 120 * time.Millisecond})
	r.put(stock, stockAt(s.addr))
	body := strings.Replace(post("required", `{"item":"good"}`), "15", "15000", 1)
	for name, c := range map[string]struct {
		begin, then string
		want        int
	}{
		"head": {"POST /v1/shop/required HTTP/1.1\r\nHost: x\r\n", "X: y\r\n", 408},
		"body": {body, " ", 408},
	} {
		conn := r.dial()
		write(conn, c.begin)
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			trickle(conn, c.then)
		}()
		// A head that does not end is not always told so.
		if got := status(conn); got != c.want && (name != "head" || got != 0) {
			t.Errorf("%s: %d", name, got)
		}
		_ = conn.Close()
		<-ended
		r.expect("required", `{"item":"good"}`, "7")
	}
}

// TestClientVanishes: the calls of a client that is gone are cancelled.
func TestClientVanishes(t *testing.T) {
	for name, vanish := range map[string]func(c *net.TCPConn){
		"closed": func(c *net.TCPConn) { _ = c.Close() },
		"reset":  func(c *net.TCPConn) { _ = c.SetLinger(0); _ = c.Close() },
	} {
		for _, input := range []string{"required", "all"} { // asked in the request's goroutine, and in others
			t.Run(name+" "+input, func(t *testing.T) {
				begun, over := make(chan struct{}), make(chan time.Time)
				s := newService(t, func(s *service, c *net.TCPConn, r *http.Request) bool {
					if strings.HasSuffix(r.URL.Path, "/good") {
						return write(c, good(seven))
					}
					begun <- struct{}{}
					gone(c)
					over <- time.Now()
					return false
				})
				r := respond(t, serve.Options{}, serve.Limits{})
				env := stockAt(s.addr)
				if input == "all" { // two requests instead of a batch
					at := strings.Index(env, "[services.Stock.many.batch]")
					env = env[:at] + "[services.Stock.many]\nget = \"/many/{item}\"\nanswer = \"/n\"\n"
				}
				r.put(stock, env)
				client := r.dial().(*net.TCPConn)
				text, calls := post("required", `{"item":"slow"}`), 1
				if input == "all" {
					text, calls = post("all", `{"items":["a","b"]}`), 2
				}
				write(client, text)
				for range calls {
					<-begun
				}
				left := time.Now()
				vanish(client)
				for range calls {
					if took := (<-over).Sub(left); took > 2*time.Second {
						t.Errorf("a call went on for %s", took)
					} else {
						t.Logf("a call ended %s after the client had left", took)
					}
				}
				r.expect("required", `{"item":"good"}`, "7")
			})
		}
	}
}

// TestPipelined: requests sent without waiting are answered in turn.
func TestPipelined(t *testing.T) {
	s := newService(t, faulty)
	r := respond(t, serve.Options{}, serve.Limits{})
	r.put(stock, stockAt(s.addr))
	c := r.dial()
	write(c, post("required", `{"item":"good"}`)+post("guarded", `{"item":"dead"}`)+post("hurried", `{"item":"good"}`))
	in := bufio.NewReader(c)
	for _, want := range []string{"7", "-1", "17"} {
		resp, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		if string(body) != want || err != nil {
			t.Errorf("%s %v, want %s", body, err, want)
		}
	}
}

// TestCrowd: many clients at once, some of which leave, on a service that does all
// that services do. Every answer is right or says why there is none.
func TestCrowd(t *testing.T) {
	s := newService(t, faulty)
	r := respond(t, serve.Options{}, serve.Limits{})
	r.put(stock, strings.Replace(stockAt(s.addr), "timeout", "connections = 8\ntimeout", 1))
	items := []string{"good", "good", "good", "good", "good", "hang", "dead", "wrong", "trickle", "garbage", "good", "extra"}
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			for j := range 12 {
				item := items[(i+j)%len(items)]
				ctx, leave := context.WithCancel(t.Context())
				if (i*j)%7 == 3 {
					time.AfterFunc(3*time.Millisecond, leave)
				}
				a, err := r.try(ctx, "hurried", `{"item":"`+item+`"}`)
				switch left := ctx.Err() != nil; {
				case err != nil && !left:
					t.Error(err)
				case err == nil && !(a.status == 200 && (a.body == "8" || a.body == "17") || a.status == 502 && a.Operation == "shop.Stock.get" || a.status == 503 || left && a.status == 499):
					t.Errorf("%s: %s", item, a)
				case err == nil && a.status == 200 && a.body == "17" && item != "good" && item != "extra":
					t.Errorf("%s was answered: %s", item, a)
				}
				leave()
			}
		})
	}
	wg.Wait()
}
