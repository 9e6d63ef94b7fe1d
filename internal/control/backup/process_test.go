//go:build unix

package backup

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"towpath.dev/internal/blob"
	"towpath.dev/internal/blob/blobtest"
	"towpath.dev/internal/control/backup/catalog"
)

// An uploader as a process of its own is this test's program again, which finds out from
// its environment what it is to be: so it can be killed and stopped wherever it is just then.

// processRole is the variable that has a process's options, as JSON.
const processRole = "TOWPATH_BACKUP_PROCESS"

type processOptions struct {
	Endpoints []string
	Store     string // a URL, or a folder
	Every     time.Duration
	Keep      string // "" is the default
	Scratch   string
	Shared    string    // the name of an uploader that is shared with another cluster
	Faults    uint64    // a seed: one request in five fails; 0 is none
	Begin     time.Time // what its clock shows when it begins; zero is the time
}

// TestProcess is no test of its own: it is what the process does.
func TestProcess(t *testing.T) {
	text := os.Getenv(processRole)
	if text == "" {
		t.Skip("it is run by the tests that start an uploader as a process of its own")
	}
	var p processOptions
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		defer cancel()
		_, _ = io.Copy(io.Discard, os.Stdin) // ends when who started it does
	}()
	store, err := blob.Open(p.Store, blob.Options{})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now
	if began := time.Now(); !p.Begin.IsZero() {
		now = func() time.Time { return p.Begin.Add(time.Since(began)) }
		store = withClock(store, now)
	}
	if p.Faults != 0 {
		store = blobtest.Faulty(store, blobtest.Random(p.Faults, 0.1, 0.1))
	}
	client, err := clientv3.New(clientv3.Config{Endpoints: p.Endpoints, Logger: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	o := Options{
		Source: Source{client, dialer}, Store: store, Cluster: "prod", Every: p.Every, Scratch: p.Scratch, Now: now,
		Log: slog.New(slog.NewTextHandler(os.Stderr, nil)),
	}
	if p.Keep != "" {
		if o.Keep, err = catalog.Parse(p.Keep); err != nil {
			t.Fatal(err)
		}
	}
	_, _ = os.Stdout.WriteString(begun + "\n")
	t.Fatal(p.run(ctx, o))
}

func (p processOptions) run(ctx context.Context, o Options) error {
	if p.Shared == "" {
		u, err := NewUploader(ctx, o)
		if err != nil {
			return err
		}
		return u.Run(ctx)
	}
	other := o
	other.Cluster = "other"
	s, err := NewShared(ctx, p.Shared, []Options{o, other})
	if err != nil {
		return err
	}
	return s.Run(ctx)
}

// begun is what a process says when it begins to do its work.
const begun = "begun"

// A process is an uploader's.
type process struct {
	*os.Process
	ended chan struct{}
	in    io.Closer
	log   *processLog
}

// startProcess starts an uploader with more variables in its environment, and returns when
// it has begun.
func startProcess(t *testing.T, o processOptions, environment ...string) *process {
	t.Helper()
	text, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestProcess$", "-test.timeout=0")
	cmd.Env = append(append(os.Environ(), environment...), processRole+"="+string(text))
	p := &process{ended: make(chan struct{}), log: &processLog{}}
	cmd.Stderr = p.log
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if p.in, err = cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p.Process = cmd.Process
	lines := bufio.NewReader(out)
	said, _ := lines.ReadString('\n')
	go func() {
		_, _ = io.Copy(p.log, lines)
		_ = cmd.Wait() // how it ended is for those to say who ended it
		close(p.ended)
	}()
	t.Cleanup(p.kill)
	if said != begun+"\n" {
		p.kill()
		t.Fatalf("the uploader has not begun: %q\n%s", said, p.log.tail())
	}
	return p
}

// kill ends it at once, wherever it is.
func (p *process) kill() {
	_ = p.Kill() // it may have ended
	<-p.ended
	_ = p.in.Close()
}

// A processLog is what a process logs.
type processLog struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *processLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// tail is its last lines.
func (l *processLog) tail() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	lines := strings.Split(strings.TrimSpace(l.text.String()), "\n")
	return strings.Join(lines[max(0, len(lines)-20):], "\n")
}

// alarms are the lines that a person should have read.
func (l *processLog) alarms() (all []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for line := range strings.Lines(l.text.String()) {
		if strings.Contains(line, " alarm=") {
			all = append(all, strings.TrimSpace(line))
		}
	}
	return all
}
