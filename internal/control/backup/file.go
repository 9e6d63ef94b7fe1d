package backup

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"

	bolt "go.etcd.io/bbolt"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/server/v3/lease/leasepb"
	"google.golang.org/protobuf/proto"

	"towpath.dev/internal/control/backup/segment"
)

// A storeFile is etcd's file as it is being restored, up to a target revision.
//
// A lease with a key is granted anew, for all of the time that it had been granted for,
// or if that is not known for unknownTTL; it begins when a member first leads. A
// lease without a key is not restored: nothing would go with it.
type storeFile struct {
	db     *bolt.DB
	target int64

	tx      *bolt.Tx
	buckets map[string]*bolt.Bucket
	written int // bytes since the last commit

	last   int64            // the revision written last
	leased map[string]int64 // of each key that has one, its lease
	ttl    map[int64]int64  // of each lease that is known, in seconds
	// The key that is asked for, as it was written last; see follow.
	followed string
	current  *mvccpb.KeyValue
}

const (
	leaseBucket = "lease"
	metaBucket  = "meta"
	// unknownTTL is for a lease that ended before anybody could ask for how long it was.
	unknownTTL = 60
	// How many bytes one transaction writes.
	fileBatch = 64 << 20
)

// createFile begins a file that holds the revisions up to target. A key is followed, which
// current has then.
func createFile(path string, target int64, followed string) (*storeFile, error) {
	db, err := bolt.Open(path, 0o600, &bolt.Options{NoSync: true, NoFreelistSync: true, FreelistType: bolt.FreelistMapType, InitialMmapSize: 1 << 30})
	if err != nil {
		return nil, fmt.Errorf("the file %s: %w", path, err)
	}
	return &storeFile{db: db, target: target, leased: map[string]int64{}, ttl: map[int64]int64{}, followed: followed}, nil
}

// row writes a row of a base.
func (f *storeFile) row(bucket string, key, value []byte) error {
	switch bucket {
	case string(keyBucket):
		c, err := parseRevision(key)
		if err != nil {
			return err
		}
		if c.Main > f.target {
			return nil
		}
		c.Row = value
		return f.change(c)
	case leaseBucket:
		var l leasepb.Lease
		if err := proto.Unmarshal(value, &l); err != nil {
			return fmt.Errorf("%w: a lease: %w", segment.ErrDamaged, err)
		}
		f.ttl[l.ID] = l.TTL
		return nil
	}
	return f.put(bucket, key, value)
}

// change writes a change, unless it is there already or of later than the target.
func (f *storeFile) change(c segment.Change) error {
	if c.Main > f.target {
		return nil
	}
	key, lease, err := keyAndLease(c.Row)
	if err != nil {
		return err
	}
	if lease != 0 {
		f.leased[string(key)] = lease
	} else if len(f.leased) > 0 {
		delete(f.leased, string(key))
	}
	if string(key) == f.followed {
		f.current = nil
		if !c.Deleted {
			f.current = &mvccpb.KeyValue{}
			if err := proto.Unmarshal(c.Row, f.current); err != nil {
				return err
			}
		}
	}
	f.last = max(f.last, c.Main)
	return f.put(string(keyBucket), appendRevision(nil, c), c.Row)
}

func (f *storeFile) put(bucket string, key, value []byte) (err error) {
	if f.tx == nil {
		if f.tx, err = f.db.Begin(true); err != nil {
			return err
		}
		f.buckets = map[string]*bolt.Bucket{}
	}
	b := f.buckets[bucket]
	if b == nil {
		if b, err = f.tx.CreateBucketIfNotExists([]byte(bucket)); err != nil {
			return err
		}
		b.FillPercent = 0.9 // rows come in their order
		f.buckets[bucket] = b
	}
	if err := b.Put(key, value); err != nil {
		return err
	}
	if f.written += len(key) + len(value); f.written >= fileBatch {
		return f.commit()
	}
	return nil
}

func (f *storeFile) commit() error {
	if f.tx == nil {
		return nil
	}
	err := f.tx.Commit()
	f.tx, f.buckets, f.written = nil, nil, 0
	return err
}

// finish writes what is left, and the leases of the keys that are there.
func (f *storeFile) finish() error {
	granted := map[int64]bool{}
	for _, id := range f.leased {
		if granted[id] {
			continue
		}
		granted[id] = true
		ttl := f.ttl[id]
		if ttl <= 0 {
			ttl = unknownTTL
		}
		value, err := proto.Marshal(&leasepb.Lease{ID: id, TTL: ttl})
		if err != nil {
			return err
		}
		if err := f.put(leaseBucket, binary.BigEndian.AppendUint64(nil, uint64(id)), value); err != nil {
			return err
		}
	}
	return f.commit()
}

// close lets go of the file. With its data on the disk, if sync is set.
func (f *storeFile) close(sync bool) error {
	if f.tx != nil {
		_ = f.tx.Rollback()
		f.tx = nil
	}
	if sync {
		if err := f.db.Sync(); err != nil {
			return err
		}
	}
	return f.db.Close()
}

// discard closes the file and deletes it.
func (f *storeFile) discard() {
	path := f.db.Path()
	_ = f.close(false)
	_ = os.Remove(path)
}

// hasPrefix says whether there is, or was lately, a key with a prefix.
func (f *storeFile) hasPrefix(prefix string) (found bool, err error) {
	err = f.db.View(func(tx *bolt.Tx) error {
		return eachUpTo(tx.Bucket(keyBucket), f.target, func(_ segment.Change, _, v []byte) error {
			key, _, err := keyAndLease(v)
			found = found || bytes.HasPrefix(key, []byte(prefix))
			return err
		})
	})
	return found, err
}

// reopenFile goes on with a file that holds the revisions up to one.
func reopenFile(path string, last int64) (*storeFile, error) {
	f, err := createFile(path, last, "")
	if err == nil {
		f.last = last
	}
	return f, err
}

// compact drops the rows that are superseded at a revision.
func (f *storeFile) compact(revision int64) error {
	return f.db.Update(func(tx *bolt.Tx) error {
		rows := tx.Bucket(keyBucket)
		live, err := liveAt(rows, revision)
		if err != nil {
			return err
		}
		var gone [][]byte
		err = eachUpTo(rows, revision, func(c segment.Change, k, v []byte) error {
			key, _, err := keyAndLease(v)
			if live[string(key)] != (spot{c.Main, c.Sub}) {
				gone = append(gone, bytes.Clone(k))
			}
			return err
		})
		for _, k := range gone {
			err = errors.Join(err, rows.Delete(k))
		}
		return err
	})
}
