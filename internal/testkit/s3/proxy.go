// A proxy that breaks calls.

package s3

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"
)

// A Break is what goes wrong with a request.
type Break uint8

// The ways in which requests break.
const (
	Nothing    Break = iota
	Internal         // it is answered with 500, and not passed on
	SlowDown         // with 503
	Conflict         // with 409, as by S3 when another conditional write is under way
	CutBefore        // the connection ends, and it is not passed on
	CutRequest       // half of its body is passed on, then both connections end
	CutAfter         // it is passed on, and the connection ends before the answer
	CutAnswer        // half of the answer's body arrives, then the connection ends
	Slow             // the answer comes late, by the proxy's Delay
	Silent           // it is passed on, and the answer does not come while the client waits
	breaks           // how many there are
)

// A Plan says what goes wrong with each request; n counts them from one. It is asked by one
// at a time.
type Plan func(n int, r *http.Request) Break

// Script plans what goes wrong with the first requests, in order. Others pass.
func Script(first ...Break) Plan {
	return func(n int, _ *http.Request) Break {
		if n > len(first) {
			return Nothing
		}
		return first[n-1]
	}
}

// Random plans that what is given goes wrong, each with its share of the requests, 1 being
// all. It follows from the seed and the order of requests.
func Random(seed uint64, shares map[Break]float64) Plan {
	r := rand.New(rand.NewPCG(seed, 0))
	return func(int, *http.Request) Break {
		n := r.Float64()
		for b := range breaks {
			if n < shares[b] {
				return b
			}
			n -= shares[b]
		}
		return Nothing
	}
}

// Overwriting plans that all requests pass, and that what would be written over is gone before: of a
// proxy and its server it makes a store that takes no heed of If-None-Match.
func (s *Server) Overwriting() Plan {
	return func(_ int, r *http.Request) Break {
		if r.Header.Get("If-None-Match") != "" { // it is signed, and has to stay
			_ = os.Remove(filepath.Join(s.dir, "buckets", filepath.FromSlash(r.URL.Path))) // if it is there
		}
		return Nothing
	}
}

// A Proxy stands before a server of HTTP and breaks calls as planned.
type Proxy struct {
	Address string        // HOST:PORT
	Delay   time.Duration // of slow answers; to be set before the first request

	target string
	client *http.Transport

	mu     sync.Mutex
	plan   Plan
	n      int
	broken [breaks]int
}

// NewProxy starts a proxy before the server at an address, HOST:PORT, which is stopped when
// the test ends.
func NewProxy(t testing.TB, target string, plan Plan) *Proxy {
	t.Helper()
	p := &Proxy{Delay: 50 * time.Millisecond, target: target, plan: plan, client: &http.Transport{DisableCompression: true}}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p.Address = l.Addr().String()
	server := &http.Server{Handler: http.HandlerFunc(p.serve)}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(l) }()
	t.Cleanup(func() {
		_ = server.Close() // ends the connections too
		if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
		p.client.CloseIdleConnections()
	})
	return p
}

// SetPlan plans anew, and counts requests from one again.
func (p *Proxy) SetPlan(plan Plan) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.plan, p.n = plan, 0
}

// Broken is how many requests went wrong in a way; with Nothing, how many did not.
func (p *Proxy) Broken(b Break) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.broken[b]
}

func (p *Proxy) next(r *http.Request) Break {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.n++
	b := Nothing
	if p.plan != nil {
		b = p.plan(p.n, r)
	}
	p.broken[b]++
	return b
}

// cut ends the connection of a request.
func cut() { panic(http.ErrAbortHandler) }

func (p *Proxy) serve(w http.ResponseWriter, r *http.Request) {
	b := p.next(r)
	if b == CutBefore {
		cut()
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		cut()
	}
	switch b {
	case Internal:
		refuse(w, http.StatusInternalServerError, "InternalError", "We encountered an internal error. Please try again.")
		return
	case SlowDown:
		refuse(w, http.StatusServiceUnavailable, "SlowDown", "Please reduce your request rate.")
		return
	case Conflict:
		refuse(w, http.StatusConflict, "ConditionalRequestConflict", "The conditional request cannot succeed due to a conflicting operation against this resource.")
		return
	case CutRequest:
		p.passHalf(r, body)
		cut()
	}
	answer, content, err := p.pass(r, body)
	if err != nil {
		cut()
	}
	switch b {
	case CutAfter:
		cut()
	case Silent:
		<-r.Context().Done()
		cut()
	case Slow:
		select {
		case <-time.After(p.Delay):
		case <-r.Context().Done():
		}
	}
	for name, values := range answer.Header {
		w.Header()[name] = values
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(content)))
	w.WriteHeader(answer.StatusCode)
	if b == CutAnswer {
		_, _ = w.Write(content[:len(content)/2])
		_ = http.NewResponseController(w).Flush()
		cut()
	}
	_, _ = w.Write(content) // the client may have gone
}

// refuse answers as S3 does.
func refuse(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, `<?xml version="1.0" encoding="UTF-8"?><Error><Code>%s</Code><Message>%s</Message></Error>`, code, message)
}

// pass passes a request on, and its signature with it: the Host header stays. It goes on
// when the client has gone, as it would have if it had been there already.
func (p *Proxy) pass(r *http.Request, body []byte) (*http.Response, []byte, error) {
	q, err := http.NewRequest(r.Method, "http://"+p.target+r.URL.RequestURI(), bytes.NewReader(body))
	if err != nil {
		return nil, nil, err
	}
	q.Header = r.Header.Clone()
	q.Header.Del("Expect") // the body is here
	q.Host = r.Host
	answer, err := p.client.RoundTrip(q)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = answer.Body.Close() }()
	content, err := io.ReadAll(answer.Body)
	return answer, content, err
}

// passHalf passes a request on with half of its body, and hangs up.
func (p *Proxy) passHalf(r *http.Request, body []byte) {
	connection, err := net.Dial("tcp", p.target)
	if err != nil {
		return
	}
	defer func() { _ = connection.Close() }()
	var text bytes.Buffer
	fmt.Fprintf(&text, "%s %s HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\n", r.Method, r.URL.RequestURI(), r.Host, len(body))
	header := r.Header.Clone()
	header.Del("Expect")
	header.Del("Content-Length")
	_ = header.Write(&text) // memory
	text.WriteString("\r\n")
	text.Write(body[:len(body)/2])
	_, _ = connection.Write(text.Bytes()) // or it is broken even earlier
}
