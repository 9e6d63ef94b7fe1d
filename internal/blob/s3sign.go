// Signatures of requests, version 4, in Amazon's dialect and in Google's.

package blob

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// A dialect is what Amazon and Google call things. Google's server understands Amazon's
// dialect too, but its own header of a conditional write not beside Amazon's others, and
// takes no notice of If-None-Match when it writes.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
// https://cloud.google.com/storage/docs/authentication/signatures
type dialect struct {
	algorithm string
	vendor    string // before the secret
	service   string
	request   string // at the end of a scope
	prefix    string // of headers
	// The header that makes of a write one that creates.
	ifAbsent, ifAbsentValue string
}

var (
	amazonDialect = dialect{"AWS4-HMAC-SHA256", "AWS4", "s3", "aws4_request", "X-Amz-", "If-None-Match", "*"}
	googleDialect = dialect{"GOOG4-HMAC-SHA256", "GOOG4", "storage", "goog4_request", "X-Goog-", "X-Goog-If-Generation-Match", "0"}
)

// sign signs a request, all headers that it has, and the sum of its body. Paths and queries
// have to be as signatures want them: ours have nothing to escape.
func (d dialect) sign(r *http.Request, body [sha256.Size]byte, key key, region string, now time.Time) {
	date := now.UTC().Format("20060102T150405Z")
	sum := hex.EncodeToString(body[:])
	r.Header.Set(d.prefix+"Date", date)
	r.Header.Set(d.prefix+"Content-Sha256", sum)
	if key.session != "" {
		r.Header.Set(d.prefix+"Security-Token", key.session)
	}
	headers := map[string]string{"host": r.Host}
	for name, values := range r.Header {
		headers[strings.ToLower(name)] = strings.Join(values, ",")
	}
	names := slices.Sorted(maps.Keys(headers))
	var canonical strings.Builder
	fmt.Fprintf(&canonical, "%s\n%s\n%s\n", r.Method, r.URL.EscapedPath(), r.URL.RawQuery)
	for _, name := range names {
		fmt.Fprintf(&canonical, "%s:%s\n", name, headers[name])
	}
	signed := strings.Join(names, ";")
	fmt.Fprintf(&canonical, "\n%s\n%s", signed, sum)

	scope := strings.Join([]string{date[:8], region, d.service, d.request}, "/")
	hashed := sha256.Sum256([]byte(canonical.String()))
	text := strings.Join([]string{d.algorithm, date, scope, hex.EncodeToString(hashed[:])}, "\n")
	signing := []byte(d.vendor + key.secret)
	for _, part := range []string{date[:8], region, d.service, d.request, text} {
		signing = authenticate(signing, part)
	}
	r.Header.Set("Authorization", fmt.Sprintf("%s Credential=%s/%s, SignedHeaders=%s, Signature=%x", d.algorithm, key.id, scope, signed, signing))
}

func authenticate(key []byte, text string) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(text)) // never fails
	return mac.Sum(nil)
}
