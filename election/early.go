package election

import (
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Early makes the death of a process known at once. Sessions that have it listen, and
// each is connected to by a few others. When a process dies, its kernel closes the
// connections; peers that cannot connect again within a moment, because nobody
// listens there any more, revoke the dead one's lease without waiting for its TTL.
//
// A host that vanishes closes nothing, and a network that is cut refuses nothing: both
// wait for the TTL. So does a session that sees more than a tenth of those it watches
// (and more than one) close within a second, as then its own view is what may be wrong.
//
// It ends leaderships that their holder has not seen end, if a process can lose its
// listener and live. So all that such sessions lead must guard what it writes.
type Early struct {
	// Listen is the address to listen on. Default: a free port of 127.0.0.1.
	Listen string
	// Advertise is how peers reach it: this process, and nothing that stands before it.
	// Default: the address listened on, which then must be one.
	Advertise string
	// TLS is for both sides of a connection: certificates, and whom to trust. It is
	// needed where Listen is not loopback.
	TLS *tls.Config
	// Watchers is how many peers watch each session. Default 3.
	Watchers int
	// Reattach is how long a process has to be reached again. Default 200 ms.
	Reattach time.Duration
}

const (
	greeting    = 2 * time.Second        // to connect and to say who is there
	redial      = 20 * time.Millisecond  // between attempts after a connection closed
	closeWindow = time.Second            // in which more than a tenth may not close
	firstDial   = 100 * time.Millisecond // between attempts before that
)

// lookout is a session's part in Early: its listener, and the peers it watches.
type lookout struct {
	Early
	lease    LeaseID
	listener net.Listener
	clock    Clock

	mu       sync.Mutex
	watched  int             // how many peers
	closings []time.Duration // when connections closed, within the window
}

func (e Early) open(lease LeaseID, clock Clock) (*lookout, error) {
	e.Listen = cmp.Or(e.Listen, "127.0.0.1:0")
	e.Watchers = cmp.Or(e.Watchers, 3)
	e.Reattach = cmp.Or(e.Reattach, 200*time.Millisecond)
	host, _, err := net.SplitHostPort(e.Listen)
	if err != nil {
		return nil, fmt.Errorf("Early.Listen %q is no address: expected HOST:PORT", e.Listen)
	}
	ip := net.ParseIP(host)
	if e.TLS == nil && host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return nil, fmt.Errorf("Early.Listen %s can be reached from other machines: set Early.TLS", e.Listen)
	}
	if e.Advertise == "" && (host == "" || ip != nil && ip.IsUnspecified()) {
		return nil, fmt.Errorf("Early.Listen %s is all addresses: set Early.Advertise to the one at which peers reach this process", e.Listen)
	}
	l, err := net.Listen("tcp", e.Listen)
	if err != nil {
		return nil, err
	}
	if e.TLS != nil {
		l = tls.NewListener(l, e.TLS)
	}
	e.Advertise = cmp.Or(e.Advertise, l.Addr().String())
	return &lookout{Early: e, lease: lease, listener: l, clock: clock}, nil
}

// serve says who is here, and keeps the connections of those who asked open.
func (o *lookout) serve(ctx context.Context) {
	var open sync.WaitGroup
	defer open.Wait()
	stop := context.AfterFunc(ctx, func() { o.listener.Close() })
	defer stop()
	for {
		conn, err := o.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // out of files, say
			select {
			case <-time.After(redial):
			case <-ctx.Done():
			}
			continue
		}
		open.Go(func() {
			defer conn.Close()
			stop := context.AfterFunc(ctx, func() { conn.Close() })
			defer stop()
			_ = conn.SetDeadline(time.Now().Add(greeting))
			if _, err := fmt.Fprintln(conn, o.lease); err != nil {
				return
			}
			_ = conn.SetDeadline(time.Time{})
			_, _ = io.Copy(io.Discard, conn) // until either side is gone
		})
	}
}

// watchPeers connects to the sessions that this one is to watch, until it ends.
func (o *lookout) watchPeers(s *Session) {
	var watching sync.WaitGroup
	defer watching.Wait()
	stops := map[LeaseID]context.CancelFunc{}
	sessions := Prefix(s.opt.Prefix + "session/")
	peers := map[LeaseID]sessionRecord{}
	update := func() {
		watched := o.choose(peers)
		for lease, r := range watched {
			if stops[lease] == nil {
				ctx, cancel := context.WithCancel(s.ctx)
				stops[lease] = cancel
				watching.Go(func() { o.watch(ctx, s, lease, r) })
			}
		}
		for lease, stop := range stops {
			if _, still := watched[lease]; !still {
				stop()
				delete(stops, lease)
			}
		}
	}
	for s.ctx.Err() == nil {
		page, err := s.store.Range(s.ctx, Span{Keys: sessions})
		if err == nil {
			clear(peers)
			for _, e := range page.Entries {
				note(peers, Event{Entry: e})
			}
			update()
			ctx, cancel := context.WithCancel(s.ctx)
			for b := range s.store.Watch(ctx, sessions, page.Revision+1) {
				if b.Err != nil {
					break
				}
				for _, e := range b.Events {
					note(peers, e)
				}
				update()
			}
			cancel()
		}
		select {
		case <-time.After(reread):
		case <-s.ctx.Done():
		}
	}
}

