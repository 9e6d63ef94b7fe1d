package maintain

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"time"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc"

	"towpath.dev/internal/control/cluster"
)

// Etcd is the cluster that a client is of. The client stays the caller's to close. Who acts
// on it is told to those who change the cluster meanwhile. Peers is TLS of the members' own
// ports, where those are asked whether they are there whose clients' ports are for their own
// machines; nil: they are not asked, and count as down.
func Etcd(client *clientv3.Client, who string, peers *tls.Config) Cluster {
	return &remote{client, who, peers}
}

type remote struct {
	client *clientv3.Client
	who    string
	peers  *tls.Config
}

// probes is how many reads are timed at each look.
const probes = 3

func (e *remote) Observe(ctx context.Context) (*cluster.Observed, error) {
	return cluster.Observe(ctx, e.client, cluster.Options{Probes: probes, Peers: e.peers})
}

func (e *remote) Compact(ctx context.Context, revision int64) error {
	_, err := e.client.Compact(ctx, revision, clientv3.WithCompactPhysical())
	if errors.Is(err, rpctypes.ErrCompacted) {
		err = nil
	}
	if err == nil {
		_ = cluster.PrepareFull(ctx, e.client) // another time, if the store takes no writes now
	}
	return err
}

// Defragment keeps others from changing the cluster's members meanwhile. A store that is full
// has no lock to give, and tokens that it takes back.
func (e *remote) Defragment(ctx context.Context, m *cluster.Member) error {
	var done func()
	what := cluster.Change{Who: e.who, What: "the maintainer defragments " + m.String(), Since: time.Now()}
	held, lock, err := cluster.Acquire(ctx, e.client, what)
	switch {
	case err == nil:
		defer lock.Release()
		if done, err = lock.Busy(held, what, m.Size); err != nil {
			return err
		}
	case !errors.Is(err, rpctypes.ErrNoSpace):
		return err
	default:
		if done, err = cluster.TakeFull(ctx, e.client, m.Size); err != nil {
			return err
		}
	}
	if _, err = e.client.Defragment(ctx, m.Endpoint); ctx.Err() == nil {
		done() // else it may go on
	}
	return err
}

// CaughtUp reads through the member, which answers when it has applied what the majority
// had committed then.
func (e *remote) CaughtUp(ctx context.Context, m *cluster.Member) error {
	return e.at(m, func(conn *grpc.ClientConn) error {
		_, err := etcdserverpb.NewKVClient(conn).Range(ctx, &etcdserverpb.RangeRequest{Key: []byte("maintain"), CountOnly: true})
		if errors.Is(rpctypes.Error(err), rpctypes.ErrPermissionDenied) {
			return nil // which it says after it has caught up
		}
		return err
	})
}

// MoveLeader asks the leader, as no other member takes it.
func (e *remote) MoveLeader(ctx context.Context, leader *cluster.Member, to cluster.ID) error {
	return e.at(leader, func(conn *grpc.ClientConn) error {
		_, err := etcdserverpb.NewMaintenanceClient(conn).MoveLeader(ctx, &etcdserverpb.MoveLeaderRequest{TargetID: uint64(to)})
		return rpctypes.Error(err)
	})
}

func (e *remote) Disarm(ctx context.Context, alarm cluster.Alarm) error {
	kind, ok := etcdserverpb.AlarmType_value[string(alarm.Kind)]
	if !ok {
		return fmt.Errorf("etcd has no alarm %q", alarm.Kind)
	}
	_, err := e.client.AlarmDisarm(ctx, &clientv3.AlarmMember{MemberID: uint64(alarm.Member), Alarm: etcdserverpb.AlarmType(kind)})
	return err
}

// at connects to one member.
func (e *remote) at(m *cluster.Member, do func(*grpc.ClientConn) error) error {
	conn, err := e.client.Dial(m.Endpoint)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }() // says that it is closed
	return do(conn)
}
