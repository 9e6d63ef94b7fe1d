package runtest

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"towpath.dev/internal/run/serve"
)

const stock = `
	pub service Stock {
		fn get(item: String) -> Int within 8s
		fn again(item: String) -> Int within 8s idempotent
		fn hasty(item: String) -> Int within 60ms
		fn put(item: String) -> Int within 8s
		fn many(item: String) -> Int batch 10 within 8s
		fn lines(item: String) -> List<Line> within 8s
	}
	pub type Line { name: String, count: Int }

	view required(item: String) -> Int { Stock.get(item) }
	view again(item: String) -> Int { Stock.again(item) }
	view hasty(item: String) -> Int { Stock.hasty(item) }
	view posted(item: String) -> Int { Stock.put(item) }
	view lines(item: String) -> List<Line> { Stock.lines(item) }
	view guarded(item: String) -> Int { Stock.get(item) else -1 }
	view guardedHasty(item: String) -> Int { Stock.hasty(item) else -1 }
	view hurried(item: String) -> Int { (optional Stock.get(item) within 60ms else -2) + 10 }
	view bounded(item: String) -> Int within 60ms { Stock.get(item) }
	view many(items: List<String>) -> List<Int> { items |> map(i => Stock.many(i) else -1) }
	view all(items: List<String>) -> List<Int> { items |> map(i => Stock.many(i)) }
`

// stockAt binds it to an address.
func stockAt(addr string) string {
	return `
[sources.stock]
type = "http"
url = "http://` + addr + `"
timeout = "5s"
max_answer = 65536

[services.Stock]
source = "stock"
get = { get = "/get/{item}", answer = "/n" }
again = { get = "/again/{item}", answer = "/n" }
hasty = { get = "/get/{item}", answer = "/n" }
put = { post = "/put/{item}", answer = "/n" }
lines = { get = "/lines/{item}", answer = "/lines" }

[services.Stock.many.batch]
post = "/many"
body = '{"items": "{item[]}"}'
answer = "/items"
key = "/item"
of = "item"
each = "/n"
`
}

const seven = `{"n":7}`

