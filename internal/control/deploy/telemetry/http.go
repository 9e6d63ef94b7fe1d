package telemetry

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	postTime   = 10 * time.Second // bounds one request
	answerMost = 1 << 10          // bytes of an answer that are looked at
)

// HTTP is a [Sink] that posts CloudEvents, each by itself, in structured mode.
type HTTP struct {
	// URL is where they are posted.
	URL string
	// Source is where the deployments are, as a URI: the same for all exporters of a cluster,
	// and another one for each cluster.
	Source string
	// Header is sent with each, for credentials.
	Header http.Header
	Client *http.Client // default: http.DefaultClient
	// Timeout bounds a request. 0: 10 s.
	Timeout time.Duration
}

// Check says what is wrong with it.
func (h *HTTP) Check() error {
	if err := checkURL(h.URL); err != nil {
		return err
	}
	return checkSource(h.Source)
}

func checkURL(text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return fmt.Errorf("%q is no address to send events to: expected a URL such as http://HOST:PORT/path", text)
	}
	return nil
}

func checkSource(text string) error {
	if _, err := url.Parse(text); err != nil || text == "" {
		return fmt.Errorf("%q is no source of events: expected a URI that names the cluster, such as https://tow.example.com", text)
	}
	return nil
}

// Name is part of [Sink].
func (h *HTTP) Name() string { return "cloudevents" }

// Send is part of [Sink]: it posts events one by one until one is not taken.
func (h *HTTP) Send(ctx context.Context, t *Timeline, after Mark) (has Mark, events int, err error) {
	has = after
	for _, e := range t.after(after) {
		for _, c := range t.CloudEvents(h.Source, e) {
			if err := h.post(ctx, c.JSON()); err != nil {
				return has, events, err
			}
		}
		has = has.With(e)
		events++
	}
	return has, events, nil
}

// post posts one event. Any answer of success takes it.
func (h *HTTP) post(ctx context.Context, body []byte) error {
	timeout := h.Timeout
	if timeout == 0 {
		timeout = postTime
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, h.URL, bytes.NewReader(body))
	if err != nil {
		return err
	}
	for name, values := range h.Header {
		r.Header[name] = values
	}
	r.Header.Set("Content-Type", "application/cloudevents+json; charset=utf-8")
	client := h.Client
	if client == nil {
		client = http.DefaultClient
	}
	answer, err := client.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, answerMost)) // to its end, mostly: the connection is used again
	if answer.StatusCode/100 == 2 {
		return nil
	}
	if err != nil {
		text = append(text, err.Error()...)
	}
	return fmt.Errorf("%s answers %s: %s", h.URL, answer.Status, strings.TrimSpace(string(text)))
}
