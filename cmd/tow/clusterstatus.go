//go:build !solo

// tow cluster status: how a cluster of etcd is.

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	clientv3 "go.etcd.io/etcd/client/v3"

	"towpath.dev/internal/control/cluster"
)

func clusterStatusCommand(u *ui) *cobra.Command {
	s := &clusterStatus{ui: u}
	c := &cobra.Command{
		Use:   "status",
		Short: "Show how a cluster is, and what is wrong with it",
		Long: `Show the members of a cluster of etcd: which of them answer and who leads, how far each
is behind, how large its data is, how long reads take, and who is elected for what. Below
is what is wrong or soon will be, and what to do about it. Nothing is changed.

It works without a majority too, and exits with 1 then. With --json it prints one object,
whose names are stable; with --watch it goes on until Control-C, in a terminal on
one page, and elsewhere a line each time.`,
		Example: "  tow cluster status --endpoints https://etcd-1:2379,https://etcd-2:2379 --cacert ca.pem --cert me.pem --key me-key.pem\n" +
			"  tow cluster status --data /var/lib/towpath --watch\n" +
			"  tow cluster status --json | jq -r '.warnings[].text'",
		Args: exactly(),
		RunE: func(c *cobra.Command, _ []string) error { return s.run(c.Context()) },
	}
	f := c.Flags()
	f.BoolVar(&s.json, "json", false, "print JSON")
	f.BoolVar(&s.watch, "watch", false, "look again and again")
	f.DurationVar(&s.every, "every", 2*time.Second, "with --watch, look after each `TIME`")
	f.IntVar(&s.probes, "probes", 10, "time `N` reads of each member")
	s.etcd.flags(c)
	return c
}

// clusterStatus is one tow cluster status.
type clusterStatus struct {
	*ui
	etcd        etcdFlags
	json, watch bool
	every       time.Duration
	probes      int
}

func (s *clusterStatus) run(ctx context.Context) error {
	if s.probes < 1 || s.every <= 0 {
		return usage{fmt.Errorf("--probes %d and --every %s: expected both to be above zero", s.probes, s.every), ""}
	}
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	client, err := s.etcd.open(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = client.Close() }() // says that its context has ended
	o := cluster.Options{Probes: s.probes, Elections: true, Window: rateWindow, Patience: statusPatience}
	if o.Peers, err = s.etcd.peers(); err != nil {
		return err
	}
	if s.watch {
		return s.again(ctx, client, o)
	}
	seen, err := cluster.Observe(ctx, client, o)
	if err != nil {
		return s.etcd.told(err)
	}
	if s.json {
		err = s.print(seen)
	} else {
		err = s.show(s.out, seen)
	}
	if err == nil && !seen.Majority {
		return errWrong // and said
	}
	return err
}

// statusPatience is how long a member is waited for.
const statusPatience = 3 * time.Second

// rateWindow is for how long the rate of writes is measured.
const rateWindow = 300 * time.Millisecond

// again shows the cluster over and over. It may be away for a while.
func (s *clusterStatus) again(ctx context.Context, client *clientv3.Client, o cluster.Options) error {
	ticker := time.NewTicker(s.every)
	defer ticker.Stop()
	for {
		seen, err := cluster.Observe(ctx, client, o)
		if ctx.Err() != nil {
			return nil
		}
		if err = s.tick(seen, err); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// tick shows one look at the cluster, or why it failed.
func (s *clusterStatus) tick(seen *cluster.Observed, failed error) error {
	now := time.Now().Format(time.TimeOnly)
	var page bytes.Buffer
	if s.outTerminal && !s.json {
		page.WriteString("\x1b[H\x1b[2J") // a clean screen
	}
	switch {
	case s.json && failed != nil:
		return json.NewEncoder(s.out).Encode(map[string]string{"error": failed.Error()})
	case s.json:
		return s.print(seen)
	case failed != nil:
		fmt.Fprintf(&page, "%s  %s\n", now, failed)
	case s.outTerminal:
		if err := s.show(&page, seen); err != nil {
			return err
		}
		fmt.Fprintf(&page, "\n%s, every %s. Ctrl-C ends it.\n", now, s.every)
	default:
		fmt.Fprintf(&page, "%s  %s\n", now, statusLine(seen))
	}
	_, err := s.out.Write(page.Bytes())
	return err
}

// print prints a look at the cluster and what is wrong with it as one line of JSON.
func (s *clusterStatus) print(seen *cluster.Observed) error {
	return json.NewEncoder(s.out).Encode(struct {
		*cluster.Observed
		Warnings []cluster.Warning `json:"warnings"`
	}{seen, seen.Warnings()})
}

// statusLine is a look at the cluster on one line.
func statusLine(o *cluster.Observed) string {
	line := fmt.Sprintf("%d of %d voters well, %s, revision %d", o.Quorum.Well, o.Quorum.Voters, leadText(o), o.Revision)
	if o.Measured {
		line += fmt.Sprintf(", %.0f entries/s", o.Rate)
	}
	worst := time.Duration(0)
	for _, m := range o.Members {
		worst = max(worst, m.Reads.P99)
	}
	if worst > 0 {
		line += ", reads up to " + shortTime(worst)
	}
	var codes []string
	for _, w := range o.Warnings() {
		code := w.Code
		if m := o.Member(w.Member); m != nil {
			code += " " + m.String()
		}
		codes = append(codes, code)
	}
	if len(codes) > 0 {
		line += "; " + strings.Join(codes, ", ")
	}
	return line
}

func leadText(o *cluster.Observed) string {
	if m := o.Member(o.Leader); m != nil {
		return m.String() + " leads"
	}
	return "nobody leads"
}
