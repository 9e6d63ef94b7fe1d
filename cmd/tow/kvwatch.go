//go:build !solo

// tow kv watch: changes as they happen.

package main

import (
	"context"
	"errors"
	"fmt"
	"os/signal"
	"syscall"
	"time"

	"connectrpc.com/connect"
	"github.com/spf13/cobra"

	"towpath.dev/api/towpathv1"
	"towpath.dev/client"
)

func kvWatchCommand(u *ui) *cobra.Command {
	w := &kvWatch{kvAsk: kvAsk{ui: u}}
	c := &cobra.Command{
		Use:   "watch KEY",
		Short: "Print changes as they happen",
		Long: `Print each change of KEY, or with --prefix of all keys that begin with it: the
revision, put or del, the key, and the value, with tabs between them. With --json each
line is a change.

When the connection is lost it goes on where it was, and no change is left out. It
ends with an error where changes are no longer kept; "tow kv list" then shows what is
there. Control-C ends it.`,
		Example: "  tow kv watch flags/ --prefix\n" +
			"  tow kv watch leader --from 118",
		Args: exactly("a key or a prefix"),
		RunE: func(c *cobra.Command, args []string) error {
			w.request = &towpathv1.WatchRequest{Namespace: w.namespace, Key: args[0], Prefix: w.prefix, From: w.from}
			return w.run(c.Context())
		},
	}
	f := c.Flags()
	f.BoolVar(&w.prefix, "prefix", false, "watch all keys that begin with KEY")
	f.Int64Var(&w.from, "from", 0, "begin with the changes of the `REVISION` (default: from now on)")
	w.flags(c)
	return c
}

// kvWatch is one tow kv watch.
type kvWatch struct {
	kvAsk
	prefix  bool
	from    int64
	request *towpathv1.WatchRequest
}

const (
	// silence is how long a stream may be without a sign of life, which come every 10 s.
	silence = 30 * time.Second
	// The time before a watch that was cut off is opened again grows between these.
	firstWait, longestWait = 200 * time.Millisecond, 5 * time.Second
)

func (w *kvWatch) run(ctx context.Context) error {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	api, err := w.at.open()
	if err != nil {
		return err
	}
	defer api.Close()
	for wait, heard := firstWait, false; ; {
		some, err := w.watch(ctx, api)
		if ctx.Err() != nil {
			return nil
		}
		heard = heard || some
		// A first connection that fails is no use waiting for.
		if !heard || !passing(err) {
			return w.at.told(err)
		}
		if some {
			wait = firstWait
			fmt.Fprintf(w.err, "Cut off (%v); going on from revision %d.\n", w.at.told(err), w.request.From)
		}
		select {
		case <-time.After(wait):
			wait = min(2*wait, longestWait)
		case <-ctx.Done():
			return nil
		}
	}
}

// errSilent is why a stream is given up that has been silent for too long.
var errSilent = fmt.Errorf("no sign of life for %s", silence)

// passing reports whether a watch may go on after an error.
func passing(err error) bool {
	var refused *connect.Error
	if !errors.As(err, &refused) {
		return errors.Is(err, errSilent) // and not what became of the output
	}
	switch refused.Code() {
	case connect.CodeUnavailable, connect.CodeDeadlineExceeded, connect.CodeCanceled, connect.CodeResourceExhausted, connect.CodeInternal, connect.CodeUnknown:
		return true
	}
	return false
}

// watch prints changes until its stream ends, and reports whether any response came.
func (w *kvWatch) watch(ctx context.Context, api *client.Control) (some bool, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	dead := time.AfterFunc(silence, func() { cancel(errSilent) })
	defer dead.Stop()
	stream, err := api.KV.Watch(ctx, w.request)
	if err != nil {
		return false, err
	}
	defer stream.Close()
	for stream.Receive() {
		dead.Reset(silence)
		some = true
		r := stream.Msg()
		for _, c := range r.Changes {
			if err := w.show(c); err != nil {
				return some, err
			}
		}
		w.request.From = r.Revision + 1
	}
	if err := context.Cause(ctx); errors.Is(err, errSilent) {
		return some, err
	}
	if err := stream.Err(); err != nil {
		return some, err
	}
	return some, connect.NewError(connect.CodeUnavailable, errors.New("the stream has ended"))
}

func (w *kvWatch) show(c *towpathv1.WatchResponse_Change) (err error) {
	e := c.GetEntry()
	switch {
	case w.json:
		return w.print(c)
	case c.Deleted:
		_, err = fmt.Fprintf(w.out, "%d\tdel\t%s\n", e.GetModified(), e.GetKey())
	default:
		_, err = fmt.Fprintf(w.out, "%d\tput\t%s\t%s\n", e.GetModified(), e.GetKey(), valueLine(e.GetValue()))
	}
	return err
}
