//go:build !solo

package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"towpath.dev/internal/control/maintain"
	"towpath.dev/internal/testkit/etcd"
)

// lines passes on what is written, line by line.
type lines struct {
	mu   sync.Mutex
	rest bytes.Buffer
	out  chan string
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rest.Write(b)
	for bytes.IndexByte(l.rest.Bytes(), '\n') >= 0 {
		line, _ := l.rest.ReadString('\n')
		l.out <- strings.TrimSpace(line)
	}
	return len(b), nil
}

// TestMaintain: tow cluster maintain looks after an etcd that is not ours, tells what it
// does, and tow cluster log shows it afterwards.
func TestMaintain(t *testing.T) {
	if testing.Short() {
		t.Skip("a real cluster")
	}
	t.Setenv("ETCDCTL_ENDPOINTS", "")
	c := etcd.Start(t, 1)
	client, at := c.Client(t), strings.Join(c.Endpoints(), ",")
	told := &lines{out: make(chan string, 100)}
	m := &maintaining{
		ui: &ui{out: told, err: io.Discard}, etcd: etcdFlags{endpoints: at},
		bounds: maintain.Bounds{History: time.Second}, every: 100 * time.Millisecond,
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- m.run(ctx) }()
	for i, done := 0, false; !done; i++ {
		if _, err := client.Put(t.Context(), "k", fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
		select {
		case line := <-told.out:
			done = strings.Contains(line, "compacts at the revision ") && strings.Contains(line, "1s of history is kept — done in ")
			if !done {
				t.Errorf("it told %q", line)
			}
		default:
		}
	}
	stop()
	if err := <-ended; err != nil {
		t.Errorf("it ended with %v", err)
	}
	c.UpToDate(t)
	for _, x := range []struct{ line, want string }{
		{"cluster log --endpoints " + at, "compacts at the revision "},
		{"cluster log --json --endpoints " + at, `"do": "compact"`},
		{"cluster upgrade --check 3.8.0 --endpoints " + at, "Ready for 3.8.0, once you have read "},
	} {
		var out, faults bytes.Buffer
		if code := run(strings.Fields(x.line), &ui{in: strings.NewReader(""), out: &out, err: &faults}); code != exitFine || !strings.Contains(out.String(), x.want) {
			t.Errorf("tow %s: %d, %q, %q; want %q", x.line, code, out.String(), faults.String(), x.want)
		}
	}
}
