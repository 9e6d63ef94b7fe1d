// Package client asks views over HTTP.
//
//	c, err := client.New("https://decisions.internal:7070", client.Options{Token: token})
//	var choice Choice
//	err = c.Call(ctx, "shop", "featured.featured", Input{Product: p}, &choice)
//
// The context's deadline goes along, so that nobody works for an answer that comes
// too late. What a responder refuses is told as a *[Problem].
//
// A client that is refused throttles itself: requests that would likely be
// refused too fail at once with [ErrThrottled], so that refusing them costs the
// responder nothing (client-side throttling, "Site Reliability Engineering",
// chapter 21).
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Options say how a Client asks. The zero value works.
type Options struct {
	// Token tells who asks. "": nobody in particular.
	Token string
	// HTTP carries the requests. Nil: a client of its own, which keeps up to 256
	// connections.
	HTTP *http.Client
	// MaxAnswer bounds an answer, in bytes. 0: 16 MiB.
	MaxAnswer int64
	// NoThrottle asks even when requests were mostly refused of late.
	NoThrottle bool
}

// Client asks one responder, or several behind one address. It is safe for
// concurrent use.
type Client struct {
	base string
	opts Options
	http http.Client
}

// New makes a Client for an address. The error says what is wrong with it.
func New(base string, opts Options) (*Client, error) {
	u, err := url.Parse(base)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("%q is no address of a responder: expected http://HOST:PORT or https://HOST", base)
	}
	c := &Client{base: strings.TrimRight(u.String(), "/"), opts: opts}
	if opts.HTTP != nil {
		c.http = *opts.HTTP
	} else {
		t := http.DefaultTransport.(*http.Transport).Clone()
		t.MaxIdleConnsPerHost, t.MaxIdleConns = 256, 256
		c.http.Transport = t
	}
	if !opts.NoThrottle {
		c.http.Transport = Throttle(c.http.Transport)
	}
	if opts.MaxAnswer == 0 {
		c.opts.MaxAnswer = 16 << 20
	}
	return c, nil
}

// Problem is why a responder has no answer, as RFC 9457 has it. Types are stable,
// see docs/serving.md.
type Problem struct {
	Type      string `json:"type"`
	Title     string `json:"title"`
	Status    int    `json:"status"`
	Detail    string `json:"detail"`
	Request   string `json:"request"`   // the request's id
	Path      string `json:"path"`      // in the input: "$.offers[3].price"
	Operation string `json:"operation"` // the call that failed
	// RetryAfter is how long to leave the responder alone; 0 when it does not say.
	RetryAfter time.Duration `json:"-"`
}

func (p *Problem) Error() string {
	return fmt.Sprintf("%s (%d): %s; request %s", p.Title, p.Status, p.Detail, p.Request)
}

// ErrThrottled says that a request was not sent, since those before it were mostly
// refused.
var ErrThrottled = errors.New("not sent: the responder refuses most requests of this kind")

// Criticality says which requests are to be answered when not all can be.
type Criticality int

// The criticalities. The zero value is Default.
const (
	Default Criticality = iota
	Critical
	Sheddable
	Bulk
	classes = int(Bulk) + 1
)

func (c Criticality) String() string {
	return [classes]string{"default", "critical", "sheddable", "bulk"}[c]
}

// Request is what Do asks.
type Request struct {
	Program, View string
	Input         []byte // a JSON object
	Criticality   Criticality
	// ID names the request, in records and logs too; "" has the responder make one up.
	ID string
}

// Answer is what came.
type Answer struct {
	Output  []byte // JSON
	Request string // the id
	Shed    int    // optional scopes that load had left out
	// Timing is the Server-Timing header.
	Timing string
}

// Call asks a view: the input and the answer go through encoding/json.
func (c *Client) Call(ctx context.Context, program, view string, input, answer any) error {
	text, err := json.Marshal(input)
	if err != nil {
		return fmt.Errorf("the input of %s: %w", view, err)
	}
	a, err := c.Do(ctx, Request{Program: program, View: view, Input: text})
	if err != nil {
		return err
	}
	if err := json.Unmarshal(a.Output, answer); err != nil {
		return fmt.Errorf("the answer of %s: %w", view, err)
	}
	return nil
}

// Do asks a view. The error is a *Problem, ErrThrottled, the context's, or of the
// connection.
func (c *Client) Do(ctx context.Context, q Request) (*Answer, error) {
	r, err := c.request(ctx, q)
	if err != nil {
		return nil, err
	}
	resp, err := c.http.Do(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, c.opts.MaxAnswer+1))
	if err != nil {
		return nil, err
	}
	if int64(len(body)) > c.opts.MaxAnswer {
		return nil, fmt.Errorf("the answer of %s has more than %d bytes", q.View, c.opts.MaxAnswer)
	}
	if resp.StatusCode != http.StatusOK {
		return nil, problem(resp, body)
	}
	a := &Answer{Output: body, Request: resp.Header.Get("Towpath-Request"), Timing: resp.Header.Get("Server-Timing")}
	a.Shed, _ = strconv.Atoi(resp.Header.Get("Towpath-Shed"))
	return a, nil
}

func (c *Client) request(ctx context.Context, q Request) (*http.Request, error) {
	target := c.base + "/v1/" + url.PathEscape(q.Program) + "/" + q.View
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, target, bytes.NewReader(q.Input))
	if err != nil {
		return nil, fmt.Errorf("%s of %s cannot be asked: %w", q.View, q.Program, err)
	}
	r.Header.Set("Content-Type", "application/json")
	if q.Criticality != Default {
		r.Header.Set("Towpath-Criticality", q.Criticality.String())
	}
	if q.ID != "" {
		r.Header.Set("Towpath-Request", q.ID)
	}
	if c.opts.Token != "" {
		r.Header.Set("Authorization", "Bearer "+c.opts.Token)
	}
	if deadline, ok := ctx.Deadline(); ok {
		r.Header.Set("Towpath-Deadline", strconv.FormatInt(max(time.Until(deadline).Milliseconds(), 0), 10))
	}
	return r, nil
}

// problem reads a problem document; what is none becomes one.
func problem(resp *http.Response, body []byte) *Problem {
	p := &Problem{}
	if json.Unmarshal(body, p) != nil || p.Type == "" {
		const most = 200
		text := strings.ToValidUTF8(string(body[:min(len(body), most)]), "")
		p = &Problem{Type: "about:blank", Title: http.StatusText(resp.StatusCode), Detail: "answered with no problem document: " + text}
	}
	p.Status = resp.StatusCode
	if s, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && s > 0 {
		p.RetryAfter = time.Duration(s) * time.Second
	}
	return p
}
