//go:build !solo && unix

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"towpath.dev/internal/control/fleet"
	"towpath.dev/internal/control/release"
)

// upgradeWaves are waves that a test can wait for.
const upgradeWaves = `onebox = false
[[wave]]
share = 0.3
bake = "1s"
[[wave]]
share = 1
bake = "1s"
`

// upgradeWorld is a control node and responders that can be upgraded, which are started again when
// they end.
type upgradeWorld struct {
	*fleetWorld
	installed string // the executable
	ending    context.CancelFunc
	watching  sync.WaitGroup
}

func openUpgradeWorld(t *testing.T) *upgradeWorld {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), fleetPatience)
	t.Cleanup(cancel)
	w := &upgradeWorld{fleetWorld: &fleetWorld{t: t, ctx: ctx, dir: t.TempDir()}}
	running, ending := context.WithCancel(ctx)
	w.ending = ending
	t.Cleanup(func() {
		ending()
		for _, m := range w.machines {
			m.kill()
		}
		w.watching.Wait()
		for _, m := range w.machines {
			m.kill() // it may have been starting again
			if t.Failed() {
				t.Logf("%s:\n%s", m.name, m.said(4000))
			}
		}
	})
	w.profiles = []string{w.path("control.toml")}
	url := "https://127.0.0.1:" + w.port()
	_, err := w.tow(0, "init", "--dir", w.path("control"), "--url", url)
	w.must(err)
	w.run(&machine{name: "control", program: "tow", args: []string{
		"serve", "--role", "control", "--data", w.path("control"), "--control-listen", strings.TrimPrefix(url, "https://"), "--control-tls",
	}})
	w.wait("the control node to answer", func() bool {
		_, err := w.tow(0, "whoami")
		return err == nil
	})
	w.installed = w.copyOf("installed", "")
	for i := range 3 {
		token, err := w.tow(0, "join-token", "create", "--role", "responder", "--env", fleetEnv)
		w.must(err)
		name, at := fmt.Sprintf("node-%d", i+1), "127.0.0.1:"+w.port()
		m := w.run(&machine{name: name, program: w.installed, args: []string{
			"serve", "--role", "responder", "--upgradable", "--data", w.path(name), "--node", name,
			"--listen", at, "--join", url, "--join-token", strings.TrimSpace(token), "--grace", "200ms",
		}})
		w.nodes = append(w.nodes, &fleetMachine{machine: m, url: "http://" + at})
		w.watching.Go(func() { w.lookAfter(running, m) })
	}
	return w
}

// copyOf is another tow: this one, with something behind its end.
func (w *upgradeWorld) copyOf(name, more string) string {
	w.t.Helper()
	own, err := os.Executable()
	w.must(err)
	text, err := os.ReadFile(own)
	w.must(err)
	w.must(os.Mkdir(w.path(name), 0o700))
	file := filepath.Join(w.path(name), "tow")
	w.must(os.WriteFile(file, append(text, more...), 0o700))
	return file
}

// lookAfter starts a machine's process again whenever it ends, as systemd would.
func (w *upgradeWorld) lookAfter(ctx context.Context, m *machine) {
	for {
		m.mu.Lock()
		ended := m.ended
		m.mu.Unlock()
		select {
		case <-ctx.Done():
			return
		case <-ended:
		}
		if ctx.Err() != nil || m.start() != nil {
			return
		}
	}
}

// statuses are what nodes say of themselves.
func (w *upgradeWorld) statuses() map[string]*fleet.Status {
	w.t.Helper()
	text, err := w.tow(0, "fleet", "status", "--env", fleetEnv, "--json")
	w.must(err)
	var v fleetView
	w.must(json.Unmarshal([]byte(text), &v))
	all := map[string]*fleet.Status{}
	for _, c := range v.Cells {
		for _, n := range c.Nodes {
			if n.Attached {
				all[n.Name] = n.Status
			}
		}
	}
	return all
}

