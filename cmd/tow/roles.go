//go:build !solo

// What a tow serve is of a cluster: all of it, a control node, a responder.

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"towpath.dev/internal/control/access"
	"towpath.dev/internal/control/fleet"
)

// The roles of --role.
const (
	roleAll       = "all"
	roleControl   = "control"
	roleResponder = "responder"
)

// roles are the flags that say what a process is of a cluster.
type roles struct {
	role, data, advertise string
	cell, region          string
	trustRoots            []string
	upgradable            bool
	joining               joinFlags
	plane                 controlPlane
}

// onlyControl are the flags that a responder has no use for. One of them says, as
// --data does, that a control plane is wanted.
var onlyControl = []string{"control-listen", "control-tls", "peer-listen", "peer-advertise", "etcd", "etcd-ca", "etcd-cert", "etcd-key", "host", "registry", "backup"}

// onBoth are those that mean something to responders too.
var onBoth = []string{"objects", "snapshot-key"}

func (s *serving) roleFlags(f *pflag.FlagSet) {
	f.StringVar(&s.role, "role", roleAll, "all, control or responder")
	f.StringVar(&s.data, "data", "", "keep the node's data in the folder `DIR` (default: towpath in the folder for data)")
	f.StringSliceVar(&s.joining.at, "join", nil, "join the cluster whose control nodes are at these `URLS`")
	f.StringVar(&s.joining.token, "join-token", os.Getenv("TOW_JOIN_TOKEN"), "join with the `TOKEN` (default: the variable TOW_JOIN_TOKEN)")
	f.Lookup("join-token").DefValue = ""
	f.StringVar(&s.joining.name, "node", "", "join as the node `NAME` (default: the machine's)")
	f.StringVar(&s.cell, "cell", "main", "this responder is of the cell `NAME`, when it runs what is deployed")
	f.StringVar(&s.region, "region", "", "which is in the region `NAME`")
	f.BoolVar(&s.upgradable, "upgradable", false, "this responder becomes the tow that \"tow fleet upgrade\" deploys to its environment")
	f.StringVar(&s.advertise, "advertise", "", "others reach this responder at `HOST:PORT`")
	f.StringVar(&s.plane.listen, "control-listen", defaultControl, "the control API listens on `ADDRESS`")
	f.BoolVar(&s.plane.secure, "control-tls", false, "the control API has TLS on loopback too, so that nodes on this machine can join")
	f.StringSliceVar(&s.plane.hosts, "host", nil, "a control node that joins is reached at the `HOST` too, a name or an address")
	f.StringVar(&s.plane.registry, "registry", "", "know restores of the store from the folder `DIR`, which all control nodes reach (default for one alone: generations in its data)")
	f.StringVar(&s.plane.backupFile, "backup", "", "keep a backup of the store as the `FILE` says, and know its restores from there")
	f.StringVar(&s.plane.objects, "objects", "", "keep the objects of releases in the store at the `URL`, or a folder, which all control nodes reach (default: in the node's data); a responder looks there first")
	f.StringVar(&s.plane.snapshotKey, "snapshot-key", "", "sign snapshots of what shall run with the key in the `FILE`; a responder believes those of this public key")
	f.StringSliceVar(&s.trustRoots, "trust-roots", nil, "the first trust policy that a responder hears of, or finds in an outage, has to be signed by all of the public keys in these `FILES`; until then it begins nothing")
	f.StringVar(&s.plane.telling.otlp, "deployments-otlp", "", "send deployments as spans to the OTLP/HTTP collector at `URL`")
	f.StringVar(&s.plane.telling.events, "deployments-events", "", "post what happens to deployments as CloudEvents to the `URL`, with the token in the variable "+eventsToken+" if there is one")
	f.StringVar(&s.plane.telling.source, "deployments-source", "", "and say that they are of the cluster that the `URI` names")
	f.StringVar(&s.plane.peer, "peer-listen", "", "the member of etcd listens to those of other control nodes on `ADDRESS` (default: to none)")
	f.StringVar(&s.plane.peerAdvertise, "peer-advertise", "", "they reach it at `HOST:PORT` (default: --peer-listen)")
	f.StringSliceVar(&s.plane.etcd, "etcd", nil, "use the etcd at these `URLS`, and run none")
	f.StringVar(&s.plane.etcdCA, "etcd-ca", "", "believe the authority in the `FILE` about it, PEM")
	f.StringVar(&s.plane.etcdCert, "etcd-cert", "", "show it the certificate in the `FILE`, PEM")
	f.StringVar(&s.plane.etcdKey, "etcd-key", "", "with the key in the `FILE`, PEM")
}

// args refuses programs where none are served, and none where some are.
func (s *serving) args(programs []string) error {
	switch {
	case s.role == roleControl && len(programs) > 0:
		return usage{fmt.Errorf("--role control serves no programs, and %q is one: leave it out, or choose --role all", programs[0]), "tow serve"}
	case s.role == roleAll && len(programs) == 0:
		return usage{errors.New("tow serve needs a program: an artifact, or a project's folder"), "tow serve"}
	}
	return nil
}

