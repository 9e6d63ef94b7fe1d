package member_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/goleak"

	"towpath.dev/internal/control/member"
	"towpath.dev/internal/ports"
	"towpath.dev/internal/testkit/etcd"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, etcd.Leftovers()...) }

// options are a member's that is fast, in a folder of its own.
func options(t *testing.T) member.Options {
	t.Helper()
	return member.Options{Dir: filepath.Join(t.TempDir(), "etcd"), Heartbeat: 50 * time.Millisecond, Election: 500 * time.Millisecond, UnsafeNoSync: true}
}

// patient is a context for what has to come.
func patient(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func start(t *testing.T, o member.Options) *member.Member {
	t.Helper()
	m, err := member.Start(patient(t), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	return m
}

func client(t *testing.T, m *member.Member) *clientv3.Client {
	t.Helper()
	c, err := m.Client(patient(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() }) // says that its context has ended
	return c
}

// refused checks that a member does not start, and what is said.
func refused(t *testing.T, o member.Options, says ...string) {
	t.Helper()
	m, err := member.Start(patient(t), o)
	if err == nil {
		m.Close()
		t.Fatal("it starts")
	}
	for _, s := range says {
		if !strings.Contains(err.Error(), s) {
			t.Errorf("found the error %q, expected it to say %q", err, s)
		}
	}
}

// TestAlone: with a folder alone it starts, keeps what it is told, and starts again.
func TestAlone(t *testing.T) {
	o := options(t)
	o.Log = slog.New(slog.NewTextHandler(t.Output(), nil))
	m := start(t, o)
	if _, err := client(t, m).Put(patient(t), "a", "1"); err != nil {
		t.Fatal(err)
	}
	if err := m.Ready(patient(t)); err != nil || m.Leader() != m.ID() || m.Name() != "tow" {
		t.Errorf("%v; %d leads, %d is %s", err, m.Leader(), m.ID(), m.Name())
	}
	info, err := os.Stat(o.Dir)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", info, err)
	}
	refused(t, o, o.Dir, "in use by another process", "choose another folder")
	m.Close()
	m.Close()
	<-m.Ended()
	if err, more := <-m.Errs(); more {
		t.Errorf("its listeners say %v", err)
	}
	r, err := client(t, start(t, o)).Get(patient(t), "a")
	if err != nil || r.Count != 1 {
		t.Errorf("started again, it has %v, %v", r, err)
	}
}

// TestJoin: one joins another that was told of it.
func TestJoin(t *testing.T) {
	first := options(t)
	first.Name, first.Peer = "first", freeAddress(t)
	m := start(t, first)
	second := options(t)
	second.Name, second.Peer, second.Join = "second", freeAddress(t), true
	second.Cluster = map[string]string{"first": first.Peer, "second": second.Peer}
	refused(t, second, "member count is unequal", "has to be added to the cluster before", "second=http://"+second.Peer)
	c := client(t, m)
	if _, err := c.MemberAdd(patient(t), []string{"http://" + second.Peer}); err != nil {
		t.Fatal(err)
	}
	joined := start(t, second)
	if err := joined.Ready(patient(t)); err != nil {
		t.Error(err)
	}
	if _, err := client(t, joined).Put(patient(t), "a", "1"); err != nil {
		t.Error(err)
	}
	// Removed from its cluster, a member ends. It cannot be removed before the cluster
	// has been one for a while.
	for retry := time.NewTicker(200 * time.Millisecond); ; <-retry.C {
		_, err := c.MemberRemove(patient(t), joined.ID())
		if err == nil {
			break
		}
		if !errors.Is(err, rpctypes.ErrUnhealthy) {
			t.Fatal(err)
		}
	}
	<-joined.Ended()
}

// TestTooFew: one of three is not enough.
func TestTooFew(t *testing.T) {
	o := options(t)
	o.Name, o.Peer = "one", freeAddress(t)
	o.Cluster = map[string]string{"one": o.Peer, "two": freeAddress(t), "three": freeAddress(t)}
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond) // it would wait for ever
	defer cancel()
	_, err := member.Start(ctx, o)
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "most members of its cluster have to run") || !strings.Contains(err.Error(), "three=http://") {
		t.Errorf("found the error %v", err)
	}
	o.Join, o.Dir = true, options(t).Dir
	refused(t, o, "cannot fetch cluster info", "expected one of them to run")
}

