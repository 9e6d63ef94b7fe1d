//go:build !solo

// A node joins a cluster: what control nodes and responders have in common.

package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"connectrpc.com/connect"

	"towpath.dev/api/towpathv1"
	"towpath.dev/client"
	"towpath.dev/internal/control/access"
)

// joinFlags say which cluster a node is to join, and as whom.
type joinFlags struct {
	at    []string // URLs of control nodes
	token string
	name  string // "": the machine's
}

// joinTime is how long one control node has to let a node in: see members.Add.
const joinTime = 30 * time.Second

// join asks the control nodes one after the other to let a node in. The folder keeps the
// key that it asks for, so that asking again after a lost answer is the same question.
func (j *joinFlags) join(ctx context.Context, dir, peerURL string, hosts []string) (answer *towpathv1.JoinResponse, key []byte, err error) {
	token, err := access.ParseJoinToken(j.token)
	if err != nil {
		return nil, nil, usage{fmt.Errorf("--join-token: %s", plainMessage(err)), "tow serve"}
	}
	name, err := j.node()
	if err != nil {
		return nil, nil, err
	}
	key, csr, err := pendingKey(dir, hosts)
	if err != nil {
		return nil, nil, err
	}
	for _, at := range j.at {
		answer, err = joinAt(ctx, at, token, &towpathv1.JoinRequest{Token: token.String(), Name: name, Csr: csr, PeerUrl: peerURL})
		if err == nil {
			return answer, key, nil
		}
		if connect.CodeOf(err) != connect.CodeUnavailable {
			return nil, nil, joinTold(at, err)
		}
	}
	return nil, nil, joinTold(j.at[len(j.at)-1], err)
}

// joined forgets the key of a folder that was to be kept for another attempt.
func joined(dir string) { _ = os.Remove(filepath.Join(dir, pendingName)) }

// pendingName is the key of a node that has not heard yet that it has joined.
const pendingName = "joining-key.pem"

func pendingKey(dir string, hosts []string) (key, csr []byte, err error) {
	file := filepath.Join(dir, pendingName)
	key, err = os.ReadFile(file)
	if err == nil {
		csr, err = access.RequestFor(key, hosts...)
		return key, csr, err
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, err
	}
	if key, csr, err = access.NewRequest(hosts...); err != nil {
		return nil, nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, nil, err
	}
	return key, csr, os.WriteFile(file, key, 0o600)
}

func joinAt(ctx context.Context, at string, token access.JoinToken, q *towpathv1.JoinRequest) (*towpathv1.JoinResponse, error) {
	u, err := url.Parse(at)
	if err != nil || u.Scheme != "https" || u.Host == "" {
		return nil, usage{fmt.Errorf("--join %s: expected https://HOST:PORT, since nodes show certificates; a control node on loopback has TLS with --control-tls", at), "tow serve"}
	}
	// All that this node knows of the cluster is the pin in the token.
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.TLSClientConfig = access.Pinned(token.Pin, u.Hostname())
	c, err := client.NewControl(at, client.ControlOptions{HTTP: t})
	if err != nil {
		return nil, err
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(ctx, joinTime)
	defer cancel()
	return c.Access.Join(ctx, q)
}

// joinTold is why a node does not get in, as the user hears it.
func joinTold(at string, err error) error {
	var pin *access.PinError
	switch {
	case errors.As(err, &pin):
		return pin
	case connect.CodeOf(err) == connect.CodeUnauthenticated:
		return fmt.Errorf("%s does not let this node in: %s", at, plainMessage(err))
	}
	return (&controlAt{url: at}).told(err)
}

// plainMessage is an error's without its code.
func plainMessage(err error) string {
	var coded *connect.Error
	if errors.As(err, &coded) {
		return coded.Message()
	}
	return err.Error()
}

// node is the name that the node goes by.
func (j *joinFlags) node() (string, error) {
	if j.name != "" {
		return j.name, nil
	}
	host, err := os.Hostname()
	if err != nil {
		return "", fmt.Errorf("this machine has no name: %w; name the node with --node", err)
	}
	host, _, _ = strings.Cut(strings.ToLower(host), ".")
	name := strings.Trim(notInLabel.ReplaceAllString(host, "-"), "-")
	return name[:min(len(name), 63)], nil
}

var notInLabel = regexp.MustCompile(`[^a-z0-9]+`)

// membership is what a responder has of its cluster, in its data folder.
type membership struct {
	dir     string
	control []string // URLs of control nodes
}

// openMembership finds a responder's membership, or joins. Without either it is nil: the
// responder is on its own.
func openMembership(ctx context.Context, dir string, j *joinFlags) (*membership, error) {
	m := &membership{dir: dir, control: j.at}
	_, err := os.Stat(m.file("node.pem"))
	switch {
	case err == nil:
		if len(m.control) > 0 {
			return m, m.save()
		}
		text, err := os.ReadFile(m.file("control"))
		m.control = strings.Fields(string(text))
		return m, err
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	case len(j.at) == 0 && j.token == "":
		return nil, nil
	case len(j.at) == 0 || j.token == "":
		return nil, usage{errors.New("this node has not joined yet: it needs both --join URL and --join-token TOKEN; \"tow join-token create\" makes one"), "tow serve"}
	}
	answer, key, err := j.join(ctx, dir, "", nil)
	if err != nil {
		return nil, err
	}
	if role := answer.GetPrincipal().GetRole(); role != towpathv1.Role_ROLE_NODE || answer.GetCaKey() != nil {
		return nil, errors.New("the join token was for a control node, and is spent: make another with \"tow join-token create --role responder\"")
	}
	for name, text := range map[string][]byte{"ca.pem": answer.GetCa(), "node-key.pem": key} {
		if err := os.WriteFile(m.file(name), text, 0o600); err != nil {
			return nil, err
		}
	}
	if err := m.save(); err != nil {
		return nil, err
	}
	if err := os.WriteFile(m.file("node.pem"), answer.GetCertificate(), 0o600); err != nil { // the last one
		return nil, err
	}
	joined(dir)
	return m, nil
}

func (m *membership) file(name string) string { return filepath.Join(m.dir, name) }

// save keeps where the control nodes are.
func (m *membership) save() error {
	return os.WriteFile(m.file("control"), []byte(strings.Join(m.control, "\n")+"\n"), 0o600)
}

// clients makes a client for each control node, and says until when they are good.
func (m *membership) clients() (all []*client.Control, renew time.Time, err error) {
	pair, err := tls.LoadX509KeyPair(m.file("node.pem"), m.file("node-key.pem"))
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("the node's certificate and its key: %w", err)
	}
	ca, err := os.ReadFile(m.file("ca.pem"))
	if err != nil {
		return nil, time.Time{}, err
	}
	for _, at := range m.control {
		c, err := client.NewControl(at, client.ControlOptions{CA: ca, Certificate: &pair})
		if err != nil {
			return nil, time.Time{}, err
		}
		all = append(all, c)
	}
	return all, pair.Leaf.NotAfter.Add(-access.RenewBefore), nil
}
