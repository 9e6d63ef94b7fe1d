package client

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"connectrpc.com/connect"

	"towpath.dev/api/towpathv1/towpathv1connect"
)

// Control is the control API of a cluster, one client a service. It is safe for
// concurrent use.
//
//	c, err := client.NewControl("https://control.internal:7071", client.ControlOptions{Token: token, CA: pem})
//	entry, err := c.KV.Get(ctx, &towpathv1.GetRequest{Namespace: "shop", Key: "fee"})
//
// Errors are connect's: [connect.CodeOf] tells what kind one is.
type Control struct {
	KV       towpathv1connect.KeyValueServiceClient
	Election towpathv1connect.ElectionServiceClient
	Access   towpathv1connect.AccessServiceClient
	Nodes    towpathv1connect.NodeServiceClient
	Deploy   towpathv1connect.DeployServiceClient

	at   string
	http http.Client
}

// ControlOptions say how a Control asks. The zero value asks without credentials and
// believes the certificate authorities of the system.
type ControlOptions struct {
	// Token is sent as "Authorization: Bearer". "": none is.
	Token string
	// CA is the cluster's certificate authority, PEM. Nil: the system's are believed.
	CA []byte
	// Certificate tells who asks. Nil: the token does.
	Certificate *tls.Certificate
	// HTTP carries the requests; it brings its own TLS, so that CA and Certificate
	// are to be left out. Nil: a transport of TLS 1.3.
	HTTP http.RoundTripper
}

// NewControl makes a Control for an address: https://HOST:PORT, or on loopback
// http://HOST:PORT. The error says what is wrong with it or with the options.
func NewControl(base string, o ControlOptions) (*Control, error) {
	u, err := url.Parse(base)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("%q is no address of a control API: expected https://HOST:PORT, or http://127.0.0.1:PORT", base)
	}
	if u.Scheme == "http" && !isLoopback(u.Hostname()) {
		return nil, fmt.Errorf("%s is not of this machine, and http:// would show what is sent to anyone between: use https://%s", base, u.Host)
	}
	carrier := o.HTTP
	if carrier == nil {
		if carrier, err = transport(o); err != nil {
			return nil, err
		}
	} else if o.CA != nil || o.Certificate != nil {
		return nil, errors.New("a transport of one's own brings its own TLS: leave CA and Certificate out")
	}
	c := &Control{http: http.Client{
		Transport: &bearer{carrier, o.Token},
		// Who is redirected would show the token elsewhere.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	at := strings.TrimRight(u.String(), "/")
	options := connect.WithClientOptions(connect.WithSendGzip(), connect.WithCompressMinBytes(4<<10))
	c.KV = towpathv1connect.NewKeyValueServiceClient(&c.http, at, options)
	c.Election = towpathv1connect.NewElectionServiceClient(&c.http, at, options)
	c.Access = towpathv1connect.NewAccessServiceClient(&c.http, at, options)
	c.Nodes = towpathv1connect.NewNodeServiceClient(&c.http, at, options)
	c.Deploy = towpathv1connect.NewDeployServiceClient(&c.http, at, options)
	c.at = at
	return c, nil
}

// Close closes the connections that are not in use.
func (c *Control) Close() { c.http.CloseIdleConnections() }

// transport is one of TLS 1.3 that believes the options' CA.
func transport(o ControlOptions) (http.RoundTripper, error) {
	secure := &tls.Config{MinVersion: tls.VersionTLS13}
	if o.CA != nil {
		secure.RootCAs = x509.NewCertPool()
		if !secure.RootCAs.AppendCertsFromPEM(o.CA) {
			return nil, errors.New("the CA holds no certificate: expected PEM that begins with -----BEGIN CERTIFICATE-----")
		}
	}
	if o.Certificate != nil {
		secure.Certificates = []tls.Certificate{*o.Certificate}
	}
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.TLSClientConfig = secure
	// A peer that has silently gone is noticed within half a minute, also by a stream
	// that only listens.
	t.HTTP2 = &http.HTTP2Config{SendPingTimeout: 15 * time.Second, PingTimeout: 15 * time.Second}
	return t, nil
}

// isLoopback reports whether a host is this machine, whatever names say.
func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// bearer sends a token with each request.
type bearer struct {
	next  http.RoundTripper
	token string
}

// RoundTrip is part of http.RoundTripper.
func (b *bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	if b.token != "" {
		r = r.Clone(r.Context()) // a RoundTripper leaves its request as it is
		r.Header.Set("Authorization", "Bearer "+b.token)
	}
	return b.next.RoundTrip(r)
}

// CloseIdleConnections closes those of the RoundTripper below.
func (b *bearer) CloseIdleConnections() {
	if c, ok := b.next.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

// Do sends a request to a path of the control API that is of no service, with the
// credentials of the others. The answer's body is the caller's to close.
func (c *Control) Do(ctx context.Context, method, path string, body []byte) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, method, c.at+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	return c.http.Do(r)
}
