//go:build !solo && unix

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"towpath.dev/election"
	"towpath.dev/internal/ports"
)

// The runbooks of docs/operations.md are run as they are written: each block of lines in a
// shell, with the variables that the document names, etcd and tow being this test binary.

// runbookPatience is for how long a runbook may take.
const runbookPatience = 3 * time.Minute

// A runbook is being run.
type runbook struct {
	t       *testing.T
	ctx     context.Context
	dir     string
	env     map[string]string
	exports []string // lines of blocks before
	blocks  []string

	servers map[string]*exec.Cmd // by machine
	asked   *shell               // what was begun and may be waiting for a server
	grown   []string             // machines that have to answer before the next question
	said    map[string]string    // what blocks printed, by their first line
}

// A shell runs a block.
type shell struct {
	block string
	out   *said
	ended chan error
}

// said is what a block has printed so far.
type said struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *said) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// openRunbook reads a section's blocks, and makes the machines etcd-1 to etcd-4.
func openRunbook(t *testing.T, section, flags string) *runbook {
	t.Helper()
	if testing.Short() {
		t.Skip("members of etcd take their time to join")
	}
	t.Parallel() // most of the time etcd waits for some time to pass
	text, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, found := bytes.Cut(text, []byte("\n### "+section+"\n"))
	if !found {
		t.Fatalf("docs/operations.md has no section %q", section)
	}
	text = regexp.MustCompile(`(?m)^##`).ReplaceAll(text, []byte("\x00"))
	text, _, _ = bytes.Cut(text, []byte("\x00"))
	ctx, cancel := context.WithTimeout(t.Context(), runbookPatience)
	t.Cleanup(cancel)
	b := &runbook{t: t, ctx: ctx, dir: t.TempDir(), servers: map[string]*exec.Cmd{}, said: map[string]string{}}
	b.env = map[string]string{"TOW_BACKUP_STORE": filepath.Join(b.dir, "backups"), "FLAGS": "--log-level error --log-outputs default " + flags, "GORACE": "atexit_sleep_ms=0"}
	if err := os.Mkdir(b.env["TOW_BACKUP_STORE"], 0o755); err != nil {
		t.Fatal(err)
	}
	block := ""
	for _, line := range strings.Split(string(text)+"\n", "\n") {
		if code, ok := strings.CutPrefix(line, "    "); ok {
			block += code + "\n"
			continue
		}
		if block != "" {
			b.blocks = append(b.blocks, block)
		}
		block = ""
	}
	free, err := ports.Free(8)
	if err != nil {
		t.Fatal(err)
	}
	for i := 1; i <= 4; i++ {
		for k, name := range []string{"CLIENT", "PEER"} {
			b.env[fmt.Sprintf("%s_%d", name, i)] = "http://" + free[2*(i-1)+k]
		}
		if err := os.Mkdir(filepath.Join(b.dir, fmt.Sprintf("etcd-%d", i)), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	b.env["ETCDCTL_ENDPOINTS"] = b.env["CLIENT_1"] + "," + b.env["CLIENT_2"] + "," + b.env["CLIENT_3"]
	t.Cleanup(b.stopAll)
	return b
}

func (b *runbook) stopAll() {
	for machine := range b.servers {
		b.kill(machine)
	}
}

// kill ends what runs on a machine, at once.
func (b *runbook) kill(machine string) {
	if server := b.servers[machine]; server != nil {
		delete(b.servers, machine)
		_ = syscall.Kill(-server.Process.Pid, syscall.SIGKILL) // if it has not ended by itself
		_ = server.Wait()
	}
}

// lose ends what runs on a machine, and its disk.
func (b *runbook) lose(machine string) {
	b.kill(machine)
	if err := os.RemoveAll(filepath.Join(b.dir, machine)); err != nil {
		b.t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(b.dir, machine), 0o755); err != nil {
		b.t.Fatal(err)
	}
}

// command is a shell that runs lines on a machine, "" being the operator's.
func (b *runbook) command(machine, lines string) *exec.Cmd {
	c := exec.CommandContext(b.ctx, "sh", "-euc", strings.Join(b.exports, "\n")+"\n"+lines)
	c.Dir = filepath.Join(b.dir, machine)
	env := map[string]string{}
	maps.Copy(env, b.env)
	env["DATA"] = filepath.Join(c.Dir, "data")
	c.Env = os.Environ()
	for _, name := range slices.Sorted(maps.Keys(env)) {
		c.Env = append(c.Env, name+"="+env[name])
	}
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // so that what it starts ends with it
	return c
}

// serve starts lines of which the last is a server.
func (b *runbook) serve(machine, lines string) {
	b.t.Helper()
	c := b.command(machine, lines)
	out := &said{}
	c.Stdout, c.Stderr = out, out
	if err := c.Start(); err != nil {
		b.t.Fatal(err)
	}
	b.servers[machine] = c
	b.grown = append(b.grown, machine)
	b.t.Cleanup(func() {
		if b.t.Failed() {
			b.t.Logf("%s:\n%s", machine, out)
		}
	})
}

// found starts a cluster of three, as the document expects it.
func (b *runbook) found() {
	b.t.Helper()
	for _, i := range []string{"1", "2", "3"} {
		b.serve("etcd-"+i, `etcd --name etcd-`+i+` --data-dir $DATA --initial-cluster etcd-1=$PEER_1,etcd-2=$PEER_2,etcd-3=$PEER_3 `+
			`--listen-peer-urls $PEER_`+i+` --initial-advertise-peer-urls $PEER_`+i+` --listen-client-urls $CLIENT_`+i+` --advertise-client-urls $CLIENT_`+i+` $FLAGS`)
	}
	b.settled()
}

// settled waits until servers that were started answer as members.
func (b *runbook) settled() {
	b.t.Helper()
	for _, machine := range b.grown {
		// At all of them: a learner does not say who there is.
		b.until("tow cluster status --endpoints $CLIENT_1,$CLIENT_2,$CLIENT_3,$CLIENT_4", `(?m)^`+machine+` +(leader|follower|learner) +well `)
	}
	b.grown = nil
}

// until runs a line again and again until it says what is wanted.
func (b *runbook) until(line, want string) {
	b.t.Helper()
	for {
		out, err := b.command("", line).CombinedOutput()
		if err == nil && regexp.MustCompile(want).Match(out) {
			return
		}
		if b.ctx.Err() != nil {
			b.t.Fatalf("%s never says %s: %v\n%s", line, want, err, out)
		}
	}
}

// next runs the next block: a server and goes on, or a question and waits for its end, unless
// that waits for a server itself.
func (b *runbook) next() {
	b.t.Helper()
	block := b.blocks[0]
	b.blocks = b.blocks[1:]
	machine := ""
	if on := regexp.MustCompile(`^# on (etcd-\d)`).FindStringSubmatch(block); on != nil {
		machine = on[1]
	}
	if regexp.MustCompile(`(?m)^etcd `).MatchString(block) {
		b.serve(machine, block)
		return
	}
	b.answer()
	b.settled()
	s := &shell{block: block, out: &said{}, ended: make(chan error, 1)}
	c := b.command(machine, block)
	c.Stdout, c.Stderr = s.out, s.out
	go func() { s.ended <- c.Run() }()
	for _, line := range strings.Split(block, "\n") {
		if strings.HasPrefix(line, "export ") {
			b.exports = append(b.exports, line)
		}
	}
	b.asked = s
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !strings.Contains(s.out.String(), "→ wait until ") && !strings.Contains(s.out.String(), "> wait until ") {
		select {
		case err := <-s.ended:
			s.ended <- err
			b.answer()
			return
		case <-tick.C:
		}
	}
}

// answer waits for the last question's end.
func (b *runbook) answer() {
	b.t.Helper()
	if b.asked == nil {
		return
	}
	err := <-b.asked.ended
	first, _, _ := strings.Cut(b.asked.block, "\n")
	b.said[first] += b.asked.out.String()
	b.t.Logf("%s\n%s", b.asked.block, b.asked.out)
	if err != nil {
		b.t.Fatalf("%v:\n%s\n%s", err, b.asked.block, b.asked.out)
	}
	b.asked = nil
}

// all runs the blocks that are left, and checks that the last one shows a cluster of three
// that is well.
func (b *runbook) all() {
	b.t.Helper()
	for len(b.blocks) > 0 {
		b.next()
	}
	b.answer()
	b.until("tow cluster status", `(?m)^Cluster .*: 3 of 3 voters well`)
}

// client is one of the cluster as the runbook leaves it.
func (b *runbook) client(machines ...string) *clientv3.Client {
	b.t.Helper()
	var endpoints []string
	for _, m := range machines {
		endpoints = append(endpoints, b.env["CLIENT_"+m])
	}
	c, err := clientv3.New(clientv3.Config{Endpoints: endpoints, Logger: zap.NewNop()})
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { _ = c.Close() }) // says that its context has ended
	return c
}

// write puts keys there, and wrote finds them again.
func (b *runbook) write(c *clientv3.Client, prefix string) {
	b.t.Helper()
	for i := range 20 {
		if _, err := c.Put(b.ctx, fmt.Sprintf("%s/%d", prefix, i), "1"); err != nil {
			b.t.Fatal(err)
		}
	}
}

func (b *runbook) wrote(c *clientv3.Client, prefix string) {
	b.t.Helper()
	r, err := c.Get(b.ctx, prefix+"/", clientv3.WithPrefix(), clientv3.WithCountOnly())
	if err != nil || r.Count != 20 {
		b.t.Errorf("of 20 keys %s/ there are %d; %v", prefix, r.Count, err)
	}
}

func TestRunbookLostMember(t *testing.T) {
	b := openRunbook(t, "Lost member", "")
	b.found()
	b.write(b.client("1", "2", "3"), "before")
	b.lose("etcd-3")
	b.all()
	c := b.client("1", "2", "4")
	b.wrote(c, "before")
	b.write(c, "after")
}

func TestRunbookNoSpace(t *testing.T) {
	b := openRunbook(t, "NOSPACE", "--quota-backend-bytes 16777216 --auto-compaction-retention 0")
	b.found()
	c := b.client("1", "2", "3")
	value := strings.Repeat("x", 4<<10)
	b.backUp(c, func() {
		var filling sync.WaitGroup
		for i := range 32 {
			filling.Go(func() {
				for err := error(nil); err == nil; {
					_, err = c.Put(b.ctx, fmt.Sprint("fill/", i), value)
				}
			})
		}
		filling.Wait()
	})
	if _, err := c.Put(b.ctx, "one", value); err == nil {
		t.Fatal("it takes writes still")
	}
	b.all()
	b.write(c, "after")
	if first := b.said["tow cluster status"]; strings.Count(first, "the alarm NOSPACE") < 1 {
		t.Errorf("the first look shows no alarm:\n%s", first)
	}
}

// backUp keeps a backup of the cluster while something is written, and until all of it is
// there.
func (b *runbook) backUp(c *clientv3.Client, write func(), flags ...string) {
	b.t.Helper()
	up := b.command("", "exec tow backup run --cluster prod --every 1s "+strings.Join(flags, " "))
	out := &said{}
	up.Stdout, up.Stderr = out, out
	if err := up.Start(); err != nil {
		b.t.Fatal(err)
	}
	defer func() {
		_ = syscall.Kill(-up.Process.Pid, syscall.SIGTERM)
		_ = up.Wait()
	}()
	b.until("tow backup list", `(?m)^prod +0 +1 `)
	write()
	b.kept(c)
}

// kept waits until the backup has what the cluster has now.
func (b *runbook) kept(c *clientv3.Client) {
	b.t.Helper()
	r, err := c.Get(b.ctx, "before/0")
	if err != nil {
		b.t.Fatal(err)
	}
	b.until("tow backup list", fmt.Sprintf(`(?m)^prod +0 .*…%d$`, r.Header.Revision))
}

// attach has two nodes there, as a backup finds them.
func (b *runbook) attach(c *clientv3.Client) {
	b.t.Helper()
	for _, node := range []string{"web-1", "web-2"} {
		if _, err := c.Put(b.ctx, "nodes/"+node, `{"environment":"prod","address":"10.0.0.7:80"}`); err != nil {
			b.t.Fatal(err)
		}
	}
}

// looks runs the blocks up to the one that shows what differs after a restore, and checks that
// it does, and that nobody is elected yet; what is behind it lets elections go on.
func (b *runbook) looks(machines ...string) {
	b.t.Helper()
	b.looksAt(1, machines...)
}

func (b *runbook) looksAt(generation int, machines ...string) {
	b.t.Helper()
	for last := ""; !strings.Contains(last, "tow cluster resume"); b.next() {
		last = b.blocks[0]
	}
	b.answer()
	shown := b.said["export ETCDCTL_ENDPOINTS="+endpointsOf(machines)]
	for _, want := range []string{
		fmt.Sprintf("Restored into generation %d, ", generation), "\n  backup/0 by ", "\n  web-1 of prod 10.0.0.7:80: attached then, and not back yet", "\n  web-2 of prod ", "\nElections wait: ",
	} {
		if !strings.Contains(shown, want) {
			b.t.Errorf("the look says nothing of %q:\n%s", want, shown)
		}
	}
	if _, waits, err := election.Pending(b.ctx, election.Etcd(b.client(machines...)), ""); !waits || err != nil {
		b.t.Errorf("elections do not wait any more: %v", err)
	}
	if next := b.blocks[0]; !strings.HasPrefix(next, "tow cluster resume --cluster prod --yes\n") {
		b.t.Errorf("behind the look comes %q", next)
	}
	b.next()
	b.answer()
	if said := b.said["tow cluster resume --cluster prod --yes"]; !strings.Contains(said, fmt.Sprintf("Elections go on in generation %d.", generation)) {
		b.t.Errorf("elections do not go on:\n%s", said)
	}
}

// endpointsOf is what a runbook exports of machines.
func endpointsOf(machines []string) string {
	all := make([]string, len(machines))
	for i, m := range machines {
		all[i] = "$CLIENT_" + m
	}
	return strings.Join(all, ",")
}

func TestRunbookLostQuorum(t *testing.T) {
	b := openRunbook(t, "Lost quorum", "")
	b.found()
	c := b.client("1", "2", "3")
	b.backUp(c, func() { b.attach(c); b.write(c, "before") })
	b.lose("etcd-2")
	b.lose("etcd-3")
	b.next()
	b.kill("etcd-1") // as it says between the blocks
	b.looks("1")
	b.all()
	c = b.client("1", "2", "3")
	b.wrote(c, "before")
	b.write(c, "after")
}

func TestRunbookRestore(t *testing.T) {
	b := openRunbook(t, "Restore into a new cluster", "")
	b.found()
	c := b.client("1", "2", "3")
	b.backUp(c, func() { b.attach(c); b.write(c, "before") })
	for _, machine := range []string{"etcd-1", "etcd-2", "etcd-3"} {
		b.lose(machine)
	}
	b.looks("1", "2", "3")
	b.all()
	c = b.client("1", "2", "3")
	b.wrote(c, "before")
	b.write(c, "after")
}

// TestRunbookDamagedRecord: a restore was begun, and neither the object that says so nor its copy can be
// read.
func TestRunbookDamagedRecord(t *testing.T) {
	b := openRunbook(t, "Damaged record", "")
	b.found()
	c := b.client("1", "2", "3")
	b.backUp(c, func() { b.attach(c); b.write(c, "before") })
	for _, machine := range []string{"etcd-1", "etcd-2", "etcd-3"} {
		b.lose(machine)
	}
	restore := "tow backup restore --cluster prod --data-dir $DATA.other --name etcd-1 --initial-cluster etcd-1=$PEER_1,etcd-2=$PEER_2,etcd-3=$PEER_3"
	if out, err := b.command("etcd-4", restore).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	records, err := filepath.Glob(filepath.Join(b.env["TOW_BACKUP_STORE"], "prod", "generation", "*1"))
	copies, _ := filepath.Glob(filepath.Join(b.env["TOW_BACKUP_STORE"], "prod", "generation", "copy", "*1"))
	if err != nil || len(records) != 1 || len(copies) != 1 {
		t.Fatalf("records %q, copies %q, %v", records, copies, err)
	}
	for _, name := range []string{records[0], copies[0]} {
		if err := errors.Join(os.Remove(name), os.WriteFile(name, []byte("{"), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	out, err := b.command("etcd-4", strings.Replace(restore, "other", "another", 1)).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "restore all members, the first one with --again") {
		t.Errorf("what leads here is %v\n%s", err, out)
	}
	b.looksAt(2, "1", "2", "3")
	b.all()
	c = b.client("1", "2", "3")
	b.wrote(c, "before")
	b.write(c, "after")
}

// TestRunbookInstant: what was deleted is there again, of an encrypted backup, as is what was written
// beside it; what came after is not.
func TestRunbookInstant(t *testing.T) {
	b := openRunbook(t, "Restore to an instant", "")
	if out, err := b.command("", "tow backup keygen verifier.key >verifier.pub; tow backup keygen recovery.key >recovery.pub").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	b.found()
	c := b.client("1", "2", "3")
	b.backUp(c, func() {
		b.attach(c)
		b.write(c, "before")
		b.kept(c)
		b.env["INSTANT"] = time.Now().UTC().Format(time.RFC3339Nano)
		if r, err := c.Delete(b.ctx, "before/", clientv3.WithPrefix()); err != nil || r.Deleted != 20 {
			t.Fatalf("of 20 keys %d are deleted; %v", r.Deleted, err)
		}
		b.write(c, "since")
	}, "--recipient verifier.pub", "--recipient recovery.pub", "--identity verifier.key")
	key, err := os.ReadFile(filepath.Join(b.dir, "recovery.key"))
	if err != nil {
		t.Fatal(err)
	}
	for _, machine := range []string{"etcd-1", "etcd-2", "etcd-3"} { // the operator brings it
		if err := os.WriteFile(filepath.Join(b.dir, machine, "recovery.key"), key, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	b.next()
	b.answer()
	for _, machine := range []string{"etcd-1", "etcd-2", "etcd-3"} { // as it says between the blocks
		b.kill(machine)
	}
	b.looks("1", "2", "3")
	b.all()
	c = b.client("1", "2", "3")
	b.wrote(c, "before")
	if r, err := c.Get(b.ctx, "since/", clientv3.WithPrefix(), clientv3.WithCountOnly()); err != nil || r.Count > 0 {
		t.Errorf("of what came after %d keys are there, %v", r.Count, err)
	}
	b.write(c, "after")
}
