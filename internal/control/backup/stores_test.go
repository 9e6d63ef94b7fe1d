package backup

import (
	"net/http"
	"testing"

	"towpath.dev/internal/blob"
)

func openFolder(t *testing.T, dir string) blob.Store {
	t.Helper()
	store, err := blob.Open(dir, blob.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return store
}

// openS3 opens a store whose connections are closed when the test ends.
func openS3(t *testing.T, url string) blob.Store {
	t.Helper()
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	store, err := blob.Open(url, blob.Options{Transport: transport})
	if err != nil {
		t.Fatal(err)
	}
	return store
}
