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

	clientv3 "go.etcd.io/etcd/client/v3"

	"towpath.dev/internal/blob"
	"towpath.dev/internal/control/backup"
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

// TestMaintainHeedsBackup: nothing is forgotten that a backup has not got, whether it was named
// or an uploader has noted in the cluster that there is one.
func TestMaintainHeedsBackup(t *testing.T) {
	if testing.Short() {
		t.Skip("a real cluster")
	}
	t.Setenv("ETCDCTL_ENDPOINTS", "")
	c := etcd.Start(t, 1)
	client, at, folder := c.Client(t), strings.Join(c.Endpoints(), ","), t.TempDir()
	store, err := blob.Open(folder, blob.Options{})
	if err != nil {
		t.Fatal(err)
	}
	// An uploader that has taken a base, and is away.
	kept := backup.Options{Store: store, Cluster: "prod", Scratch: t.TempDir(), Source: backup.Source{Client: client, Dial: (&etcdFlags{endpoints: at}).dialer()}}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- backup.RunElected(ctx, kept) }()
	eventually(t, func() bool {
		where, err := backup.Kept(t.Context(), client)
		return err == nil && where == store.String()+" as prod"
	})
	eventually(t, func() bool {
		floor, err := backup.Floor(t.Context(), store, "prod", kept.Source)
		return err == nil && floor > 0
	})
	stop()
	<-ended
	floor, err := backup.Floor(t.Context(), store, "prod", kept.Source)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		named bool
		says  string
	}{
		{false, "waits, because the backup cannot tell up to which revision it has everything: it is kept in " + store.String() + " as prod, and this process was not told"},
		{true, fmt.Sprintf("compaction waits at the revision %d, because the backup has not got more yet", floor)},
	} {
		told := &lines{out: make(chan string, 1000)}
		m := &maintaining{
			ui: &ui{out: told, err: io.Discard}, etcd: etcdFlags{endpoints: at},
			bounds: maintain.Bounds{History: time.Second, Leap: 5}, every: 100 * time.Millisecond,
		}
		if x.named {
			m.heeds, m.at = true, backupAt{store: folder, cluster: "prod"}
		}
		ctx, stop := context.WithCancel(t.Context())
		go func() { ended <- m.run(ctx) }()
		eventually(t, func() bool {
			if _, err := client.Put(t.Context(), "k", "v"); err != nil {
				t.Fatal(err)
			}
			select {
			case line := <-told.out:
				return strings.Contains(line, x.says)
			default:
				return false
			}
		})
		stop()
		if err := <-ended; err != nil {
			t.Errorf("it ended with %v", err)
		}
		if _, err := client.Get(t.Context(), "k", clientv3.WithRev(floor+1)); err != nil {
			t.Errorf("what the backup has not got is forgotten: %v", err)
		}
	}
}

// eventually asks again and again, for as long as the test may take.
func eventually(t *testing.T, is func() bool) {
	t.Helper()
	for !is() {
		if t.Context().Err() != nil {
			t.Fatal("it never was")
		}
	}
}