// asking asks all nodes until the function that it gives is called, which gives the answers that were
// none and how many were well. That a connection cannot be made, or is closed before
// there is an answer, is what a node that goes does.
func (w *upgradeWorld) asking() (end func() (well int, lost []string)) {
	ctx, cancel := context.WithCancel(w.ctx)
	var mu sync.Mutex
	var asking sync.WaitGroup
	well, lost := 0, []string{}
	client := &http.Client{Timeout: time.Minute, Transport: &http.Transport{MaxIdleConnsPerHost: 4}}
	for _, n := range w.nodes {
		asking.Go(func() {
			tick := time.NewTicker(10 * time.Millisecond)
			defer tick.Stop()
			for {
				select {
				case <-ctx.Done():
					return
				case <-tick.C:
				}
				r, err := client.Post(n.url+"/v1/shop/double", "application/json", strings.NewReader(`{"n": 21}`))
				if err != nil {
					continue // no connection
				}
				text, err := io.ReadAll(r.Body)
				_ = r.Body.Close()
				mu.Lock()
				if err != nil || r.StatusCode != http.StatusOK || strings.TrimSpace(string(text)) != "42" {
					lost = append(lost, fmt.Sprintf("%s: %s %s (%v)", n.name, r.Status, text, err))
				} else {
					well++
				}
				mu.Unlock()
			}
		})
	}
	return func() (int, []string) {
		cancel()
		asking.Wait()
		client.CloseIdleConnections()
		return well, lost
	}
}

// TestFleetUpgrade: three nodes become another tow under traffic, as the same processes and without
// losing an answer; one that ends at once is left by its node itself, and reaches no other. What succeeded is taken back.
func TestFleetUpgrade(t *testing.T) {
	if testing.Short() {
		t.Skip("nodes take their time to start, and to be upgraded")
	}
	t.Parallel() // most of the time it waits
	w := openUpgradeWorld(t)
	w.write(w.path("shop/tow.toml"), "name = \"shop\"\n")
	w.write(w.path("shop/shop.tow"), "view double(n: Int) -> Int {\n  n + n\n}\n")
	w.write(w.path("shop/env/prod.toml"), "")
	w.write(w.path("shop/deploy.toml"), "onebox = false\n[[wave]]\nbake = \"0s\"\n")
	w.write(w.path("waves.toml"), upgradeWaves)
	w.wait("all nodes to be attached", func() bool { return len(w.statuses()) == len(w.nodes) })
	_, err := w.tow(0, "deploy", w.path("shop"), "--to", fleetEnv)
	w.must(err)

	end := w.asking()
	newer := w.copyOf("newer", "newer")
	upgrade := []string{"fleet", "upgrade", "--env", fleetEnv, "--pipeline", w.path("waves.toml")}
	said, err := w.tow(0, append(upgrade, "--dry-run", newer)...)
	if err != nil || !strings.Contains(said, "prod: 3 nodes become 0.1.0") || strings.Count(said, "is upgraded") != 3 {
		t.Errorf("of what it would do it says (%v):\n%s", err, said)
	}
	pids := w.pids()
	before := w.statuses()
	said, err = w.tow(0, append(upgrade, newer)...)
	if err != nil || !strings.Contains(said, "succeeded tow.prod.1") {
		t.Fatalf("the upgrade (%v):\n%s", err, said)
	}
	well, lost := end()
	if len(lost) > 0 || well == 0 {
		t.Errorf("%d answers, and these are none: %q", well, lost)
	}
	digest := w.releaseOf(newer)
	upgraded := w.statuses()
	for name, s := range upgraded {
		if s.Programs[release.Tow].Main != digest || s.Incarnation == before[name].Incarnation || s.Programs["shop"].Main != before[name].Programs["shop"].Main {
			t.Errorf("%s runs %+v; expected the tow %s", name, s, digest.Short())
		}
	}
	if now := w.pids(); !slices.Equal(now, pids) {
		t.Errorf("the processes are %v; expected those that were: %v", now, pids)
	}
	t.Logf("%d answers while three nodes were upgraded, %d lost", well, len(lost))
	if said, err = w.tow(0, append(upgrade, newer)...); err != nil || !strings.Contains(said, "Nothing changes") {
		t.Errorf("to upgrade to what runs (%v):\n%s", err, said)
	}

	w.badUpgrade(upgrade, upgraded)
	w.undoesUpgrade()
}

