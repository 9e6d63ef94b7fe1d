//go:build !solo && unix

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"towpath.dev/api/towpathv1"
	"towpath.dev/client"
)

// A machine runs one process, which is this test binary as tow, or a service.
type machine struct {
	name, program string
	args, env     []string
	log           string // a file

	mu    sync.Mutex
	cmd   *exec.Cmd
	ended chan struct{}
}

// start starts the process, again if it ran before.
func (m *machine) start() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	out, err := os.OpenFile(m.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer out.Close()
	cmd := exec.Command(m.program, m.args...)
	cmd.Env = append(os.Environ(), m.env...)
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait() // it is killed, mostly
		close(ended)
	}()
	m.cmd, m.ended = cmd, ended
	return nil
}

// signal sends the process a signal. Nothing happens to one that has ended.
func (m *machine) signal(s os.Signal) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.cmd != nil {
		_ = m.cmd.Process.Signal(s)
	}
}

// kill ends the process at once, as a lack of memory or of power would.
func (m *machine) kill() {
	m.signal(syscall.SIGKILL)
	m.mu.Lock()
	ended := m.ended
	m.mu.Unlock()
	if ended != nil {
		<-ended
	}
}

// said is the end of what the process has printed.
func (m *machine) said(most int) []byte {
	text, _ := os.ReadFile(m.log)
	return text[max(0, len(text)-most):]
}

// fleetPatience bounds TestFleet: it takes a minute and a half on a machine with nothing
// else to do.
const fleetPatience = 8 * time.Minute

// fleetWorld is control nodes, responders and the services that they call.
type fleetWorld struct {
	t        *testing.T
	ctx      context.Context
	dir      string
	machines []*machine // all of them
	control  []*machine
	profiles []string // of the control nodes
	urls     []string // and where they are
	apis     []*client.Control
	prices   string // where prices elsewhere are
	nodes    []*fleetMachine
	told     *toldWorld
	still    [2]time.Time // from when to when etcd's leader stood still
}

// fleetMachine is a responder.
type fleetMachine struct {
	*machine
	cell string
	url  string
	disturbance
}

const (
	controlNodes = 3
	fleetApp     = "../../apps/featured-offer"
	fleetEnv     = "prod"
)

// fleetCells are the responders' cells.
var fleetCells = []string{"eu-1", "eu-1", "eu-1", "eu-2", "eu-2"}

func openFleetWorld(t *testing.T) *fleetWorld {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), fleetPatience)
	t.Cleanup(cancel)
	w := &fleetWorld{t: t, ctx: ctx, dir: t.TempDir()}
	t.Cleanup(func() {
		for _, m := range w.machines {
			m.kill()
			if t.Failed() {
				t.Logf("%s:\n%s", m.name, m.said(3000))
			}
		}
	})
	w.services()
	w.told = w.newTold()
	w.controlPlane()
	w.responders()
	return w
}

// must ends the test if something that it needs is not to be had.
func (w *fleetWorld) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// wait waits until a question has an answer.
func (w *fleetWorld) wait(what string, ask func() bool) {
	w.t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !ask() {
		select {
		case <-w.ctx.Done():
			w.t.Fatalf("waited in vain for %s", what)
		case <-tick.C:
		}
	}
}

func (w *fleetWorld) path(name string) string { return filepath.Join(w.dir, name) }

// run starts a machine.
func (w *fleetWorld) run(m *machine) *machine {
	w.t.Helper()
	m.log = w.path(m.name + ".log")
	m.env = append(m.env, "HOME="+w.path("home"), "XDG_CONFIG_HOME=", "XDG_DATA_HOME=", "TOW_PROFILE=", "GORACE=atexit_sleep_ms=0")
	w.machines = append(w.machines, m)
	w.must(m.start())
	return m
}

// port is one that no test of this binary has had.
func (w *fleetWorld) port() string {
	w.t.Helper()
	givenPorts.Lock()
	defer givenPorts.Unlock()
	port, err := freePort()
	for err == nil && slices.Contains(givenPorts.given, port) {
		port, err = freePort()
	}
	w.must(err)
	givenPorts.given = append(givenPorts.given, port)
	return port
}

// tow runs a command, asking the i-th control node, and gives what it printed.
func (w *fleetWorld) tow(i int, args ...string) (string, error) {
	cmd := w.command(i, args...)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("tow %s: %w\n%s%s", strings.Join(args, " "), err, out, &errs)
	}
	return string(out), err
}

func (w *fleetWorld) command(i int, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(w.ctx, "tow", args...)
	cmd.Env = append(os.Environ(), "HOME="+w.path("home"), "XDG_CONFIG_HOME=", "XDG_DATA_HOME=", "TOW_PROFILE="+w.profiles[i], "GORACE=atexit_sleep_ms=0")
	return cmd
}

// services starts what the program calls: a market in a file, and prices elsewhere.
func (w *fleetWorld) services() {
	w.t.Helper()
	build := exec.CommandContext(w.ctx, "go", "build", "-o", w.dir+string(filepath.Separator), fleetApp+"/seed", fleetApp+"/pricing")
	if out, err := build.CombinedOutput(); err != nil {
		w.t.Fatalf("%v\n%s", err, out)
	}
	seed := exec.CommandContext(w.ctx, w.path("seed"), "-o", w.path("market.db"), "-products", "300", "-merchants", "60", "-offers", "3000")
	if out, err := seed.CombinedOutput(); err != nil {
		w.t.Fatalf("%v\n%s", err, out)
	}
	port := w.port()
	w.run(&machine{name: "pricing", program: w.path("pricing"), args: []string{"-listen", "127.0.0.1:" + port, "-late", "0"}})
	w.prices = "http://127.0.0.1:" + port
}

