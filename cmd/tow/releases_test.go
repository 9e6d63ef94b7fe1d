//go:build !solo

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"towpath.dev/election"
	"towpath.dev/internal/control/cluster"
	"towpath.dev/internal/control/maintain"
	"towpath.dev/internal/testkit/etcd"
)

// What Towpath does for clusters that are not its own, it does for those of earlier releases of
// etcd: here they are the real ones, in processes of their own.

// foreign is a cluster of another release of etcd, as it goes through the tests' hands.
type foreign struct {
	*testing.T // of the step
	whole      *testing.T
	release    string
	members    map[string]*etcd.Process // those that run, by name
	login      string                   // flags of who asks
	user       string                   // who asks, with the password "sesame"
}

func TestReleases(t *testing.T) {
	if testing.Short() {
		t.Skip("real clusters")
	}
	for _, release := range []string{etcd.Release35, etcd.Release36} {
		t.Run(release, func(t *testing.T) {
			t.Parallel() // most of the time etcd waits for some time to pass
			binary := etcd.Binary(t, release)
			f := &foreign{T: t, whole: t, release: release, members: map[string]*etcd.Process{}}
			all := etcd.Prepared(t, binary, 3, "--snapshot-count", "100")
			etcd.StartProcesses(t, all...)
			for _, p := range all {
				f.members[p.Name] = p
			}
			for _, step := range []struct {
				what string
				do   func(*foreign)
			}{
				{"status", (*foreign).status},
				{"election", (*foreign).elects},
				{"members", (*foreign).changesMembers},
				{"refusals", (*foreign).refuses},
				{"store", (*foreign).compacts},
				{"maintainer", (*foreign).maintained},
				{"backup", (*foreign).backedUp},
			} {
				begun := time.Now()
				if !t.Run(step.what, func(t *testing.T) {
					within := *f
					within.T = t
					step.do(&within)
					f.login, f.user = within.login, within.user
				}) {
					return // what follows needs it
				}
				t.Logf("%s: %s", step.what, time.Since(begun).Round(100*time.Millisecond))
			}
		})
	}
}

// endpoints is where the members are that run.
func (f *foreign) endpoints() []string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(f.members)) {
		all = append(all, f.members[name].ClientURL())
	}
	return all
}

// at is --endpoints, and who asks.
func (f *foreign) at() string {
	return "--endpoints " + strings.Join(f.endpoints(), ",") + f.login
}

// client is one of all members that run.
func (f *foreign) client() *clientv3.Client {
	f.Helper()
	return f.clientAt(f.endpoints()...)
}

func (f *foreign) clientAt(endpoints ...string) *clientv3.Client {
	f.Helper()
	config := clientv3.Config{Endpoints: endpoints, Logger: zap.NewNop(), DialTimeout: time.Minute}
	if f.user != "" {
		config.Username, config.Password = f.user, "sesame"
	}
	client, err := clientv3.New(config)
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = client.Close() }) // says that its context has ended
	return client
}

// tow runs a command, and is what it prints.
func (f *foreign) tow(want int, line string) string {
	f.Helper()
	var out, faults bytes.Buffer
	if code := run(strings.Fields(line), &ui{in: strings.NewReader(""), out: &out, err: &faults}); code != want {
		f.Fatalf("tow %s: %d, want %d\n%s%s", line, code, want, out.String(), faults.String())
	}
	return out.String() + faults.String()
}

// says runs a command, and expects a line of what it prints to match.
func (f *foreign) says(want int, line, expected string) string {
	f.Helper()
	text := f.tow(want, line)
	if !regexp.MustCompile(`(?m)` + expected).MatchString(text) {
		f.Errorf("tow %s says\n%s\nwant %s", line, text, expected)
	}
	return text
}

// becomes runs a command until a line of what it prints matches.
func (f *foreign) becomes(line, expected string) string {
	f.Helper()
	text, wanted := "", regexp.MustCompile(`(?m)`+expected)
	for begun := time.Now(); time.Since(begun) < time.Minute; {
		var out, faults bytes.Buffer
		run(strings.Fields(line), &ui{in: strings.NewReader(""), out: &out, err: &faults})
		if text = out.String() + faults.String(); wanted.MatchString(text) {
			return text
		}
	}
	f.Fatalf("tow %s never says %s, but\n%s", line, expected, text)
	return ""
}

// looks is the status as programs read it.
func (f *foreign) looks() (seen struct {
	cluster.Observed
	Warnings []cluster.Warning
}) {
	f.Helper()
	if err := json.Unmarshal([]byte(f.tow(exitFine, "cluster status --json "+f.at())), &seen); err != nil {
		f.Fatal(err)
	}
	return seen
}

func (f *foreign) put(client *clientv3.Client, key, value string) {
	f.Helper()
	if _, err := client.Put(f.Context(), key, value); err != nil {
		f.Fatal(err)
	}
}

