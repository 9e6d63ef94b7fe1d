package election_test

import (
	"bufio"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"towpath.dev/election"
	"towpath.dev/internal/testkit/etcd"
)

// TestDeadProcessIsTakenOver kills a process that leads with a TTL of a minute.
func TestDeadProcessIsTakenOver(t *testing.T) {
	cluster := etcd.Start(t, 1)
	holder := exec.Command(os.Args[0])
	holder.Env = append(os.Environ(), "ELECTION_TEST_HOLDER="+strings.Join(cluster.Endpoints(), ","))
	holder.Stderr = os.Stderr
	out, err := holder.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := holder.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = holder.Process.Kill(); _ = holder.Wait() }()
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	before, err := election.ParseToken(strings.TrimSpace(strings.TrimPrefix(line, "leads ")))
	if err != nil {
		t.Fatal(err)
	}
	metrics := election.NewMetrics()
	s := open(t, election.Etcd(cluster.Client(t)), election.Options{TTL: time.Minute, Early: &election.Early{Reattach: 2 * time.Second}, Metric: metrics, Name: "survivor"})
	seats, err := s.Seats("early", election.SeatsOptions{})
	if err != nil {
		t.Fatal(err)
	}
	s.AwaitPeers(t.Context(), 1)
	if err := holder.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	l, err := seats.Campaign(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if l.Token().Compare(before) <= 0 {
		t.Errorf("%v after %v", l.Token(), before)
	}
	metrics.AwaitEarly(t.Context(), 1) // it was not the TTL
}
