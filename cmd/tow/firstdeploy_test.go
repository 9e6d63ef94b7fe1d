//go:build !solo && unix

package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"towpath.dev/internal/ports"
)

// TestFirstDeployment runs what docs/deployments.md begins with, word for word but for the ports,
// in an empty folder.
func TestFirstDeployment(t *testing.T) {
	if testing.Short() {
		t.Skip("a control plane and a node take their time to start")
	}
	t.Parallel()
	text, err := os.ReadFile("../../docs/deployments.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, found := bytes.Cut(text, []byte("\n## On one machine\n"))
	text, _, ended := bytes.Cut(text, []byte("\n## "))
	if !found || !ended {
		t.Fatal("docs/deployments.md has no section \"On one machine\"")
	}
	var lines []string
	for line := range strings.Lines(string(text)) {
		if command, ok := strings.CutPrefix(line, "    "); ok {
			lines = append(lines, command)
		}
	}
	if len(lines) != 4 {
		t.Fatalf("there are %d lines to be run: expected a control node, a node, a deployment and a call", len(lines))
	}
	free, err := ports.Free(2)
	if err != nil {
		t.Fatal(err)
	}
	elsewhere := strings.NewReplacer( // where the defaults may be somebody else's
		"tow init", "tow init --url http://"+free[0], "--role control", "--role control --control-listen "+free[0],
		defaultControl, free[0], "--role responder", "--role responder --listen "+free[1], "tow call", "tow call --at http://"+free[1],
	)
	ctx, cancel := context.WithTimeout(t.Context(), runbookPatience)
	t.Cleanup(cancel)
	b := &runbook{t: t, ctx: ctx, dir: t.TempDir(), servers: map[string]*exec.Cmd{}, said: map[string]string{}}
	b.env = map[string]string{"HOME": filepath.Join(b.dir, "home"), "XDG_CONFIG_HOME": "", "XDG_DATA_HOME": "", "TOW_PROFILE": "", "GORACE": "atexit_sleep_ms=0"}
	t.Cleanup(b.stopAll)
	for i, wants := range []string{`(?m)^Control API on https://`, `(?m)^Node .* of dev, cell main$`, `onebox bakes until`} {
		c, out := b.command("", elsewhere.Replace(lines[i])), &said{}
		c.Stdout, c.Stderr = out, out
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		b.servers[fmt.Sprint("terminal ", i+1)] = c
		await(ctx, t, out, wants)
		if i == 2 {
			await(ctx, t, out, `(?m)^The first release of shop in dev: there is nothing to compare it with\. It serves as soon as a stage reaches a node, and its stages bake for 45m0s\.$`)
		}
	}
	out, err := b.command("", elsewhere.Replace(lines[3])).CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte(`"amount"`)) {
		t.Errorf("%s%v\n%s", lines[3], err, out)
	}
	out, err = b.command("", "tow deploy status shop.dev.1").CombinedOutput()
	if err != nil || !regexp.MustCompile(`(?m)^    nothing to compare it with: nothing of shop ran in dev before$`).Match(out) || bytes.Contains(out, []byte("0 requests")) {
		t.Errorf("%v\n%s", err, out)
	}
}

// await waits until a command has said what is wanted.
func await(ctx context.Context, t *testing.T, out *said, wants string) {
	t.Helper()
	want := regexp.MustCompile(wants)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !want.MatchString(out.String()) {
		select {
		case <-ctx.Done():
			t.Fatalf("it never says %s:\n%s", wants, out)
		case <-tick.C:
		}
	}
}
