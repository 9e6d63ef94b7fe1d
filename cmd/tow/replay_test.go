package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"towpath.dev/internal/lang/compile"
	"towpath.dev/internal/run/engine"
	"towpath.dev/internal/run/record"
)

const replayedShop = `view half(n: Int) -> Int {
  n / 2
}

view none(n: Int) -> Int { n / 0 }
`

// recordShop makes a project with records of requests to it, as "tow dev" leaves
// them behind, and goes there. Every fifth was recorded on an artifact that is not
// kept.
func recordShop(t *testing.T, requests int) {
	t.Helper()
	dir := t.TempDir()
	t.Chdir(dir)
	res, err := compile.Build(fstest.MapFS{"shop.tow": {Data: []byte(replayedShop)}}, compile.Options{Name: "shop"})
	if err != nil || res.Diags.HasErrors() {
		t.Fatal(err, res.Diags.All)
	}
	sum := sha256.Sum256(res.Artifact)
	for name, text := range map[string]string{
		"tow.toml": `name = "shop"`, "shop.tow": replayedShop, ".tow/artifacts/" + hex.EncodeToString(sum[:]) + ".wasm": string(res.Artifact),
		// Odd numbers are rounded the other way.
		"next/tow.toml": `name = "shop"`, "next/shop.tow": "view half(n: Int) -> Int { (n + 1) / 2 }\nview none(n: Int) -> Int { n / 0 }\n",
	} {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	p, err := engine.Load(t.Context(), res.Artifact, engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close(context.Background())
	ring, err := record.Open(filepath.Join(".tow", "records"), record.Options{})
	if err != nil {
		t.Fatal(err)
	}
	redactor := record.NewRedactor(p.Manifest(), ring.Key())
	for i := range requests {
		name := "half"
		if i%10 == 9 {
			name = "none"
		}
		v, err := p.View(name)
		if err != nil {
			t.Fatal(err)
		}
		e := &record.Entry{ID: fmt.Sprint("r", i), Program: "shop", Begin: time.Unix(1_769_851_800+int64(i), 0).UTC()}
		_, err = v.Do(t.Context(), nil, engine.Request{Input: fmt.Appendf(nil, `{"n":%d}`, i), Record: &e.Record})
		if i%5 == 4 {
			e.Record.Artifact = strings.Repeat("0", 64)
		}
		redactor.Redact(e, err)
		ring.Put(e)
	}
	if err := ring.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestReplayFromRecords(t *testing.T) {
	recordShop(t, 40)
	for _, c := range []struct {
		line string
		code int
		want string // in the output, or in the errors
	}{
		{"replay r7", exitFine, "the same: 3\n"},
		{"replay r19 --against .", exitFine, "the same: shop.tow:5:28: division by zero\n"},
		{"replay r7 --against next", exitWrong, "it differs\n  $: 3 → 4\n"},
		{"replay r8 --against next", exitFine, "the same: 4\n"},
		{"replay r", exitUsage, "the IDs of 40 requests begin with \"r\"; write more of the one. The newest are\n\n  r39  shop.none, "},
		{"replay r4", exitUsage, "its artifact 000000000000… is not kept"},
		{"replay r4 --against next", exitFine, "the same: 2\n"},
		{"replay r77", exitUsage, "no request \"r77\" is among the 40 recorded in"},
		{"replay r77", exitUsage, " days ago\n  r38  shop.half, "},
		{"replay --all", exitFine, "32 requests, 0 differ\n8 not compared: its artifact 000000000000"},
		{"replay --all --view none", exitUsage, "0 requests, 0 differ\n4 not compared"},
		{"replay --all --against .", exitFine, "40 requests, 0 differ\n"},
		{"replay --all --against next --limit 3", exitWrong, "r37  shop.half\n  $: 18 → 19\n3 requests, 1 differ\n"},
		{"replay --all --against next --since 2026-01-31T09:30:38Z", exitFine, "2 requests, 0 differ\n"},
		{"replay --all --against next --view shop.half --json", exitWrong, "\"requests\": 36,\n  \"differ\": 16,"},
		{"replay --all --records nowhere", exitUsage, "there are no records in nowhere"},
	} {
		var out, errs bytes.Buffer
		code := run(strings.Fields(c.line), &ui{in: strings.NewReader(""), out: &out, err: &errs})
		if code != c.code || !strings.Contains(out.String()+errs.String(), c.want) {
			t.Errorf("tow %s: exit code %d, want %d and %q; it said\n%s%s", c.line, code, c.code, c.want, &out, &errs)
		}
	}
	var out bytes.Buffer
	run([]string{"replay", "--json", "r7", "--against", "next"}, &ui{out: &out, err: &out})
	var said replayed
	if err := json.Unmarshal(out.Bytes(), &said); err != nil || said.ID != "r7" || said.Same || len(said.Differences) != 1 || string(said.After.Output) != "4" {
		t.Errorf("as JSON it says %s, %v", &out, err)
	}
	out.Reset()
	run([]string{"__complete", "replay", ""}, &ui{out: &out, err: &out})
	if !strings.Contains(out.String(), "r39\tshop.none, fault\nr38\tshop.half, answered\n") {
		t.Errorf("completions: %s", &out)
	}
}

// TestReplayBesideAWriter: records are read while another process writes them.
func TestReplayBesideAWriter(t *testing.T) {
	recordShop(t, 3)
	ring, err := record.Open(filepath.Join(".tow", "records"), record.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer ring.Close(context.Background())
	var out bytes.Buffer
	if code := run([]string{"replay", "r2"}, &ui{out: &out, err: &out}); code != exitFine {
		t.Errorf("exit code %d: %s", code, &out)
	}
}

func TestThousands(t *testing.T) {
	for n, want := range map[int]string{0: "0", 999: "999", 3000: "3,000", 1234567: "1,234,567"} {
		if got := thousands(n); got != want {
			t.Errorf("%d is %s, want %s", n, got, want)
		}
	}
}
