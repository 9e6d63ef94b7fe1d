//go:build !solo

// Where the control API is, and as whom tow asks it: flags, variables, a profile.

package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"connectrpc.com/connect"
	"github.com/spf13/cobra"

	"towpath.dev/client"
	"towpath.dev/internal/control/access"
	"towpath.dev/internal/settings"
)

// controlAt says where the control API is and who asks. What a flag or a variable
// says goes before the profile.
type controlAt struct{ url, ca, token string }

// flags adds the flags that all commands of the control API have.
func (a *controlAt) flags(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&a.url, "control", "", "ask the control API at `URL` (default: the variable TOW_CONTROL, or what the profile says)")
	f.StringVar(&a.ca, "ca", "", "believe the certificate authority in the `FILE` (default: the profile's)")
	f.StringVar(&a.token, "control-token", "", "send the `TOKEN` (default: the variable TOW_CONTROL_TOKEN, or the profile's)")
}

// open makes a client of the control API.
func (a *controlAt) open() (*client.Control, error) {
	p, err := readProfile(profilePath())
	if err != nil {
		return nil, err
	}
	at := or(a.url, or(os.Getenv("TOW_CONTROL"), p.url))
	if at == "" {
		return nil, usage{errors.New("nothing says where the control API is: name it with --control URL, or make a cluster on this machine with \"tow init\""), ""}
	}
	if at != p.url {
		// Another cluster is not to see the profile's secrets.
		p = &profile{url: at}
	}
	a.url = at
	o := client.ControlOptions{Token: or(a.token, os.Getenv("TOW_CONTROL_TOKEN"))}
	if file := or(a.ca, p.ca); file != "" {
		if o.CA, err = os.ReadFile(file); err != nil {
			return nil, fmt.Errorf("the certificate authority: %w", err)
		}
	}
	switch {
	case o.Token != "":
	case p.certificate != "" && strings.HasPrefix(at, "https:"):
		pair, err := tls.LoadX509KeyPair(p.certificate, p.key)
		if err != nil {
			return nil, fmt.Errorf("the profile's certificate and its key: %w", err)
		}
		o.Certificate = &pair
	default:
		o.Token = p.token
	}
	c, err := client.NewControl(at, o)
	if err != nil {
		return nil, usage{err, ""}
	}
	return c, nil
}

// told is an error of the control API's, as the user hears it: what was refused, and
// what to do about it.
func (a *controlAt) told(err error) error {
	var refused *connect.Error
	if err == nil || !errors.As(err, &refused) {
		return err
	}
	message := refused.Message()
	if text := a.otherScheme(refused); text != "" {
		return errors.New(text)
	}
	switch refused.Code() {
	case connect.CodeUnauthenticated:
		return fmt.Errorf("%s does not know who asks: %s; name a token with --control-token or TOW_CONTROL_TOKEN (\"tow principal create\" makes one)", a.url, message)
	case connect.CodePermissionDenied:
		return fmt.Errorf("not permitted: %s; \"tow whoami\" tells as whom you ask", message)
	case connect.CodeUnavailable:
		var unbelieved *tls.CertificateVerificationError
		if errors.As(err, &unbelieved) {
			return fmt.Errorf("%s is not believed: %w; --ca names the certificate authority of its cluster", a.url, unbelieved.Err)
		}
		if !connect.IsWireError(err) {
			return fmt.Errorf("cannot ask %s: %w; is \"tow serve\" running there?", a.url, a.below(refused))
		}
		return fmt.Errorf("%s cannot answer now: %s", a.url, message)
	case connect.CodeDeadlineExceeded:
		return fmt.Errorf("no answer from %s in time", a.url)
	case connect.CodeCanceled:
		return context.Canceled
	case connect.CodeInvalidArgument, connect.CodeNotFound, connect.CodeAlreadyExists, connect.CodeFailedPrecondition, connect.CodeAborted, connect.CodeOutOfRange:
		return wrong{errors.New(message)}
	}
	return fmt.Errorf("%s: %s", a.url, message)
}

