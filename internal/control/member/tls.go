package member

import (
	"crypto/tls"
	"errors"
	"fmt"
	"os"

	"go.etcd.io/etcd/client/pkg/v3/transport"
)

// TLS is the files, in PEM, of a member's certificate, which is for servers and for clients,
// of its key, and of the authorities that it trusts: whoever wants to talk to it shows
// a certificate of theirs. They are read anew for each connection, and so can be replaced.
type TLS struct {
	CA, Cert, Key string
	// Host is a name that such a certificate has to be for as well, where the authorities
	// give certificates to others than members and their clients. "": any will do.
	Host string
}

// validate finds files that are missing or do not fit, which etcd would say as
// connections fail.
func (t *TLS) validate() error {
	var faults []error
	if _, err := os.ReadFile(t.CA); err != nil {
		faults = append(faults, fmt.Errorf("the certificates of the authorities: %w", err))
	}
	if _, err := tls.LoadX509KeyPair(t.Cert, t.Key); err != nil {
		faults = append(faults, fmt.Errorf("the certificate %s with the key %s: %w", t.Cert, t.Key, err))
	}
	return errors.Join(faults...)
}

func (t *TLS) info() transport.TLSInfo {
	info := transport.TLSInfo{CertFile: t.Cert, KeyFile: t.Key, TrustedCAFile: t.CA, ClientCertAuth: true}
	if t.Host != "" {
		info.AllowedHostnames = []string{t.Host}
	}
	return info
}

// client is how the process of the member is a client of it.
func (t *TLS) client() (*tls.Config, error) {
	config, err := t.info().ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("the certificate %s with the key %s and the authorities %s: %w", t.Cert, t.Key, t.CA, err)
	}
	config.MinVersion = tls.VersionTLS13
	return config, nil
}
