//go:build !solo && unix

package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
)

// toldWorld is a receiver of events and a collector of spans, which fail now and then.
type toldWorld struct {
	*httptest.Server
	w *fleetWorld

	mu       sync.Mutex
	asked    int
	finished map[string]bool // deployments, by what events say
	spans    [][]byte        // requests, as they came
}

func (w *fleetWorld) newTold() *toldWorld {
	told := &toldWorld{w: w, finished: map[string]bool{}}
	told.Server = httptest.NewServer(http.HandlerFunc(told.take))
	w.t.Cleanup(told.Close)
	return told
}

func (d *toldWorld) take(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err == nil && r.Header.Get("Content-Encoding") == "gzip" {
		var unzip *gzip.Reader
		if unzip, err = gzip.NewReader(bytes.NewReader(body)); err == nil {
			body, err = io.ReadAll(unzip)
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.asked++; err != nil || d.asked%5 == 1 { // it is down
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	if r.URL.Path == "/v1/traces" {
		d.spans = append(d.spans, body)
		return
	}
	var e struct{ Type, Subject string }
	if err := json.Unmarshal(body, &e); err != nil {
		d.w.t.Errorf("an event that is none: %v", err)
	}
	if strings.HasPrefix(e.Type, "dev.cdevents.pipelinerun.finished.") {
		d.finished[e.Subject] = true
	}
}

// check waits until a deployment's end was told, as an event and in a span.
func (d *toldWorld) check(id string) {
	d.w.t.Helper()
	d.w.wait("the end of "+id+" to be told", func() bool {
		d.mu.Lock()
		defer d.mu.Unlock()
		for _, request := range d.spans {
			if bytes.Contains(request, []byte(id)) {
				return d.finished[id]
			}
		}
		return false
	})
}
