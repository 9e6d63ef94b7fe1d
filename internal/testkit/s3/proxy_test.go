package s3

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestBreaks looks at what a client and a server see of each break.
func TestBreaks(t *testing.T) {
	var arrived atomic.Int32 // requests that arrived whole
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if body, err := io.ReadAll(r.Body); err == nil && string(body) == "question" && r.Host == "signed.example" {
			arrived.Add(1)
		}
		_, _ = io.WriteString(w, "answer")
	}))
	defer server.Close()
	proxy := NewProxy(t, server.Listener.Addr().String(), nil)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for _, test := range []struct {
		what    Break
		arrives int32
		status  int // 0 is that there is none
		answer  string
	}{
		{Nothing, 1, 200, "answer"},
		{Internal, 0, 500, "InternalError"},
		{SlowDown, 0, 503, "SlowDown"},
		{Conflict, 0, 409, "ConditionalRequestConflict"},
		{CutBefore, 0, 0, ""},
		{CutRequest, 0, 0, ""},
		{CutAfter, 1, 0, ""},
		{CutAnswer, 1, 200, "ans"},
		{Slow, 1, 200, "answer"},
	} {
		arrived.Store(0)
		proxy.SetPlan(Script(test.what))
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPut, "http://"+proxy.Address, strings.NewReader("question"))
		if err != nil {
			t.Fatal(err)
		}
		request.Host = "signed.example"
		response, err := client.Do(request)
		status, answer := 0, ""
		if err == nil {
			text, _ := io.ReadAll(response.Body)
			_ = response.Body.Close()
			status, answer = response.StatusCode, string(text)
		}
		if status != test.status || !strings.Contains(answer, test.answer) || test.what == CutAnswer && answer != "ans" {
			t.Errorf("%d: %d %q, %v", test.what, status, answer, err)
		}
		if arrived.Load() != test.arrives {
			t.Errorf("%d: %d requests have arrived", test.what, arrived.Load())
		}
		if proxy.Broken(test.what) != 1 {
			t.Errorf("%d: happened %d times", test.what, proxy.Broken(test.what))
		}
	}
}

func TestSilent(t *testing.T) {
	arrived := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { close(arrived) }))
	defer server.Close()
	proxy := NewProxy(t, server.Listener.Addr().String(), Script(Silent))
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-arrived
		cancel()
	}()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+proxy.Address, nil)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	if response, err := client.Do(request); err == nil {
		_ = response.Body.Close()
		t.Error("it was answered")
	}
}
