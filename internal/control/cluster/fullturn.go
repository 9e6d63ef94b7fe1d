package cluster

import (
	"context"
	"fmt"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// A store that is full takes no lock, and takes deletions. So there are tokens in it from before:
// while their number is even, no member is defragmented; who deletes the first of them begins,
// and who deletes the next has ended. Each deletion is on the condition that the token is the
// one that was seen, so that of two one succeeds.

const (
	tokenPrefix = changePrefix + "token/"
	tokens      = 16 // eight defragmentations of a store that is full; even
)

// PrepareFull puts the tokens there, while the store takes writes. Where they are it writes
// nothing.
func PrepareFull(ctx context.Context, client *clientv3.Client) error {
	there, err := client.Get(ctx, tokenPrefix, clientv3.WithPrefix(), clientv3.WithCountOnly())
	if err != nil || there.Count == tokens {
		return err
	}
	var puts []clientv3.Op
	for i := range tokens {
		puts = append(puts, clientv3.OpPut(fmt.Sprintf("%s%02d", tokenPrefix, i), ""))
	}
	_, err = client.Txn(ctx).Then(puts...).Commit()
	return err
}

// TakeFull waits until no other member of a store that is full is defragmented, as far as the
// tokens know, and keeps others waiting until done is called. One who has gone without a word is
// waited for as long as a file of that size may take. Without tokens it does not wait.
func TakeFull(ctx context.Context, client *clientv3.Client, size int64) (done func(), err error) {
	nothing := func() {}
	seen, since := "", time.Time{} // the token that says that another one is at it
	for {
		left, err := client.Get(ctx, tokenPrefix, clientv3.WithPrefix(), clientv3.WithKeysOnly(), clientv3.WithSort(clientv3.SortByKey, clientv3.SortAscend))
		if err != nil {
			return nothing, err
		}
		if len(left.Kvs) == 0 {
			return nothing, nil
		}
		first := left.Kvs[0]
		if len(left.Kvs)%2 == 0 {
			ours, err := deleteToken(ctx, client, first.Key, first.ModRevision)
			if err != nil {
				return nothing, err
			}
			if !ours {
				continue // another one was first
			}
			next := left.Kvs[1] // there is one, as their number was even
			return func() {
				ctx, cancel := context.WithTimeout(context.Background(), lockTime)
				defer cancel()
				_, _ = deleteToken(ctx, client, next.Key, next.ModRevision) // otherwise others go on when its time is over
			}, nil
		}
		if seen != string(first.Key) { // all have been put at one revision
			seen, since = string(first.Key), time.Now()
		}
		if time.Since(since) > DefragTime(size) {
			if _, err := deleteToken(ctx, client, first.Key, first.ModRevision); err != nil {
				return nothing, err
			}
			continue
		}
		if err := pause(ctx); err != nil {
			return nothing, err
		}
	}
}

func deleteToken(ctx context.Context, client *clientv3.Client, key []byte, modified int64) (ours bool, err error) {
	r, err := client.Txn(ctx).If(clientv3.Compare(clientv3.ModRevision(string(key)), "=", modified)).Then(clientv3.OpDelete(string(key))).Commit()
	return err == nil && r.Succeeded, err
}
