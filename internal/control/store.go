// Package control is what the control plane is about: the store that its state is
// in. Its subpackages carry it out: etcdstore and memstore are stores, member runs
// etcd, access says who may do what, kv is a key-value store for users, api serves
// all of it.
package control

import (
	"context"

	"towpath.dev/election"
)

// A Store keeps the control plane's state. It is election's store, in etcd's terms,
// with what caring for one takes. The suite in storetest says what each must do.
type Store interface {
	election.Store

	// Compact forgets what was before a revision: reads and watches from before it
	// fail with an [election.CompactedError].
	Compact(ctx context.Context, revision int64) error
	// Status is the state of the store as the member that answers sees it.
	Status(ctx context.Context) (Status, error)
}

// Status is how a store is.
type Status struct {
	Revision int64
	// Bytes of the backend: of its file, of that what is in use, and how many it may
	// have before it refuses writes. A store without a limit says 0.
	Size, InUse, Quota int64
	// Whether the store refuses writes because its quota was reached.
	NoSpace bool
}
