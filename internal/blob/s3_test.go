package blob_test

import (
	"fmt"
	"net/http"
	"testing"

	"towpath.dev/internal/blob"
	"towpath.dev/internal/blob/blobtest"
	"towpath.dev/internal/testkit/s3"
)

func TestS3(t *testing.T) {
	server := s3.Start(t)
	server.Environment(t)
	n := 0
	blobtest.Run(t, func(t testing.TB) blob.Store {
		n++
		return open(t, server.URL(fmt.Sprintf("bucket/Prefix-%d/of_all", n)))
	})
}

// open opens a store whose connections are closed when the test ends.
func open(t testing.TB, url string) blob.Store {
	t.Helper()
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	store, err := blob.Open(url, blob.Options{Transport: transport})
	if err != nil {
		t.Fatal(err)
	}
	return store
}
