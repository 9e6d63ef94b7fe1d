package backup

import (
	"encoding/binary"
	"fmt"

	"go.etcd.io/etcd/api/v3/mvccpb"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"towpath.dev/internal/control/backup/segment"
)

// The rows of etcd's "key" bucket: the revision in big-endian order, '_', the place in
// it, and for a deletion a 't'. See go.etcd.io/etcd/server/v3/storage/mvcc/revision.go.
const (
	revisionLen  = 8 + 1 + 8
	tombstoneLen = revisionLen + 1
)

// appendRevision appends the key of a row.
func appendRevision(to []byte, c segment.Change) []byte {
	to = binary.BigEndian.AppendUint64(to, uint64(c.Main))
	to = append(to, '_')
	to = binary.BigEndian.AppendUint64(to, uint64(c.Sub))
	if c.Deleted {
		to = append(to, 't')
	}
	return to
}

// parseRevision reads the key of a row.
func parseRevision(key []byte) (c segment.Change, err error) {
	if len(key) != revisionLen && (len(key) != tombstoneLen || key[tombstoneLen-1] != 't') || key[8] != '_' {
		return c, fmt.Errorf("%w: a row of the bucket \"key\" is named %x, which is no revision", segment.ErrDamaged, key)
	}
	c.Main, c.Sub = int64(binary.BigEndian.Uint64(key)), int64(binary.BigEndian.Uint64(key[9:]))
	c.Deleted = len(key) == tombstoneLen
	return c, nil
}

// encodeRow is what etcd's file has for an event that a watch brought.
func encodeRow(kv *mvccpb.KeyValue, deleted bool) ([]byte, error) {
	if deleted {
		kv = &mvccpb.KeyValue{Key: kv.Key}
	}
	return proto.Marshal(kv)
}

// The fields of mvccpb.KeyValue that are looked at.
const (
	fieldKey   = 1
	fieldLease = 6
)

// keyAndLease reads a row's key, which is a part of the row, and its lease.
func keyAndLease(row []byte) (key []byte, lease int64, err error) {
	for len(row) > 0 {
		field, kind, n := protowire.ConsumeTag(row)
		if n < 0 {
			return nil, 0, badRow(n)
		}
		row = row[n:]
		switch {
		case field == fieldKey && kind == protowire.BytesType:
			key, n = protowire.ConsumeBytes(row)
		case field == fieldLease && kind == protowire.VarintType:
			var v uint64
			v, n = protowire.ConsumeVarint(row)
			lease = int64(v)
		default:
			n = protowire.ConsumeFieldValue(field, kind, row)
		}
		if n < 0 {
			return nil, 0, badRow(n)
		}
		row = row[n:]
	}
	return key, lease, nil
}

func badRow(n int) error {
	return fmt.Errorf("%w: a row is no KeyValue: %w", segment.ErrDamaged, protowire.ParseError(n))
}
