package backup

import (
	"bytes"
	"errors"
	"testing"

	"go.etcd.io/etcd/api/v3/mvccpb"
	"google.golang.org/protobuf/proto"

	"towpath.dev/internal/control/backup/segment"
)

// FuzzRow: of a row that etcd can read, the key and the lease are what etcd reads; another
// one is damaged.
func FuzzRow(f *testing.F) {
	for _, kv := range []*mvccpb.KeyValue{
		{},
		{Key: []byte("key")},
		{Key: []byte("key"), Value: bytes.Repeat([]byte("v"), 300), CreateRevision: 7, ModRevision: 1 << 40, Version: 3, Lease: -1},
	} {
		row, err := encodeRow(kv, false)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(row)
		f.Add(row[:len(row)/2])
	}
	f.Fuzz(func(t *testing.T, row []byte) {
		key, lease, err := keyAndLease(row)
		var kv mvccpb.KeyValue
		if unreadable := proto.Unmarshal(row, &kv); unreadable != nil {
			return // whether it is one or not, it is never written
		}
		if err != nil || !bytes.Equal(key, kv.Key) || lease != kv.Lease {
			t.Errorf("the key %q and the lease %d (%v), etcd reads %q and %d", key, lease, err, kv.Key, kv.Lease)
		}
	})
}

// FuzzRevision: what names a row is a revision, and the same that would name it, or damaged.
func FuzzRevision(f *testing.F) {
	for _, c := range []segment.Change{{Main: 1}, {Main: 1 << 40, Sub: 127, Deleted: true}} {
		f.Add(appendRevision(nil, c))
	}
	f.Add([]byte("scheduledCompactRev"))
	f.Fuzz(func(t *testing.T, name []byte) {
		c, err := parseRevision(name)
		if err != nil {
			if !errors.Is(err, segment.ErrDamaged) {
				t.Errorf("%x: %v", name, err)
			}
			return
		}
		if again := appendRevision(nil, c); !bytes.Equal(again, name) {
			t.Errorf("%x is %+v, which is %x", name, c, again)
		}
	})
}