// undoesUpgrade takes the first upgrade back, which has succeeded: nodes go on as the tow that is installed.
func (w *upgradeWorld) undoesUpgrade() {
	t := w.t
	t.Helper()
	said, err := w.tow(0, "deploy", "rollback", "tow.prod.1", "--why", "it is slow")
	if err != nil || said != "tow.prod.3 takes tow.prod.1 back\n" {
		t.Fatalf("to take it back (%v):\n%s", err, said)
	}
	w.wait("all nodes to be the tow that is installed", func() bool {
		for _, s := range w.statuses() {
			if r := s.Programs[release.Tow]; r.Main != "" || r.Deployment != "tow.prod.3" {
				return false
			}
		}
		said, err = w.tow(0, "deploy", "status", "tow.prod.3")
		return err == nil && strings.Contains(said, "succeeded: takes back tow.prod.1: it is slow")
	})
	if !strings.Contains(said, "tow.prod.1 back to the tow that is installed") {
		t.Errorf("its status is:\n%s", said)
	}
}

// badUpgrade upgrades to a tow that says that it is one, and ends when it is to serve.
func (w *upgradeWorld) badUpgrade(upgrade []string, before map[string]*fleet.Status) {
	t := w.t
	t.Helper()
	about := thisTow()
	about.Version = "tow 0.0.9 (of a test)"
	text, err := json.Marshal(about)
	w.must(err)
	bad := w.path("bad")
	w.must(os.WriteFile(bad, fmt.Appendf(nil, "#!/bin/sh\n[ \"$1\" = version ] || exit 3\necho '%s'\n", text), 0o700))
	if said, err := w.tow(0, append(upgrade, bad)...); err == nil || !strings.Contains(err.Error(), "the new tow is 0.0.9, and these nodes run a later one: node-1 (0.1.0), node-2 (0.1.0), node-3 (0.1.0); say --downgrade") {
		t.Errorf("to go to an earlier version (%v):\n%s", err, said)
	}
	_, err = w.tow(0, append(upgrade, "--downgrade", bad)...)
	if err == nil || !strings.Contains(err.Error(), "returned tow.prod.2 (the new tow): nodes died while they ran it") {
		t.Fatalf("the upgrade to a tow that ends at once: %v", err)
	}
	digest := before["node-1"].Programs[release.Tow].Main
	anew := 0
	w.wait("all nodes to be attached", func() bool { return len(w.statuses()) == len(w.nodes) })
	for name, s := range w.statuses() {
		if got := s.Programs[release.Tow].Main; got != digest {
			t.Errorf("%s runs the tow %s; expected %s", name, got.Short(), digest.Short())
		}
		if s.Incarnation != before[name].Incarnation {
			anew++
		}
	}
	if anew != 1 {
		t.Errorf("%d nodes have started anew; expected the one of the first wave alone", anew)
	}
}

// pids are the numbers of the nodes' processes.
func (w *upgradeWorld) pids() (all []int) {
	for _, n := range w.nodes {
		n.mu.Lock()
		all = append(all, n.cmd.Process.Pid)
		n.mu.Unlock()
	}
	return all
}

// releaseOf is the release of a tow that says the same of itself as this one.
func (w *upgradeWorld) releaseOf(file string) release.Digest {
	w.t.Helper()
	part, err := release.PartOfFile(file)
	w.must(err)
	about := thisTow()
	r, err := release.NewTow(fleetEnv, about.Version, about.Platform, release.Range(about.ABI), part)
	w.must(err)
	d, err := r.Digest()
	w.must(err)
	return d
}