// start runs what the role asks for.
func (s *serving) start(c *cobra.Command, programs []string) error {
	if !slices.Contains([]string{roleAll, roleControl, roleResponder}, s.role) {
		return usage{fmt.Errorf("--role %s: expected all, control or responder", s.role), "tow serve"}
	}
	// A control plane is on this machine where one was asked for: by a flag, or by "tow
	// init". Without, serving starts no etcd, and is as light as it always was.
	asked := ""
	ofControl := onlyControl
	if s.role != roleResponder {
		ofControl = append(onBoth, onlyControl...)
	}
	for _, name := range ofControl {
		if c.Flags().Changed(name) {
			asked = name
		}
	}
	dir, err := dataDir(s.data)
	if s.upgradable && s.role != roleResponder {
		return usage{errors.New("--upgradable is of responders: control nodes are upgraded one after the other by who runs them"), "tow serve"}
	}
	if s.role == roleResponder {
		if asked != "" {
			return usage{fmt.Errorf("--%s is of control nodes, and --role responder is none", asked), "tow serve"}
		}
		if err != nil && len(s.joining.at) > 0 {
			return err
		}
		return s.respond(c.Context(), dir, programs)
	}
	wanted := s.role == roleControl || asked != "" || s.data != ""
	if !wanted && len(s.joining.at) > 0 {
		return usage{errors.New("--join needs to know as what: --role responder for programs, --role control for the control plane"), "tow serve"}
	}
	if !wanted && (err != nil || !access.HasTrust(filepath.Join(dir, trustDir))) {
		return s.run(c.Context(), programs)
	}
	if err != nil {
		return err
	}
	s.plane.ui, s.plane.log, s.plane.dir, s.plane.join = s.ui, s.logger(), dir, s.joining
	ctx, stop := signal.NotifyContext(c.Context(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	plane, err := s.plane.open(ctx)
	if err != nil {
		return err
	}
	if s.role == roleControl {
		return plane.run(ctx)
	}
	return together(ctx, plane.run, func(ctx context.Context) error { return s.run(ctx, programs) })
}

// together runs both until both have ended. When one ends, the other one is told to,
// and the first error is what is told.
func together(ctx context.Context, both ...func(context.Context) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan error, len(both))
	for _, run := range both {
		go func() { ended <- run(ctx) }()
	}
	var first error
	for range both {
		err := <-ended
		cancel()
		if first == nil {
			first = err
		}
	}
	return first
}

// respond serves programs, and stays attached to the cluster if this node is of one.
func (s *serving) respond(ctx context.Context, dir string, programs []string) error {
	if len(programs) == 0 {
		if err := s.checkPlace(dir); err != nil {
			return err
		}
	}
	m, err := openMembership(ctx, filepath.Join(dir, nodeDir), &s.joining)
	if err != nil {
		return err
	}
	switch {
	case s.upgradable && len(programs) > 0:
		return usage{errors.New("--upgradable is of responders that run what is deployed: leave out the programs"), "tow serve"}
	case m == nil && len(programs) == 0:
		return usage{errors.New("tow serve needs a program (an artifact, or a project's folder), or --join and --join-token to run what is deployed"), "tow serve"}
	case m == nil:
		return s.run(ctx, programs)
	case len(programs) == 0:
		return s.fleetNode(ctx, m, dir)
	}
	address := s.reachedAt()
	ctx, cancel := context.WithCancel(ctx)
	attached := make(chan struct{})
	go func() { m.stay(ctx, s.logger(), address); close(attached) }()
	err = s.run(ctx, programs)
	cancel()
	<-attached
	return err
}

// checkPlace says what is wrong with the names of the node's cell and region. Those that it already had, by
// what is in its data, stay as they are: a rule that came later is none to stop it by.
func (s *serving) checkPlace(dir string) error {
	err := fleet.CheckPlace(s.cell, s.region)
	if err == nil {
		return nil
	}
	refused := usage{fmt.Errorf("--cell and --region: %w", err), "tow serve"}
	if _, none := os.Stat(filepath.Join(dir, nodeDir, "node.pem")); none != nil || fleet.CheckTold(s.cell, s.region) != nil {
		return refused
	}
	name := filepath.Join(dir, fleetDir, memoryFile)
	if text, err := os.ReadFile(name); err == nil { // where it cannot be read, nothing speaks against it
		if m, err := fleet.DecodeMemory(name, text); err == nil && !m.At(s.cell, s.region) {
			return refused
		}
	}
	s.logger().Warn("the names of the node's --cell and --region are from before there was a rule for them, and are let be; new nodes cannot have them", "error", err)
	return nil
}

// reachedAt is where others reach what this responder serves; "" is nowhere.
func (s *serving) reachedAt() string {
	if host, _, err := net.SplitHostPort(s.listen); s.advertise == "" && err == nil {
		if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() && !ip.IsUnspecified() {
			return s.listen
		}
	}
	return s.advertise
}
