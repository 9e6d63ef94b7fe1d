package member

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"go.etcd.io/etcd/server/v3/embed"
	"go.uber.org/zap"

	"towpath.dev/internal/ports"
)

// What a client's connection is asked, so that a dead one is found out.
const (
	keepAliveEvery = 10 * time.Second
	keepAliveWait  = 3 * time.Second
)

// watchProgress is how often an idle watch hears that there was nothing.
const watchProgress = time.Minute

// Options are how a member runs. All but Dir may be left out: then it is a cluster of
// its own, for this machine.
type Options struct {
	// Dir is the folder of its data. It is made for this user alone if there is none.
	Dir string
	// Name is what the members of a cluster call it: "tow" if left out.
	Name string

	// Client and Peer are where it listens to clients and to other members: an IP
	// address with a port. If left out, that is a free port of 127.0.0.1. All others
	// than loopback take TLS.
	Client, Peer string
	// AdvertiseClient and AdvertisePeer are where others reach it: a host with a port.
	// Left out, they are Client and Peer.
	AdvertiseClient, AdvertisePeer string

	// Cluster has the peer address, as advertised, of each member by its name, itself
	// included. Left out, it is alone. It matters to a folder without data only.
	Cluster map[string]string
	// Join says that the cluster exists already and has been told of this member.
	Join bool
	// Token keeps clusters apart that were made of the same addresses: "towpath" if
	// left out.
	Token string

	// TLS is who it is, to clients and to members, and whom it trusts.
	TLS *TLS

	// Quota is how many bytes the data may take before it is read-only: 2 GiB if 0,
	// which is etcd's as well. It is set on purpose, as 0 means another number with each
	// release. The file is mapped into memory, and read whole when a member joins or is
	// restored, so that more is not better: the state of ten thousand sessions takes
	// a hundredth of it.
	Quota int64
	// History is how long revisions are kept: an hour if 0. Those who read on after an
	// interruption, watches above all, need what happened meanwhile; who was away for
	// longer reads everything anew. Renewing a lease takes no revision, so an hour is little.
	History time.Duration
	// Maintained says that somebody else forgets revisions, as package maintain does, who knows
	// what a backup has: the member does not, and History does not count.
	Maintained bool
	// SnapshotEvery is after how many transactions the log is cut: 10000 if 0. It
	// bounds what has to be run again at the start.
	SnapshotEvery uint64
	// MaxRequest is how many bytes one request may have: 1.5 MiB if 0. More holds up
	// the others' heartbeats.
	MaxRequest uint
	// MaxOps is how many operations one transaction may have: 128 if 0.
	MaxOps uint

	// Heartbeat and Election are how often the leader is heard, 100 ms if 0, and after
	// how long without hearing it another is elected, 1 s if 0. They are the same for all
	// members. An election is ten times as long as the way to the farthest member and
	// back, and a lease lives for one and a half of them at least.
	Heartbeat, Election time.Duration

	// Log has what etcd finds worth a warning; nil is nowhere.
	Log *slog.Logger
	// Verbose logs what is just information as well.
	Verbose bool

	// UnsafeNoSync does not wait for disks: a machine that crashes loses data that was
	// promised to be kept. It makes tests fast.
	UnsafeNoSync bool
}

// Validate is all that is wrong with the options.
func (o Options) Validate() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if o.Dir == "" {
		fault("no folder for the data was given: expected one that only etcd writes to")
	}
	if strings.ContainsAny(o.Name, "=,") || strings.ContainsFunc(o.Name, func(c rune) bool { return c <= ' ' || c == 0x7f }) {
		fault("%q cannot name a member: expected no spaces, no '=' and no ','", o.Name)
	}
	o.validateAddress(&faults, "clients", o.Client, o.AdvertiseClient)
	o.validateAddress(&faults, "peers", o.Peer, o.AdvertisePeer)
	for name, address := range o.Cluster {
		if _, _, err := net.SplitHostPort(address); err != nil || strings.ContainsAny(name, "=,") {
			fault("the cluster's member %q is at %q: expected a name without '=' and ',', and a host with a port", name, address)
		}
	}
	if o.Cluster != nil {
		peer := cmp.Or(o.AdvertisePeer, o.Peer)
		switch at, known := o.Cluster[cmp.Or(o.Name, defaultName)]; {
		case !known:
			fault("the cluster's members are %s: expected %q, this one, among them", o.cluster(), cmp.Or(o.Name, defaultName))
		case at != peer:
			fault("the cluster knows this member at %q, and its peer address is %q: expected the same", at, peer)
		}
	}
	if o.Join && len(o.Cluster) < 2 {
		fault("there is no cluster to join: expected the peer addresses of its members")
	}
	if o.TLS != nil {
		faults = append(faults, o.TLS.validate())
	}
	if heartbeat, election := cmp.Or(o.Heartbeat, defaultHeartbeat), cmp.Or(o.Election, defaultElection); heartbeat < time.Millisecond || election < 5*heartbeat || election > 50*time.Second {
		fault("a heartbeat every %v and an election after %v: expected at least 1ms, and five times of it to 50s", heartbeat, election)
	}
	if o.Client != "" && o.Client == o.Peer {
		fault("the address %q is for clients and for other members: expected two", o.Client)
	}
	if o.Quota < 0 || o.History < 0 {
		fault("a quota of %d bytes and a history of %v: expected neither to be below 0", o.Quota, o.History)
	}
	return errors.Join(faults...)
}

