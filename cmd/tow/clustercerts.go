//go:build !solo

// tow cluster rotate-certs --check: the certificates of a cluster, as they are shown.

package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"towpath.dev/internal/control/certs"
)

// lookTime is how long a place has to show its certificate.
const lookTime = 3 * time.Second

// lookAll asks all places at once.
func lookAll(ctx context.Context, all []place, config *tls.Config) {
	ctx, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	var looking sync.WaitGroup
	for i := range all {
		looking.Go(func() { all[i].look(ctx, config) })
	}
	looking.Wait()
}

// checkedCert is a place's certificate in JSON.
type checkedCert struct {
	URL      string        `json:"url"`
	Member   string        `json:"member,omitempty"`
	What     string        `json:"what"` // "etcd", "etcd's peers" or "the control API"
	Subject  string        `json:"subject,omitempty"`
	Issuer   string        `json:"issuer,omitempty"`
	Serial   string        `json:"serial,omitempty"`
	Begins   *time.Time    `json:"not_before,omitempty"`
	Ends     *time.Time    `json:"not_after,omitempty"`
	DaysLeft *int          `json:"days_left,omitempty"`
	Hosts    []string      `json:"hosts,omitempty"`
	Unseen   string        `json:"unseen,omitempty"` // why its certificate cannot be seen from here
	Faults   []certs.Fault `json:"faults"`
}

// checkCerts shows the certificates of a cluster and fails if one is at fault.
func (r *rotating) checkCerts(ctx context.Context) error {
	config, err := r.etcd.config()
	if err != nil {
		return err
	}
	all := given(config.Endpoints)
	mine := config.TLS
	lookAll(ctx, all, mine)
	// Members tell where the others are, if one of them answers; certificates that keep
	// everybody out are why this command is run.
	var unasked error
	if client, err := r.etcd.open(ctx); err == nil {
		asking, cancel := context.WithTimeout(ctx, etcdPatience)
		more, err := memberPlaces(asking, client, r.etcd.data)
		cancel()
		unasked = err
		if err == nil {
			lookAll(ctx, more, mine)
			all = merged(all, more)
		}
		_ = closed(client)
	} else {
		unasked = err
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	roots, err := r.roots(mine)
	if err != nil {
		return err
	}
	return r.showCerts(all, roots, unasked)
}

// given is the endpoints as places.
func given(endpoints []string) []place {
	all := make([]place, len(endpoints))
	for i, at := range endpoints {
		all[i] = place{what: "etcd", url: at}
	}
	return all
}

// memberPlaces is where all members show certificates, and the control API of the node whose
// folder it is; "" is none.
func memberPlaces(ctx context.Context, client *clientv3.Client, dir string) ([]place, error) {
	list, err := client.MemberList(ctx, clientv3.WithSerializable())
	if err != nil {
		return nil, err
	}
	var all []place
	for _, m := range list.Members {
		name := or(m.Name, fmt.Sprintf("%x", m.ID))
		for _, at := range m.ClientURLs {
			all = append(all, place{what: "etcd", who: name, url: at})
		}
		for _, at := range m.PeerURLs {
			all = append(all, place{what: "etcd's peers", who: name, url: at})
		}
	}
	if at, err := os.ReadFile(filepath.Join(dir, controlAtFile)); dir != "" && err == nil {
		all = append(all, place{what: "the control API", url: strings.TrimSpace(string(at))})
	}
	return all, nil
}

// merged is both, and of a place that is in both what the members say.
func merged(endpoints, members []place) []place {
	return append(members, slices.DeleteFunc(endpoints, func(p place) bool {
		return slices.ContainsFunc(members, func(m place) bool { return m.url == p.url })
	})...)
}

// roots is whom clients believe; nil if nobody has said.
func (r *rotating) roots(config *tls.Config) (*x509.CertPool, error) {
	if file := or(r.etcd.ca, os.Getenv("ETCDCTL_CACERT")); file != "" {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("%s has no certificate in PEM", file)
		}
		return pool, nil
	}
	if config != nil {
		return config.RootCAs, nil
	}
	return nil, nil
}

