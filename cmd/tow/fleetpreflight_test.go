//go:build !solo

package main

import (
	"strings"
	"testing"

	"towpath.dev/internal/control/fleet"
	"towpath.dev/internal/control/release"
)

// newFlight is a preflight in which nothing speaks against tow 0.2.0, which serves the ABI 1 and 2.
func newFlight(t *testing.T) *preflight {
	t.Helper()
	r, err := release.NewTow("prod", "tow 0.2.0 (go1.26.0, linux/amd64)", "linux/amd64", release.Range{Min: 1, Max: 2}, release.PartOf([]byte("tow")))
	if err != nil {
		t.Fatal(err)
	}
	d, err := r.Digest()
	if err != nil {
		t.Fatal(err)
	}
	node := func(name, version, upgrades string) *nodeView {
		return &nodeView{Name: name, Attached: true, Status: &fleet.Status{Cell: "eu-1", Version: version, ABI: 1, Upgrades: upgrades}}
	}
	p := &preflight{release: r, digest: d, nodes: []*nodeView{
		node("n1", "tow 0.1.0 (go1.26.0, linux/amd64)", "linux/amd64"), node("n2", "tow 0.2.0 (go1.26.0, linux/amd64)", "linux/amd64"),
		node("n3", "tow 0.1.0 (go1.26.0, linux/amd64)", "linux/amd64"), node("n4", "tow 0.9.0 (go1.26.0, linux/arm64)", ""),
	}, uses: []programUse{
		{program: "shop", digest: release.DigestOf([]byte("shop")), abi: 1, what: "runs"},
		{program: "shop", digest: release.DigestOf([]byte("next")), abi: 1, what: "is being deployed by shop.prod.2", moves: true},
	}}
	p.nodes[1].Status.Programs = map[string]fleet.Running{release.Tow: {Main: d}}
	p.nodes[2].Attached = false
	return p
}

// TestPreflight: what speaks against an upgrade, and is it told what to do?
func TestPreflight(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*preflight)
		down   bool
		want   string // "" is nothing
	}{
		{"nothing", func(*preflight) {}, false, ""},
		{"nodes that are not upgradable are left alone", func(p *preflight) { p.nodes[3].Status.ABI = 7 }, false, ""},
		{"nobody", func(p *preflight) { p.nodes = p.nodes[3:] }, false, `no node of prod can be upgraded: start nodes with "tow serve --role responder --upgradable"`},
		{"other machines", func(p *preflight) { p.nodes[0].Status.Upgrades = "linux/arm64" }, false, "the new tow is for linux/amd64, and these nodes are not: n1 (linux/arm64)"},
		{"an earlier version", func(p *preflight) { p.nodes[0].Status.Version = "tow 0.10.0 (go1.26.0)" }, false, "the new tow is 0.2.0, and these nodes run a later one: n1 (0.10.0); say --downgrade if that is meant"},
		{"an earlier version that is meant", func(p *preflight) { p.nodes[0].Status.Version = "tow 0.10.0 (go1.26.0)" }, true, ""},
		{"a version that says nothing", func(p *preflight) { p.nodes[0].Status.Version = "mine" }, false, ""},
		{"what runs is too old", func(p *preflight) { p.release.Executable.Serves.Min = 2; p.uses = p.uses[:1] }, false, "runs and is of the ABI 1, and the new tow serves 2 to 2: deploy it again, built by a tow that the new one serves"},
		{"what ran before is too new", func(p *preflight) { p.uses[0].abi, p.uses[0].what = 3, "ran before" }, false, "ran before and is of the ABI 3, and the new tow serves 1 to 2"},
		{"what is being deployed is too new for the others", func(p *preflight) { p.uses[1].abi = 2 }, false, "is being deployed by shop.prod.2 and is of the ABI 2, and n1, which is not upgraded yet, serves 1: wait until that deployment has ended"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newFlight(t)
			c.change(p)
			got := strings.Join(p.refusals(c.down), "\n")
			if c.want == "" && got != "" || !strings.Contains(got, c.want) {
				t.Errorf("it says %q; expected %q", got, c.want)
			}
		})
	}
}

func TestPreflightShows(t *testing.T) {
	p := newFlight(t)
	var page strings.Builder
	if err := p.show(&page, false); err != nil {
		t.Fatal(err)
	}
	want := `prod: 2 nodes become 0.2.0; 1 already; 1 not upgradable (tow 0.2.0 (go1.26.0, linux/amd64), release ` + p.digest.Short() + `)
  NODE  CELL  RUNS   ABI  THEN
  n1    eu-1  0.1.0  1    is upgraded
  n2    eu-1  0.2.0  1    stays: it runs it already
  n3    eu-1  0.1.0  1    is upgraded when it is back: it is away now
  n4    eu-1  0.9.0  1    stays: it was started without --upgradable
`
	if got := page.String(); got != want {
		t.Errorf("it shows\n%s; expected\n%s", got, want)
	}
}