// note keeps the sessions that may be watched.
func note(peers map[LeaseID]sessionRecord, e Event) {
	var lease uint64
	at := strings.LastIndexByte(e.Entry.Key, '/')
	if _, err := fmt.Sscanf(e.Entry.Key[at+1:], "%x", &lease); err != nil {
		return
	}
	var r sessionRecord
	ok := !e.Removed && json.Unmarshal(e.Entry.Value, &r) == nil && r.Early && r.Address != ""
	set(peers, LeaseID(lease), !ok, r)
}

// choose picks the sessions for this one to watch: each is watched by those that come
// first in its rendezvous order.
func (o *lookout) choose(peers map[LeaseID]sessionRecord) map[LeaseID]sessionRecord {
	hashes := make(map[LeaseID]uint64, len(peers))
	for peer := range peers {
		hashes[peer] = hash(peer.String())
	}
	others := slices.Collect(maps.Keys(hashes))
	mine := map[LeaseID]sessionRecord{}
	me := hash(o.lease.String())
	for target, r := range peers {
		if target == o.lease {
			continue
		}
		own, before := score(hashes[target], me), 0
		for _, other := range others { // most often it is over after a few
			if other != target && other != o.lease && score(hashes[target], hashes[other]) > own {
				if before++; before == o.Watchers {
					break
				}
			}
		}
		if before < o.Watchers {
			mine[target] = r
		}
	}
	o.mu.Lock()
	o.watched = len(mine)
	o.mu.Unlock()
	return mine
}

// watch stays connected to one peer until ctx ends, and ends its lease if it died.
func (o *lookout) watch(ctx context.Context, s *Session, lease LeaseID, r sessionRecord) {
	conn, err := o.connect(ctx, lease, r.Address)
	for ctx.Err() == nil {
		if err != nil {
			select { // not there yet, or out of reach: nothing is known of it
			case <-time.After(firstDial):
			case <-ctx.Done():
			}
			conn, err = o.connect(ctx, lease, r.Address)
			continue
		}
		s.opt.Metric.peers.Inc()
		o.hold(ctx, conn)
		s.opt.Metric.peers.Dec()
		var dead bool
		if conn, dead = o.reconnect(ctx, lease, r.Address); conn != nil {
			continue
		}
		err = errGone
		if !dead || !o.alone() {
			continue
		}
		// Not ctx, which ends as soon as the dead one's session is seen to be gone.
		revoking, cancel := context.WithTimeout(s.ctx, s.ttl/3)
		revoked := s.store.Revoke(revoking, lease)
		cancel()
		if revoked == nil {
			s.opt.Metric.early.Inc()
			s.opt.Log.Warn("a peer died: its lease is revoked", "peer", r.Name, "lease", lease.String())
			return
		}
		s.opt.Log.Warn("a peer died, and its lease could not be revoked", "peer", r.Name, "err", revoked)
	}
	if conn != nil {
		conn.Close()
	}
}

var (
	errAnother = errors.New("another process listens there")
	errGone    = errors.New("the connection has closed")
)

// connect reaches a peer and hears that it is who it should be.
func (o *lookout) connect(ctx context.Context, lease LeaseID, address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, greeting)
	defer cancel()
	var conn net.Conn
	var err error
	if o.TLS == nil {
		conn, err = (&net.Dialer{}).DialContext(ctx, "tcp", address)
	} else {
		conn, err = (&tls.Dialer{Config: o.TLS}).DialContext(ctx, "tcp", address)
	}
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	line := make([]byte, len(lease.String())+1)
	_, err = io.ReadFull(conn, line)
	if !stop() {
		err = context.Cause(ctx)
	}
	if err == nil && strings.TrimSpace(string(line)) != lease.String() {
		err = errAnother
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

// hold stays connected until the connection closes or ctx ends.
func (o *lookout) hold(ctx context.Context, conn net.Conn) {
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	_, _ = io.Copy(io.Discard, conn)
	stop()
	conn.Close()
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closings = append(o.closings, o.clock())
}

// reconnect tries to reach a peer again for as long as it has for that. Dead means
// that to the end nobody listened there, or somebody else.
func (o *lookout) reconnect(ctx context.Context, lease LeaseID, address string) (_ net.Conn, dead bool) {
	ctx, cancel := context.WithTimeout(ctx, o.Reattach)
	defer cancel()
	for {
		conn, err := o.connect(ctx, lease, address)
		if err == nil {
			return conn, false
		}
		if ctx.Err() == nil {
			dead = errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, errAnother)
		}
		select {
		case <-time.After(redial):
		case <-ctx.Done():
			return nil, dead && errors.Is(ctx.Err(), context.DeadlineExceeded)
		}
	}
}

// alone reports whether no more than a tenth of the peers that are watched, or a single
// one, have closed within the last moment.
func (o *lookout) alone() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := o.clock()
	o.closings = slices.DeleteFunc(o.closings, func(at time.Duration) bool { return now-at > closeWindow })
	return len(o.closings) <= max(1, o.watched/10)
}
