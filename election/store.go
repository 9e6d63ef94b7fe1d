package election

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// A Store is what election needs of a key-value store: etcd's data model, with one
// revision for each transaction that writes. [Etcd] makes one of an etcd client.
//
// A write that fails with ErrNoLease, ErrNoSpace, ErrTooLarge or ErrForbidden did not
// happen. Every other error leaves open whether it did.
type Store interface {
	// Range reads keys, all of them at one revision. Without Span.Revision it is
	// linearizable.
	Range(ctx context.Context, span Span) (Page, error)
	// Txn runs Then if all of If hold, and Else if not, as one step.
	Txn(ctx context.Context, txn Txn) (Result, error)
	// Watch sends what happens to keys from the revision from on, in order and
	// without gaps; 0 is "from now on". The last batch before the channel closes
	// has an error: ctx's, or a [*CompactedError] if the revision is gone.
	// The events of one revision are never spread over batches.
	Watch(ctx context.Context, keys Keys, from int64) <-chan Batch
	// Grant makes a lease that ends when it was not renewed for ttl, which is
	// rounded up to whole seconds.
	Grant(ctx context.Context, ttl time.Duration) (LeaseID, time.Duration, error)
	// Renew says for how long the lease lives from now on, seen from the store.
	// It fails with ErrNoLease once the lease has ended.
	Renew(ctx context.Context, id LeaseID) (time.Duration, error)
	// Revoke ends a lease and deletes its keys. A lease that has ended is no error.
	Revoke(ctx context.Context, id LeaseID) error
}

// A LeaseID names a lease; 0 is none.
type LeaseID int64

// String is the lease as etcd's tools print it: hexadecimal.
func (id LeaseID) String() string { return fmt.Sprintf("%016x", uint64(id)) }

// Keys are those from First on, up to and without End. Without End it is the one
// key First.
type Keys struct{ First, End string }

// Key is one key.
func Key(key string) Keys { return Keys{First: key} }

// Prefix is all keys that begin with p.
func Prefix(p string) Keys {
	if p == "" {
		return Keys{"\x00", "\x00"} // a key has at least one byte
	}
	end := []byte(p)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i] < 0xff {
			end[i]++
			return Keys{p, string(end[:i+1])}
		}
	}
	return Keys{p, "\x00"} // all keys from p on, in etcd's terms
}

// Has reports whether key is one of the keys.
func (k Keys) Has(key string) bool {
	if k.End == "" {
		return key == k.First
	}
	return key >= k.First && (k.End == "\x00" || key < k.End)
}

// A Span says what to read.
type Span struct {
	Keys
	Limit    int   // at most so many entries; 0 is all
	Revision int64 // as it was then; 0 is now
	KeysOnly bool  // leave the values out, and the leases, which etcd keeps with them
}

// A Page is what was read, ordered by key.
type Page struct {
	Entries  []Entry
	Revision int64 // the store's, when it was read
	More     bool  // Limit left some out
	Count    int64 // how many there are, those left out included
}

// An Entry is a key with its value and history.
type Entry struct {
	Key      string
	Value    []byte
	Created  int64 // the revision that created it, since it was last absent
	Modified int64 // the revision that wrote it last
	Version  int64 // how often it was written since it was created
	Lease    LeaseID
}

// A Txn is one step of a store: either all of Then, or all of Else.
type Txn struct {
	If         []Compare
	Then, Else []Op
}

// Field is what a [Compare] looks at.
type Field uint8

// What a comparison looks at. All but the value are 0 for an absent key.
const (
	Created Field = iota
	Modified
	Version
	Lease
	Value // of an absent key equals nothing
)

// Relation is how a [Compare] compares: what is there to what the comparison names.
type Relation uint8

// How what is there compares to what was asked.
const (
	Equal Relation = iota
	NotEqual
	Less
	Greater
)

// A Compare is a condition on one key.
type Compare struct {
	Key      string
	Field    Field
	Relation Relation
	Number   int64  // for all fields but Value
	Value    []byte // for Value
}

// Absent holds while there is no such key.
func Absent(key string) Compare { return Compare{Key: key, Field: Created} }

// Present holds while there is such a key.
func Present(key string) Compare { return Compare{Key: key, Field: Created, Relation: NotEqual} }

// ModifiedAt holds while the key was last written at the revision.
func ModifiedAt(key string, revision int64) Compare {
	return Compare{Key: key, Field: Modified, Number: revision}
}

// OpKind is what an [Op] does.
type OpKind uint8

// What an operation does.
const (
	Read OpKind = iota
	Write
	Remove
)

// An Op is one operation of a transaction. A transaction writes a key once at most.
type Op struct {
	Kind  OpKind
	Keys  Keys // a Write has one key
	Value []byte
	Lease LeaseID // the key ends with it
	Limit int     // of a Read; 0 is all
}

// Put writes a key that lives as long as the lease; 0 is for ever.
func Put(key string, value []byte, lease LeaseID) Op {
	return Op{Kind: Write, Keys: Key(key), Value: value, Lease: lease}
}

// Delete removes keys.
func Delete(keys Keys) Op { return Op{Kind: Remove, Keys: keys} }

// Get reads keys.
func Get(keys Keys) Op { return Op{Kind: Read, Keys: keys} }

// A Result is what a transaction did.
type Result struct {
	OK       bool // Then ran
	Revision int64
	Outcomes []Outcome // one for each operation that ran
}

// An Outcome is what one operation of a transaction found or did.
type Outcome struct {
	Entries []Entry // a Read's
	Removed int64   // a Remove's count of keys
}

// A Batch is what happened at some revisions.
type Batch struct {
	Revision int64 // all up to it has been sent
	Events   []Event
	Err      error
}

// An Event is a key written or removed.
type Event struct {
	Removed bool
	// Entry is the key after it; of a removed key only Key and Modified, which is
	// the revision that removed it.
	Entry Entry
}

// What stores answer. Test with errors.Is.
var (
	ErrNoLease    = errors.New("the lease has ended or never was")
	ErrFuture     = errors.New("the store has not reached this revision")
	ErrNoSpace    = errors.New("the store's quota is used up")
	ErrTooLarge   = errors.New("the transaction has more bytes or operations than the store takes")
	ErrForbidden  = errors.New("the store does not permit it")
	ErrNotReached = errors.New("the store cannot be reached or has no leader")
)

// A CompactedError says that a revision is no longer kept.
type CompactedError struct {
	Revision int64 // the oldest that still is; 0 if the store did not say
}

func (e *CompactedError) Error() string {
	if e.Revision == 0 {
		return "the revision has been compacted"
	}
	return fmt.Sprintf("the revision has been compacted: the oldest one kept is %d", e.Revision)
}
