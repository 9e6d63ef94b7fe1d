package blob_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"towpath.dev/internal/blob"
	"towpath.dev/internal/testkit/s3"
)

// operations are one call of each kind.
var operations = map[string]func(context.Context, blob.Store) error{
	"create": func(ctx context.Context, s blob.Store) error {
		return s.Create(ctx, "name", []byte("data"), blob.Infrequent)
	},
	"get": func(ctx context.Context, s blob.Store) error {
		_, err := s.Get(ctx, "name")
		return err
	},
	"head": func(ctx context.Context, s blob.Store) error {
		_, _, err := s.Head(ctx, "name", 3)
		return err
	},
	"list": func(ctx context.Context, s blob.Store) error {
		for _, err := range s.List(ctx, "na", "") {
			return err
		}
		return nil
	},
	"delete": func(ctx context.Context, s blob.Store) error { return s.Delete(ctx, "name") },
}

// keys sets credentials of no value.
func keys(t testing.TB) {
	s3.ClearEnvironment(t)
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
	t.Setenv("AWS_SESSION_TOKEN", "hunter2-session")
}

// TestRefusals has what a server says, and what becomes of it.
func TestRefusals(t *testing.T) {
	keys(t)
	var answer func(http.ResponseWriter)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // the client may have gone
		answer(w)
	}))
	defer server.Close()
	address := server.Listener.Addr().String()
	store := open(t, "s3://bucket/p?region=eu-central-1&endpoint=http://"+address)
	for _, test := range []struct {
		operation string
		status    int
		code      string
		is        error // nil is that it may be tried again
		want      string
	}{
		{"create", 412, "PreconditionFailed", blob.ErrExists, "create name: an object of this name exists"},
		{"create", 412, "", blob.ErrExists, "create name: an object of this name exists"},
		{"create", 409, "ConditionalRequestConflict", nil, "create name: the store answered 409 ConditionalRequestConflict (so it is)"},
		{"create", 409, "OperationAborted", nil, "create name: the store answered 409 OperationAborted (so it is)"},
		{"create", 409, "", nil, "create name: the store answered 409"},
		{"create", 409, "ObjectParentIsFile", blob.ErrRefused, "create name: the store answered 409 ObjectParentIsFile (so it is)"},
		{"create", 503, "SlowDown", nil, "create name: the store answered 503 SlowDown (so it is)"},
		{"create", 500, "", nil, "create name: the store answered 500"},
		{"create", 429, "", nil, "create name: the store answered 429"},
		{"create", 400, "RequestTimeout", nil, "create name: the store answered 400 RequestTimeout (so it is)"},
		{"create", 400, "BadDigest", nil, "create name: the store answered 400 BadDigest (so it is)"},
		{"create", 400, "InvalidArgument", blob.ErrRefused, "create name: the store answered 400 InvalidArgument (so it is)"},
		{"create", 400, "InvalidStorageClass", blob.ErrRefused, "create name: the store answered 400 InvalidStorageClass (so it is); say ?infrequent= with a class of storage that this store has, or with nothing behind it for its usual one"},
		{"create", 404, "NoSuchBucket", blob.ErrRefused, "create name: the store answered 404 NoSuchBucket (so it is); there is no bucket bucket at http://ADDRESS: create it, or correct its name, the region or the endpoint"},
		{"create", 501, "NotImplemented", blob.ErrRefused, "create name: the store answered 501 NotImplemented (so it is); the store does not know If-None-Match, without which two writers of one name could both succeed: expected one that has it, such as S3, MinIO, Ceph or R2"},
		{"create", 403, "AccessDenied", blob.ErrRefused, "create name: the store answered 403 AccessDenied (so it is); whoever signs has to be allowed s3:PutObject on arn:aws:s3:::bucket/p/*"},
		{"create", 403, "", blob.ErrRefused, "create name: the store answered 403; whoever signs has to be allowed s3:PutObject on arn:aws:s3:::bucket/p/*"},
		{"create", 403, "RequestTimeTooSkewed", blob.ErrRefused, "create name: the store answered 403 RequestTimeTooSkewed (so it is); this machine's clock is wrong: set it"},
		{"create", 400, "ExpiredToken", blob.ErrRefused, "create name: the store answered 400 ExpiredToken (so it is); the credentials are those of a session that has ended: begin a new one, for example by aws sso login"},
		{"get", 404, "NoSuchKey", blob.ErrNotFound, "get name: no object of this name"},
		{"get", 404, "", blob.ErrRefused, "get name: the store answered 404; expected an answer that S3 would give: is http://ADDRESS the address of a server that speaks it?"},
		{"get", 404, "XAdminUserNotFound", blob.ErrRefused, "get name: the store answered 404 XAdminUserNotFound (so it is); http://ADDRESS knows no such access key: expected one of that very service"},
		{"get", 403, "InvalidObjectState", blob.ErrRefused, "get name: the store answered 403 InvalidObjectState (so it is); the object is in an archive: restore it there first, and keep what is in this bucket out of Glacier"},
		{"get", 403, "AccessDenied", blob.ErrRefused, "get name: the store answered 403 AccessDenied (so it is); whoever signs has to be allowed s3:GetObject on arn:aws:s3:::bucket/p/*, and s3:ListBucket on arn:aws:s3:::bucket, without which an object that is not there is forbidden too"},
		{"head", 404, "NoSuchBucket", blob.ErrRefused, "head name: the store answered 404 NoSuchBucket (so it is); there is no bucket bucket at http://ADDRESS: create it, or correct its name, the region or the endpoint"},
		{"list", 301, "PermanentRedirect", blob.ErrRefused, "list na: the store answered 301 PermanentRedirect (so it is); the bucket bucket is in the region us-west-2, and was asked for in eu-central-1: say ?region=us-west-2"},
		{"list", 400, "AuthorizationHeaderMalformed", blob.ErrRefused, "list na: the store answered 400 AuthorizationHeaderMalformed (so it is); the bucket bucket is in the region us-west-2, and was asked for in eu-central-1: say ?region=us-west-2"},
		{"list", 403, "AccessDenied", blob.ErrRefused, "list na: the store answered 403 AccessDenied (so it is); whoever signs has to be allowed s3:ListBucket on arn:aws:s3:::bucket"},
		{"list", 403, "InvalidAccessKeyId", blob.ErrRefused, "list na: the store answered 403 InvalidAccessKeyId (so it is); http://ADDRESS knows no such access key: expected one of that very service"},
		{"delete", 403, "SignatureDoesNotMatch", blob.ErrRefused, "delete name: the store answered 403 SignatureDoesNotMatch (so it is); the secret is not that of the access key, or something on the way has changed the request; set the secret anew, without a space or a line break at its end"},
		{"delete", 403, "AccessDenied", blob.ErrRefused, "delete name: the store answered 403 AccessDenied (so it is); whoever signs has to be allowed s3:DeleteObject on arn:aws:s3:::bucket/p/*"},
	} {
		answer = func(w http.ResponseWriter) {
			if strings.Contains(test.want, "us-west-2") {
				w.Header().Set("X-Amz-Bucket-Region", "us-west-2")
			}
			w.WriteHeader(test.status)
			if test.code != "" {
				_, _ = fmt.Fprintf(w, "<Error><Code>%s</Code><Message>so it is.</Message></Error>", test.code)
			}
		}
		err := operations[test.operation](t.Context(), store)
		want := "s3://bucket/p?endpoint=http://" + address + ": " + strings.ReplaceAll(test.want, "ADDRESS", address)
		if err == nil || err.Error() != want {
			t.Errorf("%d %s:\n found    %v\n expected %s", test.status, test.code, err, want)
			continue
		}
		for _, kind := range []error{blob.ErrExists, blob.ErrNotFound, blob.ErrRefused} {
			if errors.Is(err, kind) != (kind == test.is) {
				t.Errorf("%d %s: is %v: %v", test.status, test.code, kind, errors.Is(err, kind))
			}
		}
	}
	answer = func(w http.ResponseWriter) {
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, "<Error><Code>NoSuchKey</Code></Error>")
	}
	if err := store.Delete(t.Context(), "name"); err != nil {
		t.Errorf("deleting what is not there: %v", err)
	}
}

