package telemetry

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

// A fault is what the other side does instead of taking a request.
type fault int

const (
	takes     fault = iota
	busy            // 503
	refuses         // 400
	cutBefore       // the connection ends before the request is read
	cutAfter        // it has taken the request, and the connection ends before its answer
	cutAnswer       // the answer is cut
	silent          // it does not answer until the client gives up
)

// receiver is a server that has faults one after the other, and then takes everything.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex
	faults []fault
	bodies [][]byte // taken
	heads  []http.Header
	answer []byte
	form   string        // of the answer
	silent chan struct{} // it does not answer
}

func newReceiver(t *testing.T, faults ...fault) *receiver {
	r := &receiver{faults: faults, form: "application/x-protobuf", silent: make(chan struct{}, 10)}
	r.Server = httptest.NewServer(r)
	t.Cleanup(func() {
		r.Close()
		http.DefaultClient.CloseIdleConnections()
	})
	return r
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	r.mu.Lock()
	f := takes
	if len(r.faults) > 0 {
		f, r.faults = r.faults[0], r.faults[1:]
	}
	r.mu.Unlock()
	if f == cutBefore {
		panic(http.ErrAbortHandler)
	}
	body, err := io.ReadAll(q.Body)
	if err != nil {
		return
	}
	switch f {
	case busy:
		http.Error(w, "later", http.StatusServiceUnavailable)
		return
	case refuses:
		http.Error(w, "not like this", http.StatusBadRequest)
		return
	case silent:
		r.silent <- struct{}{}
		<-q.Context().Done()
		return
	}
	r.mu.Lock()
	r.bodies, r.heads = append(r.bodies, body), append(r.heads, q.Header)
	answer := r.answer
	r.mu.Unlock()
	switch f {
	case cutAfter:
		panic(http.ErrAbortHandler)
	case cutAnswer:
		w.Header().Set("Content-Length", "1000")
	}
	w.Header().Set("Content-Type", r.form)
	_, _ = w.Write(answer) // who is gone does not hear it
}

// sendAll sends until all is taken, and gives how often that failed. It gives up waiting when
// the receiver does not answer.
func (r *receiver) sendAll(t *testing.T, s Sink, line *Timeline) (failures int) {
	t.Helper()
	mark := Mark{}
	for {
		ctx, cancel := context.WithCancel(t.Context())
		var waiting sync.WaitGroup
		waiting.Go(func() {
			select {
			case <-r.silent:
				cancel()
			case <-ctx.Done():
			}
		})
		has, _, err := s.Send(ctx, line, mark)
		cancel()
		waiting.Wait()
		for writer, seq := range mark {
			if has[writer] < seq {
				t.Fatalf("the mark went back: %v after %v", has, mark)
			}
		}
		if mark = has; err == nil {
			return failures
		}
		failures++
		t.Log(err)
		if failures > 100 {
			t.Fatal(err)
		}
	}
}

