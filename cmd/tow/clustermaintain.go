//go:build !solo

// tow cluster maintain and log: what a cluster needs, done by itself; and what was done.

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"
	clientv3 "go.etcd.io/etcd/client/v3"

	"towpath.dev/election"
	"towpath.dev/internal/blob"
	"towpath.dev/internal/control/access"
	"towpath.dev/internal/control/backup"
	"towpath.dev/internal/control/cluster"
	"towpath.dev/internal/control/maintain"
)

// maintaining is one tow cluster maintain.
type maintaining struct {
	*ui
	etcd    etcdFlags
	bounds  maintain.Bounds
	every   time.Duration
	prefix  string
	metrics string

	heeds      bool     // a backup was named
	at         backupAt // which is waited for
	recipients []string
	scratch    string
}

func maintainCommand(u *ui) *cobra.Command {
	m := &maintaining{ui: u}
	c := &cobra.Command{
		Use:   "maintain",
		Short: "Keep a cluster of etcd in shape, for as long as it runs",
		Long: `Look after a cluster of etcd until it is stopped: forget revisions that are older than
the history that is kept, defragment members where it pays and nothing is in the way,
and mend a store that is full. It tells what it does, and why it waits.

Several may run for one cluster; one of them is elected and acts. Control nodes do it for
their own etcd by themselves. With --store and --cluster nothing is forgotten that the
backup there has not got, until members' quotas run out: from three quarters on a base is
made first. Members that compact automatically ("--auto-compaction-
retention") forget what they do by their own rule all the same.

docs/maintenance.md has its rules, its metrics and what to alert on.`,
		Example: "  tow cluster maintain --endpoints https://etcd-1:2379,https://etcd-2:2379 --cacert ca.pem --cert me.pem --key me-key.pem\n" +
			"  tow cluster maintain --endpoints http://127.0.0.1:2379 --history 12h --rate 20\n" +
			"  tow cluster maintain --endpoints https://etcd-1:2379 --store s3://backups/etcd --cluster prod --recipient verifier.pub --recipient recovery.pub",
		Args: exactly(),
		RunE: func(c *cobra.Command, _ []string) error {
			m.heeds = c.Flags().Changed("store") || c.Flags().Changed("cluster")
			return m.run(c.Context())
		},
	}
	f := c.Flags()
	f.DurationVar(&m.bounds.History, "history", time.Hour, "keep revisions for this `TIME`")
	f.Float64Var(&m.bounds.Rate, "rate", 100, "defragment while at most `N` entries a second are written")
	f.DurationVar(&m.bounds.Latency, "latency", 100*time.Millisecond, "and reads take this `TIME` at most")
	f.Float64Var(&m.bounds.Share, "free", 0.45, "where at least this `SHARE` of a member's file is free")
	f.DurationVar(&m.bounds.Backoff, "backoff", time.Hour, "and it was not its turn for this `TIME`")
	f.Int64Var(&m.bounds.Quota, "quota", 0, "members before 3.6, which do not say their quota, may use this many `BYTES`")
	f.DurationVar(&m.every, "every", 30*time.Second, "look at the cluster every `TIME`")
	f.StringVar(&m.prefix, "prefix", "", "keep the election and the journal under keys with the `PREFIX`")
	f.StringVar(&m.metrics, "metrics-listen", "", "serve metrics for Prometheus at `HOST:PORT`/metrics")
	m.at.flags(c)
	f.StringArrayVar(&m.recipients, "recipient", nil, "encrypt a base for the age `RECIPIENT`, or for those in a file; may be repeated")
	f.StringVar(&m.scratch, "scratch", "", "put the snapshot for a base in the folder `DIR` (default: towpath/backup in the user's folder for caches)")
	m.etcd.flags(c)
	return c
}

