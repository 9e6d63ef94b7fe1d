//go:build !solo

// tow cluster rotate-certs: another certificate for a control node, while it runs.

package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"go.etcd.io/etcd/client/pkg/v3/fileutil"
	clientv3 "go.etcd.io/etcd/client/v3"

	"towpath.dev/internal/control/access"
	"towpath.dev/internal/control/certs"
	"towpath.dev/internal/control/etcdstore"
	"towpath.dev/internal/wholefile"
)

// rotating is one tow cluster rotate-certs.
type rotating struct {
	*ui
	etcd              etcdFlags
	add, remove       []string
	keepKey, dry, yes bool
	check, json       bool
	within            time.Duration
	trust             *access.Trust
	client            *clientv3.Client // nil: the node does not run
	places            []place
	before            *x509.Certificate
}

// seenTime is how long a listener has to show its new certificate. It reads its files with each
// connection, so that one is enough.
const seenTime = 10 * time.Second

func rotateCertsCommand(u *ui) *cobra.Command {
	r := &rotating{ui: u}
	c := &cobra.Command{
		Use:   "rotate-certs",
		Short: "Give a control node another certificate, or check a cluster's",
		Long: `Give the control node of this machine another certificate and another key, under the
cluster's CA, for more hosts or fewer if they are named. The node goes on running: etcd
and the control API show the new certificate from their next connection on, and the
command is done when each of them has been seen to.

What will be done is shown first; nothing is done before it is agreed to, on the
terminal or by --yes. The old certificate is good until it ends to those who ask the CA
alone, as members of etcd do; the control API refuses it at once. With --keep-key it is
the same key, and the store need not be asked.

The CA itself is not rotated: it is good for ten years from "tow init" on, and etcd
reads whom it trusts when it starts.

With --check nothing is changed. It shows, of any cluster of etcd, the certificates that
its members show, until when they are good, and what is wrong with them, and fails if
there is anything.

It is run again after it was interrupted, and goes through.`,
		Example: "  tow cluster rotate-certs --data /var/lib/towpath --dry-run\n" +
			"  tow cluster rotate-certs --data /var/lib/towpath --host control-1.example.org --yes\n" +
			"  tow cluster rotate-certs --check --endpoints https://etcd-1:2379 --cacert ca.pem --within 720h",
		Args: exactly(),
		RunE: func(c *cobra.Command, _ []string) error { return r.run(c) },
	}
	f := c.Flags()
	f.StringSliceVar(&r.add, "host", nil, "the certificate is for the `HOST` too, a name or an address")
	f.StringSliceVar(&r.remove, "remove-host", nil, "and no longer for the `HOST`")
	f.BoolVar(&r.keepKey, "keep-key", false, "leave the key as it is")
	f.BoolVar(&r.dry, "dry-run", false, "only show what would be done")
	f.BoolVar(&r.yes, "yes", false, "do it without asking")
	f.BoolVar(&r.check, "check", false, "change nothing: show the cluster's certificates and what is wrong with them")
	f.DurationVar(&r.within, "within", access.RenewBefore/2, "with --check, a certificate that ends within this `TIME` is at fault")
	f.BoolVar(&r.json, "json", false, "with --check, print JSON")
	r.etcd.flags(c)
	return c
}

func (r *rotating) run(c *cobra.Command) error {
	changed := func(names ...string) string {
		for _, name := range names {
			if c.Flags().Changed(name) {
				return name
			}
		}
		return ""
	}
	if r.check {
		if name := changed("host", "remove-host", "keep-key", "dry-run", "yes"); name != "" {
			return usage{fmt.Errorf("--check changes nothing, and --%s says what to change: leave one of them out", name), ""}
		}
		return r.checkCerts(c.Context())
	}
	if name := changed("within", "json"); name != "" {
		return usage{fmt.Errorf("--%s is for --check", name), ""}
	}
	if name := changed("endpoints", "cacert", "cert", "key", "user", "password-file"); name != "" {
		return usage{fmt.Errorf("only a control node's own certificate can be rotated, whose folder --data names, and --%s is of another etcd: \"tow cluster rotate-certs --check\" shows how long the certificates of that one are good", name), ""}
	}
	if err := errors.Join(checkHosts("host", r.add), checkHosts("remove-host", r.remove)); err != nil {
		return err
	}
	return r.rotate(c.Context())
}

// hostName is a name of DNS (RFC 1123), perhaps with a wildcard before it.
var hostName = regexp.MustCompile(`^(\*\.)?([a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?\.)*[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?$`)

func checkHosts(flag string, hosts []string) error {
	for _, h := range hosts {
		if net.ParseIP(h) == nil && (len(h) > 253 || !hostName.MatchString(h)) {
			return usage{fmt.Errorf("--%s %s: expected a name or an address alone, without a scheme and a port, as in control-1.example.org or 10.0.0.1", flag, h), ""}
		}
	}
	return nil
}