// TestAddressInUse names what is and what to do.
func TestAddressInUse(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	for _, o := range []member.Options{{Client: l.Addr().String(), Peer: freeAddress(t)}, {Client: freeAddress(t), Peer: l.Addr().String()}} {
		o.Dir = options(t).Dir
		refused(t, o, l.Addr().String(), "address already in use", "choose other addresses")
	}
}

// TestDamage: folders that etcd would end the process for, or wait for without end.
func TestDamage(t *testing.T) {
	t.Run("Mode", func(t *testing.T) {
		o := options(t)
		if err := os.Mkdir(o.Dir, 0o755); err != nil {
			t.Fatal(err)
		}
		refused(t, o, "0755", "chmod 700 "+o.Dir)
	})
	t.Run("File", func(t *testing.T) {
		o := options(t)
		if err := os.WriteFile(o.Dir, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		refused(t, o, o.Dir, "cannot be made")
	})
	t.Run("Foreign", func(t *testing.T) {
		o := options(t)
		start(t, o).Close()
		db, err := bolt.Open(filepath.Join(o.Dir, "member", "snap", "db"), 0o600, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = db.Close() }()
		refused(t, o, o.Dir, "in use by another process")
	})
	t.Run("Data", func(t *testing.T) {
		o := options(t)
		start(t, o).Close()
		data := filepath.Join(o.Dir, "member", "snap", "db")
		if err := os.WriteFile(data, bytes.Repeat([]byte("damage "), 10000), 0o600); err != nil {
			t.Fatal(err)
		}
		refused(t, o, data, "cannot be read", "restore a backup")
	})
	t.Run("Log", func(t *testing.T) {
		o := options(t)
		m := start(t, o)
		if _, err := client(t, m).Put(patient(t), "a", strings.Repeat("value ", 1000)); err != nil {
			t.Fatal(err)
		}
		m.Close()
		logs, err := filepath.Glob(filepath.Join(o.Dir, "member", "wal", "*.wal"))
		if err != nil || len(logs) == 0 {
			t.Fatal(logs, err)
		}
		text, err := os.ReadFile(logs[0])
		if err != nil {
			t.Fatal(err)
		}
		text = bytes.Replace(text, []byte("value value"), []byte("valve valve"), 1)
		if err := os.WriteFile(logs[0], text, 0o600); err != nil {
			t.Fatal(err)
		}
		refused(t, o, "is damaged", o.Dir, "restore a backup")
	})
	t.Run("Fatal", func(t *testing.T) {
		o := options(t)
		if err := os.MkdirAll(filepath.Join(o.Dir, "member"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(o.Dir, "member", "snap"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		refused(t, o, o.Dir, "member")
	})
}

// TestValidate: all that is wrong is said, with what was expected.
func TestValidate(t *testing.T) {
	for _, c := range []struct {
		options member.Options
		says    string
	}{
		{member.Options{}, "no folder for the data was given"},
		{member.Options{Dir: "x", Name: "a=b"}, "cannot name a member"},
		{member.Options{Dir: "x", Client: "10.0.0.1:2379"}, "there is no TLS"},
		{member.Options{Dir: "x", Peer: "[::]:2380"}, "there is no TLS"},
		{member.Options{Dir: "x", Peer: "0.0.0.0:2380", TLS: &member.TLS{}}, "all of this machine's"},
		{member.Options{Dir: "x", Client: "localhost:2379"}, "expected an IP address with a port"},
		{member.Options{Dir: "x", Client: "127.0.0.1:0"}, "expected a port"},
		{member.Options{Dir: "x", AdvertiseClient: "etcd"}, "expected a host with a port"},
		{member.Options{Dir: "x", Peer: "127.0.0.1:1", Cluster: map[string]string{"other": "127.0.0.1:2"}}, `expected "tow", this one, among them`},
		{member.Options{Dir: "x", Peer: "127.0.0.1:1", Cluster: map[string]string{"tow": "127.0.0.1:2"}}, "expected the same"},
		{member.Options{Dir: "x", Cluster: map[string]string{"tow": "here"}}, "expected a name without"},
		{member.Options{Dir: "x", Join: true}, "no cluster to join"},
		{member.Options{Dir: "x", TLS: &member.TLS{CA: "ca.pem", Cert: "cert.pem", Key: "key.pem"}}, "cert.pem"},
		{member.Options{Dir: "x", Heartbeat: time.Second}, "a heartbeat every 1s and an election after 1s"},
		{member.Options{Dir: "x", Quota: -1}, "a quota of -1 bytes"},
		{member.Options{Dir: "x", Client: "127.0.0.1:2379", Peer: "127.0.0.1:2379"}, "for clients and for other members: expected two"},
	} {
		if err := c.options.Validate(); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%+v: found the error %v, expected it to say %q", c.options, err, c.says)
		}
	}
	all := member.Options{Client: "x", Join: true, Quota: -1}.Validate()
	if n := strings.Count(fmt.Sprint(all), "\n"); n != 3 {
		t.Errorf("of four faults it says %v", all)
	}
}

// TestTLS: a cluster of three speaks TLS, to those alone who show a certificate.
func TestTLS(t *testing.T) {
	ca := newAuthority(t)
	cluster := map[string]string{}
	all := make([]member.Options, 3)
	for i := range all {
		all[i] = options(t)
		all[i].Name, all[i].Peer, all[i].TLS = fmt.Sprint("m", i), freeAddress(t), ca.issue(t)
		cluster[all[i].Name] = all[i].Peer
		all[i].Cluster = cluster
	}
	members := make([]*member.Member, len(all))
	ctx := patient(t)
	var starting sync.WaitGroup
	for i := range all {
		starting.Go(func() {
			var err error
			if members[i], err = member.Start(ctx, all[i]); err != nil {
				t.Error(err)
			}
		})
	}
	starting.Wait()
	for _, m := range members {
		if m != nil {
			t.Cleanup(m.Close)
		}
	}
	if t.Failed() {
		return
	}
	if _, err := client(t, members[0]).Put(ctx, "a", "1"); err != nil {
		t.Error(err)
	}
	if r, err := client(t, members[1]).Get(ctx, "a"); err != nil || r.Count != 1 {
		t.Errorf("%v, %v", r, err)
	}
	for _, address := range []string{strings.TrimPrefix(members[0].Endpoints()[0], "https://"), all[0].Peer} {
		for what, config := range map[string]*tls.Config{
			"without a certificate":                   ca.config(nil),
			"with a certificate of another authority": ca.config(newAuthority(t).issue(t)),
			"of TLS 1.2": {RootCAs: ca.config(nil).RootCAs, MaxVersion: tls.VersionTLS12},
		} {
			if err := greet(ctx, address, config); err == nil || !strings.Contains(err.Error(), "remote error: tls:") {
				t.Errorf("a client %s of %s: found the error %v", what, address, err)
			}
		}
		if err := greet(ctx, address, ca.config(all[0].TLS)); err != nil {
			t.Errorf("a client with a certificate of %s: %v", address, err)
		}
	}
}

// greet speaks TLS and HTTP to an address, as far as an answer begins.
func greet(ctx context.Context, address string, config *tls.Config) error {
	c, err := (&tls.Dialer{Config: config}).DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	if _, err := c.Write([]byte("GET /version HTTP/1.1\r\nHost: etcd\r\nConnection: close\r\n\r\n")); err != nil {
		return err
	}
	_, err = c.Read(make([]byte, 1))
	return err
}

func freeAddress(t *testing.T) string {
	t.Helper()
	free, err := ports.Free(1)
	if err != nil {
		t.Fatal(err)
	}
	return free[0]
}
