package blob

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/minio/minio-go/v7/pkg/signer"
)

// TestSign compares signatures with those of minio-go, which takes the time by itself: here
// it stands still.
func TestSign(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, test := range []struct{ method, url, body, session string }{
			{http.MethodPut, "https://bucket.s3.eu-central-1.amazonaws.com/a/b/000.x_y-z", "bytes", ""},
			{http.MethodGet, "http://127.0.0.1:9000/bucket/a", "", "session/Token=="},
			{http.MethodDelete, "http://[::1]:9000/bucket/a", "", ""},
			{http.MethodGet, "https://bucket.s3.us-east-1.amazonaws.com/?encoding-type=url&list-type=2&max-keys=1000&prefix=a%2Fb&start-after=a%2Fb%20c", "", ""},
		} {
			sum := sha256.Sum256([]byte(test.body))
			request := func() *http.Request {
				r, err := http.NewRequestWithContext(t.Context(), test.method, test.url, strings.NewReader(test.body))
				if err != nil {
					t.Fatal(err)
				}
				r.Header.Set("If-None-Match", "*")
				r.Header.Set("Content-Md5", "abc=")
				return r
			}
			ours, theirs := request(), request()
			amazonDialect.sign(ours, sum, key{"AKIA", "secret/Key", test.session}, "eu-central-1", time.Now())
			theirs.Header.Set("X-Amz-Content-Sha256", hex.EncodeToString(sum[:]))
			theirs = signer.SignV4(*theirs, "AKIA", "secret/Key", test.session, "eu-central-1")
			plain := func(s string) string { return strings.ReplaceAll(s, " ", "") }
			if got, want := plain(ours.Header.Get("Authorization")), plain(theirs.Header.Get("Authorization")); got != want {
				t.Errorf("%s %s:\n found    %s\n expected %s", test.method, test.url, got, want)
			}
		}
	})
}

// TestSignGoogle looks at what Google asks for: a dialect of its own, and no word of Amazon's.
func TestSignGoogle(t *testing.T) {
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, "https://storage.googleapis.com/bucket/a", nil)
	if err != nil {
		t.Fatal(err)
	}
	googleDialect.sign(r, sha256.Sum256(nil), key{id: "GOOG1E", secret: "secret"}, "auto", time.Unix(1_700_000_000, 0))
	if got := r.Header.Get("Authorization"); !strings.HasPrefix(got, "GOOG4-HMAC-SHA256 Credential=GOOG1E/20231114/auto/storage/goog4_request, SignedHeaders=host;x-goog-content-sha256;x-goog-date, Signature=") {
		t.Error(got)
	}
	for name := range r.Header {
		if strings.HasPrefix(name, "X-Amz-") {
			t.Errorf("the request has %s", name)
		}
	}
}