// otherScheme says so where who answers has TLS, and was asked without, or the other way round;
// "" is neither.
func (a *controlAt) otherScheme(err *connect.Error) string {
	const next = "ask it at %s: with --control or TOW_CONTROL, or by the line `url` of the profile %s"
	if at, plain := strings.CutPrefix(a.url, "http://"); plain && err.Message() == plainToTLS {
		return fmt.Sprintf("what listens at %s has TLS, as with --control-tls; "+next, a.url, "https://"+at, profilePath())
	}
	if at, secure := strings.CutPrefix(a.url, "https://"); secure && strings.Contains(err.Message(), tlsToPlain) {
		return fmt.Sprintf("what listens at %s has no TLS; start \"tow serve\" there with --control-tls, or "+next, a.url, "http://"+at, profilePath())
	}
	return ""
}

// What a server of Go answers who asks without TLS, as connect tells it, and what a client of
// Go says who is answered without.
const (
	plainToTLS = "400 Bad Request"
	tlsToPlain = "server gave HTTP response to HTTPS client"
)

// below is what was wrong with a connection.
func (a *controlAt) below(err *connect.Error) error {
	var around *url.Error
	if errors.As(err, &around) {
		return innermost(around.Err)
	}
	return innermost(err.Unwrap())
}

// ask makes a client and has it ask, for a while.
func (a *controlAt) ask(ctx context.Context, with func(context.Context, *client.Control) error) error {
	c, err := a.open()
	if err != nil {
		return err
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	return a.told(with(ctx, c))
}

// askTime is how long a command waits for the control API.
const askTime = 15 * time.Second

// profile is how "tow init" says where a cluster is, a file of TOML. Its files are
// named from its own folder. The certificate is for TLS, the token for loopback.
type profile struct {
	url         string
	ca          string // a file
	certificate string // a file
	key         string // a file
	token       string
}

// profilePath is where the profile is.
func profilePath() string {
	if path := os.Getenv("TOW_PROFILE"); path != "" {
		return path
	}
	dir := os.Getenv("XDG_CONFIG_HOME")
	if dir == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return "" // there is no place for one
		}
		dir = filepath.Join(home, ".config")
	}
	return filepath.Join(dir, "towpath", "control.toml")
}

// readProfile reads a profile. One that is not there says nothing.
func readProfile(path string) (*profile, error) {
	text, err := os.ReadFile(path)
	if path == "" || errors.Is(err, fs.ErrNotExist) {
		return &profile{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("the profile: %w", err)
	}
	f := settings.Parse(path, text)
	file := func(key string) string {
		name := f.Root.Text(key, "")
		if name == "" || filepath.IsAbs(name) {
			return name
		}
		return filepath.Join(filepath.Dir(path), name)
	}
	p := &profile{
		url: f.Root.Text("url", ""), token: f.Root.Text("token", ""),
		ca: file("ca"), certificate: file("certificate"), key: file("key"),
	}
	if (p.certificate == "") != (p.key == "") {
		f.Root.Errorf("certificate", "`certificate` and `key` go together")
	}
	f.Root.Done()
	if err := f.Err(); err != nil {
		return nil, err
	}
	return p, nil
}

// write writes a profile, and beside it what it names.
func (p *profile) write(path string, ca []byte, admin *access.Founded) error {
	stem := strings.TrimSuffix(path, filepath.Ext(path))
	p.ca, p.certificate, p.key = stem+"-ca.pem", stem+"-admin.pem", stem+"-admin-key.pem"
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	text := fmt.Sprintf("# Where the cluster is, and its first admin: as secret as a password.\nurl = %q\nca = %q\ncertificate = %q\nkey = %q\ntoken = %q\n",
		p.url, filepath.Base(p.ca), filepath.Base(p.certificate), filepath.Base(p.key), admin.Token)
	for _, f := range []struct {
		name string
		text []byte
	}{{p.ca, ca}, {p.certificate, admin.Certificate}, {p.key, admin.Key}, {path, []byte(text)}} {
		if err := os.WriteFile(f.name, f.text, 0o600); err != nil {
			return err
		}
	}
	return nil
}
