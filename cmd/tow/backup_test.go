//go:build !solo

package main

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"towpath.dev/internal/blob"
	"towpath.dev/internal/blob/blobtest"
)

// TestStoreIsTriedAgain: commands go on where a store failed for a while, say so, and give up
// in the end.
func TestStoreIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		failing := 3
		store := blobtest.Faulty(blobtest.NewMemory(), func(blobtest.Call) blobtest.Fault {
			if failing--; failing >= 0 {
				return blobtest.Fault{Before: blobtest.ErrUnreached}
			}
			return blobtest.Fault{}
		})
		var told bytes.Buffer
		again := retried(&ui{err: &told}, store)
		if _, err := again.Get(t.Context(), "a"); !errors.Is(err, blob.ErrNotFound) {
			t.Errorf("after three failures: %v", err)
		}
		if n := strings.Count(told.String(), "\n"); n != 2 || !strings.Contains(told.String(), "failed 3 times of 9, and is tried again (get a): ") {
			t.Errorf("it told %q; want lines about the second and the third failure", told.String())
		}
		failing = 100
		_, err := again.Get(t.Context(), "a")
		if !errors.Is(err, blobtest.ErrUnreached) || !strings.HasSuffix(err.Error(), "(attempts that failed: 9)") {
			t.Errorf("it failed for good with %v", err)
		}
	})
}