// controlPlane starts the control nodes, which share a folder of objects.
func (w *fleetWorld) controlPlane() {
	w.t.Helper()
	var urls []string
	for i := range controlNodes {
		urls = append(urls, "https://127.0.0.1:"+w.port())
		w.profiles = append(w.profiles, w.path(fmt.Sprintf("control-%d.toml", i+1)))
	}
	if _, err := w.tow(0, "init", "--dir", w.path("control-1"), "--url", urls[0]); err != nil {
		w.t.Fatal(err)
	}
	first, err := os.ReadFile(w.profiles[0])
	w.must(err)
	w.must(os.Mkdir(w.path("objects"), 0o700))
	for i, url := range urls {
		name := fmt.Sprintf("control-%d", i+1)
		args := []string{
			"serve", "--role", "control", "--data", w.path(name), "--control-listen", strings.TrimPrefix(url, "https://"), "--control-tls",
			"--peer-listen", "127.0.0.1:" + w.port(), "--objects", w.path("objects"),
			"--deployments-events", w.told.URL + "/events", "--deployments-otlp", w.told.URL, "--deployments-source", "https://tow.test",
		}
		if i > 0 {
			token, err := w.tow(0, "join-token", "create", "--role", "control")
			w.must(err)
			args = append(args, "--node", name, "--join", urls[0], "--join-token", strings.TrimSpace(token))
			w.must(os.WriteFile(w.profiles[i], bytes.ReplaceAll(first, []byte(urls[0]), []byte(url)), 0o600))
		}
		w.control = append(w.control, w.run(&machine{name: name, program: "tow", args: args}))
		w.wait(name+" to answer", func() bool {
			_, err := w.tow(i, "whoami")
			return err == nil
		})
		p, err := readProfile(w.profiles[i])
		w.must(err)
		ca, err := os.ReadFile(p.ca)
		w.must(err)
		api, err := client.NewControl(url, client.ControlOptions{Token: p.token, CA: ca})
		w.must(err)
		w.t.Cleanup(api.Close)
		w.apis = append(w.apis, api)
	}
	w.urls = urls
}

// responders starts the nodes. Each knows all control nodes, and begins with another one.
func (w *fleetWorld) responders() {
	w.t.Helper()
	for i, cell := range fleetCells {
		token, err := w.tow(0, "join-token", "create", "--role", "responder", "--env", fleetEnv)
		w.must(err)
		name, at := fmt.Sprintf("node-%d", i+1), "127.0.0.1:"+w.port()
		k := i % controlNodes
		join := strings.Join(append(slices.Clone(w.urls[k:]), w.urls[:k]...), ",")
		m := &machine{
			name: name, program: "tow", env: []string{"MARKET_FILE=" + w.path("market.db"), "PRICES_URL=" + w.prices},
			args: []string{
				"serve", "--role", "responder", "--data", w.path(name), "--node", name, "--cell", cell, "--region", "eu",
				"--listen", at, "--join", join, "--join-token", strings.TrimSpace(token),
			},
		}
		w.nodes = append(w.nodes, &fleetMachine{machine: w.run(m), cell: cell, url: "http://" + at})
	}
	w.wait("all nodes to be attached", func() bool {
		f, err := w.fleet()
		attached := 0
		for _, n := range f.GetNodes() {
			if n.GetAttached() {
				attached++
			}
		}
		return err == nil && attached == len(fleetCells)
	})
}

// ask asks the control nodes one after the other, until one answers.
func (w *fleetWorld) ask(do func(context.Context, *client.Control) error) error {
	var all error
	for _, api := range w.apis {
		ctx, cancel := context.WithTimeout(w.ctx, 2*time.Second)
		err := do(ctx, api)
		cancel()
		if err == nil {
			return nil
		}
		all = errors.Join(all, err)
	}
	return all
}

// fleet is what the control plane knows of the nodes.
func (w *fleetWorld) fleet() (f *towpathv1.GetFleetResponse, err error) {
	err = w.ask(func(ctx context.Context, api *client.Control) error {
		f, err = api.Deploy.GetFleet(ctx, &towpathv1.GetFleetRequest{Environment: fleetEnv})
		return err
	})
	return f, err
}

// carries is the control node that carries a deployment out: the one that logged its last
// step.
func (w *fleetWorld) carries(id string) *machine {
	w.t.Helper()
	var found *machine
	last := ""
	for _, m := range w.control {
		for line := range bytes.Lines(m.said(1 << 20)) {
			at, rest, _ := strings.Cut(string(line), " ")
			if strings.Contains(rest, `msg="deployment: `) && strings.Contains(rest, " deployment="+id+" ") && at > last {
				found, last = m, at
			}
		}
	}
	if found == nil {
		w.t.Fatalf("no control node says that it carries %s out", id)
	}
	return found
}

// leads is the control node whose member of etcd leads.
func (w *fleetWorld) leads() *machine {
	w.t.Helper()
	var found *machine
	w.wait("a leader of etcd", func() bool {
		for i, api := range w.apis {
			r, err := api.Do(w.ctx, http.MethodGet, "/metrics", nil)
			if err != nil {
				continue
			}
			var text bytes.Buffer
			_, err = text.ReadFrom(r.Body)
			_ = r.Body.Close()
			if err == nil && bytes.Contains(text.Bytes(), []byte("\netcd_server_is_leader 1\n")) {
				found = w.control[i]
			}
		}
		return found != nil
	})
	return found
}
