package backup

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// A note in the cluster itself says where its backup is, so that who compacts it without having
// been told of a backup does not. It says no revision: that would be a change a minute, which
// would be backed up each minute, of a cluster that is idle. It is on a lease, whose renewals
// are no changes, and so it ends some time after the last uploader.

const (
	keptPrefix = "towpath/backup/"
	// keptFor is for how long history is kept for a backup that nobody takes any more.
	keptFor   = 24 * time.Hour
	keptAgain = time.Hour
)

// keptNote is such a note's value.
type keptNote struct {
	Store string `json:"store"`
}

// Kept says where a cluster's backups are kept, or were a day ago; "" is that there are none.
// What is kept by [RunAlone] writes nothing to the cluster, and is not known.
func Kept(ctx context.Context, client *clientv3.Client) (string, error) {
	answer, err := client.Get(ctx, keptPrefix, clientv3.WithPrefix())
	if err != nil {
		return "", err
	}
	var all []string
	for _, kv := range answer.Kvs {
		var note keptNote
		if json.Unmarshal(kv.Value, &note) != nil || note.Store == "" {
			note.Store = "a store that is not known here"
		}
		all = append(all, fmt.Sprintf("%s as %s", note.Store, strings.TrimPrefix(string(kv.Key), keptPrefix)))
	}
	return strings.Join(all, ", "), nil
}

// sayKept notes where the backup is, until the context ends.
func sayKept(ctx context.Context, o Options) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
		case <-ctx.Done():
			return
		}
		if err := sayKeptOnce(ctx, o); err != nil && ctx.Err() == nil {
			o.Log.Warn("backup: it could not be noted in the cluster where its backup is, so that who compacts it may not know", "cluster", o.Cluster, "error", err)
		}
		timer.Reset(keptAgain)
	}
}

// sayKeptOnce writes the note, or renews the one that is there.
func sayKeptOnce(ctx context.Context, o Options) error {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	client, key := o.Source.Client, keptPrefix+o.Cluster
	text, err := json.Marshal(keptNote{fmt.Sprint(o.Store)})
	if err != nil {
		return err
	}
	there, err := client.Get(ctx, key)
	if err != nil {
		return err
	}
	if len(there.Kvs) > 0 && string(there.Kvs[0].Value) == string(text) && there.Kvs[0].Lease != 0 {
		if _, err := client.KeepAliveOnce(ctx, clientv3.LeaseID(there.Kvs[0].Lease)); !errors.Is(err, rpctypes.ErrLeaseNotFound) {
			return err
		}
	}
	lease, err := client.Grant(ctx, int64(keptFor/time.Second))
	if err != nil {
		return err
	}
	_, err = client.Put(ctx, key, string(text), clientv3.WithLease(lease.ID))
	return err
}

// saying runs something while it is noted where the backups of clusters are.
func saying(ctx context.Context, all []Options, run func() error) error {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{}, len(all))
	for _, o := range all {
		go func() { sayKept(ctx, o); done <- struct{}{} }()
	}
	defer func() {
		cancel()
		for range all {
			<-done
		}
	}()
	return run()
}

// TakeBase makes a base, as who compacts a cluster wants before it forgets what the backup has
// not got, beside whoever uploads.
func TakeBase(ctx context.Context, o Options, why string) (m Manifest, err error) {
	if o, err = o.filled(); err != nil {
		return m, err
	}
	o.Metrics = NewMetrics() // the others are another's
	u, err := NewUploader(ctx, o)
	if err != nil {
		return m, err
	}
	return u.MakeBase(ctx, why)
}

// filledAll are several options with what was left out.
func filledAll(all []Options) (filled []Options, err error) {
	filled = slices.Clone(all)
	for i, o := range all {
		if filled[i], err = o.filled(); err != nil {
			return nil, fmt.Errorf("%s: %w", o.Cluster, err)
		}
	}
	return filled, nil
}
