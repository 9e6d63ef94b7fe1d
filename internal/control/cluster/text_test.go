package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestAlarmOf reads what etcd says of alarms in a member's errors.
func TestAlarmOf(t *testing.T) {
	for text, want := range map[string]Alarm{
		"memberID:10501334649042878790 alarm:NOSPACE ": {10501334649042878790, NoSpace},
		"memberID:7  alarm:CORRUPT":                    {7, Corrupt},
		"alarm:NOSPACE":                                {0, NoSpace},
	} {
		if got, ok := alarmOf(text); !ok || got != want {
			t.Errorf("%q: %v, %v", text, got, ok)
		}
	}
	for _, text := range []string{"etcdserver: no leader", "", "memberID:x alarm:NOSPACE", "memberID:99999999999999999999999 alarm:NOSPACE"} {
		if got, ok := alarmOf(text); ok {
			t.Errorf("%q is the alarm %v", text, got)
		}
	}
}

// TestLatencyOf takes percentiles by the nearest rank.
func TestLatencyOf(t *testing.T) {
	var took []time.Duration
	if got := latencyOf(took); got != (Latency{}) {
		t.Errorf("of nothing: %v", got)
	}
	for i := range 200 {
		took = append(took, time.Duration(200-i))
	}
	if got := latencyOf(took); got != (Latency{200, 100, 198}) {
		t.Errorf("of 1 to 200: %v", got)
	}
	if got := latencyOf(took[:1]); got.P50 != got.P99 || got.N != 1 {
		t.Errorf("of one: %v", got)
	}
}

func TestID(t *testing.T) {
	text, err := json.Marshal(ID(0xcafe))
	if err != nil || string(text) != `"cafe"` {
		t.Errorf("%s, %v", text, err)
	}
	var id ID
	if err := json.Unmarshal(text, &id); err != nil || id != 0xcafe {
		t.Errorf("%s, %v", id, err)
	}
	if err := json.Unmarshal([]byte(`"x"`), &id); err == nil {
		t.Error("x is no ID")
	}
}

func TestReasonOf(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{context.DeadlineExceeded, "no answer in time"},
		{errors.New(`rpc error: code = Unavailable desc = connection error: desc = "transport: Error while dialing: dial tcp 127.0.0.1:1: connect: connection refused"`), "nothing listens there"},
		{errors.New(`rpc error: code = Unavailable desc = connection error: desc = "transport: authentication handshake failed: tls: bad"`), "tls: bad"},
		{errors.New("rpc error: code = Unavailable desc = etcdserver: no leader"), "no leader"},
		{errors.New("rpc error: code = DeadlineExceeded desc = context deadline exceeded"), "no answer in time"},
	} {
		if got := reasonOf(c.err); got != c.want {
			t.Errorf("%v: %q, expected %q", c.err, got, c.want)
		}
	}
}

// TestWarnings: what is wrong with a cluster, by its codes; each says what to do.
func TestWarnings(t *testing.T) {
	for _, c := range []struct{ cluster, want string }{
		{"a* b c", ""},
		{"none a b- c-", "no-majority down down"},
		{"a b c", "no-leader"},
		{"a* b c-", "no-spare down"},
		{"a* b c~", "no-spare apart"},
		{"a* b c%", ""},
		{"a* b c d e-", "down"},
		{"a* b c d^?", "unstarted"},
		{"a* b c?", "no-spare unstarted"},
		{"a* b c d^-", "down"},
		{"a* b c d^+5000", "learning"},
		{"a* b c d^", "learned"},
		{"a* b c+5000", "behind"},
		{"a* b", "even"},
		{"a*!NOSPACE b!CORRUPT c", "alarm-nospace alarm-corrupt"},
		{"a*=1800/1900 b c", "nearly-full"},
		{"a*=100/300 b c", "waste"},
	} {
		var codes []string
		for _, w := range clusterOf(c.cluster).Warnings() {
			codes = append(codes, w.Code)
			if w.Text == "" || w.Next == "" {
				t.Errorf("%s: %+v says neither what nor what to do", c.cluster, w)
			}
		}
		if got := strings.Join(codes, " "); got != c.want {
			t.Errorf("%s: found %q, expected %q", c.cluster, got, c.want)
		}
	}
	o := clusterOf("a* b c")
	o.Members[1].Version, o.Members[1].Reads.P50, o.Members[2].Errors = "3.6.0", time.Second, []string{"no disk", "memberID:1 alarm:NOSPACE"}
	o.Change = &Change{Who: "ann@desk", What: "tow cluster defrag"}
	if got, want := fmt.Sprint(o.Warnings()), "[{slow 2 half of the reads at b take 1s or longer look at its disk and its network: etcd's metrics say which it waits for} {error 3 c says: no disk see what its log says} {versions 0 the members are of 3.6.0 and 3.7.3 finish the upgrade: docs/cluster.md} {change 0 ann@desk changes the cluster since"; !strings.HasPrefix(got, want) {
		t.Errorf("found    %s\nexpected %s", got, want)
	}
}

// TestStartCommand is how a member that was added is started.
func TestStartCommand(t *testing.T) {
	o := clusterOf("a* b c d^?")
	want := `etcd --name d --data-dir /var/lib/etcd \
    --initial-cluster a=http://a:2380,b=http://b:2380,c=http://c:2380,d=http://d:2380 \
    --initial-cluster-state existing \
    --listen-peer-urls http://0.0.0.0:2380 --initial-advertise-peer-urls http://d:2380 \
    --listen-client-urls http://0.0.0.0:2379 --advertise-client-urls http://d:2379`
	if got := StartCommand(o, "d", []string{"http://d:2380"}); got != want {
		t.Errorf("found\n%s\nexpected\n%s", got, want)
	}
	for i := range o.Members {
		for _, urls := range [][]string{o.Members[i].PeerURLs, o.Members[i].ClientURLs} {
			urls[0] = strings.Replace(urls[0], "http:", "https:", 1)
		}
	}
	got := StartCommand(o, "d", []string{"https://10.0.0.4:2380"})
	for _, want := range []string{"--listen-peer-urls https://10.0.0.4:2380 ", "--listen-client-urls https://10.0.0.4:2379 ", "--client-cert-auth", "--peer-client-cert-auth", ",d=https://10.0.0.4:2380 "} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in\n%s", want, got)
		}
	}
}
