package backup

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.etcd.io/etcd/api/v3/etcdserverpb"

	"towpath.dev/internal/blob"
	"towpath.dev/internal/control/backup/segment"
)

// An identity says which cluster of etcd a generation's backups are of. It is written once,
// so two clusters never write to one place.
type identity struct {
	Etcd string    `json:"etcd"` // the cluster's ID, as etcd's tools print it
	From time.Time `json:"from"`
}

// findPlace is where a cluster's objects go: to the generation that is this cluster's
// already, or else to the latest one, if that is nobody's yet.
func findPlace(ctx context.Context, o Options, etcd string) (place, error) {
	latest, err := (&generations{o.Store, o.Cluster}).progress(ctx)
	if err != nil {
		return place{}, err
	}
	for {
		at, owner, err := ownerOf(ctx, o.Store, o.Cluster, latest.Number, etcd)
		switch {
		case err != nil:
			return place{}, err
		case owner == etcd:
			if at.generation != latest.Number {
				o.Log.Warn("backup: a later generation of this cluster has been restored; this one is kept as what it is", "cluster", o.Cluster, "generation", at.generation, "latest", latest.Number)
			}
			return at, keepRecords(ctx, o, at)
		case owner != "":
			return place{}, fmt.Errorf("%s holds the backups of another cluster of etcd (%s) under the name %s, and this one is %s: choose another name with --cluster; if this is that cluster, restored, then restore it with \"tow backup restore\", which begins a generation for it", o.Store, owner, o.Cluster, etcd)
		}
		err = at.identity(o.Store).create(ctx, identity{etcd, o.Now().UTC()})
		if err != nil && !errors.Is(err, blob.ErrExists) {
			return place{}, err
		}
		// Whoever wrote it, it is read again.
	}
}

// etcdID is a cluster's ID, as etcd's tools print it.
func etcdID(ctx context.Context, source Source) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	answer, err := source.Client.MemberList(ctx)
	if err != nil {
		return "", fmt.Errorf("the cluster does not say who it is: %w", err)
	}
	return idText(answer.Header), nil
}

func idText(h *etcdserverpb.ResponseHeader) string { return fmt.Sprintf("%016x", h.ClusterId) }

// ErrAnother is wrapped by errors about a cluster of etcd that is not the one that an
// uploader began with, but one that was restored in its place. Its revisions are of a
// generation of their own, which a new uploader finds.
var ErrAnother = errors.New("another cluster of etcd answers")

// same refuses answers of another cluster than the one that the uploader began with.
func (u *Uploader) same(h *etcdserverpb.ResponseHeader) error {
	if found := idText(h); found != u.etcd {
		return fmt.Errorf("%w: expected %s, whose revisions are kept as generation %d of %s, found %s", ErrAnother, u.etcd, u.shelf.place.generation, u.o.Cluster, found)
	}
	return nil
}

// ownerOf finds the generation that is of a cluster, or else says whose the latest is.
func ownerOf(ctx context.Context, store blob.Store, cluster string, latest uint64, etcd string) (at place, owner string, err error) {
	for g := int64(latest); g >= 0; g-- {
		at = place{cluster, uint64(g)}
		found, err := readIdentity(ctx, store, at)
		if err != nil {
			return at, "", err
		}
		if found.Etcd == etcd {
			return at, etcd, nil
		}
		if uint64(g) == latest {
			owner = found.Etcd
		}
	}
	return place{cluster, latest}, owner, nil
}

// readIdentity is the zero one where there is none.
func readIdentity(ctx context.Context, store blob.Store, at place) (id identity, err error) {
	r := at.identity(store)
	err = r.read(ctx, &id)
	if errors.Is(err, blob.ErrNotFound) {
		return identity{}, nil
	}
	if errors.Is(err, segment.ErrDamaged) {
		err = fmt.Errorf("%w; it says of which cluster of etcd the backups of %s in generation %d are, and restores do not need it: put back a copy, or if \"tow backup verify --endpoints\" says that they are of the cluster that runs, delete %s and %s: the uploader that starts next writes them anew",
			err, at.cluster, at.generation, r.name, r.copy)
	}
	return id, err
}

// keepRecords has the two records on which a generation depends be there twice, and tells of what is
// damaged.
func keepRecords(ctx context.Context, o Options, at place) error {
	wrong, err := at.identity(o.Store).keep(ctx, &identity{})
	if err != nil {
		return err
	}
	var lost error
	if at.generation > 0 {
		if lost, err = (&generations{o.Store, o.Cluster}).record(at.generation).keep(ctx, &claimRecord{}); err != nil {
			return err
		}
	}
	if wrong = errors.Join(wrong, lost); wrong != nil {
		o.Log.Error("backup: "+wrong.Error(), "cluster", o.Cluster)
	}
	return nil
}
