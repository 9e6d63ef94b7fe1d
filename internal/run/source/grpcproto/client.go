// Connections: HTTP/2 and HTTP/1.1, TLS, and what breaks on the way told apart.

package grpcproto

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"towpath.dev/internal/settings"
)

const (
	dialTimeout = 10 * time.Second
	idleTimeout = 90 * time.Second
	// A connection that has been silent for pingAfter is asked whether it lives,
	// and given up pingFor later: else a host that vanished would cost every call
	// its whole deadline until TCP notices.
	pingAfter = 10 * time.Second
	pingFor   = 5 * time.Second
	maxHeader = 256 << 10 // bytes of an answer's headers, and of its trailers
)

// client carries requests. It follows no redirects and keeps no cookies.
type client struct {
	transport *http.Transport
	connect   bool // the protocol is Connect: statuses other than 200 are answers
	stop      context.CancelFunc
}

func newClient(scheme, protocol string, conf *tls.Config, dial func(ctx context.Context, network, address string) (net.Conn, error)) *client {
	if dial == nil {
		dial = (&net.Dialer{Timeout: dialTimeout}).DialContext
	}
	// The transport goes on dialing for later calls when the call that wanted the
	// connection has ended; close ends that.
	life, stop := context.WithCancel(context.Background())
	t := &http.Transport{
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			ctx, cancel := context.WithTimeout(ctx, dialTimeout)
			defer cancel()
			defer context.AfterFunc(life, cancel)()
			return dial(ctx, network, address)
		},
		TLSClientConfig:        conf,
		TLSHandshakeTimeout:    dialTimeout,
		IdleConnTimeout:        idleTimeout,
		MaxIdleConnsPerHost:    64,
		MaxResponseHeaderBytes: maxHeader,
		DisableCompression:     true, // the protocols compress by themselves
		Protocols:              new(http.Protocols),
		HTTP2:                  &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: pingFor},
	}
	switch {
	case scheme == "https":
		t.Protocols.SetHTTP2(true)
		t.Protocols.SetHTTP1(protocol != "grpc")
	case protocol == "grpc":
		t.Protocols.SetUnencryptedHTTP2(true)
	default:
		t.Protocols.SetHTTP1(true)
	}
	return &client{transport: t, connect: protocol == "connect", stop: stop}
}

func (c *client) close() {
	c.stop()
	c.transport.CloseIdleConnections()
}

// Do implements connect.HTTPClient. The library gives errors codes that do not
// tell a connection that never was from one that broke, so these have types here.
func (c *client) Do(r *http.Request) (*http.Response, error) {
	response, err := c.transport.RoundTrip(r)
	if err != nil {
		return nil, &dialError{err}
	}
	if response.StatusCode != http.StatusOK && !(c.connect && strings.HasPrefix(response.Header.Get("Content-Type"), "application/json")) {
		start, _ := io.ReadAll(io.LimitReader(response.Body, 200))
		response.Body.Close()
		return nil, &statusError{response.StatusCode, retryAfter(response.Header), strings.Join(strings.Fields(strings.ToValidUTF8(string(start), "?")), " ")}
	}
	response.Body = &body{ReadCloser: response.Body}
	return response, nil
}

// dialError says that no answer began.
type dialError struct{ error }

func (e *dialError) Unwrap() error { return e.error }

// cutError says that an answer broke off after it had begun.
type cutError struct{ error }

func (e *cutError) Unwrap() error { return e.error }

// statusError is an answer that is not of the protocol but of HTTP alone.
type statusError struct {
	code  int
	after time.Duration
	start string // of the body
}

func (e *statusError) Error() string {
	if e.start == "" {
		return fmt.Sprintf("HTTP status %d %s", e.code, http.StatusText(e.code))
	}
	return fmt.Sprintf("HTTP status %d %s: %s", e.code, http.StatusText(e.code), e.start)
}

func asStatus(err error, to **statusError) bool { return errors.As(err, to) }

// body tells whether an answer began before it broke.
type body struct {
	io.ReadCloser
	began bool
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.began = b.began || n > 0
	if err != nil && err != io.EOF {
		if b.began {
			return n, &cutError{err}
		}
		return n, &dialError{err}
	}
	return n, err
}

// retryAfter is what the headers ask for, in seconds; a date there is not heeded,
// as it would need the time of day.
func retryAfter(h http.Header) time.Duration {
	if n, err := strconv.Atoi(h.Get("Retry-After")); err == nil && n > 0 {
		return time.Duration(min(n, 3600)) * time.Second
	}
	return 0
}

// readTLS reads `ca`, `cert` and `key`; nil where the scheme is http. read is what it
// found in the files.
func readTLS(t *settings.Table, scheme string, at func(string) string) (conf *tls.Config, read [][]byte) {
	ca, cert, key := t.Text("ca", ""), t.Text("cert", ""), t.Text("key", "")
	if scheme != "https" {
		for _, name := range []string{"ca", "cert", "key"} {
			if t.Has(name) {
				t.Errorf(name, "`%s` is for TLS, but `url` begins with http:; write https: or leave `%[1]s` out", name)
			}
		}
		return nil, nil
	}
	conf = &tls.Config{MinVersion: tls.VersionTLS12}
	read = make([][]byte, 3)
	if ca != "" {
		text, err := os.ReadFile(at(ca))
		read[0] = text
		conf.RootCAs = x509.NewCertPool()
		switch {
		case err != nil:
			t.Errorf("ca", "`ca`: %v", err)
		case !conf.RootCAs.AppendCertsFromPEM(text):
			t.Errorf("ca", "`ca`: %s holds no certificate; expected some in PEM form", ca)
		}
	}
	switch {
	case cert != "" && key != "":
		var pair tls.Certificate
		var err error
		if read[1], err = os.ReadFile(at(cert)); err == nil {
			read[2], err = os.ReadFile(at(key))
		}
		if err == nil {
			pair, err = tls.X509KeyPair(read[1], read[2])
		}
		if err != nil {
			t.Errorf("cert", "`cert` and `key`: %v", err)
		}
		conf.Certificates = []tls.Certificate{pair}
	case cert != "":
		t.Errorf("cert", "`cert` needs its `key`")
	case key != "":
		t.Errorf("key", "`key` needs its `cert`")
	}
	return conf, read
}
