package elections_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"towpath.dev/election"
	"towpath.dev/internal/control/etcdstore"
	"towpath.dev/internal/testkit/etcd"
	"towpath.dev/internal/testkit/required"
)

// term is a leadership as its holder saw it, by the machine's monotonic clock.
type term struct {
	holder     string
	token      election.Token
	begin, end int64
}

// terms collects what candidates of all languages held.
type terms struct {
	mu  sync.Mutex
	all []*term
}

func (ts *terms) begin(holder string, token election.Token, at int64) *term {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	t := &term{holder: holder, token: token, begin: at}
	ts.all = append(ts.all, t)
	return t
}

func (ts *terms) end(t *term, at int64) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if t.end == 0 {
		t.end = at
	}
}

func monotonic(t *testing.T) int64 {
	t.Helper()
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		t.Error(err)
	}
	return now.Nano()
}

// javaClasses compiles the SDK and its contender.
func javaClasses(t *testing.T) string {
	t.Helper()
	if _, err := exec.LookPath("javac"); err != nil {
		required.Missing(t, "there is no javac; tools/install installs a JDK")
	}
	sdk := filepath.Join("..", "..", "..", "sdk", "java", "src")
	var sources []string
	for _, dir := range []string{filepath.Join(sdk, "main", "java"), filepath.Join(sdk, "test", "java", "dev", "towpath", "election", "it")} {
		err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
			// As a module its tests could not be compiled with it.
			if name := filepath.Base(path); strings.HasSuffix(name, ".java") && name != "module-info.java" && !strings.HasSuffix(name, "Test.java") {
				sources = append(sources, path)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	classes := t.TempDir()
	out, err := exec.Command("javac", append([]string{"--release", "17", "-nowarn", "-d", classes}, sources...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("javac: %v\n%s", err, out)
	}
	return classes
}

// jvm is a JVM that contends.
type jvm struct {
	name string
	cmd  *exec.Cmd
	in   io.WriteCloser
	held chan string   // seats, as it is told that it holds them
	done chan struct{} // closed when its output has ended
}

func startJVM(t *testing.T, ts *terms, classes, name string, endpoints ...string) *jvm {
	t.Helper()
	args := []string{"-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xmx128m", "-cp", classes, "dev.towpath.election.it.Contender",
		"--group", "g", "--name", name, "--ttl", "60", "--early-takeover", "--hand-over"}
	for _, e := range endpoints {
		args = append(args, "--endpoint", e)
	}
	j := &jvm{name: name, cmd: exec.Command("java", args...), held: make(chan string, 100), done: make(chan struct{})}
	j.cmd.Stderr = os.Stderr
	out, err := j.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if j.in, err = j.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := j.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.cmd.Process.Kill(); <-j.done; _ = j.cmd.Wait() })
	go j.read(t, ts, out)
	return j
}

// read takes what the JVM says until it ends, or is ended.
func (j *jvm) read(t *testing.T, ts *terms, out io.Reader) {
	defer close(j.done)
	held := map[string]*term{}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		var e struct{ Event, Monotonic, Seat, Generation, Revision, Reason, Error string }
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			t.Errorf("%s says %q: %v", j.name, lines.Text(), err)
			continue
		}
		at, _ := strconv.ParseInt(e.Monotonic, 10, 64)
		token, _ := election.ParseToken(e.Generation + "." + e.Revision)
		switch e.Event {
		case "granted":
			held[e.Seat] = ts.begin(j.name, token, at)
			j.held <- e.Seat
		case "lost", "resigned":
			if h := held[e.Seat]; h != nil {
				ts.end(h, at)
			}
		case "error":
			t.Errorf("%s: %s", j.name, e.Error)
		}
	}
	now := monotonic(t) // killed, it ended before this
	for _, h := range held {
		ts.end(h, now)
	}
}

// TestJVMsAndGoTakeTurns has JVMs, at two control nodes, and Go candidates, at etcd,
// compete for one seat. JVMs that lead are killed and take a node with them.
func TestJVMsAndGoTakeTurns(t *testing.T) {
	classes := javaClasses(t)
	client := etcd.Start(t, 1).Client(t)
	store := etcdstore.New(client)
	first, _ := node(t, store, "n1")
	second, serviceTwo := node(t, store, "n2")
	ts := &terms{}

	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	goHeld := make(chan struct{}, 1)
	for i := range 2 {
		name := fmt.Sprint("go", i)
		s, err := election.Open(ctx, store, election.Options{Name: name})
		if err != nil {
			t.Fatal(err)
		}
		running.Go(func() {
			defer s.Close(context.Background())
			seats, err := s.Seats("g", election.SeatsOptions{})
			if err != nil {
				t.Error(err)
				return
			}
			for ctx.Err() == nil {
				l, err := seats.Campaign(ctx)
				if err != nil {
					return
				}
				held := ts.begin(name, l.Token(), monotonic(t))
				ts.end(held, monotonic(t))
				select {
				case goHeld <- struct{}{}:
				default: // known already
				}
				_ = l.Resign(ctx)
			}
		})
	}
	a := startJVM(t, ts, classes, "jvm-a", first.URL, second.URL)
	b := startJVM(t, ts, classes, "jvm-b", second.URL, first.URL)
	say := func(j *jvm, command string) {
		t.Helper()
		if _, err := fmt.Fprintln(j.in, command); err != nil {
			t.Fatal(err)
		}
	}
	// until has the other one resign until this one leads.
	until := func(j, other *jvm) {
		t.Helper()
		for {
			select {
			case <-j.held:
				return
			case <-other.held:
				say(other, "resign 0")
			}
		}
	}
	for range 5 {
		until(a, b)
		say(a, "resign 0")
		until(b, a)
		say(b, "resign 0")
		<-goHeld
	}
	until(a, b)
	_ = a.cmd.Process.Kill() // its seat is taken over at once: the TTL is a minute
	<-a.done
	until(b, a)
	serviceTwo.Close() // b's node goes away while it leads
	second.CloseClientConnections()
	second.Config.Handler = nil
	second.Close()
	say(b, "resign 0")
	<-b.held // through the other node
	say(b, "quit")
	<-b.done
	cancel()
	running.Wait()

	slices.SortFunc(ts.all, func(x, y *term) int { return x.token.Compare(y.token) })
	holders := map[string]int{}
	for i, x := range ts.all {
		holders[x.holder]++
		if i > 0 {
			before := ts.all[i-1]
			if before.token == x.token {
				t.Errorf("%+v and %+v have one token", before, x)
			}
			if before.end > x.begin && before.holder != "jvm-a" {
				t.Errorf("%+v overlaps %+v", before, x)
			}
		}
	}
	t.Logf("%d terms: %v", len(ts.all), holders)
	if len(holders) != 4 {
		t.Errorf("not all led: %v", holders)
	}
}