// rotate plans, asks, does and looks.
func (r *rotating) rotate(ctx context.Context) error {
	dir, err := dataDir(r.etcd.data)
	if err != nil {
		return err
	}
	folder := filepath.Join(dir, trustDir)
	if !access.HasTrust(folder) {
		return fmt.Errorf("%s is no control node's folder, as there is no trust in it: name one with --data", dir)
	}
	lock, err := fileutil.TryLockFile(filepath.Join(folder, "rotate.lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if errors.Is(err, fileutil.ErrLocked) {
		return fmt.Errorf("the certificate in %s is being rotated already: wait until that is done", folder)
	}
	if err != nil {
		return err
	}
	defer func() { _ = lock.Close() }() // which is all that unlocking takes
	if r.trust, err = access.OpenTrust(folder); err != nil {
		return err
	}
	now, err := r.trust.Certificate()
	if err != nil {
		return err
	}
	r.before = now.Leaf
	if err := r.meet(ctx, dir); err != nil {
		return err
	}
	if r.client != nil {
		defer func() { _ = closed(r.client) }()
	}
	hosts, err := r.hosts()
	if err != nil {
		return err
	}
	r.showPlan(hosts)
	if r.dry {
		fmt.Fprintln(r.err, "Nothing was done, as --dry-run says.")
		return nil
	}
	if err := r.agreedTo(r.yes); err != nil {
		return err
	}
	return r.do(ctx, hosts)
}

// meet connects to the node if it runs, and finds where it shows its certificate.
func (r *rotating) meet(ctx context.Context, dir string) error {
	r.etcd.data = dir
	client, err := r.etcd.open(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if r.keepKey {
			return nil
		}
		return fmt.Errorf("the store has to know %s by its new key, and cannot be asked: %w; start the node, or leave its key as it is with --keep-key", r.trust.Node(), err)
	}
	r.client = client
	asking, cancel := context.WithTimeout(ctx, etcdPatience)
	defer cancel()
	if r.places, err = ownPlaces(asking, client, r.trust, dir); err != nil {
		return errors.Join(r.etcd.told(err), closed(client))
	}
	return nil
}

// hosts is whom the next certificate is for. Where members and clients are sent to has to
// be among them.
func (r *rotating) hosts() ([]string, error) {
	hosts := r.trust.Hosts()
	for _, h := range r.remove {
		i := slices.Index(hosts, h)
		if i < 0 {
			return nil, usage{fmt.Errorf("--remove-host %s: the certificate is not for it, but for %s", h, strings.Join(hosts, ", ")), ""}
		}
		hosts = slices.Delete(hosts, i, i+1)
	}
	for _, h := range r.add {
		if !slices.Contains(hosts, h) {
			hosts = append(hosts, h)
		}
	}
	for _, p := range r.places {
		if slices.Contains(r.remove, p.host()) && !isLoopbackHost(p.host()) {
			return nil, fmt.Errorf("--remove-host %s: %s sends others to %s, who would not believe it there: let it be reached elsewhere first", p.host(), r.trust.Node(), p.url)
		}
	}
	for _, h := range r.remove {
		if isLoopbackHost(h) {
			return nil, usage{fmt.Errorf("--remove-host %s: every control node is reached on its own machine", h), ""}
		}
	}
	return hosts, nil
}

// showPlan says what is, what will be, and how.
func (r *rotating) showPlan(hosts []string) {
	node := r.trust.Node()
	fmt.Fprintf(r.out, "%s of the cluster %s gets another certificate.\n\n", node, r.trust.CA.Cluster())
	fmt.Fprintf(r.out, "  now   ends %s, in %s; for %s\n", day(r.before.NotAfter), certs.Left(time.Until(r.before.NotAfter)), strings.Join(r.trust.Hosts(), ", "))
	key := "a new key"
	if r.keepKey {
		key = "the same key"
	}
	fmt.Fprintf(r.out, "  next  %s; for %s\n\n", key, strings.Join(hosts, ", "))
	steps := []string{"make it, beside the one in use"}
	if !r.keepKey {
		steps = append(steps, fmt.Sprintf("make %s known by its new key in the store", node))
	}
	steps = append(steps, "put it in place")
	for _, p := range r.places {
		if p.shown.Leaf() == nil {
			fmt.Fprintf(r.out, "  %s cannot be seen from here, and is not looked at: %v\n", p, p.shown.Err)
			continue
		}
		steps = append(steps, fmt.Sprintf("see it shown by %s", p))
	}
	if r.client == nil {
		steps = append(steps, fmt.Sprintf("%s does not run, and shows it when it starts", node))
	}
	for i, s := range steps {
		fmt.Fprintf(r.out, "  %d  %s\n", i+1, s)
	}
	fmt.Fprintf(r.out, "\nNothing is restarted. Until %s the old one is good to who asks the CA alone.\n", day(r.before.NotAfter))
}

func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }

