// Errors: which kind a failure is of.

package grpcproto

import (
	"context"
	"crypto/x509"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/encoding/protowire"

	"towpath.dev/internal/run/source"
)

// kinds are those of what services answer with. A code that is not here is Failed.
var kinds = map[connect.Code]source.Kind{
	connect.CodeCanceled:           source.Expired,
	connect.CodeDeadlineExceeded:   source.Expired,
	connect.CodeUnavailable:        source.Unavailable,
	connect.CodeResourceExhausted:  source.Unavailable,
	connect.CodeInvalidArgument:    source.Refused,
	connect.CodeNotFound:           source.Refused,
	connect.CodeAlreadyExists:      source.Refused,
	connect.CodePermissionDenied:   source.Refused,
	connect.CodeUnauthenticated:    source.Refused,
	connect.CodeFailedPrecondition: source.Refused,
	connect.CodeOutOfRange:         source.Refused,
	connect.CodeUnimplemented:      source.Refused,
}

// failure is why a method gave no response.
func (s *Source) failure(ctx context.Context, err error, method string) error {
	var dial *dialError
	var cut *cutError
	var status *statusError
	e := &source.Error{Err: err}
	code := connect.CodeOf(err)
	switch {
	case connect.IsWireError(err): // also when the time is up: it says more
		e.Kind = kinds[code]
		e.Message = method + " answered " + describeAnswer(err, code)
		if code == connect.CodeUnimplemented {
			e.Message += "; " + advice(http.StatusNotFound)
		}
		e.After = pause(err)
	case ctx.Err() != nil:
		e.Kind = source.Expired
		e.Message = method + " did not answer in time"
		if errors.Is(ctx.Err(), context.Canceled) {
			e.Message = method + " was given up: nobody wanted its answer any more"
		}
		e.Err = ctx.Err()
	case errors.As(err, &status):
		e.Kind, e.After = statusKind(status.code), status.after
		e.Message = method + " answered " + status.Error() + "; " + advice(status.code)
	case errors.As(err, &dial):
		e.Kind = source.Unreachable
		e.Message = s.base + ": " + dial.Error() + hint(dial.error, strings.HasPrefix(s.base, "https:"))
	case errors.As(err, &cut):
		e.Kind = source.Unfit
		e.Message = "the answer of " + method + " broke off: " + cut.Error()
	case code == connect.CodeResourceExhausted:
		e.Kind = source.Unfit
		e.Message = "the answer of " + method + " is larger than `max_answer`, " + strconv.Itoa(s.maxAnswer) + " bytes"
	default:
		e.Kind = source.Unfit
		e.Message = "the answer of " + method + " is none of its protocol: " + shorten(err.Error())
	}
	return e
}

// describeAnswer is a service's own error, its message cut to what fits a line.
func describeAnswer(err error, code connect.Code) string {
	var answered *connect.Error
	if errors.As(err, &answered) && answered.Message() != "" {
		return code.String() + ": " + shorten(answered.Message())
	}
	return code.String()
}

func shorten(text string) string {
	const most = 300
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > most {
		return strings.ToValidUTF8(text[:most], "") + "…"
	}
	return text
}

// advice is what to do about an answer of HTTP alone.
func advice(code int) string {
	if code == http.StatusNotFound {
		return "the host does not serve this method: is `url` its host, and `proto` of its version?"
	}
	return "no such service answers so: is `url` one, and `protocol` its own?"
}

func statusKind(code int) source.Kind {
	switch {
	case code == http.StatusTooManyRequests, code == http.StatusBadGateway, code == http.StatusServiceUnavailable, code == http.StatusGatewayTimeout:
		return source.Unavailable
	case code >= 400 && code < 500:
		return source.Refused
	}
	return source.Failed
}

// hint says what to do about a connection that did not come about.
func hint(err error, secure bool) string {
	var authority x509.UnknownAuthorityError
	var name x509.HostnameError
	switch text := err.Error(); {
	case errors.As(err, &authority):
		return "; name the CA that signed the certificate in `ca`"
	case errors.As(err, &name):
		return "; `url` and the certificate name different hosts"
	case strings.Contains(text, "malformed HTTP") || strings.Contains(text, "frame too large") || strings.Contains(text, "server preface") || strings.Contains(text, "HTTP/1"):
		if secure {
			return "; does the host speak HTTP/2?"
		}
		return "; does the host speak HTTP/2 without TLS, as `protocol = \"grpc\"` needs it?"
	}
	return ""
}

// pause is how long a service asked to be left alone: by a google.rpc.RetryInfo,
// by grpc-retry-pushback-ms, or by Retry-After.
func pause(err error) time.Duration {
	var answered *connect.Error
	if !errors.As(err, &answered) {
		return 0
	}
	for _, detail := range answered.Details() {
		if detail.Type() != "google.rpc.RetryInfo" {
			continue
		}
		for f := range fields(detail.Bytes()) {
			if f.number == 1 && f.kind == protowire.BytesType {
				seconds, nanos := pairOf(f.raw)
				return max(0, min(time.Duration(min(max(seconds, 0), 3600))*time.Second+time.Duration(nanos), maxPause))
			}
		}
	}
	if ms, err := strconv.Atoi(answered.Meta().Get("Grpc-Retry-Pushback-Ms")); err == nil && ms > 0 {
		return min(time.Duration(min(ms, 3_600_000))*time.Millisecond, maxPause)
	}
	return retryAfter(answered.Meta())
}
