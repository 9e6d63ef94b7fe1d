// Package s3 runs an S3 server for a test: versitygw, which checks signatures and
// conditions as Amazon does, over a folder of the test's, on a free port of the loopback
// interface. A [Proxy] before it, or before any other server of HTTP, breaks calls as
// networks do.
//
//	server := s3.Start(t)
//	server.Environment(t)
//	store, err := blob.Open(server.URL("bucket/prefix"), blob.Options{})
//
// tools/install builds the server, once. Without it the test is skipped, or fails where
// TOWPATH_REQUIRE is set.
package s3

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"towpath.dev/internal/ports"
	"towpath.dev/internal/testkit/required"
)

// version is that of versitygw, as in tools/versitygw.
const version = "1.8.0"

// patience is for how long a server may take to start or stop, on a machine that has
// other things to do.
const patience = time.Minute

// A Server is one that runs.
type Server struct {
	Address string // HOST:PORT
	ID      string // the access key
	Secret  string
	Region  string

	dir string
	cmd *exec.Cmd
	log log
}

// Start starts a server that has a bucket named "bucket", and stops it when the test ends.
func Start(t testing.TB) *Server {
	t.Helper()
	binary := required.Built(t, "versitygw-"+version, "versitygw", "tools/versitygw")
	for attempt := 1; ; attempt++ {
		s := &Server{Address: freeAddress(t), ID: "AKIA" + rand.Text()[:16], Secret: rand.Text(), Region: "eu-central-1", dir: t.TempDir()}
		s.AddBucket(t, "bucket")
		if err := s.start(t, binary); err == nil {
			return s
		} else if attempt == 5 { // a free port is free until somebody else takes it
			t.Fatalf("versitygw has not started; it needs a file system with extended attributes for temporary files (TMPDIR): %v\n%s", err, s.log.String())
		}
	}
}

func freeAddress(t testing.TB) string {
	t.Helper()
	free, err := ports.Free(1)
	if err != nil {
		t.Fatal(err)
	}
	return free[0]
}

// AddBucket makes a bucket.
func (s *Server) AddBucket(t testing.TB, name string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Join(s.dir, "buckets", name), 0o755); err != nil {
		t.Fatal(err)
	}
}

func (s *Server) start(t testing.TB, binary string) error {
	t.Helper()
	s.cmd = exec.Command(binary, "--port", s.Address, "--region", s.Region, "--keep-alive", "--quiet",
		"posix", filepath.Join(s.dir, "buckets"))
	s.cmd.Env = append(os.Environ(), "ROOT_ACCESS_KEY_ID="+s.ID, "ROOT_SECRET_ACCESS_KEY="+s.Secret)
	s.cmd.Stdout, s.cmd.Stderr = &s.log, &s.log
	s.cmd.SysProcAttr = &syscall.SysProcAttr{}
	endWithParent(s.cmd.SysProcAttr)
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		_ = s.cmd.Wait() // being told to end, it does with an error
		close(ended)
	}()
	stop := func() {
		_ = s.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
		select {
		case <-ended:
		case <-time.After(patience):
			_ = s.cmd.Process.Kill()
			<-ended
		}
	}
	if err := s.await(t.Context(), ended); err != nil {
		stop()
		return err
	}
	t.Cleanup(stop)
	return nil
}

// await waits until the server answers, though it be with a refusal.
func (s *Server) await(ctx context.Context, ended <-chan struct{}) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.Address+"/", nil)
		if err != nil {
			return err
		}
		if response, err := client.Do(request); err == nil {
			_ = response.Body.Close()
			return nil
		}
		select {
		case <-ended:
			return fmt.Errorf("it has ended: %v", s.cmd.ProcessState)
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// URL is that of a place in the server, BUCKET/PREFIX.
func (s *Server) URL(place string) string { return URL(s.Address, s.Region, place) }

// URL is that of a place in a server at an address.
func URL(address, region, place string) string {
	return "s3://" + place + "?endpoint=http://" + address + "&region=" + region
}

// Environment sets the environment variables that have the server's credentials, and
// takes those away that have others, until the test ends.
func (s *Server) Environment(t testing.TB) {
	t.Helper()
	ClearEnvironment(t)
	t.Setenv("AWS_ACCESS_KEY_ID", s.ID)
	t.Setenv("AWS_SECRET_ACCESS_KEY", s.Secret)
}

// ClearEnvironment takes all credentials for stores away, and what else says which to use,
// until the test ends.
func ClearEnvironment(t testing.TB) {
	t.Helper()
	for _, variable := range os.Environ() {
		name, _, _ := strings.Cut(variable, "=")
		if strings.HasPrefix(name, "AWS_") || strings.HasPrefix(name, "MINIO_") {
			t.Setenv(name, "")
		}
	}
	nowhere := filepath.Join(t.TempDir(), "none")
	t.Setenv("AWS_CONFIG_FILE", nowhere)
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", nowhere)
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
}

// log is what a server prints.
type log struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
