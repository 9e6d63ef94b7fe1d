package upgrade

import (
	"cmp"
	"context"
	"crypto/tls"
	"time"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"towpath.dev/internal/control/cluster"
)

// Options say how a cluster is looked at. The zero value works.
type Options struct {
	// Patience bounds the wait for an answer. 0: 5 s. Hashing takes what it takes, up to a
	// minute.
	Patience time.Duration
	// Peers is TLS of the members' own ports, as in [cluster.Options].
	Peers *tls.Config
	// Downgrade is the release that etcd is asked about a downgrade to; nil: it is not asked.
	Downgrade *Version
}

// hashTime bounds hashing, which reads all that a member has.
const hashTime = time.Minute

// Look finds out what Check needs to know, but for the backup.
func Look(ctx context.Context, client *clientv3.Client, o Options) (*Facts, error) {
	o.Patience = cmp.Or(o.Patience, 5*time.Second)
	seen, err := cluster.Observe(ctx, client, cluster.Options{Probes: 1, Patience: o.Patience, Peers: o.Peers})
	if err != nil {
		return nil, err
	}
	f := &Facts{Seen: seen, Releases: map[cluster.ID]Release{}, Hashes: map[cluster.ID]Hash{}}
	// The oldest of the newest, so that all have it.
	for i := range seen.Members {
		if m := &seen.Members[i]; m.Endpoint != "" && (f.HashRevision == 0 || m.Revision < f.HashRevision) {
			f.HashRevision = m.Revision
		}
	}
	for i := range seen.Members {
		if m := &seen.Members[i]; m.Endpoint != "" {
			f.ask(ctx, client, m, o)
		}
	}
	if o.Downgrade != nil && seen.Majority {
		f.Asked = true
		asking, cancel := context.WithTimeout(ctx, o.Patience)
		defer cancel()
		if _, err := client.Downgrade(asking, clientv3.DowngradeValidate, o.Downgrade.line()); err != nil {
			f.Validated = err.Error()
		}
	}
	return f, ctx.Err()
}

// ask has one member say what it runs and what it has.
func (f *Facts) ask(ctx context.Context, client *clientv3.Client, m *cluster.Member, o Options) {
	conn, err := client.Dial(m.Endpoint)
	if err != nil {
		return
	}
	defer func() { _ = conn.Close() }() // says that it is closed
	maintenance := etcdserverpb.NewMaintenanceClient(conn)
	asking, cancel := context.WithTimeout(ctx, o.Patience)
	defer cancel()
	if r, err := maintenance.Status(asking, &etcdserverpb.StatusRequest{}); err == nil {
		release := Release{Storage: r.StorageVersion}
		if r.DowngradeInfo.GetEnabled() {
			release.Downgrade = r.DowngradeInfo.GetTargetVersion()
		}
		f.Releases[m.ID] = release
	}
	hashing, stop := context.WithTimeout(ctx, hashTime)
	defer stop()
	h, err := maintenance.HashKV(hashing, &etcdserverpb.HashKVRequest{Revision: f.HashRevision})
	if err != nil {
		f.Hashes[m.ID] = Hash{Err: err.Error()}
		return
	}
	f.Hashes[m.ID] = Hash{Hash: h.Hash, Compacted: h.CompactRevision}
}
