// Opening a store by its URL.

package blob

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
)

// Options are what a store's URL does not say. The zero value works.
type Options struct {
	// Transport is what requests are sent with. The default uses the environment's
	// proxy, and gives up on connections on which nothing happens for a minute.
	Transport http.RoundTripper
}

// schemes are the stores that there are.
var schemes = map[string]func(*url.URL, Options) (Store, error){
	"s3":   openS3,
	"gs":   openGS,
	"file": openFile,
}

// Open opens the store at a URL, or the folder at a path. Of the network it asks nothing;
// [Probe] does.
//
//	/var/backups
//	file:///var/backups
//	s3://BUCKET/PREFIX?region=eu-central-1
//	s3://BUCKET/PREFIX?endpoint=https://minio.example.com:9000
//	gs://BUCKET/PREFIX
//
// docs/storage.md says what else there may be behind the question mark. A URL has no secrets;
// those are where the tools of S3 look for them too. Errors do not repeat a URL that might.
func Open(where string, o Options) (Store, error) {
	if where == "" {
		return nil, refuse("no store is named: expected s3://BUCKET/PREFIX, gs://BUCKET/PREFIX, file:///PATH or a path")
	}
	scheme, _, found := strings.Cut(where, "://")
	if !found {
		return openFolder(where)
	}
	open, known := schemes[strings.ToLower(scheme)]
	if !known {
		return nil, refuse("there is no store of the kind %s://: expected s3://BUCKET/PREFIX, gs://BUCKET/PREFIX, file:///PATH or a path", scheme)
	}
	at, err := url.Parse(where)
	if err != nil {
		// What url.Parse says quotes parts of it.
		return nil, refuse("the store's URL cannot be read: expected %s://…?NAME=VALUE&NAME=VALUE; it is not repeated here, as it may have a secret", scheme)
	}
	if at.User != nil {
		return nil, refuse("the store's URL has credentials before an @: expected none, as URLs end up in logs and process lists; %s", whereKeysGo)
	}
	store, err := open(at, o)
	if err != nil {
		return nil, refuse("the store's URL %s://%s%s: %w", at.Scheme, at.Host, at.Path, err)
	}
	return store, nil
}

const whereKeysGo = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"

func openFile(at *url.URL, _ Options) (Store, error) {
	if at.Host != "" && at.Host != "localhost" {
		return nil, fmt.Errorf("expected three slashes and a path, as in file:///var/backups, but %q is where a machine's name would be", at.Host)
	}
	if _, err := settings(at); err != nil {
		return nil, err
	}
	return openFolder(at.Path)
}

// settings are what a URL has behind its question mark, of those that may be there.
func settings(at *url.URL, known ...string) (map[string]string, error) {
	all := map[string]string{}
	values, err := url.ParseQuery(at.RawQuery)
	if err != nil {
		return nil, errors.New("what is behind the question mark cannot be read: expected NAME=VALUE&NAME=VALUE")
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if !slices.Contains(known, name) {
			return nil, unknown(name, known)
		}
		if len(values[name]) > 1 {
			return nil, fmt.Errorf("%s= is there %d times: expected it once", name, len(values[name]))
		}
		all[name] = values.Get(name)
	}
	return all, nil
}

// secretive are the names of what has no place in a URL.
var secretive = regexp.MustCompile(`(?i)key|secret|token|password|credential`)

func unknown(name string, known []string) error {
	if secretive.MatchString(name) {
		return fmt.Errorf("%s= has no place in a URL, as URLs end up in logs and process lists; %s", name, whereKeysGo)
	}
	if len(known) == 0 {
		return fmt.Errorf("%s= is there: expected nothing behind the path of a folder", name)
	}
	text := "there is no " + name + "=."
	plain := func(s string) string {
		return strings.Map(func(r rune) rune {
			if strings.ContainsRune("-_. ", r) {
				return -1
			}
			return r
		}, strings.ToLower(s))
	}
	for _, k := range known {
		if a, b := plain(name), plain(k); strings.HasPrefix(a, b) || strings.HasPrefix(b, a) || oneApart(a, b) {
			text = "there is no " + name + "=; did you mean " + k + "=?"
			break
		}
	}
	return errors.New(text + " There is " + strings.Join(known, "=, ") + "=")
}

// oneApart reports whether one letter too many, too few or wrong, or two that have
// changed places, make one word of the other.
func oneApart(a, b string) bool {
	if len(a) > len(b) {
		a, b = b, a
	}
	i := 0
	for i < len(a) && a[i] == b[i] {
		i++
	}
	switch len(b) - len(a) {
	case 0:
		return i == len(a) || a[i+1:] == b[i+1:] || i+1 < len(a) && a[i] == b[i+1] && a[i+1] == b[i] && a[i+2:] == b[i+2:]
	case 1:
		return a[i:] == b[i+1:]
	default:
		return false
	}
}

// firstOf is the first environment variable of those named that is set.
func firstOf(names ...string) string {
	for _, name := range names {
		if value := os.Getenv(name); value != "" {
			return value
		}
	}
	return ""
}