func TestPostsCloudEvents(t *testing.T) {
	faults := []fault{busy, cutBefore, cutAfter, takes, cutAnswer, silent, refuses, takes, cutAfter, busy}
	r := newReceiver(t, faults...)
	h := &HTTP{URL: r.URL + "/events", Source: testSource, Header: http.Header{"Authorization": {"Bearer x"}}}
	if err := h.Check(); err != nil {
		t.Fatal(err)
	}
	s := badStory()
	// An answer of success that is cut counts; net/http sends again by itself what a connection
	// that was used before did not take.
	if n := r.sendAll(t, h, s.Timeline); n < 5 || n > 8 {
		t.Errorf("%d attempts failed", n)
	}
	var want, got []string
	for _, e := range s.after(nil) {
		for _, c := range s.CloudEvents(testSource, e) {
			want = append(want, c.Source+" "+c.ID)
		}
	}
	twice := 0
	for i, body := range r.bodies {
		var c CloudEvent
		if err := json.Unmarshal(body, &c); err != nil || c.SpecVersion != "1.0" {
			t.Fatalf("%s: %v", body, err)
		}
		if h := r.heads[i]; h.Get("Content-Type") != "application/cloudevents+json; charset=utf-8" || h.Get("Authorization") != "Bearer x" {
			t.Errorf("%s has %v", c.ID, h)
		}
		if id := c.Source + " " + c.ID; !slices.Contains(got, id) {
			got = append(got, id)
		} else {
			twice++
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("what came, without what came twice:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if twice < 2 {
		t.Errorf("%d events came twice; two answers were lost", twice)
	}
}

func TestPostsSpans(t *testing.T) {
	r := newReceiver(t, busy, cutBefore, cutAfter, refuses, silent)
	o, err := NewOTLP(t.Context(), OTLPOptions{URL: r.URL, Source: testSource, Header: map[string]string{"x-key": "y"}, Version: "0.6.0"})
	if err != nil {
		t.Fatal(err)
	}
	s := badStory()
	if n := r.sendAll(t, o, s.Timeline); n != 5 {
		t.Errorf("%d attempts failed", n)
	}
	if err := o.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if len(r.bodies) != 2 || r.heads[0].Get("X-Key") != "y" {
		t.Fatalf("%d requests were taken; an answer was lost", len(r.bodies))
	}
	first, second := decoded(t, r.bodies[0]), decoded(t, r.bodies[1])
	if !bytes.Equal(first, second) {
		t.Errorf("what is sent again differs:\n%s\n%s", first, second)
	}
	golden(t, "testdata/spans.json", second)
}

// decoded is a request as JSON, its spans and attributes in the order in which they came. The
// type is known by its name, as the exporter brings it.
func decoded(t *testing.T, body []byte) []byte {
	t.Helper()
	m := message(t, "opentelemetry.proto.collector.trace.v1.ExportTraceServiceRequest")
	if err := proto.Unmarshal(body, m); err != nil {
		t.Fatal(err)
	}
	text, err := protojson.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer // protojson's white space is random on purpose
	if err := json.Indent(&out, text, "", "  "); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func message(t *testing.T, name protoreflect.FullName) proto.Message {
	t.Helper()
	kind, err := protoregistry.GlobalTypes.FindMessageByName(name)
	if err != nil {
		t.Fatal(err)
	}
	return kind.New().Interface()
}

// TestPartialSuccess: what a collector has answered with success is not sent again, though it
// says that it did not take all.
func TestPartialSuccess(t *testing.T) {
	r := newReceiver(t)
	m := message(t, "opentelemetry.proto.collector.trace.v1.ExportTraceServiceResponse")
	if err := protojson.Unmarshal([]byte(`{"partialSuccess": {"rejectedSpans": "1", "errorMessage": "too old"}}`), m); err != nil {
		t.Fatal(err)
	}
	var err error
	if r.answer, err = proto.Marshal(m); err != nil {
		t.Fatal(err)
	}
	o, err := NewOTLP(t.Context(), OTLPOptions{URL: r.URL, Source: testSource})
	if err != nil {
		t.Fatal(err)
	}
	s := goodStory()
	if n := r.sendAll(t, o, s.Timeline); n != 0 || len(r.bodies) != 1 {
		t.Errorf("%d attempts failed, %d were taken", n, len(r.bodies))
	}
	if err := o.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestManySpans: a deployment over many nodes goes in several requests, and while no span is
// complete nothing is sent.
func TestManySpans(t *testing.T) {
	r := newReceiver(t)
	o, err := NewOTLP(t.Context(), OTLPOptions{URL: r.URL, Source: testSource})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := o.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}()
	s := newStory("shop.prod.1")
	s.tell("deployment.begun", "")
	for range 5 {
		s.begin("wave " + time.Duration(len(s.Events)).String())
		if has, n, err := o.Send(t.Context(), s.Timeline, s.mark()); err != nil || n != 0 || len(has) == 0 {
			t.Fatalf("%v, %d, %v", has, n, err)
		}
		for range 600 {
			s.node("n")
		}
		s.now = s.now.Add(time.Hour)
		s.pass()
	}
	has, n, err := o.Send(t.Context(), s.Timeline, nil)
	if err != nil || n != len(s.Events) || has["n"] != 9000 || len(r.bodies) != 5 {
		t.Errorf("%v, %d events of %d in %d requests, %v", has, n, len(s.Events), len(r.bodies), err)
	}
}

// TestTimeout: a request to a receiver that does not answer ends.
func TestTimeout(t *testing.T) {
	r := newReceiver(t, silent, silent)
	o, err := NewOTLP(t.Context(), OTLPOptions{URL: r.URL, Source: testSource, Timeout: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []Sink{o, &HTTP{URL: r.URL, Source: testSource, Timeout: time.Millisecond}} {
		if has, n, err := s.Send(t.Context(), goodStory().Timeline, nil); !errors.Is(err, context.DeadlineExceeded) || n != 0 || len(has) != 0 {
			t.Errorf("%s: %v, %d, %v", s.Name(), has, n, err)
		}
	}
	if err := o.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestWrongAddresses(t *testing.T) {
	for _, test := range []struct{ url, source, want string }{
		{"localhost:4318", testSource, `"localhost:4318" is no address to send events to: expected a URL such as http://HOST:PORT/path`},
		{"", testSource, "is no address"},
		{"ftp://x", testSource, "is no address"},
		{"http://x", "", "is no source of events"},
		{"http://x", "http://%", "is no source of events"},
	} {
		_, err := NewOTLP(t.Context(), OTLPOptions{URL: test.url, Source: test.source})
		for _, err := range []error{err, (&HTTP{URL: test.url, Source: test.source}).Check()} {
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%q, %q: %v; want %s", test.url, test.source, err, test.want)
			}
		}
	}
}
