package backups

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"towpath.dev/bench/members"
	"towpath.dev/bench/process"
	"towpath.dev/internal/blob"
	"towpath.dev/internal/control/backup"
	"towpath.dev/internal/control/backup/catalog"
)

// cluster is what backups call the cluster here.
const cluster = "shop"

// A status is what the uploader's process answers with.
type status struct {
	Error string
	Lines []Line
	CPU   time.Duration // of the process
	Peak  int64         // bytes of memory, with files that are mapped into it
	// Anonymous is bytes of memory without them, the most that was seen.
	Anonymous int64
}

// An uploader is one in a process of its own.
type uploader struct{ *process.Process }

func startUploader(endpoints []string, folder, scratch, policy string) (*uploader, error) {
	p, err := process.Start("uploader", strings.Join(endpoints, ","), folder, scratch, policy)
	if err != nil {
		return nil, err
	}
	u := &uploader{p}
	if _, err := u.answer(); err != nil {
		u.Stop()
		return nil, err
	}
	return u, nil
}

func (u *uploader) answer() (status, error) {
	var s status
	err := u.Read(&s)
	if err == nil && s.Error != "" {
		err = fmt.Errorf("the uploader: %s", s.Error)
	}
	return s, err
}

// at tells it what time it is.
func (u *uploader) at(t time.Time) error { return u.Say("at %d", t.UnixMilli()) }

// do tells it to do something, and waits until it has: follow, unfollow, upload, care or
// report.
func (u *uploader) do(what string) (status, error) {
	if err := u.Say("%s", what); err != nil {
		return status{}, err
	}
	if err := u.Flush(); err != nil {
		return status{}, err
	}
	s, err := u.answer()
	if err != nil {
		err = fmt.Errorf("%s: %w", what, err)
	}
	return s, err
}

// runUploader is the process.
func runUploader(ctx context.Context, args []string) error {
	out := json.NewEncoder(os.Stdout)
	r, err := newRunning(ctx, args)
	if err != nil {
		return out.Encode(status{Error: err.Error()})
	}
	defer r.client.Close()
	go r.look(ctx)
	if err := out.Encode(status{}); err != nil {
		return err
	}
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		word, rest, _ := strings.Cut(lines.Text(), " ")
		if word == "at" {
			n, err := strconv.ParseInt(rest, 10, 64)
			if err != nil {
				return err
			}
			r.clock.Store(n)
			continue
		}
		s := status{}
		if err := r.do(ctx, word, &s); err != nil {
			s.Error = err.Error()
		}
		if err := out.Encode(s); err != nil {
			return err
		}
	}
	if r.feed != nil {
		r.feed.Close()
	}
	return lines.Err()
}

// running is what the uploader's process has.
type running struct {
	clock  atomic.Int64 // milliseconds since 1970; 0 is the machine's
	client *clientv3.Client
	meter  *blob.Meter
	ledger *ledger
	up     *backup.Uploader
	feed   *backup.Feed

	anonymous atomic.Int64
}

// look looks every now and then at how much memory there is.
func (r *running) look(ctx context.Context) {
	for ctx.Err() == nil {
		if text, err := os.ReadFile("/proc/self/status"); err == nil {
			var kib int64
			_, rest, _ := strings.Cut(string(text), "RssAnon:")
			if _, err := fmt.Sscan(rest, &kib); err == nil && kib<<10 > r.anonymous.Load() {
				r.anonymous.Store(kib << 10)
			}
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func newRunning(ctx context.Context, args []string) (*running, error) {
	endpoints, folder, scratch, policy := strings.Split(args[0], ","), args[1], args[2], args[3]
	r := &running{}
	r.clock.Store(dayBegins.UnixMilli())
	store, err := blob.Open(folder, blob.Options{})
	if err != nil {
		return nil, err
	}
	keep, err := catalog.Parse(policy)
	if err != nil {
		return nil, err
	}
	if r.client, err = members.Connect(endpoints...); err != nil {
		return nil, err
	}
	r.meter = blob.NewMeter(store)
	r.ledger = newLedger(r.meter, r.now)
	r.up, err = backup.NewUploader(ctx, backup.Options{
		Source: backup.Source{Client: r.client, Dial: func(endpoint string) (*clientv3.Client, error) { return members.Connect(endpoint) }},
		Store:  r.ledger, Cluster: cluster, Keep: keep, Scratch: scratch, Now: r.now,
		Log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	return r, err
}

func (r *running) now() time.Time { return time.UnixMilli(r.clock.Load()).UTC() }

func (r *running) do(ctx context.Context, what string, s *status) (err error) {
	switch what {
	case "follow":
		r.feed, err = r.up.Follow(ctx)
	case "unfollow":
		r.feed.Close()
		r.feed = nil
	case "upload":
		err = r.feed.Upload(ctx)
	case "care":
		err = r.up.Care(ctx)
	case "report":
		s.Lines = r.ledger.Lines()
		if err = agrees(s.Lines, r.meter.Usage()); err == nil {
			s.CPU, s.Peak, err = ownUsage()
			s.Anonymous = r.anonymous.Load()
		}
	default:
		err = fmt.Errorf("there is nothing called %q to do", what)
	}
	return err
}
