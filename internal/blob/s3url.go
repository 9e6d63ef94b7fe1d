// What the URL of a store that speaks S3 says.

package blob

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

// A bucket's name, as S3 and Google have them.
var bucketName = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]$`)

// What may stand before all names of a store's objects. It needs no escape anywhere.
var prefixForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*$`)

const longestPrefix = 1024 - longestName - 1 // bytes

// An address is where a bucket is.
type address struct {
	bucket     string
	prefix     string // "", or ends with a slash
	region     string
	scheme     string // of HTTP
	host       string
	path       string // before the bucket's objects: "/", or "/BUCKET/" in path style
	infrequent string // the class of storage for [Infrequent]; "" is the usual one
	text       string // the URL, without what goes without saying
}

func openS3(at *url.URL, o Options) (Store, error) {
	given, err := settings(at, "endpoint", "region", "infrequent", "path-style")
	if err != nil {
		return nil, err
	}
	where := address{region: given["region"], infrequent: given["infrequent"]}
	if where.region == "" {
		where.region = firstOf("AWS_REGION", "AWS_DEFAULT_REGION")
	}
	if where.region == "" {
		where.region = "us-east-1"
	}
	if !regexp.MustCompile(`^[a-z0-9-]+$`).MatchString(where.region) {
		return nil, fmt.Errorf("the region %q: expected one such as eu-central-1", where.region)
	}
	endpoint := given["endpoint"]
	if endpoint == "" {
		endpoint = firstOf("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
	}
	amazon := endpoint == ""
	if amazon {
		endpoint = "https://s3." + where.region + ".amazonaws.com"
		if strings.HasPrefix(where.region, "cn-") {
			endpoint += ".cn"
		}
		if _, said := given["infrequent"]; !said {
			where.infrequent = "STANDARD_IA"
		}
	}
	// A dot in a bucket's name is one too many for certificates of *.s3.….
	pathStyle := !amazon || strings.Contains(at.Host, ".")
	if said, is := given["path-style"]; is {
		if pathStyle, err = strconv.ParseBool(said); err != nil {
			return nil, fmt.Errorf("path-style=%s: expected true or false", said)
		}
	}
	if err := where.locate(at, endpoint, pathStyle); err != nil {
		return nil, err
	}
	keys := newKeys()
	keys.sources = append(keys.sources, roleSources()...)
	if !amazon {
		where.text += "?endpoint=" + where.endpoint()
	}
	return newS3(where, amazonDialect, keys, o.Transport), nil
}

// openGS opens a bucket of Google's. It speaks S3's dialect of its own, as in S3's it would
// overwrite what is there.
func openGS(at *url.URL, o Options) (Store, error) {
	given, err := settings(at, "endpoint", "infrequent")
	if err != nil {
		return nil, err
	}
	where := address{region: "auto", infrequent: given["infrequent"]}
	if _, said := given["infrequent"]; !said {
		where.infrequent = "NEARLINE"
	}
	endpoint, said := given["endpoint"]
	if !said {
		endpoint = "https://storage.googleapis.com"
	}
	if err := where.locate(at, endpoint, true); err != nil {
		return nil, err
	}
	keys := newKeys()
	keys.next += "; Google's are the HMAC keys of a service account, under Settings, Interoperability"
	if said {
		where.text += "?endpoint=" + where.endpoint()
	}
	return newS3(where, googleDialect, keys, o.Transport), nil
}

// locate finds out where the bucket of a URL is.
func (a *address) locate(at *url.URL, endpoint string, pathStyle bool) error {
	if at.Host == "" {
		return fmt.Errorf("there is no bucket: expected %s://BUCKET/PREFIX", at.Scheme)
	}
	if !bucketName.MatchString(at.Host) {
		return fmt.Errorf("the bucket %q: expected 3 to 63 lower-case letters, digits, '-', '.' and '_'; an address and its port go into endpoint=", at.Host)
	}
	if at.Fragment != "" {
		return errors.New("there is a #: expected none")
	}
	if prefix := strings.Trim(at.Path, "/"); prefix != "" {
		if !prefixForm.MatchString(prefix) || len(prefix) > longestPrefix {
			return fmt.Errorf("the prefix %q: expected %d letters, digits, '.', '_' and '-' at most, with slashes between, and a letter or a digit at the beginning of each part", prefix, longestPrefix)
		}
		a.prefix = prefix + "/"
	}
	server, err := url.Parse(endpoint)
	if err != nil || server.Host == "" || server.Scheme != "http" && server.Scheme != "https" || server.User != nil || strings.Trim(server.Path, "/") != "" || server.RawQuery != "" {
		return errors.New("the endpoint: expected http://HOST:PORT or https://HOST:PORT, without credentials and without a path; the bucket goes between s3:// and the prefix")
	}
	a.bucket, a.scheme, a.host, a.path = at.Host, server.Scheme, server.Host, "/"
	if host, port, err := net.SplitHostPort(a.host); err == nil && (a.scheme == "http" && port == "80" || a.scheme == "https" && port == "443") {
		a.host = host // as the Host header will be, which is signed
		if strings.Contains(host, ":") {
			a.host = "[" + host + "]"
		}
	}
	if pathStyle {
		a.path += a.bucket + "/"
	} else {
		a.host = a.bucket + "." + a.host
	}
	a.text = at.Scheme + "://" + a.bucket + "/" + strings.TrimSuffix(a.prefix, "/")
	a.text = strings.TrimSuffix(a.text, "/")
	return nil
}

// endpoint is where the server is.
func (a *address) endpoint() string { return a.scheme + "://" + a.host }

func newS3(where address, dialect dialect, keys *keys, transport http.RoundTripper) *s3 {
	if transport == nil {
		transport = newTransport()
	}
	return &s3{
		address: where, dialect: dialect, keys: keys,
		client: &http.Client{
			Transport: transport,
			// Who follows a redirect signs for the wrong place.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}