func (m *maintaining) run(ctx context.Context) error {
	if err := m.bounds.Validate(); err != nil {
		return usage{err, ""}
	}
	if m.etcd.isOwn() {
		return usage{errors.New("control nodes look after their own etcd, while \"tow serve\" runs: name another one with --endpoints"), ""}
	}
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	client, err := m.etcd.open(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = closed(client) }()
	metrics, elected := maintain.NewMetrics(), election.NewMetrics()
	if err := (&backupRun{ui: m.ui}).serveMetrics(ctx, m.metrics, collectors{metrics, elected}); err != nil {
		return err
	}
	host, _ := os.Hostname()
	name := fmt.Sprintf("%s/%d", or(host, "localhost"), os.Getpid())
	o := maintain.Options{
		Store: election.Etcd(client), Cluster: maintain.Etcd(client, name, nil), Prefix: m.prefix, Name: name,
		Every: m.every, Bounds: m.bounds, Metrics: metrics, Election: elected, Event: m.tell,
	}
	kept, err := m.backup(client)
	if err != nil {
		return err
	}
	heedBackup(&o, client, kept)
	it, err := maintain.New(o)
	if err != nil {
		return err
	}
	fmt.Fprintf(m.err, "Looking after %s as %s.\n", strings.Join(client.Endpoints(), ", "), name)
	if err := it.Run(ctx); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// backup is the one whose floor is heeded; nil if none was named.
func (m *maintaining) backup(client *clientv3.Client) (*backup.Options, error) {
	if !m.heeds {
		return nil, nil
	}
	if err := m.at.named(); err != nil {
		return nil, err
	}
	o := &backup.Options{Cluster: m.at.cluster, Scratch: m.scratch, Source: backup.Source{Client: client, Dial: m.etcd.dialer()}}
	var err error
	if o.Recipients, err = readRecipients("--recipient", m.recipients); err != nil {
		return nil, err
	}
	o.Store, err = m.at.open(m.ui)
	return o, err
}

// heedBackup has a maintainer forget nothing that a backup has not got. Without one that was
// named it heeds the note that an uploader leaves in the cluster.
func heedBackup(o *maintain.Options, client *clientv3.Client, kept *backup.Options) {
	if kept == nil {
		o.Kept = func(ctx context.Context) (string, error) { return backup.Kept(ctx, client) }
		return
	}
	o.Floor = backup.NewFloor(kept.Store, kept.Cluster, kept.Source)
	o.Base = func(ctx context.Context, why string) error {
		_, err := backup.TakeBase(ctx, *kept, why)
		return err
	}
}

// isOwn reports whether it is the etcd of a control node of this machine that is asked.
func (e *etcdFlags) isOwn() bool {
	return e.data != "" || or(e.endpoints, os.Getenv("ETCDCTL_ENDPOINTS")) == ""
}

// collectors are several as one.
type collectors []prometheus.Collector

func (all collectors) Describe(to chan<- *prometheus.Desc) {
	for _, c := range all {
		c.Describe(to)
	}
}

func (all collectors) Collect(to chan<- prometheus.Metric) {
	for _, c := range all {
		c.Collect(to)
	}
}

// tell prints an event, as it happens.
func (m *maintaining) tell(e maintain.Event) {
	style := dim
	switch {
	case e.Alarm, strings.HasPrefix(e.Outcome, "failed"):
		style = red
	case e.Do != maintain.Nothing:
		style = green
	}
	fmt.Fprintf(m.out, "%s %s\n", e.Time.Format("2006-01-02 15:04:05"), paint(m.outColor, style, printable(e.String())))
}

func maintainLogCommand(u *ui) *cobra.Command {
	var at etcdFlags
	var prefix string
	var asJSON bool
	c := &cobra.Command{
		Use:   "log",
		Short: "Show what was done to a cluster by itself",
		Long: fmt.Sprintf(`Show what control nodes, and "tow cluster maintain", have done to a cluster, oldest
first: the last %d steps, with their reasons. What they waited for is in their own logs.`, maintain.Kept),
		Example: "  tow cluster log --data /var/lib/towpath\n  tow cluster log --endpoints https://etcd-1:2379 --cacert ca.pem --json",
		Args:    exactly(),
		RunE: func(c *cobra.Command, _ []string) error {
			client, err := at.open(c.Context())
			if err != nil {
				return err
			}
			defer func() { _ = closed(client) }()
			asking, cancel := context.WithTimeout(c.Context(), askTime)
			defer cancel()
			events, err := maintain.NewJournal(election.Etcd(client), prefix).Read(asking)
			if err != nil {
				return at.told(err)
			}
			if asJSON {
				text, err := json.MarshalIndent(events, "", "  ")
				if err == nil {
					_, err = fmt.Fprintf(u.out, "%s\n", text)
				}
				return err
			}
			if len(events) == 0 {
				fmt.Fprintln(u.err, "Nothing was done yet.")
				return nil
			}
			return u.table("TIME\tBY\tWHAT", len(events), func(w *tabwriter.Writer, i int) {
				fmt.Fprintf(w, "%s\t%s\t%s\n", stamp(events[i].Time), printable(events[i].By), printable(events[i].String()))
			})
		},
	}
	c.Flags().StringVar(&prefix, "prefix", "", "the maintainer's --prefix, if it had one")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	at.flags(c)
	return c
}

// keepUp looks after a control node's own etcd until the context ends. An etcd that was there
// before is others' to look after.
func (p *opened) keepUp(ctx context.Context, store *theStore, o maintain.Options) {
	if store.id == 0 {
		return
	}
	// The other nodes' members let clients in from their own machines alone, and each other.
	o.Store, o.Cluster = store, maintain.Etcd(store.client, p.trust.Node(), asNode(p.trust))
	o.Name, o.Own, o.Log = p.trust.Node(), cluster.ID(store.id), p.log
	var kept *backup.Options
	if p.backup != nil {
		own := *p.backup
		own.Source = backup.Source{Client: store.client, Dial: store.dial}
		own.Store = blob.Retry(own.Store, blob.Policy{Tries: storeTries})
		kept = &own
	}
	heedBackup(&o, store.client, kept)
	it, err := maintain.New(o)
	if err == nil {
		err = it.Run(ctx)
	}
	if err != nil && ctx.Err() == nil {
		p.log.Error("nobody on this node looks after etcd", "error", err)
	}
}

// endOf is a metric of until when the node's certificate is good.
func endOf(trust *access.Trust) prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "towpath_node_certificate_end_timestamp_seconds", Help: "Until when this control node's certificate is good.",
	}, func() float64 {
		c, err := trust.Certificate()
		if err != nil {
			return 0
		}
		return float64(c.Leaf.NotAfter.Unix())
	})
}

// localURL is a listener's URL as its own machine asks it.
func localURL(l net.Listener, secure bool) string {
	at := urlOf(l, secure)
	if host, port, err := net.SplitHostPort(l.Addr().String()); err == nil {
		if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
			at = strings.Replace(at, l.Addr().String(), net.JoinHostPort("127.0.0.1", port), 1)
		}
	}
	return at
}
