package cluster

import (
	"fmt"
	"net"
	"net/url"
	"strings"
)

// StartCommand is how a new member is started on its machine, as a command for a shell: etcd's
// flags of who it is and whom it joins. Certificates, where others have them, are for
// whoever starts it to name.
func StartCommand(o *Observed, name string, peers []string) string {
	var members []string
	scheme := "http"
	for _, m := range o.Members {
		if m.Name != "" && m.Name != name {
			for _, peer := range m.PeerURLs {
				members = append(members, m.Name+"="+peer)
			}
		}
		for _, at := range m.ClientURLs {
			scheme, _, _ = strings.Cut(at, "://")
		}
	}
	for _, peer := range peers {
		members = append(members, name+"="+peer)
	}
	clients := scheme + "://HOST:2379"
	if u, err := url.Parse(peers[0]); err == nil {
		clients = scheme + "://" + net.JoinHostPort(u.Hostname(), "2379")
	}
	flags := []string{
		"etcd --name " + name + " --data-dir /var/lib/etcd",
		"--initial-cluster " + strings.Join(members, ","),
		"--initial-cluster-state existing",
		"--listen-peer-urls " + listenAt(peers...) + " --initial-advertise-peer-urls " + strings.Join(peers, ","),
		"--listen-client-urls " + listenAt(clients) + " --advertise-client-urls " + clients,
	}
	if scheme == "https" {
		flags = append(flags, "--cert-file … --key-file … --trusted-ca-file … --client-cert-auth")
	}
	if strings.HasPrefix(peers[0], "https://") {
		flags = append(flags, "--peer-cert-file … --peer-key-file … --peer-trusted-ca-file … --peer-client-cert-auth")
	}
	return strings.Join(flags, " \\\n    ")
}

// listenAt is where to listen to be reached at URLs: etcd does not listen at names.
func listenAt(urls ...string) string {
	var all []string
	for _, text := range urls {
		if u, err := url.Parse(text); err == nil && net.ParseIP(u.Hostname()) == nil {
			u.Host = net.JoinHostPort("0.0.0.0", u.Port())
			text = u.String()
		}
		all = append(all, text)
	}
	return strings.Join(all, ",")
}

// Lag says how far a member is, for people.
func Lag(m *Member) string {
	switch {
	case m == nil:
		return "it is not there"
	case m.State == Unstarted:
		return "it has not started"
	case m.State == Hidden:
		return "it is there, and can be asked more on its own machine alone"
	case !m.alive():
		return m.Reason
	}
	return fmt.Sprintf("%d entries behind, at %d", m.Lag, m.Applied)
}
