package backup

import (
	"hash/crc32"

	bolt "go.etcd.io/bbolt"

	"towpath.dev/internal/control/backup/segment"
)

var keyBucket = []byte("key")

// hashKV is what etcd's HashKV answers for a revision when its store was compacted at
// another: the CRC-32C over the rows of all later revisions, and of the earlier ones
// over those alone that are not superseded. See kvHasher in etcd's mvcc/hash.go.
func hashKV(db *bolt.DB, compacted, revision int64) (uint32, error) {
	var sum uint32
	err := db.View(func(tx *bolt.Tx) error {
		rows := tx.Bucket(keyBucket)
		live, err := liveAt(rows, revision)
		if err != nil {
			return err
		}
		table := crc32.MakeTable(crc32.Castagnoli)
		sum = crc32.Checksum(keyBucket, table)
		return eachUpTo(rows, revision, func(c segment.Change, k, v []byte) error {
			if c.Main <= compacted {
				key, _, err := keyAndLease(v)
				if err != nil {
					return err
				}
				if live[string(key)] != (spot{c.Main, c.Sub}) {
					return nil
				}
			}
			sum = crc32.Update(crc32.Update(sum, table, k), table, v)
			return nil
		})
	})
	return sum, err
}

// A spot is where a change is: a revision, and the place within it.
type spot struct{ main, sub int64 }

// liveAt is where each key that there was at a revision had been written last.
func liveAt(rows *bolt.Bucket, revision int64) (map[string]spot, error) {
	live := map[string]spot{}
	err := eachUpTo(rows, revision, func(c segment.Change, _, v []byte) error {
		key, _, err := keyAndLease(v)
		if c.Deleted {
			delete(live, string(key))
		} else {
			live[string(key)] = spot{c.Main, c.Sub}
		}
		return err
	})
	return live, err
}

// eachUpTo visits the rows of the revisions up to one.
func eachUpTo(rows *bolt.Bucket, revision int64, visit func(c segment.Change, k, v []byte) error) error {
	if rows == nil {
		return nil
	}
	cursor := rows.Cursor()
	for k, v := cursor.First(); k != nil; k, v = cursor.Next() {
		c, err := parseRevision(k)
		if err != nil {
			return err
		}
		if c.Main > revision {
			return nil
		}
		if err := visit(c, k, v); err != nil {
			return err
		}
	}
	return nil
}
