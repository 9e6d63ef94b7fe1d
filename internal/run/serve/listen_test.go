package serve

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// listen serves on a free port until the test ends. stop ends it earlier.
func listen(t *testing.T, s *Server, limits Limits) (addr string, stop func() error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, l, limits, nil, 0) }()
	stopped := false
	stop = func() error {
		if stopped {
			return nil
		}
		stopped = true
		cancel()
		return <-ended
	}
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
	return l.Addr().String(), stop
}

func dialTo(t *testing.T, addr string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

const request = "POST /v1/shop/cost HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\n\r\n{\"count\":1}"

// exchange sends a text and reads one response.
func exchange(c net.Conn, text string) (int, string, error) {
	if _, err := io.WriteString(c, text); err != nil {
		return 0, "", err
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(body), err
}

// works asks the server something that it must still answer.
func works(t *testing.T, addr string) {
	t.Helper()
	status, body, err := exchange(dialTo(t, addr), request)
	if status != 200 || body != `"2.5"` || err != nil {
		t.Errorf("afterwards: %d %s %v", status, body, err)
	}
}

func TestHostileClients(t *testing.T) {
	s := start(t, Options{}, answers(stock))
	addr, _ := listen(t, s, Limits{Header: 100 * time.Millisecond, Body: 200 * time.Millisecond})
	for name, c := range map[string]struct {
		text   string
		status int // 0: the connection ends without an answer
	}{
		"half a body":          {strings.Replace(request, "Content-Length: 11", "Content-Length: 99", 1), 408},
		"half a head":          {"POST /v1/shop/cost HTTP/1.1\r\nHost: x\r\nConte", 400},
		"nothing":              {"", 0},
		"noise":                {"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400},
		"two lengths":          {"POST /v1/shop/cost HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\nContent-Length: 12\r\n\r\n{\"count\":1}", 400},
		"no host":              {"POST /v1/shop/cost HTTP/1.1\r\nContent-Length: 11\r\n\r\n{\"count\":1}", 400},
		"a chunk of no length": {"POST /v1/shop/cost HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400},
		"large headers":        {"POST /v1/shop/cost HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("x", 64<<10) + "\r\n\r\n", 431},
		"an old version":       {"POST /v1/shop/cost HTTP/0.9\r\n\r\n", 505},
	} {
		t.Run(name, func(t *testing.T) {
			status, body, err := exchange(dialTo(t, addr), c.text)
			if status != c.status {
				t.Errorf("%d %s %v, want %d", status, body, err, c.status)
			}
		})
	}
	works(t, addr)
}

func TestHTTP2WithoutTLS(t *testing.T) {
	s := start(t, Options{}, answers(stock))
	addr, _ := listen(t, s, Limits{})
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	tr := &http.Transport{Protocols: &protocols}
	defer tr.CloseIdleConnections()
	resp, err := (&http.Client{Transport: tr}).Post("http://"+addr+"/v1/shop/cost", "application/json", strings.NewReader(`{"count":1}`))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, err := io.ReadAll(resp.Body); err != nil || string(body) != `"2.5"` || resp.ProtoMajor != 2 {
		t.Errorf("%s %s %v", resp.Proto, body, err)
	}
}

// TestConnectionsLeftOpen opens 50,000 connections and leaves them. Those idle
// longest make room, and requests are answered all along.
func TestConnectionsLeftOpen(t *testing.T) {
	n := 50_000
	if testing.Short() {
		n = 2000
	}
	s := start(t, Options{}, answers(stock))
	addr, _ := listen(t, s, Limits{Connections: 500, Header: time.Minute})
	left := make([]net.Conn, 0, n)
	defer func() {
		for _, c := range left {
			_ = c.Close()
		}
	}()
	const held = 4000 // at a time, of this side
	for i := range n {
		// One address has too few ports for so many.
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, byte(2+i%8))}}
		c, err := d.Dial("tcp", addr)
		if err != nil {
			t.Fatal(i, err)
		}
		left = append(left, c)
		if i%5000 == 0 {
			works(t, addr)
		}
		if len(left) > held {
			_ = left[0].Close()
			left = left[1:]
		}
	}
	works(t, addr)
}

// TestBusyConnectionsAreKept: a connection with a request under way is not closed
// to make room, and new ones wait until there is some.
func TestBusyConnectionsAreKept(t *testing.T) {
	begun, goOn := make(chan struct{}, 2), make(chan struct{})
	s := start(t, Options{}, answers(func(context.Context, string) (string, error) {
		begun <- struct{}{}
		<-goOn
		return "3", nil
	}))
	addr, _ := listen(t, s, Limits{Connections: 2})
	busy := "POST /v1/shop/left HTTP/1.1\r\nHost: x\r\nContent-Length: 15\r\n\r\n{\"item\":\"lamp\"}"
	results := make(chan string, 3)
	for range 2 {
		c := dialTo(t, addr)
		go func() {
			status, body, err := exchange(c, busy)
			results <- fmt.Sprint(status, body, err)
		}()
	}
	<-begun
	<-begun
	third := dialTo(t, addr)
	go func() {
		status, body, err := exchange(third, request)
		results <- fmt.Sprint(status, body, err)
	}()
	close(goOn)
	for range 3 {
		if got := <-results; !strings.HasPrefix(got, "200") {
			t.Error(got)
		}
	}
}

// TestDrain: a request under way when the server is told to end is answered.
func TestDrain(t *testing.T) {
	begun, goOn := make(chan struct{}), make(chan struct{})
	s := start(t, Options{}, answers(func(context.Context, string) (string, error) {
		close(begun)
		<-goOn
		return "3", nil
	}))
	addr, stop := listen(t, s, Limits{})
	result := make(chan string, 1)
	c := dialTo(t, addr)
	go func() {
		status, body, err := exchange(c, "POST /v1/shop/left HTTP/1.1\r\nHost: x\r\nContent-Length: 15\r\n\r\n{\"item\":\"lamp\"}")
		result <- fmt.Sprint(status, body, err)
	}()
	<-begun
	ended := make(chan error, 1)
	go func() { ended <- stop() }()
	for !s.draining.Load() { // the listener closes right after
		time.Sleep(time.Millisecond)
	}
	close(goOn)
	if got := <-result; got != "2003<nil>" {
		t.Error(got)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