func (o Options) validateAddress(faults *[]error, whom, listen, advertise string) {
	fault := func(format string, args ...any) { *faults = append(*faults, fmt.Errorf(format, args...)) }
	if listen != "" {
		switch at, err := netip.ParseAddrPort(listen); {
		case err != nil:
			fault("the address %q for %s: expected an IP address with a port, such as 10.0.0.1:2379", listen, whom)
		case at.Port() == 0:
			fault("the address %q for %s: expected a port, or no address at all for a free one of this machine", listen, whom)
		case !at.Addr().IsLoopback() && o.TLS == nil:
			fault("the address %q for %s can be reached from other machines, and there is no TLS: give it certificates, or an address of 127.0.0.1", listen, whom)
		case at.Addr().IsUnspecified() && advertise == "":
			fault("the address %q for %s is all of this machine's: expected the one that others reach it by as well", listen, whom)
		}
	}
	if advertise != "" {
		if host, port, err := net.SplitHostPort(advertise); err != nil || host == "" || port == "" {
			fault("the address %q that is told %s: expected a host with a port, such as etcd-1.example.org:2379", advertise, whom)
		}
	}
}

const (
	defaultName      = "tow"
	defaultHeartbeat = 100 * time.Millisecond
	defaultElection  = time.Second
)

// filled has the defaults of what was left out.
func (o Options) filled() (Options, error) {
	for _, address := range []*string{&o.Client, &o.Peer} {
		if *address != "" {
			continue
		}
		for *address == "" || o.Client == o.Peer { // the same free port twice
			var err error
			if *address, err = freeAddress(); err != nil {
				return o, fmt.Errorf("no port of 127.0.0.1 can be listened at: %w", err)
			}
		}
	}
	o.Name = cmp.Or(o.Name, defaultName)
	o.AdvertiseClient = cmp.Or(o.AdvertiseClient, o.Client)
	o.AdvertisePeer = cmp.Or(o.AdvertisePeer, o.Peer)
	o.Token = cmp.Or(o.Token, "towpath")
	if o.Cluster == nil {
		o.Cluster = map[string]string{o.Name: o.AdvertisePeer}
	}
	o.Quota = cmp.Or(o.Quota, 2<<30)
	o.History = cmp.Or(o.History, time.Hour)
	o.SnapshotEvery = cmp.Or(o.SnapshotEvery, 10_000)
	o.MaxRequest = cmp.Or(o.MaxRequest, 3*512<<10)
	o.MaxOps = cmp.Or(o.MaxOps, 128)
	o.Heartbeat = cmp.Or(o.Heartbeat, defaultHeartbeat)
	o.Election = cmp.Or(o.Election, defaultElection)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o, nil
}

func freeAddress() (string, error) {
	free, err := ports.Free(1)
	if err != nil {
		return "", err
	}
	return free[0], nil
}

// config is the options in etcd's terms.
func (o Options) config(log *zap.Logger) *embed.Config {
	c := embed.NewConfig()
	c.Name, c.Dir = o.Name, o.Dir
	c.ListenClientUrls, c.AdvertiseClientUrls = o.urls(o.Client), o.urls(o.AdvertiseClient)
	c.ListenPeerUrls, c.AdvertisePeerUrls = o.urls(o.Peer), o.urls(o.AdvertisePeer)
	c.InitialCluster = o.cluster()
	c.InitialClusterToken = o.Token
	if o.Join {
		c.ClusterState = embed.ClusterStateFlagExisting
	}
	c.StrictReconfigCheck = true // no change that would leave the cluster without a majority
	if o.TLS != nil {
		c.ClientTLSInfo, c.PeerTLSInfo = o.TLS.info(), o.TLS.info()
		c.TlsMinVersion = "TLS1.3" // who talks to it is of this release or a later one
	}
	c.QuotaBackendBytes = o.Quota
	// Idle watches hear how far they have come well within what is kept, so that one
	// that is cut off goes on where it was.
	c.WatchProgressNotifyInterval = watchProgress
	if !o.Maintained {
		c.AutoCompactionMode, c.AutoCompactionRetention = embed.CompactorModePeriodic, o.History.String()
	}
	c.SnapshotCount = o.SnapshotEvery
	c.MaxRequestBytes, c.MaxTxnOps = o.MaxRequest, o.MaxOps
	c.TickMs, c.ElectionMs = uint(o.Heartbeat.Milliseconds()), uint(o.Election.Milliseconds())
	c.PreVote = true            // a member that comes back does not unseat the leader
	c.EnableGRPCGateway = false // nothing of ours speaks JSON to it, and browsers shall not
	c.UnsafeNoFsync = o.UnsafeNoSync
	c.ZapLoggerBuilder = embed.NewZapLoggerBuilder(log)
	return c
}

// cluster is the members as etcd writes them.
func (o Options) cluster() string {
	var members []string
	for _, name := range slices.Sorted(maps.Keys(o.Cluster)) {
		members = append(members, name+"="+o.url(o.Cluster[name]))
	}
	return strings.Join(members, ",")
}

func (o Options) url(address string) string { return o.urls(address)[0].String() }

func (o Options) urls(address string) []url.URL {
	scheme := "http"
	if o.TLS != nil {
		scheme = "https"
	}
	return []url.URL{{Scheme: scheme, Host: address}}
}
