package serve

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"

	"towpath.dev/internal/run/admit"
)

// The headers, in the form in which net/http keeps them.
const (
	headerRequest     = "Towpath-Request"
	headerCriticality = "Towpath-Criticality"
	headerDeadline    = "Towpath-Deadline"
	headerCaller      = "Towpath-Caller"
	headerTraceParent = "Traceparent"
)

// maxID bounds the ids that clients may give.
const maxID = 64

// first is a header's first value, without the canonicalisation that Header.Get
// does.
func first(h http.Header, key string) string {
	if v := h[key]; len(v) > 0 {
		return v[0]
	}
	return ""
}

// requestID is the id that a request came with, or a new one where that is none.
func requestID(h http.Header) string {
	id := first(h, headerRequest)
	if id == "" || len(id) > maxID {
		return newID()
	}
	for i := 0; i < len(id); i++ {
		if c := id[i]; !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.') {
			return newID()
		}
	}
	return id
}

// newID makes an id of 64 random bits: it names a request, it guards nothing.
func newID() string {
	const digits = "0123456789abcdef"
	var b [16]byte
	for i, n := 0, rand.Uint64(); i < len(b); i, n = i+1, n>>4 {
		b[i] = digits[n&15]
	}
	return string(b[:])
}

func classOf(h http.Header) (admit.Class, *Problem) {
	text := first(h, headerCriticality)
	if text == "" {
		return admit.Default, nil
	}
	class, err := admit.ParseClass(text)
	if err != nil {
		return 0, badHeader(headerCriticality, text, "critical, default, sheddable or bulk")
	}
	return class, nil
}

// deadlineOf is when the caller has no more use for the answer; zero when he does
// not say.
func deadlineOf(h http.Header, begin time.Time) (time.Time, *Problem) {
	text := first(h, headerDeadline)
	if text == "" {
		return time.Time{}, nil
	}
	ms, err := strconv.ParseInt(text, 10, 32)
	if err != nil || ms < 0 {
		return time.Time{}, badHeader(headerDeadline, text, "a number of milliseconds")
	}
	return begin.Add(time.Duration(ms) * time.Millisecond), nil
}

// traceParentOf is the caller's traceparent, which calls carry on where no spans are
// made; "" when it is none.
func traceParentOf(h http.Header) string {
	const length = len("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	t := first(h, headerTraceParent)
	if len(t) != length || strings.Trim(t, "0123456789abcdef-") != "" {
		return ""
	}
	return t
}

func badHeader(name, found, expected string) *Problem {
	return &Problem{Type: BadHeader, Status: http.StatusBadRequest, Expected: expected, Found: shorten(found),
		Detail: fmt.Sprintf("the header %s: expected %s, found %q", name, expected, shorten(found))}
}

// caller is who asks.
func (s *Server) caller(r *http.Request) (string, *Problem) {
	if s.opts.Tokens == nil {
		name := first(r.Header, headerCaller)
		if len(name) > maxID {
			return "", badHeader(headerCaller, name, fmt.Sprintf("at most %d bytes", maxID))
		}
		return name, nil
	}
	name, ok := s.opts.Tokens.who(first(r.Header, "Authorization"))
	if !ok {
		return "", &Problem{Type: Unauthorized, Status: http.StatusUnauthorized,
			Detail: "expected the header Authorization with \"Bearer\" and a token that is known here"}
	}
	return name, nil
}