// do rotates. Each step may be done again.
func (r *rotating) do(ctx context.Context, hosts []string) error {
	next, err := r.trust.Stage(access.RotateOptions{Hosts: hosts, KeepKey: r.keepKey})
	if err != nil {
		return fmt.Errorf("the next certificate cannot be made, and the one in use stays: %w", err)
	}
	if next.Rekeyed {
		asking, cancel := context.WithTimeout(ctx, askTime)
		defer cancel()
		registry := access.NewRegistry(etcdstore.New(r.client), r.trust.CA, slog.New(slog.DiscardHandler))
		if err := registry.Rekey(asking, r.trust.Node(), next.KeyHash); err != nil {
			return fmt.Errorf("the store does not know the new key, and the old certificate stays in use: %w; run this again", r.etcd.told(err))
		}
	}
	if err := r.trust.Install(next); err != nil {
		return fmt.Errorf("the new certificate is not in place: %w; run this again", err)
	}
	looking, cancel := context.WithTimeout(ctx, seenTime)
	defer cancel()
	seen, faults := 0, []error(nil)
	for _, p := range r.places {
		if p.shown.Leaf() == nil {
			continue
		}
		if err := p.shows(looking, r.trust, next.Leaf); err != nil {
			faults = append(faults, err)
			continue
		}
		seen++
		fmt.Fprintf(r.err, "%s shows it.\n", p)
	}
	if err := errors.Join(faults...); err != nil {
		return fmt.Errorf("the new certificate is in place, and not everybody shows it:\n%w\n\"tow serve\" shows it when it is started again", err)
	}
	how := fmt.Sprintf("seen at %s", count(seen, "listener"))
	if seen == 0 {
		how = "shown when the node starts"
	}
	fmt.Fprintf(r.out, "Done: %s has the certificate %x, good until %s, %s.\n", r.trust.Node(), next.Leaf.SerialNumber, day(next.Leaf.NotAfter), how)
	return nil
}

// place is where a certificate is shown.
type place struct {
	what  string // "etcd", "etcd's peers" or "the control API"
	who   string // the member, where there are several
	url   string
	shown certs.Shown
}

func (p place) String() string {
	if p.who != "" {
		return p.what + " of " + p.who + " at " + p.url
	}
	return p.what + " at " + p.url
}

func (p place) host() string { return p.shown.Host }

// look asks the place for its certificate.
func (p *place) look(ctx context.Context, config *tls.Config) {
	u, err := url.Parse(p.url)
	if err != nil {
		p.shown = certs.Shown{Err: err}
		return
	}
	p.shown = certs.Look(ctx, u.Host, config)
}

// shows waits until the place shows a certificate.
func (p place) shows(ctx context.Context, trust *access.Trust, want *x509.Certificate) error {
	for {
		p.look(ctx, asNode(trust))
		if leaf := p.shown.Leaf(); leaf != nil && leaf.Equal(want) {
			return nil
		}
		select {
		case <-ctx.Done():
			if leaf := p.shown.Leaf(); leaf != nil {
				return fmt.Errorf("%s shows the certificate %x on", p, leaf.SerialNumber)
			}
			return fmt.Errorf("%s shows none: %w", p, p.shown.Err)
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// ownPlaces is where a control node shows its certificate, each looked at.
func ownPlaces(ctx context.Context, client *clientv3.Client, trust *access.Trust, dir string) ([]place, error) {
	list, err := client.MemberList(ctx, clientv3.WithSerializable())
	if err != nil {
		return nil, err
	}
	var all []place
	for _, m := range list.Members {
		if m.Name == trust.Node() {
			for _, at := range m.ClientURLs {
				all = append(all, place{what: "etcd", url: at})
			}
			for _, at := range m.PeerURLs {
				all = append(all, place{what: "etcd's peers", url: at})
			}
		}
	}
	if at, err := os.ReadFile(filepath.Join(dir, controlAtFile)); err == nil {
		all = append(all, place{what: "the control API", url: strings.TrimSpace(string(at))})
	}
	all = slices.DeleteFunc(all, func(p place) bool { return !strings.HasPrefix(p.url, "https://") })
	lookAll(ctx, all, asNode(trust))
	return all, nil
}

// asNode is TLS as the node that it is, so that etcd has nobody to complain of.
func asNode(trust *access.Trust) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS13, RootCAs: trust.CA.Pool(),
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return trust.Certificate() },
	}
}

// controlAtFile, in a control node's folder, is where its control API listens.
const controlAtFile = "control-url"

// sayControlAt keeps where a control node's API listens.
func sayControlAt(dir, at string) error {
	return wholefile.Replace(filepath.Join(dir, controlAtFile), []byte(at+"\n"))
}
