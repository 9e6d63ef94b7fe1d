//go:build linux

package rollout

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"towpath.dev/internal/control/deploy/deploytest"
	"towpath.dev/internal/control/fleet"
)

// hub has the counters that nodes hand over, for controllers, and for the judge.
type hub struct {
	server *http.Server

	mu    sync.Mutex
	away  float64 // how often it fails
	nodes map[string]map[string]heard
	all   map[string]*deploytest.Served // by environment
}

// heard is what a node handed over last.
type heard struct {
	*fleet.Counters
	at time.Time
}

// listen begins to serve.
func listen(address string) (*hub, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	h := &hub{nodes: map[string]map[string]heard{}, all: map[string]*deploytest.Served{}}
	h.server = &http.Server{Handler: h, ReadHeaderTimeout: time.Second}
	go func() { // until it is closed
		if err := h.server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			fmt.Println("the hub:", err)
		}
	}()
	return h, nil
}

func (h *hub) close() { _ = h.server.Close() }

// fail has requests fail at a rate from 0 to 1.
func (h *hub) fail(rate float64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.away = rate
}

// fresh is how old counters may be, of a node that is there.
const fresh = 3 * time.Second

func (h *hub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	environment := r.URL.Query().Get("environment")
	c := new(fleet.Counters)
	if r.Method == http.MethodPost {
		if err := json.NewDecoder(r.Body).Decode(c); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.away > 0 && rand.Float64() < h.away {
		http.Error(w, "the hub is away", http.StatusServiceUnavailable)
		return
	}
	if r.Method == http.MethodPost {
		h.served(environment).Add(c)
		h.nodes[environment][c.Node] = heard{c, time.Now()}
		return
	}
	all := []*fleet.Counters{}
	for _, c := range h.nodes[environment] {
		if time.Since(c.at) < fresh {
			all = append(all, c.Counters)
		}
	}
	_ = json.NewEncoder(w).Encode(all) // who asked is gone
}

// served is what an environment's nodes have served; the caller holds mu.
func (h *hub) served(environment string) *deploytest.Served {
	if h.all[environment] == nil {
		h.all[environment], h.nodes[environment] = &deploytest.Served{}, map[string]heard{}
	}
	return h.all[environment]
}

// seen is what an environment's nodes have served.
func (h *hub) seen(environment string) *deploytest.Served {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.served(environment)
}

// placed is what a node's process serves, by what it handed over last.
func (h *hub) placed(environment, node, incarnation string) (p deploytest.Placed, known bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	c, ok := h.nodes[environment][node]
	if !ok || c.Incarnation != incarnation {
		return p, false
	}
	for _, n := range c.Programs[program] {
		if n.Beside {
			p.Beside = n.Release
		} else {
			p.Main = n.Release
		}
	}
	return p, true
}

// hubClient is the hub's address, as others use it.
type hubClient string

func (h hubClient) ask(ctx context.Context, method, environment string, body []byte) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, method, string(h)+"?environment="+url.QueryEscape(environment), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	answer, err := http.DefaultClient.Do(r)
	if err == nil && answer.StatusCode != http.StatusOK {
		_ = answer.Body.Close()
		err = fmt.Errorf("the hub answers %s", answer.Status)
	}
	return answer, err
}

func (h hubClient) count(ctx context.Context, environment string, c *fleet.Counters) error {
	body, err := json.Marshal(c)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	answer, err := h.ask(ctx, http.MethodPost, environment, body)
	if err != nil {
		return err
	}
	return answer.Body.Close()
}

// Counters are what nodes handed over last.
func (h hubClient) Counters(ctx context.Context, environment, _ string) ([]*fleet.Counters, error) {
	answer, err := h.ask(ctx, http.MethodGet, environment, nil)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	var all []*fleet.Counters
	err = json.NewDecoder(answer.Body).Decode(&all)
	return all, err
}