// status is whole, and right.
func (f *foreign) status() {
	f.put(f.client(), "first", strings.Repeat("x", 10_000))
	f.becomes("cluster status "+f.at(), `^Cluster [0-9a-f]+: 3 of 3 voters well, 2 needed; e\d leads; revision 2; \d+ entries/s$`)
	quota := map[string]string{etcd.Release35: "-", etcd.Release36: `1%`}[f.release]
	f.says(exitFine, "cluster status "+f.at(), `^e\d +leader +well +`+regexp.QuoteMeta(f.release)+` +\d+ +\d+ +0 +\d+ KiB +\d+ KiB +`+quota+` +\S+ +\S+ +http://127.0.0.1:\d+$`)
	seen := f.looks()
	if !seen.Majority || seen.Quorum != (cluster.Quorum{Voters: 3, Well: 3, Need: 2}) || seen.Leader == 0 || seen.Revision != 2 || !seen.Measured || len(seen.Members) != 3 || len(seen.Warnings) != 0 || len(seen.Alarms) != 0 {
		f.Errorf("the cluster is seen as %+v", seen)
	}
	for _, m := range seen.Members {
		if m.State != cluster.Well || m.Version != f.release || m.Leader != seen.Leader || m.Term == 0 || m.Index < m.Applied || m.Applied == 0 || m.Revision != 2 ||
			m.Size < m.InUse || m.InUse < 10_000 || (m.Quota > 0) != (f.release != etcd.Release35) || len(m.Errors) != 0 || m.Reads.N != 10 || m.Status.N != 10 || m.Reads.P50 <= 0 {
			f.Errorf("a member is seen as %+v", m)
		}
	}
}

// elects: a leader's guarded write is taken until its session is gone; the next one's token is
// greater.
func (f *foreign) elects() {
	client := f.client()
	sessions := [2]*election.Session{}
	for i := range sessions {
		var err error
		if sessions[i], err = election.Open(f.Context(), election.Etcd(client), election.Options{Name: fmt.Sprintf("worker-%d", i), TTL: 2 * time.Second}); err != nil {
			f.Fatal(err)
		}
		defer sessions[i].Close(context.Background())
	}
	lead := func(s *election.Session) *election.Leadership {
		seats, err := s.Seats("invoices", election.SeatsOptions{})
		if err != nil {
			f.Fatal(err)
		}
		l, err := seats.Campaign(f.Context())
		if err != nil {
			f.Fatal(err)
		}
		return l
	}
	write := func(l *election.Leadership) bool {
		r, err := client.Txn(f.Context()).If(l.Cmp()).Then(clientv3.OpPut("register", l.Token().String())).Commit()
		if err != nil {
			f.Fatal(err)
		}
		return r.Succeeded
	}
	old := lead(sessions[0])
	if !write(old) {
		f.Error("who leads is refused")
	}
	f.says(exitFine, "cluster status "+f.at(), `^invoices +0 +worker-0$`)
	if _, err := client.Revoke(f.Context(), clientv3.LeaseID(sessions[0].Lease())); err != nil { // as if it had stood still for too long
		f.Fatal(err)
	}
	next := lead(sessions[1])
	if !write(next) || write(old) {
		f.Error("the next leader is refused, or the old one is not")
	}
	if next.Token().Compare(old.Token()) <= 0 {
		f.Errorf("after the token %s comes %s", old.Token(), next.Token())
	}
	<-old.Done()
}

// join starts a member as the command says that was printed.
func (f *foreign) join(p *etcd.Process, command string) {
	f.Helper()
	initial := regexp.MustCompile(`--initial-cluster (\S+) \\\n +--initial-cluster-state existing`).FindStringSubmatch(command)
	if initial == nil {
		f.Fatalf("nothing says how to start %s:\n%s", p.Name, command)
	}
	p.Initial, p.Flags = initial[1], append(slices.Clone(p.Flags), "--initial-cluster-state", "existing")
	etcd.StartProcesses(f.T, p)
	f.members[p.Name] = p
}

// changesMembers adds, promotes, replaces and removes members, and moves the lead.
func (f *foreign) changesMembers() {
	more := etcd.Prepared(f.whole, etcd.Binary(f.T, f.release), 5, "--snapshot-count", "100")[3:] // e4 and e5
	e4, e5 := more[0], more[1]
	f.says(exitFine, "cluster add e4 "+e4.PeerURL()+" --dry-run "+f.at(), `^1 +add e4 as a learner, which does not vote +3 of 3 +3 of 3 +3 of 3 +2 +1$`)
	f.join(e4, f.tow(exitFine, "cluster add e4 "+e4.PeerURL()+" --yes "+f.at()))
	f.becomes("cluster status "+f.at(), `^Warning: e4 is a learner, and knows what the leader does$`)
	f.says(exitFine, "cluster promote e4 --yes "+f.at(), `let e4 vote$`)
	f.says(exitFine, "cluster status "+f.at(), `^e4 +follower +well `)

	// A replacement says how to start the new member, and waits for it.
	told := &lines{out: make(chan string, 100)}
	ended := make(chan int, 1)
	line := "cluster replace e2 e5 " + e5.PeerURL() + " --yes " + f.at()
	go func() {
		ended <- run(strings.Fields(line), &ui{in: strings.NewReader(""), out: told, err: told})
		close(told.out)
	}()
	text, joined := "", false
	for said := range told.out {
		text += said + "\n"
		if !joined && strings.Contains(text, "--advertise-client-urls") {
			f.join(e5, strings.ReplaceAll(text, "\n--", "\n    --"))
			joined = true
		}
	}
	if code := <-ended; code != exitFine {
		f.Fatalf("tow %s: %d\n%s", line, code, text)
	}
	f.members["e2"].Stop() // it has ended by itself
	delete(f.members, "e2")
	f.tow(exitFine, "cluster move-leader e4 --yes "+f.at())
	f.says(exitFine, "cluster status "+f.at(), `; e4 leads;`)
	f.says(exitFine, "cluster remove e4 --yes "+f.at(), `remove e4$`)
	f.members["e4"].Stop()
	delete(f.members, "e4")
	f.becomes("cluster status "+f.at(), `^Cluster .*: 3 of 3 voters well, 2 needed; e[135] leads`)
}

