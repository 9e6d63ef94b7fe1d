// Trying a store out before it is relied on.

package blob

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"path"
	"strings"
	"time"
)

// Probe tries out whether a store can be relied on: that an object can be created, and a
// second of its name cannot; that it is read as it was written, listed, and deleted. The
// object's name is random, below probe/, and it is gone afterwards. An error says what is
// missing, and what to do about it.
func Probe(ctx context.Context, store Store) (err error) {
	name := path.Join("probe", strings.ToLower(rand.Text()))
	mine, other := []byte(rand.Text()), []byte(rand.Text())
	// ErrExists is that an attempt before the last had succeeded: nobody else has this name.
	if err := store.Create(ctx, name, mine, Standard); err != nil && !errors.Is(err, ErrExists) {
		return fmt.Errorf("nothing can be written: %w", err)
	}
	defer func() {
		if err == nil {
			return
		}
		// As far as one can, be there what may.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		_ = store.Delete(ctx, name)
	}()
	switch err := store.Create(ctx, name, other, Standard); {
	case err == nil:
		return refuse("%s: this store overwrites: a second object of the name %s was written over the first, so that two writers could destroy each other's work; "+
			"expected a store that heeds If-None-Match, such as S3, MinIO, Ceph, R2, or gs:// for Google's", store, name)
	case !errors.Is(err, ErrExists):
		return fmt.Errorf("whether the store overwrites cannot be told: %w", err)
	}
	data, err := store.Get(ctx, name)
	if err != nil {
		return fmt.Errorf("what was written cannot be read: %w", err)
	}
	if !bytes.Equal(data, mine) {
		return refuse("%s: what is read is not what was written: %d bytes, which differ from the %d of %s; expected a store that keeps bytes as they are, and has nothing before it that caches or changes them",
			store, len(data), len(mine), name)
	}
	if head, size, err := store.Head(ctx, name, 1); err != nil || size != int64(len(mine)) || !bytes.Equal(head, mine[:1]) {
		return errors.Join(fmt.Errorf("%s: the beginning of an object cannot be read: found %d of %d bytes of %s, expected 1 of %d", store, len(head), size, name, len(mine)), err)
	}
	if err := probeList(ctx, store, name, int64(len(mine))); err != nil {
		return err
	}
	if err := store.Delete(ctx, name); err != nil {
		return fmt.Errorf("what was written cannot be deleted, so that what is too old would stay: %w", err)
	}
	if _, err := store.Get(ctx, name); !errors.Is(err, ErrNotFound) {
		return errors.Join(fmt.Errorf("%s: %s was deleted, and is still read: expected a store that forgets, and has nothing before it that caches", store, name), err)
	}
	return nil
}

// probeList looks for an object in a listing.
func probeList(ctx context.Context, store Store, name string, size int64) error {
	for info, err := range store.List(ctx, name, "") {
		if err != nil {
			return fmt.Errorf("what is there cannot be listed: %w", err)
		}
		if info.Name == name && info.Size == size {
			return nil
		}
	}
	return refuse("%s: what was written is not listed: expected %s at once, as backups are found by listing", store, name)
}
