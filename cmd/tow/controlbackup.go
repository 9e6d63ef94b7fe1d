//go:build !solo

// A control node that keeps a backup of its own store: tow serve --backup.

package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/prometheus/client_golang/prometheus"

	"towpath.dev/election"
	"towpath.dev/internal/blob"
	"towpath.dev/internal/control/backup"
)

// readBackup reads the file of --backup, which is about this node's own cluster. Without
// one it does nothing.
func (p *controlPlane) readBackup() error {
	if p.backupFile == "" {
		return nil
	}
	config, err := readBackupConfig(p.backupFile)
	if err != nil {
		return err
	}
	own, err := config.one(p.backupFile)
	if err != nil {
		return err
	}
	if own.etcd != (etcdFlags{}) {
		return fmt.Errorf("%s: the cluster %s is this node's own: expected nothing about where its etcd is, or \"tow backup run --config\" for it", p.backupFile, own.name)
	}
	o := config.options
	o.Cluster, o.Log, o.Metrics = own.name, p.log, backup.NewMetrics()
	p.backup = &o
	return nil
}

// keepBackup keeps the backup until the context ends. It waits for a store of objects that
// cannot be reached now. One that is not what it has to be gets nothing: two uploaders could
// replace each other's objects in it.
func (p *controlPlane) keepBackup(ctx context.Context, store *theStore) {
	if p.backup == nil {
		return
	}
	o := *p.backup
	o.Source = backup.Source{Client: store.client, Dial: store.dial}
	o.Metrics.Keeps(o.Cluster, o.Every) // so that it is missed
	if err := blob.Probe(ctx, p.persistent(o.Store)); err != nil {
		if ctx.Err() == nil {
			p.log.Error("no backup is kept, as its store is not what it has to be: mend that, and start this node again", "error", err)
		}
		return
	}
	if err := backup.RunElected(ctx, o); err != nil && !errors.Is(err, context.Canceled) {
		p.log.Error("no backup is kept", "error", err)
	}
}

// persistent is a store that is asked until the context ends, and each failure told.
func (p *controlPlane) persistent(store blob.Store) blob.Store {
	return blob.Retry(store, blob.Policy{Failed: func(f blob.Failure) {
		p.log.Warn("the backup's store failed; trying again", "operation", f.Operation, "object", f.Name, "attempt", f.Attempt, "error", f.Err)
	}})
}

// openGenerations finds where the store's restores are known outside it: beside its backups, or in
// the folder that was named, or for a control node that is alone in one of its own. Several
// need one that all of them reach.
func (p *opened) openGenerations(ctx context.Context, store election.Store) (election.Registry, error) {
	switch {
	case p.registry != "":
		return election.RegistryDir(p.registry), nil
	case p.backup != nil:
		// An outage of the store is waited for at the start, and bridged afterwards.
		starting, cancel := context.WithTimeoutCause(ctx, settleTime, fmt.Errorf("the store of objects of --backup was not there for %s: a control node starts only when it knows that its etcd is not older than what was restored", settleTime))
		defer cancel()
		if err := adopt(starting, store, p.persistent(p.backup.Store), p.backup.Cluster); err != nil {
			return nil, err
		}
		registry := backup.NewLastSeen(backup.Generations(p.backup.Store, p.backup.Cluster), p.log)
		if _, err := registry.Latest(ctx); err != nil {
			return nil, fmt.Errorf("the registry of generations beside the backups: %w", err)
		}
		p.seen = registry
		return registry, nil
	case len(p.etcd) == 0 && p.peer == "":
		return election.RegistryDir(filepath.Join(p.dir, "generations")), nil
	}
	p.log.Warn("without --backup or --registry a store that was restored from a backup cannot be told from what it was, and fencing tokens may repeat")
	return nil, nil
}

// adopt makes a registry beside the backups that is new, or whose record of it is damaged, know the
// generation that the store has come to.
func adopt(ctx context.Context, store election.Store, objects blob.Store, cluster string) error {
	here, _, err := election.Pending(ctx, store, "")
	if err != nil || here.Number == 0 {
		return err
	}
	registry := backup.Generations(objects, cluster)
	var latest election.Generation
	if err = backup.Mend(ctx, objects, cluster, here.Number, here.Claim); err == nil {
		latest, err = registry.Latest(ctx)
	}
	if err == nil && latest.Number < here.Number {
		_, err = registry.Claim(ctx, here.Number, here.Claim)
	}
	if err != nil {
		err = fmt.Errorf("the registry of generations beside the backups: %w", err)
	}
	return err
}

// collectors are the metrics of what this node does.
func (p *controlPlane) collectors(more ...prometheus.Collector) []prometheus.Collector {
	if p.backup != nil {
		more = append(more, p.backup.Metrics)
	}
	return more
}
