package serve

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// TestConversation: several requests on a connection, as clients that know HTTP well
// and less well send them.
func TestConversation(t *testing.T) {
	s := start(t, Options{MaxBody: 1 << 20}, answers(stock))
	addr, _ := listen(t, s, Limits{})
	const ask = "POST /v1/shop/cost HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\n"
	for name, c := range map[string]struct {
		send []string // each in turn, an answer after each
		want []string // statuses and bodies; "end" where the connection ends
	}{
		"one after the other":  {[]string{request, request}, []string{`200 "2.5"`, `200 "2.5"`}},
		"two at once":          {[]string{request + request, ""}, []string{`200 "2.5"`, `200 "2.5"`}},
		"chunks":               {[]string{strings.Replace(ask, "Content-Length: 11", "Transfer-Encoding: chunked", 1) + "\r\n5\r\n{\"cou\r\n6\r\nnt\":1}\r\n0\r\n\r\n", request}, []string{`200 "2.5"`, `200 "2.5"`}},
		"close":                {[]string{ask + "Connection: close\r\n\r\n{\"count\":1}", ""}, []string{`200 "2.5"`, "end"}},
		"an old client":        {[]string{strings.Replace(request, "HTTP/1.1", "HTTP/1.0", 1), ""}, []string{`200 "2.5"`, "end"}},
		"an old one that asks": {[]string{strings.Replace(ask, "HTTP/1.1", "HTTP/1.0", 1) + "Connection: keep-alive\r\n\r\n{\"count\":1}", request}, []string{`200 "2.5"`, `200 "2.5"`}},
		"a head":               {[]string{"HEAD /healthz HTTP/1.1\r\nHost: x\r\n\r\n", request}, []string{"200 ", `200 "2.5"`}},
		"a body nobody reads":  {[]string{"GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello", request}, []string{"200 ok\n", `200 "2.5"`}},
		"an expectation":       {[]string{ask + "Expect: 100-continue\r\n\r\n", `{"count":1}`, request}, []string{"100 ", `200 "2.5"`, `200 "2.5"`}},
		"a strange one":        {[]string{ask + "Expect: miracles\r\n\r\n", ""}, []string{"417 417 Expectation Failed", "end"}},
		"too large, and sent":  {[]string{"POST /v1/shop/cost HTTP/1.1\r\nHost: x\r\nContent-Length: 2000000\r\n\r\n" + strings.Repeat("x", 60_000), ""}, []string{"413 *", "end"}},
	} {
		t.Run(name, func(t *testing.T) {
			conn := dialTo(t, addr)
			in := bufio.NewReader(conn)
			for i, text := range c.send {
				if _, err := io.WriteString(conn, text); err != nil {
					t.Fatal(err)
				}
				method := "POST"
				if strings.HasPrefix(text, "HEAD") {
					method = "HEAD"
				}
				got := "end"
				if resp, err := http.ReadResponse(in, &http.Request{Method: method}); err == nil {
					body, err := io.ReadAll(resp.Body)
					if err != nil {
						t.Error(err)
					}
					got = fmt.Sprintf("%d %s", resp.StatusCode, body)
				}
				if want, any := strings.CutSuffix(c.want[i], "*"); got != want && !(any && strings.HasPrefix(got, want)) {
					t.Errorf("answer %d is %q, want %q", i+1, got, c.want[i])
				}
			}
		})
	}
}

// TestPanicEndsItsConnectionAlone: what goes wrong in one request is no other's.
func TestPanicEndsItsConnectionAlone(t *testing.T) {
	s := start(t, Options{}, answers(stock))
	addr, _ := listen(t, s, Limits{})
	s.scratch.New = func() any { panic("broken on purpose") }
	if status, body, err := exchange(dialTo(t, addr), request); err == nil {
		t.Errorf("answered with %d %s", status, body)
	}
	if status, body, err := exchange(dialTo(t, addr), "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"); status != 200 || err != nil {
		t.Errorf("%d %s %v", status, body, err)
	}
}
