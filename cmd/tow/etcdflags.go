//go:build !solo

// Where etcd is, and as whom tow asks it: flags, etcdctl's variables, a control
// node's data folder.

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

	"github.com/spf13/cobra"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"go.etcd.io/etcd/client/pkg/v3/transport"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"towpath.dev/internal/control/access"
	"towpath.dev/internal/wholefile"
)

// etcdFlags say which cluster of etcd a command is about and who asks, in the terms of
// etcdctl. What a flag says goes before the variable.
type etcdFlags struct {
	endpoints          string
	ca, cert, key      string
	user, passwordFile string
	data               string // a control node's folder, which says all of it
}

// etcdPatience bounds how long a command waits for a first answer.
const etcdPatience = 5 * time.Second

// flags adds the flags that all commands have that talk to etcd.
func (e *etcdFlags) flags(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&e.endpoints, "endpoints", "", "ask etcd at the `URLS`, with commas between (default: the variable ETCDCTL_ENDPOINTS)")
	f.StringVar(&e.ca, "cacert", "", "believe the certificate authority in the `FILE` (default: the variable ETCDCTL_CACERT)")
	f.StringVar(&e.cert, "cert", "", "show the certificate in the `FILE` (default: the variable ETCDCTL_CERT)")
	f.StringVar(&e.key, "key", "", "its key is in the `FILE` (default: the variable ETCDCTL_KEY)")
	f.StringVar(&e.user, "user", "", "be etcd's user `NAME`; the password is in the variable ETCDCTL_PASSWORD or in a file (default: the variable ETCDCTL_USER)")
	f.StringVar(&e.passwordFile, "password-file", "", "the user's password is in the `FILE`")
	f.StringVar(&e.data, "data", "", "ask the etcd of the control node with the data folder `DIR`, with its certificate")
}

// open connects to the cluster and finds out that it answers. The client is the caller's to
// close. It may be asked without a majority; who needs one hears from the first call.
func (e *etcdFlags) open(ctx context.Context) (*clientv3.Client, error) {
	config, err := e.config()
	if err != nil {
		return nil, err
	}
	asking, cancel := context.WithTimeout(ctx, etcdPatience)
	defer cancel()
	// By hand first: the client would try again and again, and say that time is up.
	if err := reachEtcd(asking, config.Endpoints, config.TLS); err != nil {
		return nil, err
	}
	config.Context = ctx
	c, err := clientv3.New(*config) // asks for the user's token
	if err != nil {
		return nil, e.told(err)
	}
	// Served without a majority, and refused to who is nobody.
	_, err = c.Get(asking, "towpath", clientv3.WithCountOnly(), clientv3.WithSerializable())
	if err != nil && !errors.Is(err, rpctypes.ErrPermissionDenied) {
		return nil, errors.Join(e.told(err), closed(c))
	}
	return c, nil
}

// closed closes a client, which says that its context has ended.
func closed(c *clientv3.Client) error {
	if err := c.Close(); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// config is how etcd's client is to connect.
func (e *etcdFlags) config() (*clientv3.Config, error) {
	named := or(e.endpoints, os.Getenv("ETCDCTL_ENDPOINTS"))
	config := &clientv3.Config{
		Logger: zap.NewNop(), DialTimeout: etcdPatience,
		// So that a connection is known to be dead before somebody has lost patience.
		DialKeepAliveTime: 10 * time.Second, DialKeepAliveTimeout: 3 * time.Second,
	}
	switch {
	case e.data != "" && e.endpoints != "":
		return nil, usage{errors.New("--data and --endpoints both say where etcd is: name one of them"), ""}
	case e.data != "":
		return config, e.own(config, e.data)
	case named == "":
		// This machine's control node, if there is one.
		if dir, err := dataDir(""); err == nil && access.HasTrust(filepath.Join(dir, trustDir)) {
			return config, e.own(config, dir)
		}
		return nil, usage{errors.New("nothing says where etcd is: name it with --endpoints https://HOST:2379, with the variable ETCDCTL_ENDPOINTS, or a control node's folder with --data DIR"), ""}
	}
	var err error
	if config.Endpoints, err = etcdEndpoints(named); err != nil {
		return nil, err
	}
	if config.TLS, err = e.tls(); err != nil {
		return nil, err
	}
	config.Username, config.Password, err = e.login()
	return config, err
}

// etcdEndpoints are those of a list with commas. A name without a scheme is http, as etcdctl
// has it.
func etcdEndpoints(list string) ([]string, error) {
	var all []string
	for _, at := range strings.Split(list, ",") {
		if at = strings.TrimSpace(at); at == "" {
			continue
		}
		full := at
		if !strings.Contains(full, "://") {
			full = "http://" + full
		}
		u, err := url.Parse(full)
		if err != nil || u.Host == "" || u.Port() == "" || u.Scheme != "http" && u.Scheme != "https" {
			return nil, usage{fmt.Errorf("--endpoints %s: expected https://HOST:PORT or http://HOST:PORT, as in https://etcd-1.internal:2379", at), ""}
		}
		all = append(all, u.Scheme+"://"+u.Host)
	}
	if len(all) == 0 {
		return nil, usage{fmt.Errorf("--endpoints %q names no endpoint: expected https://HOST:PORT, with commas between several", list), ""}
	}
	return all, nil
}

// tls is what the files of the flags say; nil without any.
func (e *etcdFlags) tls() (*tls.Config, error) {
	ca, cert, key := or(e.ca, os.Getenv("ETCDCTL_CACERT")), or(e.cert, os.Getenv("ETCDCTL_CERT")), or(e.key, os.Getenv("ETCDCTL_KEY"))
	if ca == "" && cert == "" && key == "" {
		return nil, nil
	}
	if (cert == "") != (key == "") {
		return nil, usage{errors.New("--cert and --key go together: the one is no use without the other"), ""}
	}
	config, err := transport.TLSInfo{TrustedCAFile: ca, CertFile: cert, KeyFile: key}.ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("--cacert, --cert and --key: %w", err)
	}
	return config, nil
}