func (r *rotating) showCerts(all []place, roots *x509.CertPool, unasked error) error {
	now := time.Now()
	out := make([]checkedCert, len(all))
	faulty, unseen, plain := 0, 0, 0
	for i, p := range all {
		out[i] = judged(p, roots, now, r.within)
		faulty += min(len(out[i].Faults), 1)
		if out[i].Unseen != "" {
			unseen++
		}
		if strings.HasPrefix(p.url, "http://") {
			plain++
		}
	}
	if r.json {
		text, err := json.MarshalIndent(map[string]any{"certificates": out, "faulty": faulty}, "", "  ")
		if err != nil {
			return err
		}
		fmt.Fprintf(r.out, "%s\n", text)
	} else {
		r.tellCerts(out, roots, unasked, plain)
	}
	if faulty > 0 {
		return errWrong
	}
	return nil
}

// judged is a place with what is wrong there. The ports of peers are closed to this machine
// more often than not, which is no fault.
func judged(p place, roots *x509.CertPool, now time.Time, soon time.Duration) checkedCert {
	c := checkedCert{URL: p.url, Member: p.who, What: p.what, Faults: []certs.Fault{}}
	leaf := p.shown.Leaf()
	switch {
	case strings.HasPrefix(p.url, "http://"):
		c.Unseen = "it speaks no TLS"
		return c
	case leaf == nil && p.what != "etcd":
		c.Unseen = fmt.Sprint(p.shown.Err)
		return c
	case leaf != nil:
		days := int(leaf.NotAfter.Sub(now) / (24 * time.Hour))
		c.Subject, c.Issuer, c.Serial = leaf.Subject.String(), or(leaf.Issuer.CommonName, leaf.Issuer.String()), fmt.Sprintf("%x", leaf.SerialNumber)
		c.Begins, c.Ends, c.DaysLeft = &leaf.NotBefore, &leaf.NotAfter, &days
		c.Hosts = slices.Clone(leaf.DNSNames)
		for _, ip := range leaf.IPAddresses {
			c.Hosts = append(c.Hosts, ip.String())
		}
	}
	if faults := certs.Judge(p.shown, roots, now, soon); faults != nil {
		c.Faults = faults
	}
	return c
}

// tellCerts prints a table, and below it what is wrong and what was not looked at.
func (r *rotating) tellCerts(all []checkedCert, roots *x509.CertPool, unasked error, plain int) {
	_ = r.table("MEMBER\tWHAT\tURL\tENDS\tLEFT\tISSUER\tSTATE", len(all), func(w *tabwriter.Writer, i int) {
		c := all[i]
		ends, left, issuer, state := "-", "-", "-", "ok"
		if c.Ends != nil {
			ends, left, issuer = day(*c.Ends), certs.Left(time.Until(*c.Ends)), c.Issuer
		}
		switch {
		case c.Unseen != "":
			state = "not seen"
		case len(c.Faults) > 0:
			state = string(c.Faults[0].Kind)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", or(printable(c.Member), "-"), c.What, c.URL, ends, left, printable(issuer), state)
	}) // the stream that is broken is the one to tell of it
	for _, c := range all {
		for _, f := range c.Faults {
			fmt.Fprintf(r.out, "\n%s %s: %s\n", r.cross(), c.URL, printable(f.Text))
		}
	}
	var notes []string
	for _, c := range all {
		if c.Unseen != "" && !strings.HasPrefix(c.URL, "http://") {
			notes = append(notes, fmt.Sprintf("%s: not seen from here, which says nothing about it (%s)", c.URL, printable(c.Unseen)))
		}
	}
	if plain > 0 {
		notes = append(notes, fmt.Sprintf("%s without TLS: there is nothing to check, and whoever reaches them reads and writes everything", count(plain, "URL")))
	}
	if roots == nil && plain < len(all) {
		notes = append(notes, "who made the certificates was not checked: name whom clients believe with --cacert")
	}
	if unasked != nil {
		notes = append(notes, fmt.Sprintf("etcd could not be asked where its other members are: %v", unasked))
	}
	for _, n := range notes {
		fmt.Fprintf(r.out, "\n%s\n", n)
	}
}

// tick and cross are marks of a list of checks.
func (u *ui) tick() string { return u.mark(green, "✓", "ok  ") }

func (u *ui) cross() string { return u.mark(red, "✗", "FAIL") }

func (u *ui) mark(style, sign, word string) string {
	if !u.unicode {
		sign = word
	}
	return paint(u.outColor, style, sign)
}