// refuses what is not safe while a member is away.
func (f *foreign) refuses() {
	at := f.at()
	f.members["e5"].Kill()
	f.becomes("cluster status "+at, `^e5 +voter +down `)
	f.says(exitWrong, "cluster remove e3 --yes "+at, `e5 is down \(nothing listens there\), so that e3 is needed`)
	f.says(exitWrong, "cluster add e6 http://127.0.0.1:1 --yes "+at, `e5`)
	f.says(exitWrong, "cluster defrag --yes "+at, `refused, as it is not safe`)
	f.says(exitWrong, "cluster upgrade --check 3.7 "+at, `members: e5 is down: nothing listens there`)
	etcd.StartProcesses(f.T, f.members["e5"])
	f.becomes("cluster status "+at, `^Cluster .*: 3 of 3 voters well`)
}

// compacts and defragments, one member at a time.
func (f *foreign) compacts() {
	client := f.client()
	for i := range 200 {
		f.put(client, "big", fmt.Sprint(i)+strings.Repeat("x", 20_000))
	}
	before := f.looks()
	f.says(exitFine, "cluster compact --keep 10 --yes "+f.at(), fmt.Sprintf(`forget .*%d`, before.Revision-10))
	for plan := ""; !strings.Contains(plan, "defragment e1") || !strings.Contains(plan, "defragment e3") || !strings.Contains(plan, "defragment e5"); {
		f.put(client, "after", "1") // what was deleted is free after some more writes
		plan = f.tow(exitFine, "cluster defrag --dry-run "+f.at())
	}
	f.says(exitFine, "cluster defrag --dry-run "+f.at(), `have e\d lead`)
	f.tow(exitFine, "cluster defrag --yes "+f.at())
	after := f.looks()
	for i, m := range after.Members {
		if m.Size*2 > before.Members[i].Size {
			f.Errorf("%s has %d bytes, and had %d before it was defragmented", m.Name, m.Size, before.Members[i].Size)
		}
	}
	if _, err := client.Get(f.Context(), "big", clientv3.WithRev(before.Revision-20)); err == nil {
		f.Error("what was forgotten can be read")
	}
}

// maintained: the maintainer compacts, and defragments.
func (f *foreign) maintained() {
	client := f.client()
	for i := range 200 {
		f.put(client, "big", fmt.Sprint(i)+strings.Repeat("x", 20_000))
	}
	told := &lines{out: make(chan string, 1000)}
	m := &maintaining{
		ui: &ui{out: told, err: io.Discard}, etcd: etcdFlags{endpoints: strings.Join(f.endpoints(), ",")},
		bounds: maintain.Bounds{History: time.Second, Leap: 1, Bytes: 1 << 20, Rate: 1e6, Latency: time.Minute, Quota: 64 << 20}, every: 100 * time.Millisecond,
	}
	ctx, stop := context.WithCancel(f.Context())
	ended := make(chan error, 1)
	go func() { ended <- m.run(ctx) }()
	var said []string
	compacted, defragmented := false, map[string]bool{}
	for i := 0; !compacted || len(defragmented) < 3; i++ {
		f.put(client, "k", fmt.Sprint(i))
		select {
		case line := <-told.out:
			said = append(said, line)
			compacted = compacted || strings.Contains(line, "compacts at the revision ") && strings.Contains(line, " — done in ")
			if name := regexp.MustCompile(`defragments (e\d).* — done in `).FindStringSubmatch(line); name != nil {
				defragmented[name[1]] = true
			}
		case <-time.After(50 * time.Millisecond): // at most so many writes a second
		}
		if i == 600 {
			f.Fatalf("it compacted: %v, it defragmented %v; it says\n%s", compacted, defragmented, strings.Join(said, "\n"))
		}
	}
	stop()
	if err := <-ended; err != nil {
		f.Errorf("it ended with %v", err)
	}
	f.says(exitFine, "cluster log "+f.at(), `compacts at the revision `)
}
