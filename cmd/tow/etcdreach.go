//go:build !solo

// Why etcd does not answer, where it does not.

package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
)

// reachEtcd finds out whether one of the endpoints answers, as the first of them does. An error
// says of each why it does not.
func reachEtcd(ctx context.Context, endpoints []string, config *tls.Config) error {
	type answer struct {
		at  int
		err error
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	answers := make(chan answer, len(endpoints)) // so that none of those who ask is left waiting
	for i, endpoint := range endpoints {
		go func() { answers <- answer{i, greetEtcd(ctx, endpoint, config)} }()
	}
	faults := make([]error, len(endpoints))
	for range endpoints {
		a := <-answers
		if a.err == nil {
			return nil
		}
		faults[a.at] = a.err
	}
	if len(faults) == 1 {
		return faults[0]
	}
	return fmt.Errorf("none of etcd's endpoints answers:\n%w", errors.Join(faults...))
}

// greetEtcd asks an endpoint for anything at all, which is as far as certificates matter.
func greetEtcd(ctx context.Context, endpoint string, config *tls.Config) error {
	u, err := url.Parse(endpoint)
	if err != nil {
		return err
	}
	if u.Scheme == "https" && config == nil {
		config = &tls.Config{MinVersion: tls.VersionTLS12} // believes what the system does
	}
	transport := &http.Transport{DisableKeepAlives: true, TLSClientConfig: config.Clone()}
	defer transport.CloseIdleConnections()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, endpoint+"/version", nil)
	if err != nil {
		return err
	}
	answer, err := (&http.Client{Transport: transport}).Do(r)
	if err == nil {
		_, err = io.Copy(io.Discard, io.LimitReader(answer.Body, 64<<10))
		_ = answer.Body.Close()
		if err == nil && answer.StatusCode == http.StatusBadRequest && u.Scheme == "http" {
			return fmt.Errorf("%s speaks TLS: write https:// instead of http://, and name its certificate authority with --cacert", endpoint)
		}
	}
	switch said := fmt.Sprint(err); {
	case err == nil:
		return nil // whatever it said: a proxy, or a port for gRPC alone, need not know the page
	case errors.As(err, new(x509.UnknownAuthorityError)):
		return fmt.Errorf("%s is not believed, as its certificate is of an authority that is not known here: name its certificate authority with --cacert", endpoint)
	case errors.As(err, new(x509.HostnameError)):
		return fmt.Errorf("%s is not believed: %w; ask it at a name that its certificate is for", endpoint, deepest(err))
	case errors.As(err, new(*tls.CertificateVerificationError)):
		return fmt.Errorf("%s is not believed: %w", endpoint, deepest(err))
	case strings.Contains(said, "certificate required"), strings.Contains(said, "tls: bad certificate"), strings.Contains(said, "tls: handshake failure"):
		if config.Certificates == nil && config.GetClientCertificate == nil {
			return fmt.Errorf("%s lets in only who shows a certificate: name one with --cert and --key", endpoint)
		}
		return fmt.Errorf("%s does not accept the certificate of --cert: it has to be of the authority that etcd trusts, and good for clients", endpoint)
	case strings.Contains(said, "remote error: tls:"):
		return fmt.Errorf("%s does not accept the certificate of --cert: %w", endpoint, deepest(err))
	case strings.Contains(said, "server gave HTTP response to HTTPS client"), errors.As(err, new(tls.RecordHeaderError)):
		return fmt.Errorf("%s speaks no TLS: write http:// instead of https://", endpoint)
	case u.Scheme == "http" && strings.Contains(said, "malformed HTTP response"), u.Scheme == "http" && strings.Contains(said, "connection reset"), u.Scheme == "http" && errors.Is(err, io.EOF):
		// A server of HTTP/2 alone, which greets otherwise, or of TLS, which hangs up.
		if strings.Contains(said, `\x15\x03`) {
			return fmt.Errorf("%s speaks TLS: write https:// instead of http://, and name its certificate authority with --cacert", endpoint)
		}
		if strings.Contains(said, "malformed HTTP response") {
			return nil
		}
		return fmt.Errorf("%s hangs up: if it speaks TLS, write https:// instead of http://", endpoint)
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%s does not answer within %s: is it the right address, and does a firewall let this machine in?", endpoint, etcdPatience)
	case errors.As(err, new(net.Error)):
		return fmt.Errorf("%s cannot be reached: %w; is etcd running there?", endpoint, innermost(err))
	}
	return fmt.Errorf("%s: %w", endpoint, deepest(err))
}

// deepest is an error without what was put around it on its way.
func deepest(err error) error {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err
		}
		err = inner
	}
}
