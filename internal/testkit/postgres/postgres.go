// Package postgres runs a PostgreSQL server for a test: its own, in a folder of
// its own, on a free port of the loopback interface.
//
//	server := postgres.Start(t)
//	pool, err := pgxpool.New(ctx, server.URL())
//
// The binaries are those of Debian's package postgresql, which tools/install
// installs. Without them the test is skipped, or fails where TOWPATH_REQUIRE is set.
package postgres

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"

	"towpath.dev/internal/ports"
	"towpath.dev/internal/testkit/required"
)

// Server is a running server. The superuser is "tow", its password "sesame".
type Server struct {
	bin, dir, port string
	as             *syscall.Credential // nil to run as whoever runs the test
	cmd            *exec.Cmd           // nil while it is stopped
	log            log
}

const password = "sesame"

// Start makes an empty database and starts a server on it, which is stopped when
// the test ends. settings are of the form "name=value".
func Start(t testing.TB, settings ...string) *Server {
	t.Helper()
	bin := binaries()
	if bin == "" {
		required.Missing(t, "there are no PostgreSQL binaries below /usr/lib/postgresql; install them with tools/install")
	}
	s := &Server{bin: bin, as: unprivileged(t)}
	s.dir = folder(t, s.as)
	s.initialise(t, settings)
	s.Restart(t)
	t.Cleanup(func() { s.Stop(t) })
	return s
}

// binaries is the folder of the newest server's.
func binaries() string {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/postgres") // the pattern is well formed
	best, bestVersion := "", -1
	for _, f := range found {
		dir := filepath.Dir(f)
		if version, _ := strconv.Atoi(filepath.Base(filepath.Dir(dir))); version > bestVersion {
			best, bestVersion = dir, version
		}
	}
	return best
}

// unprivileged is who the server runs as where the test runs as root, which
// PostgreSQL refuses to.
func unprivileged(t testing.TB) *syscall.Credential {
	t.Helper()
	if os.Geteuid() != 0 {
		return nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		if u, err := user.Lookup(name); err == nil {
			uid, _ := strconv.ParseUint(u.Uid, 10, 32) // numbers on Unix
			gid, _ := strconv.ParseUint(u.Gid, 10, 32)
			return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		}
	}
	t.Fatal("PostgreSQL does not run as root, and there is neither a user postgres nor nobody to run it as")
	return nil
}

// folder makes the server's folder. The folders that a test gets are below one
// that only their owner may enter.
func folder(t testing.TB, as *syscall.Credential) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "towpath-postgres-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	if as != nil {
		if err := os.Chown(dir, int(as.Uid), int(as.Gid)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func (s *Server) initialise(t testing.TB, settings []string) {
	t.Helper()
	secret := filepath.Join(s.dir, "password")
	if err := os.WriteFile(secret, []byte(password), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := s.command("initdb", "--pgdata", s.data(), "--username", "tow", "--auth", "scram-sha-256", "--pwfile", secret,
		"--encoding", "UTF8", "--locale", "C", "--no-sync")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v\n%s", err, out)
	}
	conf, err := os.OpenFile(filepath.Join(s.data(), "postgresql.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer conf.Close()
	all := append([]string{
		"listen_addresses = '127.0.0.1'", "unix_socket_directories = ''", "fsync = off", "synchronous_commit = off",
		"full_page_writes = off", "shared_buffers = 32MB", "max_connections = 50", "logging_collector = off",
	}, settings...)
	if _, err := conf.WriteString("\n" + strings.Join(all, "\n") + "\n"); err != nil {
		t.Fatal(err)
	}
}

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

func (s *Server) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(s.bin, name), args...)
	cmd.Dir = s.dir
	cmd.Env = []string{"LC_ALL=C", "PATH=" + os.Getenv("PATH"), "HOME=" + s.dir}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.as}
	endWithParent(cmd.SysProcAttr)
	return cmd
}

// Restart starts a stopped server on the port that it had, and returns when it
// takes connections.
func (s *Server) Restart(t testing.TB) {
	t.Helper()
	if s.port != "" {
		if err := s.run(); err != nil {
			t.Fatal(err)
		}
		return
	}
	// Another may take a free port before the server does.
	var err error
	for range 5 {
		if s.port, err = freePort(); err == nil {
			if err = s.run(); err == nil {
				return
			}
		}
	}
	t.Fatal(err)
}

func freePort() (string, error) {
	free, err := ports.Free(1)
	if err != nil {
		return "", err
	}
	_, port, err := net.SplitHostPort(free[0])
	return port, err
}

// run starts the server and waits until it says that it is ready.
func (s *Server) run() error {
	cmd := s.command("postgres", "-D", s.data(), "-p", s.port)
	s.log.reset()
	cmd.Stderr = &s.log
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }() // heard below or by Stop
	select {
	case <-s.log.ready:
		s.cmd, s.log.ended = cmd, ended
		return nil
	case err := <-ended:
		return fmt.Errorf("postgres ended before it was ready: %v\n%s", err, s.log.text())
	}
}

// Stop stops the server; connections break. It can be started again.
func (s *Server) Stop(t testing.TB) {
	t.Helper()
	if s.cmd == nil {
		return
	}
	if err := s.cmd.Process.Signal(syscall.SIGINT); err != nil { // the "fast" shutdown
		t.Error(err)
	}
	if err := <-s.log.ended; err != nil {
		t.Errorf("postgres: %v\n%s", err, s.log.text())
	}
	s.cmd = nil
}

// URL is the address of the server's only database.
func (s *Server) URL() string { return "postgres://tow:" + password + "@" + s.Address() + "/postgres" }

// Address is the server's, "127.0.0.1:5432".
func (s *Server) Address() string { return net.JoinHostPort("127.0.0.1", s.port) }

// Exec runs statements, which may be several.
func (s *Server) Exec(t testing.TB, statements string) {
	t.Helper()
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, s.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(ctx) }() // it is done with
	if _, err := conn.PgConn().Exec(ctx, statements).ReadAll(); err != nil {
		t.Fatalf("%v in\n%.300s", err, statements)
	}
}

// log keeps what the server says, and closes ready when it says that it is.
type log struct {
	mu    sync.Mutex
	lines bytes.Buffer
	ready chan struct{}
	said  bool
	ended chan error
}

func (l *log) reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines.Reset()
	l.ready, l.said = make(chan struct{}), false
}

func (l *log) Write(text []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines.Write(text)
	if !l.said && bytes.Contains(l.lines.Bytes(), []byte("ready to accept connections")) {
		l.said = true
		close(l.ready)
	}
	return len(text), nil
}

func (l *log) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lines.String()
}
