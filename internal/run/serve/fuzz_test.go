package serve

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"testing"
	"time"
)

// noListener is one that nobody connects to.
type noListener struct{}

func (noListener) Accept() (net.Conn, error) { return nil, net.ErrClosed }
func (noListener) Close() error              { return nil }
func (noListener) Addr() net.Addr            { return &net.TCPAddr{} }

// FuzzLoop sends anything to a connection: the loop ends, and what it has said is a
// row of responses.
func FuzzLoop(f *testing.F) {
	for _, text := range []string{
		request, request + request, "GET / HTTP/1.0\r\n\r\n", "HEAD /x HTTP/1.1\r\nHost: x\r\n\r\n" + request, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nA: b\r\n\r\n" + request,
		"POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc", "\x16\x03\x01", "GET /\r\n\r\n", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 999\r\n\r\nabc",
	} {
		f.Add([]byte(text))
	}
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		r.Context().Done() // from here on somebody listens to the client
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
		}
		w.Header().Set("X-Sent", r.Header.Get("X-Sent"))
		_, _ = w.Write(body)
	})
	f.Fuzz(func(t *testing.T, sent []byte) {
		if len(sent) > 64<<10 {
			return
		}
		// It is over once nothing more comes for a moment.
		const moment = 5 * time.Millisecond
		limits := Limits{Header: moment, Body: moment, Write: time.Second, Idle: moment, HeaderBytes: 4 << 10}.filled()
		l := newLoop(handler, limits, newGate(noListener{}, 10), func(p any) { t.Errorf("a panic: %v", p) })
		_ = l.http2.Close()
		ours, theirs := net.Pipe()
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			k := &wire{Conn: theirs, loop: l}
			k.serve()
			_ = theirs.Close()
		}()
		var said bytes.Buffer
		read := make(chan struct{})
		go func() {
			defer close(read)
			_, _ = io.Copy(&said, ours)
		}()
		_, _ = ours.Write(sent) // the loop may have ended meanwhile
		<-ended
		<-read
		_ = ours.Close()
		in := bufio.NewReader(&said)
		for said.Len()+in.Buffered() > 0 {
			// Answers to HEAD say a length and have none, which only the asker knows.
			resp, err := http.ReadResponse(in, nil)
			if err != nil {
				if bytes.Contains(sent, []byte("HEAD")) || bytes.Contains(sent, []byte("100-continue")) {
					return
				}
				t.Fatalf("not a response: %v", err)
			}
			if _, err := io.Copy(io.Discard, resp.Body); err != nil {
				return // the client was gone
			}
		}
	})
}
