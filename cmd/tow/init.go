//go:build !solo

// tow init: a new cluster, on this machine to begin with.

package main

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"towpath.dev/internal/control/access"
)

func initCommand(u *ui) *cobra.Command {
	i := &initing{ui: u}
	c := &cobra.Command{
		Use:   "init",
		Short: "Make a cluster's trust: its CA, a control node, an admin",
		Long: `Make a new cluster: a certificate authority, the certificate of its first control
node, and an admin. "tow serve" runs it. What is there already is never written
over.

The data folder holds the CA's key, and is as secret as a password; back it up.
The profile is how tow finds the cluster and who the admin is: the file that
TOW_PROFILE names, or towpath/control.toml in the folder for configuration.`,
		Example: "  tow init\n" +
			"  tow init --url https://control-1.internal:7071 --host 10.0.0.1 --node control-1",
		Args: exactly(),
		RunE: func(*cobra.Command, []string) error { return i.run() },
	}
	f := c.Flags()
	f.StringVar(&i.dir, "dir", "", "keep the control node's data in the folder `DIR` (default: towpath in the folder for data)")
	f.StringVar(&i.url, "url", "http://"+defaultControl, "the control API will be at `URL`")
	f.StringSliceVar(&i.hosts, "host", nil, "the control node is reached at the `HOST` too, a name or an address")
	f.StringVar(&i.cluster, "cluster", "towpath", "call the cluster `NAME`")
	f.StringVar(&i.node, "node", "control-1", "call this control node `NAME`")
	return c
}

// defaultControl is where the control API listens.
const defaultControl = "127.0.0.1:7071"

// initing is one tow init.
type initing struct {
	*ui
	dir, url, cluster, node string
	hosts                   []string
}

func (i *initing) run() error {
	u, err := url.Parse(i.url)
	if err != nil || u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "https" {
		return usage{fmt.Errorf("--url %s: expected https://HOST:PORT, or on this machine http://127.0.0.1:PORT", i.url), ""}
	}
	if u.Scheme == "http" && !isLoopbackHost(u.Hostname()) {
		return usage{fmt.Errorf("--url %s: other machines are asked by https:// alone", i.url), ""}
	}
	dir, err := dataDir(i.dir)
	if err != nil {
		return err
	}
	path := profilePath()
	if path == "" {
		return errors.New("there is no place for the profile, as HOME is not set: name a file with the variable TOW_PROFILE")
	}
	if _, err := os.Stat(path); err == nil {
		return fmt.Errorf("%s is there already, and with it who may ask its cluster: name another file with the variable TOW_PROFILE, or remove this one", path)
	}
	if !isLoopbackHost(u.Hostname()) {
		i.hosts = append(i.hosts, u.Hostname())
	}
	trust, err := found(dir, path, i.url, access.TrustOptions{Cluster: i.cluster, Node: i.node, Hosts: i.hosts})
	if err != nil {
		return err
	}
	secure := ""
	if u.Scheme == "https" && isLoopbackHost(u.Hostname()) {
		secure = " --control-tls" // elsewhere it has TLS anyway
	}
	fmt.Fprintf(i.out, `The cluster %s is made.

  %s   the CA, and what %s keeps; back it up, and keep it secret
  %s   the profile: the admin's certificate and token

Next

`, trust.CA.Cluster(), dir, trust.Node(), path)
	for _, next := range [][2]string{
		{"tow serve" + i.dirFlag() + secure + " PROGRAM", "run the control plane and a program"},
		{"tow serve" + i.dirFlag() + " --role control --control-tls", "run the control plane, so that nodes on this machine can join"},
		{"tow whoami", "ask it who you are"},
		{"tow join-token create --env ENV", "let a node in, to which programs are deployed"},
	} {
		fmt.Fprintf(i.out, "  %-42s %s\n", next[0], next[1])
	}
	return nil
}

// dirFlag is what tow serve needs to find the folder.
func (i *initing) dirFlag() string {
	if i.dir == "" {
		return ""
	}
	return " --data " + i.dir
}

// found makes a cluster's trust in a data folder, and its profile.
func found(dir, profileAt, at string, o access.TrustOptions) (*access.Trust, error) {
	trust, admin, err := access.InitTrust(filepath.Join(dir, trustDir), o)
	if err != nil {
		return nil, err
	}
	if err := (&profile{url: at}).write(profileAt, trust.CA.PEM, admin); err != nil {
		return nil, fmt.Errorf("the profile: %w", err)
	}
	return trust, nil
}

// dataDir is the folder that a control node or a responder keeps its data in.
func dataDir(dir string) (string, error) {
	if dir != "" {
		return dir, nil
	}
	if base := os.Getenv("XDG_DATA_HOME"); base != "" {
		return filepath.Join(base, "towpath"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("there is no folder for data: %w; name one", err)
	}
	return filepath.Join(home, ".local", "share", "towpath"), nil
}

// What a data folder holds.
const (
	trustDir = "trust" // of a control node: see package access
	etcdDir  = "etcd"  // of a control node with a member
	auditDir = "audit" // of a control node
	nodeDir  = "node"  // of a responder that has joined
)
