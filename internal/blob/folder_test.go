package blob_test

import (
	"testing"

	"towpath.dev/internal/blob"
	"towpath.dev/internal/blob/blobtest"
)

func TestMemory(t *testing.T) {
	blobtest.Run(t, func(testing.TB) blob.Store { return blobtest.NewMemory() })
}

func TestFolder(t *testing.T) {
	blobtest.Run(t, func(t testing.TB) blob.Store { return folder(t, t.TempDir()) })
}

func folder(t testing.TB, dir string) blob.Store {
	t.Helper()
	store, err := blob.Open(dir, blob.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return store
}
