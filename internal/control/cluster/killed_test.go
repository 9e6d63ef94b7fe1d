package cluster_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"towpath.dev/internal/control/cluster"
)

// childVar holds what a process of this test binary does that is to be killed.
const childVar = "CLUSTER_TEST_REPLACEMENT"

type childLine struct {
	Endpoints []string
	Request   cluster.Request
}

func replacement() string { return os.Getenv(childVar) }

// replaceAsChild carries a request out, and prints what happens.
func replaceAsChild(line string) {
	var c childLine
	if err := json.Unmarshal([]byte(line), &c); err != nil {
		panic(err)
	}
	client, err := clientv3.New(clientv3.Config{Endpoints: c.Endpoints, Logger: zap.NewNop()})
	if err != nil {
		panic(err)
	}
	r := &cluster.Runner{Client: client, Who: "child", What: "replace", Observe: cluster.Options{Probes: 1}, Every: 50 * time.Millisecond}
	words := map[cluster.EventKind]string{cluster.Begun: "begun", cluster.Waiting: "waiting", cluster.Done: "done", cluster.Again: "again"}
	r.Report = func(e cluster.Event) { fmt.Println(words[e.Kind], e.Step.Kind) }
	if err := r.Run(context.Background(), c.Request); err != nil {
		fmt.Println("failed", err)
		os.Exit(1)
	}
	fmt.Println("finished")
}

// TestReplaceKilled: the process that replaces a member is killed at each step, without a
// word, and run again.
func TestReplaceKilled(t *testing.T) {
	if testing.Short() {
		t.Skip("each process that was killed is waited for")
	}
	w := newWorld(t, 3)
	old, fresh := w.Leader(t), w.Prepare(t)
	l := w.load(2)
	text, err := json.Marshal(childLine{w.Endpoints()[:3], cluster.Request{Op: cluster.Replace, Member: w.Name(old), With: w.Name(fresh), Peers: []string{w.PeerURL(fresh)}}})
	if err != nil {
		t.Fatal(err)
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var joining sync.WaitGroup
	defer joining.Wait()
	started := false
	places := []string{"begun add-learner", "begun await-start", "done promote", "begun move-leader", "done remove"}
	killed := map[string]bool{}
	for finished := false; !finished; {
		child := exec.CommandContext(w.ctx, exe)
		child.Env = append(os.Environ(), childVar+"="+string(text))
		child.Stderr = os.Stderr
		out, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		dead := false
		for lines := bufio.NewScanner(out); lines.Scan(); {
			line := lines.Text()
			if strings.HasPrefix(line, "failed") {
				t.Error(line)
				finished = true
			}
			finished = finished || line == "finished"
			if line == "begun await-start" && !started {
				started = true
				joining.Go(func() {
					if err := w.JoinContext(w.ctx, fresh); err != nil {
						t.Error(err)
					}
				})
			}
			if !dead && !killed[line] && slices.Contains(places, line) {
				killed[line], dead = true, true
				if err := child.Process.Kill(); err != nil {
					t.Error(err)
				}
			}
		}
		_ = child.Wait() // it was killed
	}
	for _, line := range places {
		if !killed[line] {
			t.Errorf("it was never killed at %q; it was at %v", line, killed)
		}
	}
	w.Stop(old)
	l.check()
	w.monotone(1)
	if o := w.observe(); o.Quorum.Voters != 3 || o.Quorum.Well != 3 || strings.Contains(names(o), w.Name(old)) {
		t.Errorf("afterwards there are %s: %s", names(o), o.Quorum)
	}
}