// faulty answers by the last part of the path.
func faulty(s *service, c *net.TCPConn, r *http.Request) bool {
	at := strings.LastIndexByte(r.URL.Path, '/')
	switch item := r.URL.Path[at+1:]; item {
	case "many":
		var asked struct{ Items []string }
		if json.NewDecoder(r.Body).Decode(&asked) != nil {
			return false
		}
		return write(c, good(half(asked.Items)))
	case "hang":
		return gone(c)
	case "reset":
		write(c, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"n\":")
		_ = c.SetLinger(0)
		return false
	case "dead":
		_ = c.SetLinger(0)
		return false
	case "cut":
		write(c, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"n\":7}")
		return false
	case "trickle":
		write(c, "HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n{")
		return trickle(c, " ")
	case "tricklehead":
		write(c, "HTTP/1.1 200 OK\r\n")
		return trickle(c, "X: y\r\n")
	case "garbage":
		write(c, "SSH-2.0-OpenSSH_9.9\r\n")
		return false
	case "noise":
		write(c, strings.Repeat("\x00\xff\x80", 1000))
		return false
	case "html":
		return write(c, good("<html>hello</html>"))
	case "empty":
		return write(c, good(""))
	case "nothing":
		return write(c, "HTTP/1.1 204 No Content\r\n\r\n")
	case "wrong":
		return write(c, good(`{"n":"seven","lines":[{"name":"a","count":1},{"name":"b","count":true}]}`))
	case "missing":
		return write(c, good(`{"m":7}`))
	case "extra":
		write(c, good(seven)+"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n{\"n\":8}")
		return true
	case "both":
		write(c, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n7\r\n{\"n\":7}\r\n0\r\n\r\n")
		return true
	case "lengths":
		write(c, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 7\r\n\r\n{\"n\":7}")
		return true
	case "endless":
		write(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
		return endless(s, c, "1000\r\n"+strings.Repeat("1", 4096)+"\r\n")
	case "huge":
		write(c, "HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\n")
		return endless(s, c, strings.Repeat("1", 4096))
	case "endlesshead":
		write(c, "HTTP/1.1 200 OK\r\n")
		return endless(s, c, "X: "+strings.Repeat("x", 4000)+"\r\n")
	case "endlessrefusal":
		write(c, "HTTP/1.1 500 Oh\r\nTransfer-Encoding: chunked\r\n\r\n")
		return endless(s, c, "1000\r\n"+strings.Repeat("1", 4096)+"\r\n")
	case "interim":
		return endless(s, c, "HTTP/1.1 103 Early Hints\r\n\r\n")
	case "bomb":
		return write(c, "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n"+strings.TrimPrefix(good(bomb()), "HTTP/1.1 200 OK\r\n"))
	case "busy":
		if s.count(r.Method+" "+r.URL.Path) == 1 {
			return write(c, "HTTP/1.1 503 Busy\r\nRetry-After: 0\r\nContent-Length: 4\r\n\r\nbusy")
		}
	case "redirect":
		return write(c, "HTTP/1.1 302 Found\r\nLocation: http://elsewhere/x?secret\r\nContent-Length: 0\r\n\r\n")
	}
	return write(c, good(seven))
}

// trickle writes a text now and then, until the other end hangs up.
func trickle(c net.Conn, text string) bool {
	every := time.NewTicker(2 * time.Millisecond)
	defer every.Stop()
	for range every.C {
		if !write(c, text) {
			return false
		}
	}
	return false
}

// endless writes a text as often as it is taken, 10 GB at the most.
func endless(s *service, c net.Conn, text string) bool {
	for sent := int64(0); sent < 10e9 && write(c, text); sent += int64(len(text)) {
		s.mu.Lock()
		s.sent += int64(len(text))
		s.mu.Unlock()
	}
	return false
}

// bomb is compressed spaces, 32 MB of them.
func bomb() string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	for range 32 {
		_, _ = w.Write(bytes.Repeat([]byte(" "), 1<<20)) // it is memory
	}
	_ = w.Close()
	return b.String()
}

// half answers every second call of a batch.
func half(items []string) string {
	var parts []string
	for i, item := range items {
		if i%2 == 0 {
			parts = append(parts, fmt.Sprintf(`{"item":%q,"n":%d}`, item, i))
		}
	}
	return `{"items":[` + strings.Join(parts, ",") + `]}`
}

func TestFaultyServices(t *testing.T) {
	for _, c := range []struct {
		view, item string
		status     int
		want       string // the answer, or what the problem's detail has
		op         string // of the problem
	}{
		{"required", "good", 200, "7", ""},
		{"hasty", "hang", 502, "no answer within the operation's time", "hasty"},
		{"guardedHasty", "hang", 200, "-1", ""},
		{"hurried", "hang", 200, "8", ""},
		{"hurried", "good", 200, "17", ""},
		{"bounded", "hang", 504, "the view's time went by", ""},
		{"required", "reset", 502, "broke off after 5 bytes", "get"},
		{"guarded", "reset", 200, "-1", ""},
		{"required", "dead", 502, "unreachable", "get"},
		{"required", "cut", 502, "broke off after 7 bytes", "get"},
		{"hasty", "trickle", 502, "no answer within", "hasty"},
		{"guardedHasty", "trickle", 200, "-1", ""},
		{"hurried", "trickle", 200, "8", ""},
		{"hurried", "tricklehead", 200, "8", ""},
		{"required", "garbage", 502, "the response is broken", "get"},
		{"guarded", "garbage", 200, "-1", ""},
		{"required", "noise", 502, "the response is broken", "get"},
		{"required", "html", 502, "is no JSON", "get"},
		{"required", "empty", 502, "the response is empty", "get"},
		{"required", "nothing", 502, "the response is empty", "get"},
		{"required", "wrong", 502, `at $: expected Int, found string "seven"`, "get"},
		{"lines", "wrong", 502, "at $[1].count: expected Int", "lines"},
		{"guarded", "wrong", 200, "-1", ""},
		{"required", "missing", 502, "nothing at /n", "get"},
		{"required", "both", 200, "7", ""},
		{"required", "lengths", 502, "the response is broken", "get"},
		{"required", "extra", 200, "7", ""},
		{"required", "endless", 502, "more than 65536 bytes, the `max_answer`", "get"},
		{"required", "huge", 502, "more than 65536 bytes, the `max_answer`", "get"},
		{"required", "endlesshead", 502, "headers are too large", "get"},
		{"required", "endlessrefusal", 502, "500", "get"},
		{"required", "interim", 502, "too many interim responses", "get"},
		{"required", "bomb", 502, "more than 65536 bytes, the `max_answer`", "get"},
		{"required", "busy", 502, "503", "get"},
		{"again", "busy", 200, "7", ""},
		{"required", "redirect", 502, "redirects are not followed", "get"},
		{"posted", "dead", 502, "unreachable", "put"},
		{"posted", "good", 200, "7", ""},
	} {
		t.Run(c.view+" "+c.item, func(t *testing.T) {
			s := newService(t, faulty)
			r := respond(t, serve.Options{}, serve.Limits{})
			r.put(stock, stockAt(s.addr))
			r.expect("required", `{"item":"good"}`, "7") // a connection is there
			a := r.ask(c.view, `{"item":"`+c.item+`"}`)
			switch {
			case a.status != c.status:
				t.Errorf("%s, want %d", a, c.status)
			case c.status == 200 && a.body != c.want, c.status != 200 && !strings.Contains(a.Detail, c.want):
				t.Errorf("%s, want %s", a, c.want)
			case c.op != "" && a.Operation != "shop.Stock."+c.op:
				t.Errorf("%s, want the operation %s", a, c.op)
			case strings.Contains(a.body, "secret"):
				t.Errorf("%s tells a secret", a)
			}
			r.expect("required", `{"item":"good"}`, "7")
			if n := s.count("POST /put/dead"); n > 1 {
				t.Errorf("what is not idempotent was asked %d times", n)
			}
			s.mu.Lock()
			defer s.mu.Unlock()
			if s.sent > 32<<20 {
				t.Errorf("%d bytes of an endless answer were taken", s.sent)
			}
		})
	}
}

func TestRetries(t *testing.T) {
	s := newService(t, faulty)
	r := respond(t, serve.Options{}, serve.Limits{})
	r.put(stock, stockAt(s.addr))
	r.expect("again", `{"item":"busy"}`, "7")
	if a := r.ask("required", `{"item":"busy"}`); a.status != 502 {
		t.Error(a)
	}
	r.expect("required", `{"item":"busy"}`, "7")
	if again, get := s.count("GET /again/busy"), s.count("GET /get/busy"); again != 2 || get != 2 {
		t.Errorf("the idempotent one was asked %d times, the other %d", again, get)
	}
}

func TestHalfABatch(t *testing.T) {
	s := newService(t, faulty)
	r := respond(t, serve.Options{}, serve.Limits{})
	r.put(stock, stockAt(s.addr))
	r.expect("many", `{"items":["a","b","c","d"]}`, "[0,-1,2,-1]")
	a := r.ask("all", `{"items":["a","b"]}`)
	if a.status != 502 || a.Operation != "shop.Stock.many" || !strings.Contains(a.Detail, "no item whose /item is that of the call") {
		t.Error(a)
	}
	if n := s.count("POST /many"); n != 2 {
		t.Errorf("two batches took %d requests", n)
	}
}

func TestServiceComesBack(t *testing.T) {
	s := newService(t, faulty)
	r := respond(t, serve.Options{}, serve.Limits{})
	r.put(stock, stockAt(s.addr))
	for range 2 {
		r.expect("required", `{"item":"good"}`, "7")
		s.stop()
		a := r.ask("required", `{"item":"good"}`)
		if a.status != 502 || !strings.Contains(a.Detail, "unreachable") || a.Operation != "shop.Stock.get" {
			t.Error(a)
		}
		r.expect("guarded", `{"item":"good"}`, "-1")
		if err := s.start(); err != nil {
			t.Skip("somebody else took the port:", err)
		}
	}
	r.expect("required", `{"item":"good"}`, "7")
}

// TestServiceTimeout: the source's own time ends a call as a failure of the service.
func TestServiceTimeout(t *testing.T) {
	s := newService(t, faulty)
	r := respond(t, serve.Options{}, serve.Limits{})
	r.put(stock, strings.Replace(stockAt(s.addr), `"5s"`, `"50ms"`, 1))
	a := r.ask("required", `{"item":"hang"}`)
	if a.status != 502 || a.Operation != "shop.Stock.get" || !strings.Contains(a.Detail, "the `timeout` of the source") {
		t.Error(a)
	}
	if a := r.ask("required", `{"item":"hang"}`, "Towpath-Deadline", "30"); a.status != 504 {
		t.Error(a)
	}
	r.expect("required", `{"item":"good"}`, "7")
}

// TestEarlyRefusal: a service may refuse a large request before it has read it.
func TestEarlyRefusal(t *testing.T) {
	s := newService(t, faulty)
	s.refuse = func(c *net.TCPConn, r *http.Request) bool {
		if r.ContentLength < 1000 {
			return false
		}
		write(c, "HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 8\r\n\r\ntoo much")
		return true
	}
	r := respond(t, serve.Options{MaxBody: 4 << 20}, serve.Limits{})
	r.put(stock, stockAt(s.addr))
	// More than the kernel takes at once.
	a := r.ask("all", `{"items":["`+strings.Repeat("x", 3<<20)+`","b"]}`)
	if a.status != 502 || a.Operation != "shop.Stock.many" {
		t.Error(a)
	}
	r.expect("many", `{"items":["a"]}`, "[0]")
}
