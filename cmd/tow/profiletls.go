//go:build !solo

// The profile that "tow init" wrote asks on loopback without TLS; "tow serve --control-tls" has it.

package main

import (
	"bytes"
	"fmt"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"

	"towpath.dev/internal/wholefile"
)

// askByTLS has the profile of this machine ask the control API by https, if it is of this
// cluster and asks without TLS what listens here. It reports whether it has changed it.
func askByTLS(path string, at net.Addr, ca []byte) (changed bool, err error) {
	p, err := readProfile(path)
	if err != nil || p.url == "" || p.ca == "" {
		return false, err
	}
	listens, ok := at.(*net.TCPAddr)
	u, wrong := url.Parse(p.url)
	if !ok || wrong != nil || u.Scheme != "http" || !isLoopbackHost(u.Hostname()) || u.Port() != strconv.Itoa(listens.Port) {
		return false, nil // it asks something else, if anything
	}
	if known, err := os.ReadFile(p.ca); err != nil || !bytes.Equal(known, ca) {
		return false, err
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return false, err
	}
	asks := fmt.Appendf(nil, "url = %q", p.url)
	if !bytes.Contains(text, asks) { // written otherwise: it is somebody's own
		return false, nil
	}
	text = bytes.Replace(text, asks, fmt.Appendf(nil, "url = %q", "https"+strings.TrimPrefix(p.url, "http")), 1)
	return true, wholefile.Replace(path, text)
}

// tellProfile sees to it that who asks on this machine asks by TLS, where the control API
// has it there.
func (p *opened) tellProfile() {
	path := profilePath()
	if !p.controlPlane.secure || path == "" {
		return
	}
	switch changed, err := askByTLS(path, p.listener.Addr(), p.trust.CA.PEM); {
	case err != nil:
		p.log.Warn("the profile may ask this control node without TLS, which it has", "profile", path, "error", err)
	case changed:
		fmt.Fprintf(p.err, "%s asks it by https from now on, as it has TLS\n", path)
	}
}
