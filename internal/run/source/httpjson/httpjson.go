// Package httpjson asks services that speak JSON over HTTP/1.1 or HTTP/2.
//
// A source is a base URL with what all its requests share; an operation says what
// a call becomes, and where in the response its answer is:
//
//	[sources.prices]
//	type = "http"
//	url = "https://prices.internal/v2"
//
//	[services.Pricing.lowest]
//	get = "/lowest/{product}?region={region}"
//	answer = "/price"
//	none = [404]
//
// Placeholders, bodies and batches are described at [Source.Bind]. Redirects are
// never followed: headers with credentials stay with the host that they are for.
// Nor is the environment's proxy used. A request that a dying idle connection
// swallowed is sent again on a new one if it only reads, or nothing of it was sent;
// nothing else is retried here.
//
// A response is read once into a buffer, checked once, and the answers are sliced
// out of it by JSON Pointers; it is never decoded.
package httpjson

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/http/httpguts"

	"towpath.dev/internal/run/source"
	"towpath.dev/internal/run/source/jsonpick"
	"towpath.dev/internal/settings"
)

var _ source.Shareable = (*Source)(nil)

// Options are what a source has from elsewhere than its settings.
type Options struct {
	// Dir is the folder that the paths of `ca`, `cert` and `key` count from; ""
	// is the working directory.
	Dir string
	// Dial makes connections; nil is net.Dialer's DialContext.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// Source is a host that answers over HTTP. It is safe for concurrent use, Bind
// included, and implements source.Shareable.
type Source struct {
	scheme, host string
	path         string // of the base URL, escaped, without a slash at its end
	query        string // of the base URL
	header       http.Header
	timeout      time.Duration
	most         int // bytes of an answer
	connections  int
	probe        string // "" without the setting
	opened       [sha256.Size]byte
	transport    transport
	scratch      sync.Pool // of *scratch
}

// Open reads a source's settings:
//
//	url          required: the base URL, http or https. A query is sent with every
//	             request; a user and password become basic authentication.
//	headers      a table of texts, sent with every request
//	timeout      how long one request may take, 10s
//	max_answer   bytes of a response, decompressed, 8 MiB
//	connections  at most at once, 256
//	http2        https: offer HTTP/2 besides HTTP/1.1, true; http: speak HTTP/2
//	             without TLS by prior knowledge ("h2c") and nothing else, false
//	ca           file of PEM certificates to trust instead of the system's
//	cert, key    files of the client's own certificate, PEM
//	probe        path of Probe's GET
//
// Mistakes are noted in the table; the Source is only of use for Bind then. It
// does not complain of keys that it does not know, see [settings.Table.Done].
func Open(t *settings.Table, opts Options) *Source {
	s := &Source{
		timeout:     t.Duration("timeout", 10*time.Second),
		most:        int(t.Int("max_answer", 8<<20, 1, 1<<31-1)),
		connections: int(t.Int("connections", 256, 1, 1<<16)),
		probe:       t.Text("probe", ""),
	}
	s.scratch.New = func() any { return new(scratch) }
	s.header = http.Header{"Accept": {"application/json"}, "User-Agent": {"towpath"}}
	s.readURL(t)
	readHeaders(t, s.header)
	if s.probe != "" && !strings.HasPrefix(s.probe, "/") && !strings.HasPrefix(s.probe, "?") {
		t.Errorf("probe", "`probe` starts with neither `/` nor `?`; it is a path below `url`")
	} else if wrong := wrongLiteral(s.probe); wrong != "" {
		t.Errorf("probe", "`probe` has %s in it, which no URL can; write it as %%XX", wrong)
	}
	s.transport = s.newTransport(t, opts)
	return s
}

// readURL reads the base URL. Nothing of it is printed: it may hold secrets.
func (s *Source) readURL(t *settings.Table) {
	text := t.Required("url")
	if text == "" {
		return
	}
	u, err := url.Parse(text)
	switch {
	case err != nil:
		t.Errorf("url", "`url` is no URL; expected one such as \"https://prices.internal/v2\"")
		return
	case u.Scheme != "http" && u.Scheme != "https":
		t.Errorf("url", "`url` starts with neither http:// nor https://")
	case u.Host == "" || u.Hostname() == "":
		t.Errorf("url", "`url` names no host; expected one as in \"https://prices.internal/v2\"")
	case u.Fragment != "":
		t.Errorf("url", "`url` has a fragment after `#`, which is never sent; leave it out")
	}
	s.scheme, s.host = u.Scheme, u.Host
	s.path, s.query = strings.TrimSuffix(u.EscapedPath(), "/"), u.RawQuery
	if u.User != nil {
		password, _ := u.User.Password()
		s.header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(u.User.Username()+":"+password)))
	}
}

// ours are the headers that are not for settings to say.
var ours = map[string]string{
	"Accept-Encoding":     "compression is dealt with here",
	"Connection":          "connections are kept here",
	"Content-Length":      "it follows from the body",
	"Transfer-Encoding":   "it follows from the body",
	"Upgrade":             "connections are kept here",
	"Te":                  "connections are kept here",
	"Trailer":             "requests have none",
	"Expect":              "requests are sent whole",
	headerDeadline:        "it is said of each call",
	headerRequest:         "it is said of each call",
	headerCriticality:     "it is said of each call",
	headerTraceParent:     "it is said of each call",
	"Proxy-Connection":    "no proxy is used",
	"Proxy-Authorization": "no proxy is used",
}

// readHeaders adds the table's `headers`, and reports whether they are well. Their
// values may be secret.
func readHeaders(t *settings.Table, into http.Header) (ok bool) {
	names := t.Table("headers")
	ok = true
	for _, name := range names.Keys() {
		value := names.Text(name, "")
		canonical := http.CanonicalHeaderKey(name)
		wrong := ""
		switch why, no := ours[canonical]; {
		case !httpguts.ValidHeaderFieldName(name):
			wrong = "`" + name + "` is no name of a header"
		case no:
			wrong = "the header `" + name + "` cannot be set: " + why
		case !httpguts.ValidHeaderFieldValue(value):
			wrong = "the header `" + name + "` has a line break or another control character in it"
		}
		if wrong != "" {
			names.Errorf(name, "%s", wrong)
			ok = false
			continue
		}
		into[canonical] = []string{value}
	}
	return ok
}

// Opened is part of source.Shareable.
func (s *Source) Opened() ([sha256.Size]byte, bool) { return s.opened, true }

// Close closes the connections.
func (s *Source) Close() error {
	s.transport.CloseIdleConnections()
	return nil
}

// scratch is the memory of a call that the next one can use.
type scratch struct {
	body   []byte
	target []byte
	calls  calls
	items  []jsonpick.Value
	found  []jsonpick.Value
	keys   [][]byte
}

// keptBody is the largest body whose buffer is kept for another.
const keptBody = 256 << 10

func (s *Source) put(m *scratch) {
	if cap(m.body) > keptBody {
		m.body = nil
	}
	m.calls.reset(0)
	clear(m.items[:cap(m.items)]) // as these do, and bodies
	clear(m.found[:cap(m.found)])
	clear(m.keys[:cap(m.keys)])
	s.scratch.Put(m)
}

// own gives a part of the body away. It is copied, so that a small answer in a
// cache does not hold a large body; unless it is most of a body too large to keep.
func (m *scratch) own(v jsonpick.Value) []byte {
	if cap(m.body) > keptBody && len(v) > cap(m.body)/2 {
		m.body = nil
		return v
	}
	return bytes.Clone(v)
}
