package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc"
)

// A probe asks one member.
type probe struct {
	member  *Member
	urls    []string
	dead    map[string]string // where nobody answers, with the reasons
	client  *clientv3.Client
	options Options

	conn          *grpc.ClientConn // nil while it does not answer
	first, sample sample           // when it was reached, and last
}

// A sample is how far a member's log was.
type sample struct {
	at    time.Time
	index uint64
}

// reach finds where the member answers, and what it says of itself.
func (p *probe) reach(ctx context.Context) {
	m := p.member
	m.State, m.Reason = Down, "it says of no address that clients reach it there"
	for _, url := range p.urls {
		if reason, ok := p.dead[url]; ok {
			m.Reason = reason
			continue
		}
		conn, err := p.client.Dial(url)
		if err != nil {
			m.Reason = reasonOf(err)
			continue
		}
		r, err := p.ask(ctx, conn)
		if err == nil && ID(r.Header.MemberId) != m.ID {
			// The address of another machine's loopback, say, which is this one's too.
			err = fmt.Errorf("another process answers at %s", url)
		}
		if err != nil {
			m.Reason = reasonOf(err)
			_ = conn.Close() // says that it is closed
			continue
		}
		p.conn, m.Endpoint, m.State, m.Reason = conn, url, Well, ""
		p.take(r)
		return
	}
	if p.options.Peers != nil {
		p.askPeer(ctx)
	}
}

func (p *probe) ask(ctx context.Context, conn *grpc.ClientConn) (*etcdserverpb.StatusResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, p.options.Patience)
	defer cancel()
	return statusOf(ctx, conn)
}

func statusOf(ctx context.Context, conn *grpc.ClientConn) (*etcdserverpb.StatusResponse, error) {
	return etcdserverpb.NewMaintenanceClient(conn).Status(ctx, &etcdserverpb.StatusRequest{})
}

// take takes over what a member said.
func (p *probe) take(r *etcdserverpb.StatusResponse) {
	m := p.member
	p.sample = sample{time.Now(), r.RaftIndex}
	m.Version, m.Leader, m.Term, m.Index, m.Applied = r.Version, ID(r.Leader), r.RaftTerm, r.RaftIndex, r.RaftAppliedIndex
	m.Revision, m.Size, m.InUse, m.Quota, m.Errors = r.Header.Revision, r.DbSize, r.DbSizeInUse, r.DbSizeQuota, r.Errors
}

// askPeer asks the member's port for members whether it is there.
func (p *probe) askPeer(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, p.options.Patience)
	defer cancel()
	transport := &http.Transport{TLSClientConfig: p.options.Peers.Clone(), DisableKeepAlives: true}
	defer transport.CloseIdleConnections()
	for _, url := range p.member.PeerURLs {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/version", nil)
		if err != nil {
			continue
		}
		answer, err := (&http.Client{Transport: transport}).Do(r)
		if err != nil {
			continue
		}
		var said struct {
			Version string `json:"etcdserver"`
		}
		err = json.NewDecoder(io.LimitReader(answer.Body, 4096)).Decode(&said)
		_ = answer.Body.Close()
		if err == nil && answer.StatusCode == http.StatusOK {
			p.member.State, p.member.Version = Hidden, said.Version
			p.member.Reason = "its clients' port is for its own machine: ask there for more"
			return
		}
	}
}

// time measures the member's answers. One that does not serve reads is apart.
func (p *probe) time(ctx context.Context) {
	if p.conn == nil {
		return
	}
	m, keys := p.member, etcdserverpb.NewKVClient(p.conn)
	m.Status = p.measure(ctx, func(ctx context.Context) error {
		_, err := p.ask(ctx, p.conn)
		return err
	})
	if m.Learner {
		return // it serves none
	}
	m.Reads = p.measure(ctx, func(ctx context.Context) error {
		err := p.read(ctx, keys)
		if err != nil {
			m.State, m.Reason = Apart, reasonOf(err)
		}
		return err
	})
}

// read has the member read as the majority does.
func (p *probe) read(ctx context.Context, keys etcdserverpb.KVClient) error {
	err := insist(ctx, func() error {
		_, err := keys.Range(ctx, &etcdserverpb.RangeRequest{Key: []byte(changeKey), CountOnly: true})
		return err
	})
	if errors.Is(rpctypes.Error(err), rpctypes.ErrPermissionDenied) {
		return nil // it was refused after the majority had been asked
	}
	return err
}

// measure times calls, up to the first that fails.
func (p *probe) measure(ctx context.Context, call func(context.Context) error) Latency {
	var took []time.Duration
	for range max(p.options.Probes, 1) { // one at least says how it is
		asking, cancel := context.WithTimeout(ctx, p.options.Patience)
		begin := time.Now()
		err := call(asking)
		cancel()
		if err != nil {
			break
		}
		took = append(took, time.Since(begin))
	}
	return latencyOf(took)
}

// latencyOf is the percentiles of times, by the nearest rank.
func latencyOf(took []time.Duration) Latency {
	if len(took) == 0 {
		return Latency{}
	}
	slices.Sort(took)
	rank := func(percent int) time.Duration { return took[(len(took)*percent+99)/100-1] }
	return Latency{len(took), rank(50), rank(99)}
}

// again takes what the member says now.
func (p *probe) again(ctx context.Context) {
	if p.conn == nil {
		return
	}
	if r, err := p.ask(ctx, p.conn); err == nil {
		p.take(r)
	} else {
		p.member.State, p.member.Reason = Down, reasonOf(err)
	}
}

func (p *probe) close() {
	if p.conn != nil {
		_ = p.conn.Close() // says that it is closed
	}
}

// etcd says an alarm in its status as text, of which the spaces are not certain.
var alarmText = regexp.MustCompile(`^(?:memberID:(\d+)\s+)?alarm:(\w+)\s*$`)

// alarmOf reads an alarm; other errors are none.
func alarmOf(text string) (Alarm, bool) {
	parts := alarmText.FindStringSubmatch(strings.TrimSpace(text))
	if parts == nil {
		return Alarm{}, false
	}
	id, err := strconv.ParseUint(parts[1], 10, 64)
	if err != nil && parts[1] != "" {
		return Alarm{}, false
	}
	return Alarm{ID(id), AlarmKind(parts[2])}, true
}
