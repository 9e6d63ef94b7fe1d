package httpjson

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"towpath.dev/internal/run/source"
)

// reply is a response that was read.
type reply struct {
	status int
	header http.Header
	body   []byte // in the scratch; of a refusal only the beginning
}

const (
	// mostRefusal is how many bytes of a refusal's body are read, so that its
	// connection can be used again.
	mostRefusal = 64 << 10
	// mostExcerpt is how many bytes of a body a message quotes.
	mostExcerpt = 200
	// longestPause bounds what is believed of a Retry-After.
	longestPause = 24 * time.Hour
)

// ok reports whether the status is of success.
func (r *reply) ok() bool { return r.status/100 == 2 }

// refusal is the error that a status other than 2xx is.
func (r *reply) refusal(where string) error {
	e := &source.Error{Kind: source.Refused}
	hint := ""
	switch {
	case r.status == http.StatusTooManyRequests, r.status == http.StatusServiceUnavailable:
		e.Kind = source.Unavailable
		e.After = retryAfter(r.header.Get("Retry-After"), time.Now())
	case r.status >= 500:
		e.Kind = source.Failed
	case r.status == http.StatusUnauthorized, r.status == http.StatusForbidden:
		hint = "; what it wants to see goes into `headers`"
	case r.status/100 == 3:
		hint = redirected(r.header.Get("Location"))
	case r.status < 200:
		e.Kind = source.Unfit
	}
	e.Message = fmt.Sprintf("%s: %d %s", where, r.status, http.StatusText(r.status))
	if text := excerpt(r.body, mostExcerpt); text != "" {
		e.Message += ": " + text
	}
	e.Message += hint
	return e
}

// redirected says where to; of the location only the host is shown.
func redirected(location string) string {
	const not = ", and redirects are not followed; set `url` to where the service is"
	u, err := url.Parse(location)
	if err != nil || u.Host == "" {
		return " to another path" + not
	}
	return " to " + excerpt([]byte(u.Scheme+"://"+u.Host), 80) + not
}

// retryAfter is the pause that a Retry-After header asks for, as seconds or as a
// date (RFC 9110, section 10.2.3); 0 when it says none.
func retryAfter(value string, now time.Time) time.Duration {
	value = strings.TrimSpace(value)
	if seconds, err := strconv.ParseUint(value, 10, 64); err == nil {
		return time.Duration(min(seconds, uint64(longestPause/time.Second))) * time.Second
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	return min(max(at.Sub(now), 0), longestPause)
}

// excerpt is the beginning of a text on one line, of printable characters and at
// most so many bytes.
func excerpt(text []byte, most int) string {
	var b strings.Builder
	blank := false
	for len(text) > 0 {
		r, n := utf8.DecodeRune(text)
		text = text[n:]
		switch {
		case unicode.IsSpace(r):
			blank = b.Len() > 0
			continue
		case !unicode.IsPrint(r) || r == utf8.RuneError:
			r = '?'
		}
		size := utf8.RuneLen(r)
		if blank {
			size++
		}
		if b.Len()+size+len("…") > most {
			b.WriteString("…")
			break
		}
		if blank {
			b.WriteByte(' ')
			blank = false
		}
		b.WriteRune(r)
	}
	return b.String()
}
