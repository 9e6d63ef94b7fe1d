package httpjson

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"towpath.dev/internal/run/source"
	"towpath.dev/internal/run/source/http1"
	"towpath.dev/internal/settings"
)

const (
	// mostHeaders bounds the bytes of a response's headers.
	mostHeaders = 256 << 10
	// idleConnection is how long a connection waits for the next request.
	idleConnection = 90 * time.Second
	// pingAfter is how long an HTTP/2 connection may be silent before it is asked
	// whether it lives, and pingWithin how long that may take.
	pingAfter, pingWithin = 30 * time.Second, 5 * time.Second
)

// transport carries the requests. They are handed to it and not to an http.Client,
// which would follow redirects and put URLs into errors.
type transport interface {
	http.RoundTripper
	CloseIdleConnections()
}

// newTransport makes it: for HTTP/1.1 without TLS one that asks in the caller's
// own goroutine, else net/http's.
func (s *Source) newTransport(t *settings.Table, opts Options) transport {
	dial := opts.Dial
	if dial == nil {
		// A connection is made for whoever needs one next, so the request that
		// asked for it does not bound it.
		dial = (&net.Dialer{Timeout: s.timeout}).DialContext
	}
	var protocols http.Protocols
	if tls := s.scheme == "https"; t.Bool("http2", tls) {
		protocols.SetHTTP1(tls)
		protocols.SetHTTP2(tls)
		protocols.SetUnencryptedHTTP2(!tls)
	} else if !tls {
		s.readTLS(t, opts.Dir) // to say that it is for https
		return &http1.Transport{
			Dial:        func(ctx context.Context) (net.Conn, error) { return dial(ctx, "tcp", withPort(s.host)) },
			Connections: s.connections, Idle: idleConnection, Headers: mostHeaders,
		}
	} else {
		protocols.SetHTTP1(true)
	}
	return &http.Transport{
		DialContext:            dial,
		TLSClientConfig:        s.readTLS(t, opts.Dir),
		TLSHandshakeTimeout:    s.timeout,
		MaxConnsPerHost:        s.connections,
		MaxIdleConnsPerHost:    s.connections,
		IdleConnTimeout:        idleConnection,
		MaxResponseHeaderBytes: mostHeaders,
		Protocols:              &protocols,
		HTTP2:                  &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: pingWithin},
	}
}

// withPort is a host of an http URL as it is dialled.
func withPort(host string) string {
	if _, _, err := net.SplitHostPort(host); err == nil {
		return host
	}
	return net.JoinHostPort(strings.Trim(host, "[]"), "80")
}

// readTLS reads the certificates; nil without any.
func (s *Source) readTLS(t *settings.Table, dir string) *tls.Config {
	read := func(key string) []byte {
		path := t.Text(key, "")
		if path == "" {
			return nil
		}
		if s.scheme == "http" {
			t.Errorf(key, "`%s` is for https, and `url` starts with http://", key)
			return nil
		}
		if !filepath.IsAbs(path) {
			path = filepath.Join(dir, path)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Errorf(key, "`%s` cannot be read: %v", key, err)
		}
		return text
	}
	ca, cert, key := read("ca"), read("cert"), read("key")
	s.opened = source.Sum(ca, cert, key)
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if ca != nil {
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(ca) {
			t.Errorf("ca", "`ca` has no certificate in it; expected PEM, -----BEGIN CERTIFICATE-----")
		}
	}
	switch {
	case t.Has("cert") != t.Has("key"):
		t.Errorf("cert", "`cert` and `key` go together; one of them is missing")
	case cert != nil && key != nil:
		pair, err := tls.X509KeyPair(cert, key)
		if err != nil {
			t.Errorf("cert", "`cert` and `key` are no certificate and its key: %v", err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config
}

// unreachable says why no response began.
func unreachable(where string, err error) error {
	var authority x509.UnknownAuthorityError
	var name x509.HostnameError
	hint := ""
	switch {
	case errors.As(err, &authority):
		hint = "; name the CA that signed its certificate in `ca`"
	case errors.As(err, &name):
		hint = "; `url` and the certificate name different hosts"
	case errors.Is(err, http.ErrSchemeMismatch):
		hint = "; write http:// in `url` if it speaks no TLS"
	}
	e := source.Errorf(source.Unreachable, "%s: %w", where, err)
	e.Message += hint
	return e
}

// Probe asks the host whether it is there. With `probe` it gets that path and
// wants a status of 2xx; else it asks for the head of the base URL, and any
// status below 500 will do, and 501, which says that there are no heads.
func (s *Source) Probe(ctx context.Context, _ []source.Caller) error {
	m := s.scratch.Get().(*scratch)
	defer s.put(m)
	m.calls.reset(0)
	r := &request{method: http.MethodHead, header: s.header, target: literalTarget(s.probe)}
	if s.probe != "" {
		r.method = http.MethodGet
	}
	r.where = s.where(r.method)
	reply, err := s.ask(ctx, r, m, &source.About{})
	switch {
	case err != nil:
		return err
	case reply.status >= 500 && reply.status != http.StatusNotImplemented, s.probe != "" && !reply.ok():
		return reply.refusal(r.where)
	}
	return nil
}