// login is the user and the password. Arguments are for everybody on the machine to read, so
// that none has the password.
func (e *etcdFlags) login() (user, password string, err error) {
	user = e.user
	if user == "" {
		user, password, _ = strings.Cut(os.Getenv("ETCDCTL_USER"), ":")
	} else if strings.Contains(user, ":") {
		return "", "", usage{errors.New("--user takes a name alone: the password goes in the variable ETCDCTL_PASSWORD, or in a file that --password-file names"), ""}
	}
	switch {
	case e.passwordFile != "":
		text, err := os.ReadFile(e.passwordFile)
		if err != nil {
			return "", "", fmt.Errorf("the password: %w", err)
		}
		password = strings.TrimRight(string(text), "\r\n")
	case os.Getenv("ETCDCTL_PASSWORD") != "":
		password = os.Getenv("ETCDCTL_PASSWORD")
	}
	if user == "" && e.passwordFile != "" {
		return "", "", usage{errors.New("--password-file without --user: whose password is it?"), ""}
	}
	if user != "" && password == "" {
		return "", "", usage{fmt.Errorf("there is no password for the user %q: set the variable ETCDCTL_PASSWORD, or name a file with --password-file", user), ""}
	}
	return user, password, nil
}

// own fills in what a control node's folder says.
func (e *etcdFlags) own(config *clientv3.Config, dir string) error {
	trust, err := access.OpenTrust(filepath.Join(dir, trustDir))
	if err != nil {
		return fmt.Errorf("--data %s is no control node's folder: %w", dir, err)
	}
	at, err := os.ReadFile(filepath.Join(dir, etcdAtFile))
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s does not say where its member of etcd listens: start the node with \"tow serve --data %s\", or, if it uses an etcd that was there before, name that with --endpoints", dir, dir)
	}
	if err != nil {
		return err
	}
	config.Endpoints = strings.Fields(string(at))
	config.TLS = asNode(trust)
	return nil
}

// peers is TLS to the members' port for members, where that is known: control nodes' etcd is
// reached by clients of their own machine alone.
func (e *etcdFlags) peers() (*tls.Config, error) {
	if !e.isOwn() {
		return nil, nil
	}
	dir, err := dataDir(e.data)
	if err != nil {
		return nil, err
	}
	trust, err := access.OpenTrust(filepath.Join(dir, trustDir))
	if err != nil {
		return nil, err
	}
	return asNode(trust), nil
}

// etcdAtFile, in a control node's folder, is where clients on its machine reach its member.
const etcdAtFile = "etcd-endpoints"

// sayEtcdAt keeps where a control node's member listens, which may be elsewhere at each start.
func sayEtcdAt(dir string, endpoints []string) error {
	return wholefile.Replace(filepath.Join(dir, etcdAtFile), []byte(strings.Join(endpoints, "\n")+"\n"))
}

// told is an error of etcd's, as the user hears it: what was refused, and what to do about it.
func (e *etcdFlags) told(err error) error {
	user := or(e.user, strings.Split(os.Getenv("ETCDCTL_USER"), ":")[0])
	switch {
	case err == nil:
		return nil
	case errors.Is(err, rpctypes.ErrUserEmpty), errors.Is(err, rpctypes.ErrInvalidAuthToken):
		return errors.New("etcd wants to know who asks: name a user with --user NAME, and put the password in the variable ETCDCTL_PASSWORD or in a file that --password-file names")
	case errors.Is(err, rpctypes.ErrAuthFailed):
		return fmt.Errorf("etcd does not know the user %q with this password: look at --user and ETCDCTL_PASSWORD or --password-file", user)
	case errors.Is(err, rpctypes.ErrPermissionDenied):
		return fmt.Errorf("etcd does not permit this to %s: the user \"root\" may do it, and whoever has its role", or(user, "this certificate"))
	case errors.Is(err, rpctypes.ErrNoLeader):
		return errors.New("the cluster has no leader, so that nothing can be changed: \"tow cluster status\" shows which members are missing")
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("no answer from etcd in time: \"tow cluster status\" shows whether most of its members can be reached (%w)", err)
	}
	return err
}
