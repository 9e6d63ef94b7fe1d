// Credentials for stores that speak S3.

package blob

import (
	"context"
	"errors"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/minio/minio-go/v7/pkg/credentials"
)

// For how long others are asked for credentials: this machine's metadata, which answers at
// once or never, and services elsewhere.
const (
	metadataPatience = 2 * time.Second
	servicePatience  = 10 * time.Second
)

// A key signs requests.
type key struct{ id, secret, session string }

// keys finds the key that requests are signed with, when the first request needs it, and
// again when it has run out.
type keys struct {
	sources []source
	next    string // what to do when there is none

	lock    chan struct{} // has an element while it is held: waiting for it ends with a context
	key     key
	current credentials.Provider // nil is that there is no key
}

// A source is a place where a key may be.
type source struct {
	what string
	credentials.Provider
}

// newKeys looks where Amazon's own tools look.
func newKeys() *keys {
	return &keys{lock: make(chan struct{}, 1), next: whereKeysGo, sources: []source{
		{"AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY", &credentials.EnvAWS{}},
		{"the profile " + profile() + " in ~/.aws", &credentials.FileAWSCredentials{}},
		{"MINIO_ACCESS_KEY and MINIO_SECRET_KEY", &credentials.EnvMinio{}},
	}}
}

func profile() string {
	if name := os.Getenv("AWS_PROFILE"); name != "" {
		return name
	}
	return "default"
}

// roleSources are the roles that this process may have: one of a web identity or of a
// container, which the environment tells of, or else one of the machine.
func roleSources() []source {
	if firstOf("AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI") != "" {
		return []source{{"the role that AWS_WEB_IDENTITY_TOKEN_FILE or AWS_CONTAINER_CREDENTIALS_… tell of", &credentials.IAM{
			Client: &http.Client{Timeout: servicePatience, Transport: newTransport()},
		}}}
	}
	if strings.EqualFold(os.Getenv("AWS_EC2_METADATA_DISABLED"), "true") {
		return nil
	}
	transport := newTransport()
	transport.Proxy = nil // it is on this very machine
	transport.DisableKeepAlives = true
	return []source{{"this machine's role", &credentials.IAM{
		Client:   &http.Client{Timeout: metadataPatience, Transport: transport},
		Endpoint: os.Getenv("AWS_EC2_METADATA_SERVICE_ENDPOINT"),
	}}}
}

// get is the key to sign with.
func (k *keys) get(ctx context.Context) (key, error) {
	select {
	case k.lock <- struct{}{}:
		defer func() { <-k.lock }()
	case <-ctx.Done():
		return key{}, context.Cause(ctx)
	}
	if k.current != nil && !k.current.IsExpired() {
		return k.key, nil
	}
	k.current = nil
	var found []string
	for _, s := range k.sources {
		value, err := s.RetrieveWithCredContext(&credentials.CredContext{Client: http.DefaultClient, Context: ctx})
		if err == nil && value.AccessKeyID != "" && value.SecretAccessKey != "" {
			k.current = s.Provider
			k.key = key{value.AccessKeyID, value.SecretAccessKey, value.SessionToken}
			return k.key, nil
		}
		if ctx.Err() != nil {
			return key{}, context.Cause(ctx)
		}
		found = append(found, s.what+": "+why(err))
	}
	return key{}, refuse("there are no credentials to sign with: %s; %s", strings.Join(found, "; "), k.next)
}

// forget has the key looked for again, unless somebody does just now.
func (k *keys) forget() {
	select {
	case k.lock <- struct{}{}:
		k.current = nil
		<-k.lock
	default:
	}
}

// why says why a source has no key, in words that have none of its text: what is wrong with a
// file of secrets may be a line of it.
func why(err error) string {
	var asked *url.Error
	switch {
	case err == nil:
		return "none"
	case strings.Contains(err.Error(), "SSO"):
		return "no session: run aws sso login"
	case errors.Is(err, fs.ErrNotExist):
		return "no such file"
	case errors.As(err, &asked):
		return "not answered: " + asked.Err.Error()
	case strings.Contains(err.Error(), "partial static credentials"):
		return "half a key: expected both aws_access_key_id and aws_secret_access_key"
	case strings.Contains(err.Error(), "does not exist"):
		return "no such profile"
	default:
		return "cannot be read or used; `aws sts get-caller-identity` may say why"
	}
}