// TestRefusalsKeepSecrets has a server that repeats all that it was sent, and more.
func TestRefusalsKeepSecrets(t *testing.T) {
	keys(t)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusForbidden)
		_, _ = fmt.Fprintf(w, "<Error><Code>SignatureDoesNotMatch</Code><Message>you sent %s, know hunter2, and signed %s</Message><StringToSign>%[1]s</StringToSign></Error>",
			r.Header.Get("X-Amz-Security-Token"), r.Header.Get("Authorization"))
	}))
	store := open(t, "s3://bucket/p?endpoint="+server.URL)
	for what, call := range operations {
		err := call(t.Context(), store)
		if err == nil || strings.Contains(err.Error(), "hunter2") || !errors.Is(err, blob.ErrRefused) {
			t.Errorf("%s: %v", what, err)
		}
	}
	server.Close()
	for what, call := range operations {
		if err := call(t.Context(), store); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s of a server that has gone: %v", what, err)
		}
	}
}

// TestRequests looks at what is sent.
func TestRequests(t *testing.T) {
	keys(t)
	var got *http.Request
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r
		_, _ = io.WriteString(w, "<ListBucketResult></ListBucketResult>")
	}))
	defer server.Close()
	for _, test := range []struct {
		url, operation string
		line           string
		header         http.Header
	}{
		{"s3://bucket/p?region=eu-central-1&infrequent=STANDARD_IA&endpoint=", "create", "PUT /bucket/p/name", http.Header{
			"If-None-Match": {"*"}, "X-Amz-Storage-Class": {"STANDARD_IA"}, "X-Amz-Security-Token": {"hunter2-session"},
			"Content-Md5": {"jXd/OF09/siBXSD3SWAm3A=="}, "X-Amz-Content-Sha256": {"3a6eb0790f39ac87c94f3856b2dd2c5d110e6811602261a9a923d3bb23adc8b7"},
		}},
		{"s3://bucket/p?endpoint=", "create", "PUT /bucket/p/name", http.Header{"X-Amz-Storage-Class": nil}},
		{"s3://bucket?endpoint=", "list", "GET /bucket/?encoding-type=url&list-type=2&max-keys=1000&prefix=na", nil},
		{"s3://bucket/p?endpoint=", "head", "GET /bucket/p/name", http.Header{"Range": {"bytes=0-2"}}},
		{"gs://bucket/p?endpoint=", "create", "PUT /bucket/p/name", http.Header{
			"X-Goog-If-Generation-Match": {"0"}, "If-None-Match": nil, "X-Goog-Storage-Class": {"NEARLINE"}, "X-Amz-Storage-Class": nil, "X-Amz-Date": nil,
			"X-Goog-Content-Sha256": {"3a6eb0790f39ac87c94f3856b2dd2c5d110e6811602261a9a923d3bb23adc8b7"},
		}},
		{"gs://bucket/p?endpoint=", "delete", "DELETE /bucket/p/name", nil},
	} {
		if err := operations[test.operation](t.Context(), open(t, test.url+server.URL)); err != nil && test.operation != "head" {
			t.Errorf("%s: %v", test.url, err)
		}
		if line := got.Method + " " + got.URL.RequestURI(); line != test.line {
			t.Errorf("%s: %s", test.url, line)
		}
		for name, want := range test.header {
			if fmt.Sprint(got.Header[name]) != fmt.Sprint(want) {
				t.Errorf("%s: %s is %q; expected %q", test.url, name, got.Header[name], want)
			}
		}
	}
}

