package serve

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"towpath.dev/internal/run/engine"
	"towpath.dev/internal/run/source"
)

// hang answers nothing as long as somebody waits.
func hang(ctx context.Context, _ string) (string, error) {
	<-ctx.Done()
	return "", ctx.Err()
}

// TestSlowAnswer: the time that a request has to arrive does not end the wait for
// its answer.
func TestSlowAnswer(t *testing.T) {
	s := start(t, Options{}, answers(hang))
	addr, _ := listen(t, s, Limits{Body: 30 * time.Millisecond})
	c := dialTo(t, addr)
	in := bufio.NewReader(c)
	const slow = "POST /v1/shop/left HTTP/1.1\r\nHost: x\r\nTowpath-Deadline: 100\r\nContent-Length: 15\r\n\r\n{\"item\":\"lamp\"}"
	for range 2 { // the connection can be used again
		if _, err := io.WriteString(c, slow); err != nil {
			t.Fatal(err)
		}
		resp, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		if resp.StatusCode != 504 || !strings.Contains(string(body), DeadlineGone) || err != nil {
			t.Errorf("%d %s %v", resp.StatusCode, body, err)
		}
	}
}

// TestHalfClosed: a client that closes its sending side gets no empty success.
func TestHalfClosed(t *testing.T) {
	s := start(t, Options{}, answers(hang))
	addr, _ := listen(t, s, Limits{})
	c := dialTo(t, addr)
	if _, err := io.WriteString(c, "POST /v1/shop/left HTTP/1.1\r\nHost: x\r\nContent-Length: 15\r\n\r\n{\"item\":\"lamp\"}"); err != nil {
		t.Fatal(err)
	}
	if err := c.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if resp.StatusCode != statusClientGone || !strings.Contains(string(body), ClientGone) || err != nil {
		t.Errorf("%d %s %v", resp.StatusCode, body, err)
	}
}

// TestCallThatRanOutOfTime: the time of a call is not the request's.
func TestCallThatRanOutOfTime(t *testing.T) {
	s := start(t, Options{}, answers(func(context.Context, string) (string, error) {
		return "", source.Errorf(source.Expired, "no answer within 1ms: %w", context.DeadlineExceeded)
	}))
	status, _, body := ask(s, "POST", "/v1/shop/left", `{"item":"lamp"}`)
	if status != 502 || !strings.Contains(body, ServiceFailed) || !strings.Contains(body, `"operation":"shop.Stock.left"`) {
		t.Errorf("%d %s", status, body)
	}
	if n := s.programs.Load().byName["shop"].now.Load().main.Counts().Failed.Load(); n != 1 {
		t.Errorf("%d requests count as failed", n)
	}
}

// TestInnerDeadline: a program that another asks says that its time was up.
func TestInnerDeadline(t *testing.T) {
	s := start(t, Options{}, answers(hang))
	_, err := s.Answer(t.Context(), "shop", "hurried", []byte(`{"item":"lamp"}`), source.About{Request: "r"})
	if source.KindOf(err) != source.Expired || !errors.Is(err, engine.ErrDeadline) {
		t.Errorf("%s: %v", source.KindOf(err), err)
	}
}

// TestOneArtifactTwice: a release beside one of the same artifact, in another
// environment, does not break the metrics.
func TestOneArtifactTwice(t *testing.T) {
	s := start(t, Options{}, answers(stock))
	s.Place("shop", release(t, s, shopArtifact(), answers(stock)), release(t, s, shopArtifact(), answers(stock)), 0.5)
	for range 50 {
		ask(s, "POST", "/v1/shop/cost", `{"count":1}`)
	}
	status, _, body := ask(s, "GET", "/metrics", "")
	if status != 200 || strings.Count(body, `towpath_requests_total{outcome="answered"`) != 1 || !strings.Contains(body, "\"} 50\n") {
		t.Errorf("%d %.300s", status, body)
	}
}

// TestStrangersLearnNothing: without a token there is no telling what is served.
func TestStrangersLearnNothing(t *testing.T) {
	_, hash := NewToken()
	tokens, err := ReadTokens("tokens.toml", []byte("[tokens]\ncheckout = \""+hash+"\"\n"))
	if err != nil {
		t.Fatal(err)
	}
	s := start(t, Options{Tokens: tokens}, answers(stock))
	for _, target := range []string{"/v1/shop/left", "/v1/shop/none", "/v1/none/none", "/v1/shop/openapi.json", "/v1/none/openapi.json"} {
		for _, method := range []string{"GET", "POST"} {
			status, header, body := ask(s, method, target, "{}")
			if status != 401 || header.Get("WWW-Authenticate") != "Bearer" || strings.Contains(body, "shop") {
				t.Errorf("%s %s: %d %s", method, target, status, body)
			}
		}
	}
}

// TestChangesAtOnce: changes of what is served that come at the same time leave
// something that is.
func TestChangesAtOnce(t *testing.T) {
	s := start(t, Options{}, answers(stock))
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for range 10 {
				r := release(t, s, shopArtifact(), answers(stock))
				if i%2 == 0 {
					s.Put("shop", r)
				} else {
					s.Place("shop", r, release(t, s, shopArtifact(), answers(stock)), 0.5)
				}
			}
		})
	}
	wg.Wait()
	if status, _, body := ask(s, "POST", "/v1/shop/cost", `{"count":1}`); status != 200 {
		t.Errorf("%d %s", status, body)
	}
}

// TestTraceGoesOn: where no spans are made, calls carry the caller's.
func TestTraceGoesOn(t *testing.T) {
	var told string
	s := start(t, Options{}, abouts(func(about source.About) { told = about.TraceParent }))
	const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	for given, want := range map[string]string{parent: parent, "": "", "00-1-2-01": "", strings.Replace(parent, "a", "\x01", 1): "", parent + "-x": ""} {
		if ask(s, "POST", "/v1/shop/left", `{"item":"lamp"}`, "Traceparent", given); told != want {
			t.Errorf("of %q the service hears %q", given, told)
		}
	}
}
