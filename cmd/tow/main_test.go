package main

import (
	"context"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

var update = flag.Bool("update", false, "write the scripts' expected outputs anew")

func TestMain(m *testing.M) { testscript.Main(m, map[string]func(){"tow": main}) }

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
		Setup: func(e *testscript.Env) error {
			e.Setenv("APPS", apps)
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
