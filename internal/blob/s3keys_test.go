package blob_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"towpath.dev/internal/blob"
	"towpath.dev/internal/testkit/s3"
)

// whose is the access key that a store signs with.
func whose(t *testing.T) (string, error) {
	t.Helper()
	var id string
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, id, _ = strings.Cut(r.Header.Get("Authorization"), "Credential=")
		id, _, _ = strings.Cut(id, "/")
	}))
	defer server.Close()
	err := operations["create"](t.Context(), open(t, "s3://bucket?endpoint="+server.URL))
	return id, err
}

// TestCredentials looks at each place where there may be some, the first that has any being it.
func TestCredentials(t *testing.T) {
	s3.ClearEnvironment(t)
	dir := t.TempDir()
	t.Setenv("HOME", dir)
	t.Setenv("AWS_CONFIG_FILE", "")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", "")
	check := func(what, want string) {
		t.Helper()
		if id, err := whose(t); err != nil || id != want {
			t.Errorf("%s: %q, %v", what, id, err)
		}
	}
	t.Setenv("MINIO_ACCESS_KEY", "MINIO")
	t.Setenv("MINIO_SECRET_KEY", "secret")
	check("of MinIO's environment", "MINIO")
	if err := os.Mkdir(filepath.Join(dir, ".aws"), 0o700); err != nil {
		t.Fatal(err)
	}
	text := "[default]\naws_access_key_id = DEFAULT\naws_secret_access_key = secret\n[prod]\naws_access_key_id = PROD\naws_secret_access_key = secret\n"
	if err := os.WriteFile(filepath.Join(dir, ".aws", "credentials"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	check("of the default profile", "DEFAULT")
	t.Setenv("AWS_PROFILE", "prod")
	check("of a profile", "PROD")
	t.Setenv("AWS_ACCESS_KEY_ID", "ENVIRONMENT")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	check("of the environment", "ENVIRONMENT")
}

// TestNoCredentials says where was looked, and none of what was found there.
func TestNoCredentials(t *testing.T) {
	s3.ClearEnvironment(t)
	dir := t.TempDir()
	file := filepath.Join(dir, "credentials")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", file)
	const places = "s3://bucket?endpoint=http://127.0.0.1:1: get name: there are no credentials to sign with: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY: none; the profile default in ~/.aws: %s; MINIO_ACCESS_KEY and MINIO_SECRET_KEY: none; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"
	for content, want := range map[string]string{
		"":                        "no such file",
		"[other]\n":               "no such profile",
		"[default]\nregion = x\n": "none",
		"[default]\naws_secret_access_key hunter2\n":                                                  "cannot be read or used; `aws sts get-caller-identity` may say why",
		"[default]\naws_secret_access_key = hunter2\n":                                                "half a key: expected both aws_access_key_id and aws_secret_access_key",
		"[default]\nsso_role_name = r\nsso_account_id = 1\nsso_start_url = https://x\nsso_region = y": "no session: run aws sso login",
	} {
		if content != "" {
			if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		_, err := open(t, "s3://bucket?endpoint=http://127.0.0.1:1").Get(t.Context(), "name")
		if want := fmt.Sprintf(places, want); err == nil || err.Error() != want || !errors.Is(err, blob.ErrRefused) {
			t.Errorf("%q:\n found    %v\n expected %s", content, err, want)
		}
		_ = os.Remove(file) // which may not be there
	}
}

// TestRole takes credentials of the machine, and others when those are refused.
func TestRole(t *testing.T) {
	s3.ClearEnvironment(t)
	asked := 0
	machine := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method == http.MethodPut:
			_, _ = io.WriteString(w, "permit")
		case strings.HasSuffix(r.URL.Path, "/security-credentials/"):
			_, _ = io.WriteString(w, "role")
		default:
			asked++
			_, _ = fmt.Fprintf(w, `{"Code": "Success", "AccessKeyId": "ROLE%d", "SecretAccessKey": "hunter2", "Token": "hunter2-session", "Expiration": %q}`,
				asked, time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
		}
	}))
	defer machine.Close()
	t.Setenv("AWS_EC2_METADATA_DISABLED", "")
	t.Setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", machine.URL)
	var ids []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, id, _ := strings.Cut(r.Header.Get("Authorization"), "Credential=")
		id, _, _ = strings.Cut(id, "/")
		ids = append(ids, id)
		if len(ids) == 3 {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = fmt.Fprintf(w, "<Error><Code>ExpiredToken</Code><Message>%s</Message></Error>", r.Header.Get("X-Amz-Security-Token"))
		}
	}))
	defer server.Close()
	store := open(t, "s3://bucket?endpoint="+server.URL)
	for n := range 4 {
		err := operations["create"](t.Context(), store)
		if (err != nil) != (n == 2) || err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%d: %v", n, err)
		}
	}
	if got := strings.Join(ids, " "); got != "ROLE1 ROLE1 ROLE1 ROLE2" {
		t.Errorf("signed by %s", got)
	}
}

// TestSilentMachine has a metadata service that takes connections and says nothing: one who
// waits for credentials is told so after a moment, and sooner when they have no time.
func TestSilentMachine(t *testing.T) {
	s3.ClearEnvironment(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	t.Setenv("AWS_EC2_METADATA_DISABLED", "")
	t.Setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://"+l.Addr().String())
	store := open(t, "s3://bucket?endpoint=http://127.0.0.1:1")
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := store.Get(ctx, "name"); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	if testing.Short() {
		return
	}
	_, err = store.Get(t.Context(), "name")
	if !errors.Is(err, blob.ErrRefused) || !strings.Contains(err.Error(), "this machine's role: not answered: ") {
		t.Error(err)
	}
}
