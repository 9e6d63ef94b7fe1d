// Where things are in the store.

package kv

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"towpath.dev/api/towpathv1"
	"towpath.dev/election"
)

// The prefixes of keys in the store.
//
//	kv/NAMESPACE/KEY          a user's key: its TTL as a varint, then its value
//	kv.ns/NAMESPACE           that there is a namespace, and its quota; JSON
//	kv.end/NAMESPACE          that a namespace is being deleted: what kv.ns had
//	kv.idem/CALLER/KEY        what a write answered; both are hashes
const (
	keysAt       = "kv/"
	namespacesAt = "kv.ns/"
	endingAt     = "kv.end/"
	repeatsAt    = "kv.idem/"
)

// counted is what the census watches: repeats, namespaces and keys, which lie side by
// side.
var counted = election.Keys{First: repeatsAt, End: "kv0"}

func keyAt(namespace, key string) string { return keysAt + namespace + "/" + key }

// placeOf is the namespace and key that keyAt made one of. The name of a namespace
// has no slash.
func placeOf(stored string) (namespace, key string) {
	namespace, key, _ = strings.Cut(strings.TrimPrefix(stored, keysAt), "/")
	return namespace, key
}

// A TTL stands before each value, since a lease does not tell it: a lease is shared by
// keys of several TTLs.

func frame(value []byte, ttl int64) []byte {
	return append(binary.AppendUvarint(make([]byte, 0, len(value)+binary.MaxVarintLen64), uint64(ttl)), value...)
}

func unframe(stored []byte) (value []byte, ttl int64) {
	n, size := binary.Uvarint(stored)
	if size <= 0 {
		return stored, 0 // not ours; show what is there
	}
	return slices.Clip(stored[size:]), int64(n) // so that nobody appends to what the store has
}

// entryOf is a user's entry of one of the store's.
func entryOf(stored election.Entry) *towpathv1.Entry {
	_, key := placeOf(stored.Key)
	value, ttl := unframe(stored.Value)
	return &towpathv1.Entry{Key: key, Value: value, Created: stored.Created, Modified: stored.Modified, Version: stored.Version, TtlSeconds: ttl}
}

// place names a key in a message.
func place(namespace, key string) string {
	return fmt.Sprintf("key %q of namespace %q", key, namespace)
}
