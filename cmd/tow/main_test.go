package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"io"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

var update = flag.Bool("update", false, "write the scripts' expected outputs anew")

func TestMain(m *testing.M) {
	programs := map[string]func(){"tow": main, "until": until, "ask": ask, "prices": prices}
	maps.Copy(programs, clusterPrograms)
	testscript.Main(m, programs)
}

// TestScripts runs the command line as a person would; see testdata/script.
func TestScripts(t *testing.T) {
	apps, err := filepath.Abs("../../apps")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join("testdata", "script"),
		UpdateScripts:       *update,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Cmds:                map[string]func(*testscript.TestScript, bool, []string){"port": setPort, "signal": sendSignal, "cert": makeCert},
		Setup: func(e *testscript.Env) error {
			e.Setenv("APPS", apps)
			e.Setenv("GORACE", "atexit_sleep_ms=0") // with -race, a second for each command otherwise
			return nil
		},
	})
}

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"json", "json", 0}, {"jsn", "json", 1}, {"seed", "sed", 1}, {"cover", "covre", 2}, {"", "run", 3}} {
		if got := distance(c.a, c.b); got != c.want {
			t.Errorf("distance(%q, %q) = %d, want %d", c.a, c.b, got, c.want)
		}
	}
}

// TestExitCodes tells the user's mistakes from what tow cannot do.
func TestExitCodes(t *testing.T) {
	t.Chdir(t.TempDir())
	for name, text := range map[string]string{
		"good/tow.toml": "name = \"good\"", "good/a.tow": "view v(x: Int) -> Int { 6 / x }\ntest \"t\" { expect v(1) == 6 }\n",
		"bad/tow.toml": "name = \"bad\"", "bad/a.tow": "view v() -> Int { x }\ntest \"t\" { expect v() == 6 }\n",
		"odd/tow.toml": "name = 3", "none/a.tow": "", "one.json": `{"x": 1}`, "zero.json": `{"x": 0}`, "text.json": `{"x": ""}`,
	} {
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		line string
		want int
	}{
		{"", exitFine}, {"help", exitFine}, {"check -h", exitFine}, {"version", exitFine},
		{"check good", exitFine}, {"check -json good", exitFine}, {"test good", exitFine}, {"build -o - good", exitFine},
		{"run -in good a.v one.json", exitFine}, {"fmt - ", exitFine},
		{"check bad", exitWrong}, {"check -json bad", exitWrong}, {"test bad", exitWrong}, {"build bad", exitWrong}, {"run -in bad a.v one.json", exitWrong},
		{"check odd", exitWrong}, {"fmt -l good", exitWrong},
		{"run -in good a.v zero.json", exitWrong}, {"run -in good a.v text.json", exitWrong},
		{"nothing", exitUsage}, {"help nothing", exitUsage}, {"check -jsn good", exitUsage}, {"check none", exitUsage}, {"check nowhere", exitUsage},
		{"test -seed x good", exitUsage}, {"run -in good a.w one.json", exitUsage}, {"run -in good a.v nowhere.json", exitUsage},
		{"inspect one.json", exitUsage}, {"explain TW9999", exitUsage}, {"new Bad", exitUsage},
	} {
		var errs bytes.Buffer
		got := run(strings.Fields(c.line), &ui{in: strings.NewReader(""), out: io.Discard, err: &errs})
		if got != c.want || got == exitFine && errs.Len() > 0 || got == exitUsage && errs.Len() == 0 {
			t.Errorf("tow %s: exit code %d, want %d; the errors were %q", c.line, got, c.want, errs.String())
		}
	}
}

// TestWatch drives the watcher by hand: it runs at once, after a change, not
// after a tick without one, and ends with its context.
func TestWatch(t *testing.T) {
	root := t.TempDir()
	file := filepath.Join(root, "shop.tow")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("1")
	ctx, stop := context.WithCancel(context.Background())
	tick, ran := make(chan time.Time), make(chan struct{})
	ended := make(chan error)
	go func() {
		ended <- watch(ctx, root, tick, func() error { ran <- struct{}{}; return nil })
	}()
	<-ran
	tick <- time.Time{}
	select {
	case tick <- time.Time{}: // the first tick is done with
	case <-ran:
		t.Error("it ran without a change")
	}
	write("longer")
	select { // the second tick may have seen the change already
	case tick <- time.Time{}:
		<-ran
	case <-ran:
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}

	failed := errors.New("no more")
	if err := watch(context.Background(), root, nil, func() error { return failed }); !errors.Is(err, failed) {
		t.Errorf("watch gives %v, want the error of what it calls", err)
	}
}

func TestSize(t *testing.T) {
	for n, want := range map[int]string{0: "0 bytes", 1: "1 byte", 9999: "9999 bytes", 48 << 10: "48 KiB", 64 << 20: "64 MiB"} {
		if got := size(n); got != want {
			t.Errorf("size(%d) = %q, want %q", n, got, want)
		}
	}
}