// TestAmazonAddresses looks at where requests to Amazon go, which is no further than here.
func TestAmazonAddresses(t *testing.T) {
	keys(t)
	for url, want := range map[string]string{
		"s3://bucket/p?region=eu-central-1":            "https://bucket.s3.eu-central-1.amazonaws.com/p/name",
		"s3://bucket":                                  "https://bucket.s3.us-east-1.amazonaws.com/name",
		"s3://bucket?region=cn-north-1":                "https://bucket.s3.cn-north-1.amazonaws.com.cn/name",
		"s3://dots.in.it":                              "https://s3.us-east-1.amazonaws.com/dots.in.it/name",
		"s3://bucket?path-style=true":                  "https://s3.us-east-1.amazonaws.com/bucket/name",
		"gs://bucket/p":                                "https://storage.googleapis.com/bucket/p/name",
		"s3://bucket?endpoint=https://x:443":           "https://x/bucket/name",
		"s3://bucket?endpoint=http://[::1]:80":         "http://[::1]/bucket/name",
		"s3://b-c?endpoint=https://x&path-style=false": "https://b-c.x/name",
	} {
		store, err := blob.Open(url, blob.Options{Transport: refuseAll{}})
		if err != nil {
			t.Errorf("%s: %v", url, err)
			continue
		}
		if _, err = store.Get(t.Context(), "name"); !strings.Contains(err.Error(), `"`+want+`"`) {
			t.Errorf("%s: %v; expected %s", url, err, want)
		}
	}
}

