//go:build !solo

// tow backup run: uploading, until it is stopped.

package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/spf13/cobra"
	clientv3 "go.etcd.io/etcd/client/v3"

	"towpath.dev/internal/blob"
	"towpath.dev/internal/control/backup"
	"towpath.dev/internal/control/backup/catalog"
)

// backupRun is one tow backup run.
type backupRun struct {
	*ui
	at         backupAt
	etcd       etcdFlags
	every      time.Duration
	keep       string
	recipients []string
	dropped    []string
	plain      bool
	scratch    string
	metrics    string
	alone      bool
	config     string
}

func backupRunCommand(u *ui) *cobra.Command {
	b := &backupRun{ui: u}
	c := &cobra.Command{
		Use:   "run",
		Short: "Keep a cluster's revisions, until it is stopped",
		Long: `Follow a cluster's revisions and keep them: every minute, if anything changed, an object;
a base of all that there is when it pays. Minutes are merged into hours and days, and what
--keep does not name is deleted.

Several may run for one cluster: one is elected to upload, and another goes on when it
dies. It may be killed at any time. With --config, one uploader keeps several clusters,
whose minutes go into one object. docs/backup.md has the file.`,
		Example: "  tow backup run --store s3://backups/etcd?region=eu-central-1 --cluster prod --endpoints https://etcd-1:2379\n" +
			"  tow backup run --store /mnt/backups --cluster prod --data /var/lib/towpath --keep \"any minute for 7 days\"",
		Args: exactly(),
		RunE: func(c *cobra.Command, _ []string) error { return b.run(c.Context()) },
	}
	b.at.flags(c)
	b.at.identityFlag(c)
	f := c.Flags()
	f.DurationVar(&b.every, "every", time.Minute, "upload what changed each `TIME`: what a loss of the cluster may cost")
	f.StringVar(&b.keep, "keep", backup.DefaultKeep, "keep what the `SENTENCE` says")
	f.StringArrayVar(&b.recipients, "recipient", nil, "encrypt for the age `RECIPIENT`, or for those in a file; may be repeated")
	f.StringArrayVar(&b.dropped, "drop-recipient", nil, "go on without the age `RECIPIENT`, who can read what was kept so far; may be repeated")
	f.BoolVar(&b.plain, "plain", false, "go on in the clear where what was kept so far is encrypted")
	f.StringVar(&b.scratch, "scratch", "", "put snapshots in the folder `DIR`, which needs room for the whole store (default: towpath/backup in the user's folder for caches)")
	f.StringVar(&b.metrics, "metrics-listen", "", "serve metrics for Prometheus at `HOST:PORT`/metrics")
	f.BoolVar(&b.alone, "alone", false, "upload without being elected: nothing is written to the cluster")
	f.StringVar(&b.config, "config", "", "do what the `FILE` says, which may name several clusters, instead of what flags do")
	b.etcd.flags(c)
	return c
}

func (b *backupRun) run(ctx context.Context) error {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	config, err := b.read()
	if err != nil {
		return err
	}
	config.options.Metrics, config.options.Log = backup.NewMetrics(), slog.New(slog.NewTextHandler(b.err, nil))
	if err := blob.Probe(ctx, retried(b.ui, config.options.Store)); err != nil {
		return err
	}
	var all []backup.Options
	for _, cluster := range config.clusters {
		client, err := cluster.etcd.open(ctx)
		if err != nil {
			return fmt.Errorf("%s: %w", cluster.name, err)
		}
		defer closed(client)
		o := config.options
		o.Cluster, o.Source = cluster.name, backup.Source{Client: client, Dial: cluster.etcd.dialer()}
		all = append(all, o)
		fmt.Fprintf(b.err, "Keeping %s in %s, every %s: %s\n", o.Cluster, o.Store, o.Every, o.Keep)
	}
	if err := b.serveMetrics(ctx, config.metrics, config.options.Metrics); err != nil {
		return err
	}
	err = b.upload(ctx, config.shared, all)
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		return nil // it was stopped
	}
	return err
}

// upload keeps clusters until the context ends.
func (b *backupRun) upload(ctx context.Context, shared string, all []backup.Options) error {
	switch {
	case shared != "":
		return backup.RunShared(ctx, shared, all)
	case b.alone:
		return backup.RunAlone(ctx, all[0])
	}
	return backup.RunElected(ctx, all[0])
}

// read is what the file or the flags say.
func (b *backupRun) read() (*backupConfig, error) {
	if b.config != "" {
		if b.at.cluster != "" || b.etcd.endpoints != "" || b.etcd.data != "" {
			return nil, usage{errors.New("--config says which clusters are kept, and so do other flags: name them in the file alone"), ""}
		}
		return readBackupConfig(b.config)
	}
	if err := b.at.named(); err != nil {
		return nil, err
	}
	o, err := b.options()
	return &backupConfig{options: o, metrics: b.metrics, clusters: []backupCluster{{b.at.cluster, b.etcd}}}, err
}

func (b *backupRun) options() (o backup.Options, err error) {
	o = backup.Options{Every: b.every, Scratch: b.scratch, Plain: b.plain}
	if b.every < time.Second {
		return o, usage{fmt.Errorf("--every %s: expected a second at least", b.every), ""}
	}
	if o.Recipients, err = readRecipients("--recipient", b.recipients); err != nil {
		return o, err
	}
	if o.Dropped, err = readRecipients("--drop-recipient", b.dropped); err != nil {
		return o, err
	}
	if o.Identities, err = readIdentities(b.at.identities); err != nil {
		return o, err
	}
	if o.Keep, err = catalog.Parse(b.keep); err != nil {
		return o, usage{fmt.Errorf("--keep: %w", err), ""}
	}
	o.Store, err = b.at.openOnce()
	return o, err
}

// serveMetrics serves metrics until the context ends, if it was asked for.
func (b *backupRun) serveMetrics(ctx context.Context, at string, metrics prometheus.Collector) error {
	if at == "" {
		return nil
	}
	l, err := net.Listen("tcp", at)
	if err != nil {
		return fmt.Errorf("cannot listen on %s for metrics: %w; name another address with --metrics-listen", at, innermost(err))
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(metrics)
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	fmt.Fprintf(b.err, "Metrics at http://%s/metrics\n", l.Addr())
	go func() { _ = server.Serve(l) }() // ends with the process, or when it is closed
	context.AfterFunc(ctx, func() { _ = server.Close() })
	return nil
}

// dialer connects to one endpoint alone.
func (e *etcdFlags) dialer() func(string) (*clientv3.Client, error) {
	return func(endpoint string) (*clientv3.Client, error) {
		config, err := e.config()
		if err != nil {
			return nil, err
		}
		config.Endpoints = []string{endpoint}
		return clientv3.New(*config)
	}
}
