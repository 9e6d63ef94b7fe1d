package serve

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"

	"towpath.dev/internal/codec"
	"towpath.dev/internal/run/engine"
)

// The types of problems. They are stable: clients may tell problems apart by them.
const (
	NotFound      = "https://towpath.dev/problems/not-found"
	BadMethod     = "https://towpath.dev/problems/method-not-allowed"
	BadMedia      = "https://towpath.dev/problems/unsupported-media-type"
	BadHeader     = "https://towpath.dev/problems/invalid-header"
	Unauthorized  = "https://towpath.dev/problems/unauthorized"
	InvalidInput  = "https://towpath.dev/problems/invalid-input"
	TooLarge      = "https://towpath.dev/problems/too-large"
	TooSlow       = "https://towpath.dev/problems/body-too-slow"
	Faulted       = "https://towpath.dev/problems/fault"
	LimitExceeded = "https://towpath.dev/problems/limit-exceeded"
	ServiceFailed = "https://towpath.dev/problems/service-failed"
	DeadlineGone  = "https://towpath.dev/problems/deadline-exceeded"
	Overloaded    = "https://towpath.dev/problems/overloaded"
	OverShare     = "https://towpath.dev/problems/over-share"
	ClientGone    = "https://towpath.dev/problems/client-gone"
	Internal      = "https://towpath.dev/problems/internal"
)

// Problem is why a request has no answer, as RFC 9457 has it.
type Problem struct {
	Type    string `json:"type"`
	Title   string `json:"title"`
	Status  int    `json:"status"`
	Detail  string `json:"detail"`
	Request string `json:"request"` // its id

	// Where in the input, and what was expected and found there.
	Path     string `json:"path,omitempty"` // "$.offers[3].price"
	Expected string `json:"expected,omitempty"`
	Found    string `json:"found,omitempty"`
	// Operation is the call that failed: "market/services.Catalog.offers".
	Operation string `json:"operation,omitempty"`
	// Fault is what the program did that it may not, and where.
	Fault  string   `json:"fault,omitempty"` // "division by zero"
	File   string   `json:"file,omitempty"`
	Line   int      `json:"line,omitempty"`
	Column int      `json:"column,omitempty"`
	Stack  []string `json:"stack,omitempty"` // functions, innermost first
}

var titles = map[string]string{
	NotFound: "There is nothing here", BadMethod: "The method is not allowed", BadMedia: "The body is not JSON",
	BadHeader: "A header cannot be understood", Unauthorized: "The caller is not known",
	InvalidInput: "The input does not fit the view", TooLarge: "The request is too large", TooSlow: "The body came too slowly",
	Faulted: "The program did what it may not", LimitExceeded: "The request takes too much work",
	ServiceFailed: "A service has no answer", DeadlineGone: "The time was up",
	Overloaded: "Too much is under way", OverShare: "The caller is over its share", ClientGone: "Nobody waits any more",
	Internal: "Something went wrong here",
}

// refuse answers with a problem.
func (s *Server) refuse(w http.ResponseWriter, id string, p *Problem) {
	p.Title, p.Request = titles[p.Type], id
	text, err := json.Marshal(p)
	if err != nil {
		text = []byte(`{"type":"` + Internal + `"}`) // texts and numbers have JSON
	}
	h := w.Header()
	h["Content-Type"] = problemType
	h["Towpath-Request"] = []string{id}
	w.WriteHeader(p.Status)
	_, _ = w.Write(append(text, '\n'))
	s.metrics.refused(p.Type)
}

var (
	problemType = []string{"application/problem+json"}
	jsonType    = []string{"application/json"}
)

// statusClientGone is nginx's for a client that did not wait for its answer. Who
// has but closed its sending side, or stands behind a proxy, sees it.
const statusClientGone = 499

// expired reports whether an error says that the request's own time was up. That
// of a call, by its operation's `within` or its source's `timeout`, is a service's
// failure.
func expired(err error) bool {
	var call *engine.CallError
	return errors.Is(err, engine.ErrDeadline) || errors.Is(err, context.DeadlineExceeded) && !errors.As(err, &call)
}

// problemOf tells why a view has no answer.
func problemOf(err error) *Problem {
	var input *engine.InputError
	var fault *engine.Fault
	var call *engine.CallError
	var limit *engine.LimitError
	switch {
	case errors.As(err, &input):
		p := &Problem{Type: InvalidInput, Status: http.StatusBadRequest, Detail: err.Error()}
		var at *codec.Error
		if errors.As(err, &at) {
			p.Path, p.Expected, p.Found = at.Path, at.Expected, at.Found
		}
		return p
	case errors.As(err, &fault):
		return &Problem{Type: Faulted, Status: http.StatusInternalServerError, Detail: err.Error(),
			Fault: fault.Kind.String(), File: fault.File, Line: fault.Line, Column: fault.Col, Stack: fault.Stack}
	case expired(err):
		return &Problem{Type: DeadlineGone, Status: http.StatusGatewayTimeout, Detail: err.Error()}
	case errors.As(err, &call):
		return &Problem{Type: ServiceFailed, Status: http.StatusBadGateway, Detail: err.Error(),
			Operation: call.Operation, File: call.File, Line: call.Line, Column: call.Col}
	case errors.As(err, &limit):
		return &Problem{Type: LimitExceeded, Status: http.StatusInternalServerError, Detail: err.Error()}
	case errors.Is(err, context.Canceled):
		return &Problem{Type: ClientGone, Status: statusClientGone, Detail: "the client closed its connection, or its side of it, before there was an answer"}
	}
	return &Problem{Type: Internal, Status: http.StatusInternalServerError, Detail: err.Error()}
}

// shorten bounds what a client sent in what it is told.
func shorten(text string) string { return shortenTo(text, 100) }

func shortenTo(text string, most int) string {
	if len(text) > most {
		return strings.ToValidUTF8(text[:most], "") + "…"
	}
	return text
}

func listed(names []string) string {
	const most = 20
	slices.Sort(names)
	switch {
	case len(names) == 0:
		return "there is none"
	case len(names) > most:
		return "there is " + strings.Join(names[:most], ", ") + " and more"
	}
	return "there is " + strings.Join(names, ", ")
}
