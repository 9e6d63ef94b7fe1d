// What stores that speak S3 refuse, and why.

package blob

import (
	"crypto/x509"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
)

// errEmpty is what an empty object says to a request for its first bytes.
var errEmpty = errors.New("the object is empty")

// A refusal is an answer other than success.
// https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
type refusal struct {
	XMLName xml.Name `xml:"Error"`
	Code    string
	Message string
	Region  string

	status int
	cut    error // why not all of the answer came
}

const longestRefusal = 64 << 10 // bytes

// readRefusal reads one. What a server repeats of a session is left out.
func readRefusal(r *http.Response, key key) refusal {
	var f refusal
	text, cut := io.ReadAll(io.LimitReader(r.Body, longestRefusal))
	if xml.Unmarshal(text, &f) != nil {
		f = refusal{}
	}
	f.status, f.cut = r.StatusCode, cut
	if region := r.Header.Get("X-Amz-Bucket-Region"); region != "" {
		f.Region = region
	}
	for _, secret := range []string{key.session, key.secret} {
		if secret != "" {
			f.Message = strings.ReplaceAll(f.Message, secret, "…")
		}
	}
	if f.Message = strings.TrimSuffix(strings.TrimSpace(f.Message), "."); len(f.Message) > 300 {
		f.Message = f.Message[:300] + "…"
	}
	return f
}

// blamesKeys reports whether other credentials might help.
func (f refusal) blamesKeys() bool {
	return slices.Contains([]string{"AccessDenied", "ExpiredToken", "InvalidAccessKeyId", "InvalidToken", "SignatureDoesNotMatch", "TokenRefreshRequired", "XAdminUserNotFound"}, f.Code)
}

// passing are the codes of what passes by itself, though its status does not say so. The last
// is versitygw's while somebody else deletes the only other object of a folder.
var passing = []string{
	"RequestTimeout", "IncompleteBody", "BadDigest", "XAmzContentSHA256Mismatch", "ContentSHA256Mismatch",
	"ConditionalRequestConflict", "OperationAborted", "Conflict", "SlowDown", "Throttling", "ThrottlingException", "RequestLimitExceeded", "InternalError", "ServiceUnavailable",
	"ExistingObjectIsDirectory",
}

// explain is the error of a refused request.
func (f refusal) explain(s *s3, r request) error {
	said := fmt.Sprintf("the store answered %d", f.status)
	if f.Code != "" {
		said += " " + f.Code
	}
	if f.Message != "" {
		said += " (" + f.Message + ")"
	}
	switch {
	case f.status == http.StatusPreconditionFailed && r.method == http.MethodPut:
		return ErrExists
	case f.status == http.StatusRequestedRangeNotSatisfiable && r.header.Get("Range") != "":
		return errEmpty
	case f.status == http.StatusNotFound && f.Code == "NoSuchKey" && r.name != "" && r.method != http.MethodPut: // for its code alone: users, buckets and pages are not found with 404 too
		return ErrNotFound
	case f.status >= 500 && f.status != http.StatusNotImplemented, f.status == http.StatusTooManyRequests, f.status == http.StatusRequestTimeout,
		slices.Contains(passing, f.Code), f.status == http.StatusConflict && f.Code == "":
		return errors.New(said)
	case f.cut != nil:
		return fmt.Errorf("%s, and the connection ended before it had said why: %w", said, f.cut)
	}
	if next := f.next(s, r); next != "" {
		said += "; " + next
	}
	return refuse("%s", said)
}

// next is what to do about a refusal, "" when the store's own words have to do.
func (f refusal) next(s *s3, r request) string {
	region := f.Region != "" && f.Region != s.region
	switch {
	case f.Code == "NoSuchBucket":
		return fmt.Sprintf("there is no bucket %s at %s: create it, or correct its name, the region or the endpoint", s.bucket, s.endpoint())
	case f.status/100 == 3 && region || f.Code == "AuthorizationHeaderMalformed" && region || f.Code == "IllegalLocationConstraintException" && region:
		return fmt.Sprintf("the bucket %s is in the region %s, and was asked for in %s: say ?region=%s", s.bucket, f.Region, s.region, f.Region)
	case f.status/100 == 3:
		return fmt.Sprintf("the bucket %s is not to be found at %s: say which ?region= or ?endpoint= it has", s.bucket, s.endpoint())
	case f.Code == "AuthorizationHeaderMalformed":
		return fmt.Sprintf("the request was signed for the region %s: say which ?region= the bucket has", s.region)
	case f.Code == "SignatureDoesNotMatch":
		return "the secret is not that of the access key, or something on the way has changed the request; set the secret anew, without a space or a line break at its end"
	case f.Code == "InvalidAccessKeyId" || f.Code == "XMinioInvalidAccessKeyId" || f.Code == "XAdminUserNotFound": // the last is versitygw's
		return fmt.Sprintf("%s knows no such access key: expected one of that very service", s.endpoint())
	case f.Code == "ExpiredToken" || f.Code == "TokenRefreshRequired" || f.Code == "InvalidToken":
		return "the credentials are those of a session that has ended: begin a new one, for example by aws sso login"
	case f.Code == "RequestTimeTooSkewed":
		return "this machine's clock is wrong: set it"
	case f.Code == "InvalidObjectState":
		return "the object is in an archive: restore it there first, and keep what is in this bucket out of Glacier"
	case f.Code == "InvalidStorageClass":
		return "say ?infrequent= with a class of storage that this store has, or with nothing behind it for its usual one"
	case f.status == http.StatusNotImplemented && r.method == http.MethodPut:
		return "the store does not know " + s.dialect.ifAbsent + ", without which two writers of one name could both succeed: expected one that has it, such as S3, MinIO, Ceph or R2"
	case f.status == http.StatusUnauthorized || f.status == http.StatusForbidden:
		return fmt.Sprintf("whoever signs has to be allowed %s", permissions(s, r))
	case f.Code == "":
		return fmt.Sprintf("expected an answer that S3 would give: is %s the address of a server that speaks it?", s.endpoint())
	default:
		return ""
	}
}

// permissions are those that a request needs, in the words of who keeps the bucket.
func permissions(s *s3, r request) string {
	if s.dialect == googleDialect {
		return "storage.objects." + map[string]string{http.MethodPut: "create", http.MethodDelete: "delete", http.MethodGet: "get and storage.objects.list"}[r.method] + " in the bucket " + s.bucket
	}
	objects := "arn:aws:s3:::" + s.bucket + "/" + s.prefix + "*"
	switch {
	case r.name == "":
		return "s3:ListBucket on arn:aws:s3:::" + s.bucket
	case r.method == http.MethodPut:
		return "s3:PutObject on " + objects
	case r.method == http.MethodDelete:
		return "s3:DeleteObject on " + objects
	default:
		return "s3:GetObject on " + objects + ", and s3:ListBucket on arn:aws:s3:::" + s.bucket + ", without which an object that is not there is forbidden too"
	}
}

// unreached explains an error of a request that has no answer.
func unreached(err error) error {
	var authority x509.UnknownAuthorityError
	var host x509.HostnameError
	switch {
	case errors.As(err, &authority):
		return refuse("%w; expected a certificate of a known authority: put yours into a file, and its path into SSL_CERT_FILE", err)
	case errors.As(err, &host):
		return refuse("%w; expected a certificate for the endpoint's own name", err)
	case strings.Contains(err.Error(), "server gave HTTP response to HTTPS client"):
		return refuse("%w; the endpoint speaks plain HTTP: say endpoint=http://…", err)
	default:
		return err
	}
}