type refuseAll struct{}

func (refuseAll) RoundTrip(*http.Request) (*http.Response, error) {
	return nil, errors.New("not sent")
}

// TestList has servers that list what no store of ours has.
func TestList(t *testing.T) {
	keys(t)
	var page string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, page) }))
	defer server.Close()
	store := open(t, "s3://bucket/p?endpoint="+server.URL)
	entry := func(key string) string {
		return "<Contents><Key>" + key + "</Key><Size>3</Size><LastModified>2026-11-27T12:00:00.000Z</LastModified></Contents>"
	}
	for _, test := range []struct{ page, want, fault string }{
		{entry("p%2Fa") + entry("p%2Fa%20B") + entry("p%2Fb%01") + entry("p/c"), "a c", ""},
		{entry("p/b") + entry("p/a"), "b", "in the order of their bytes"},
		{entry("p/b") + entry("p/b"), "b", "in the order of their bytes"},
		{entry("other/b"), "", "in the order of their bytes"},
		{"<IsTruncated>true</IsTruncated>", "", "a page is empty"},
		{"<Contents><Key>p", "", "EOF"},
		{"<html>", "", "is http://"},
	} {
		page = "<ListBucketResult>" + test.page + "</ListBucketResult>"
		switch test.fault {
		case "is http://":
			page = test.page
		case "EOF":
			page = "<ListBucketResult>" + test.page
		}
		var names []string
		var fault error
		for info, err := range store.List(t.Context(), "", "") {
			if fault = err; err == nil {
				names = append(names, info.Name)
			}
		}
		if got := strings.Join(names, " "); got != test.want || (fault == nil) != (test.fault == "") || fault != nil && !strings.Contains(fault.Error(), test.fault) {
			t.Errorf("%s: %s, %v", test.page, got, fault)
		}
	}
}

// TestWrongCredentials asks a server that checks.
func TestWrongCredentials(t *testing.T) {
	server := s3.Start(t)
	server.Environment(t)
	if err := operations["create"](t.Context(), open(t, server.URL("bucket/p"))); err != nil {
		t.Fatal(err)
	}
	for what, test := range map[string]struct{ url, id, secret, want string }{
		"a wrong secret": {server.URL("bucket/p"), server.ID, "hunter2", "SignatureDoesNotMatch"},
		"an unknown key": {server.URL("bucket/p"), "AKIAUNKNOWN", "hunter2", "knows no such access key"},
		"no bucket":      {server.URL("elsewhere/p"), server.ID, server.Secret, "create it, or correct its name"},
		"another region": {s3.URL(server.Address, "us-west-2", "bucket/p"), server.ID, server.Secret, "AuthorizationHeaderMalformed"},
		"a port of HTTP": {strings.Replace(server.URL("bucket/p"), "http:", "https:", 1), server.ID, server.Secret, "say endpoint=http://"},
	} {
		t.Setenv("AWS_ACCESS_KEY_ID", test.id)
		t.Setenv("AWS_SECRET_ACCESS_KEY", test.secret)
		store := open(t, test.url)
		for operation, call := range operations {
			err := call(t.Context(), store)
			if !errors.Is(err, blob.ErrRefused) || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), test.secret) {
				t.Errorf("%s: %s: %v", what, operation, err)
			}
		}
		t.Logf("%s: %v", what, operations["create"](t.Context(), store))
	}
}

// TestCutRefusal: a refusal of which only the beginning has come may have been an answer, such
// as that there is no such object.
func TestCutRefusal(t *testing.T) {
	keys(t)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, "<Error><Code>NoSuchK")
	}))
	defer server.Close()
	store := open(t, "s3://bucket/p?region=eu-central-1&endpoint=http://"+server.Listener.Addr().String())
	_, err := store.Get(t.Context(), "name")
	if err == nil || errors.Is(err, blob.ErrRefused) || errors.Is(err, blob.ErrNotFound) || !strings.Contains(err.Error(), "the connection ended before it had said why") {
		t.Errorf("%v", err)
	}
}
