//go:build !solo

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"towpath.dev/internal/control/backup"
	"towpath.dev/internal/testkit/etcd"
)

// A point is a revision of a cluster, as it was there.
type point struct {
	revision, compacted int64
	hash                uint32
	keys                []*mvccpb.KeyValue
}

// backedUp keeps a backup, with users and roles, restores it to several points, and starts
// members of the same release on it and of the one that comes with tow; it does so again while
// and after the cluster goes to another release.
func (f *foreign) backedUp() {
	f.login, f.user = f.enablesAuth(), "root"
	store := f.TempDir()
	flags := etcdFlags{endpoints: strings.Join(f.endpoints(), ","), user: "root", passwordFile: strings.Fields(f.login)[3]}
	uploader := &backupRun{
		ui: &ui{out: io.Discard, err: io.Discard}, at: backupAt{store: store, cluster: "prod"}, etcd: flags,
		every: time.Second, keep: backup.DefaultKeep, scratch: f.TempDir(),
	}
	ctx, stop := context.WithCancel(f.Context())
	ended := make(chan error, 1)
	go func() { ended <- uploader.run(ctx) }()
	defer func() {
		stop()
		if err := <-ended; err != nil {
			f.Errorf("the uploader ended with %v", err)
		}
	}()
	at := "--store " + store + " --cluster prod "
	f.becomes("backup list --store "+store, `^prod +0 +1 `)
	between := f.writes(3)
	head := f.writes(3)
	f.durable(store, head)
	first := strings.TrimSuffix(f.release, filepath.Ext(f.release))
	f.restores(at, between, first, f.release)
	f.restores(at, head, first, f.release, etcdOurs)
	f.says(exitFine, "backup verify "+at+f.at(), `HashKV`)

	f.changesRelease(func() { f.writes(1) })
	head = f.writes(1)
	f.durable(store, head)
	f.says(exitFine, "backup verify "+at+f.at(), `HashKV`)
	if f.release == etcd.Release35 { // the last base is of 3.6
		f.says(exitFine, "backup base "+at+f.at(), ``)
	}
	f.restores(at, head, "3.5", f.release)
}

// enablesAuth makes users, and is the flags of who may do all.
func (f *foreign) enablesAuth() string {
	client, ctx := f.client(), f.Context()
	var faults []error
	failed := func(_ any, err error) { faults = append(faults, err) }
	failed(client.UserAdd(ctx, "root", "sesame"))
	failed(client.UserGrantRole(ctx, "root", "root"))
	failed(client.UserAdd(ctx, "reader", "sesame"))
	failed(client.RoleAdd(ctx, "reads"))
	failed(client.RoleGrantPermission(ctx, "reads", "k/", clientv3.GetPrefixRangeEnd("k/"), clientv3.PermissionType(clientv3.PermRead)))
	failed(client.UserGrantRole(ctx, "reader", "reads"))
	failed(client.AuthEnable(ctx))
	for _, err := range faults {
		if err != nil {
			f.Fatal(err)
		}
	}
	file := filepath.Join(f.whole.TempDir(), "password")
	if err := os.WriteFile(file, []byte("sesame\n"), 0o600); err != nil {
		f.Fatal(err)
	}
	return " --user root --password-file " + file
}

// writes changes keys in all ways there are, and is what there was then.
func (f *foreign) writes(rounds int) (p point) {
	f.Helper()
	client, ctx := f.client(), f.Context()
	random := rand.New(rand.NewPCG(35, 36))
	for range rounds * 50 {
		key := fmt.Sprintf("k/%02d", random.IntN(60))
		var err error
		switch random.IntN(6) {
		case 0:
			_, err = client.Delete(ctx, key)
		case 1:
			_, err = client.Delete(ctx, key[:3], clientv3.WithPrefix())
		case 2:
			_, err = client.Txn(ctx).Then(clientv3.OpPut("a/"+key, "1"), clientv3.OpDelete(key), clientv3.OpPut("b/"+key, "2")).Commit()
		case 3:
			var lease *clientv3.LeaseGrantResponse
			if lease, err = client.Grant(ctx, 600); err == nil {
				_, err = client.Put(ctx, key, "leased", clientv3.WithLease(lease.ID))
			}
		default:
			_, err = client.Put(ctx, key, fmt.Sprint(random.Int()))
		}
		if err != nil {
			f.Fatal(err)
		}
	}
	r, err := client.Get(ctx, "k/", clientv3.WithPrefix())
	if err != nil {
		f.Fatal(err)
	}
	p.revision, p.keys = r.Header.Revision, r.Kvs
	hashes := map[uint32]bool{}
	for _, endpoint := range f.endpoints() { // of two releases, maybe
		h, err := client.HashKV(ctx, endpoint, p.revision)
		for errors.Is(err, rpctypes.ErrFutureRev) { // it has not heard of it
			h, err = client.HashKV(ctx, endpoint, p.revision)
		}
		if err != nil {
			f.Fatal(err)
		}
		p.hash, p.compacted = h.Hash, max(h.CompactRevision, 0)
		hashes[h.Hash] = true
	}
	if len(hashes) != 1 {
		f.Errorf("the members disagree about revision %d: %v", p.revision, hashes)
	}
	return p
}

// durable waits until a backup has all up to a point.
func (f *foreign) durable(store string, p point) {
	f.Helper()
	revision := regexp.MustCompile(`…(\d+)`)
	for {
		text := f.becomes("backup list --store "+store, `^prod +0 .*…\d+$`)
		for _, line := range strings.Split(text, "\n") {
			if found := revision.FindStringSubmatch(line); strings.HasPrefix(line, "prod") && found != nil {
				if n, _ := strconv.ParseInt(found[1], 10, 64); n >= p.revision {
					return
				}
			}
		}
	}
}

// etcdOurs is the etcd that comes with tow: testscript puts it there.
const etcdOurs = "etcd"

// restores makes members of a point, which are said to be for releases from first on, and starts
// them with some.
func (f *foreign) restores(at string, p point, first string, releases ...string) {
	f.Helper()
	for _, release := range releases {
		binary, err := exec.LookPath(etcdOurs)
		if release != etcdOurs {
			binary, err = etcd.Binary(f.T, release), nil
		}
		if err != nil {
			f.Fatal(err)
		}
		member, said := f.restored(binary, at, p)
		if want := "Start it, as etcd " + first + " to 3.7, with its usual flags"; !strings.Contains(said, want) {
			f.Errorf("it says\n%s\nwant %s", said, want)
		}
		etcd.StartProcesses(f.T, member)
		f.same(member, p)
		member.Stop()
	}
}

// restored is a member of a point, which has not started, and what was said of it.
func (f *foreign) restored(binary, at string, p point) (member *etcd.Process, said string) {
	f.Helper()
	member = etcd.Prepared(f.T, binary, 1)[0]
	said = f.tow(exitFine, fmt.Sprintf("backup restore %s --revision %d --name e1 --data-dir %s --initial-cluster %s", at, p.revision, member.Dir, member.Initial))
	if want := fmt.Sprintf("HashKV %08x at revision %d, compacted at %d", p.hash, p.revision, p.compacted); !strings.Contains(said, want) {
		f.Errorf("the source had %s; it was restored as\n%s", want, said)
	}
	started := regexp.MustCompile(`--initial-cluster (\S+) --initial-cluster-token (\S+)`).FindStringSubmatch(said)
	member.Initial, member.Flags = started[1], []string{"--initial-cluster-token", started[2]}
	return member, said
}

// same holds a member that was restored against what there was.
func (f *foreign) same(member *etcd.Process, p point) {
	f.Helper()
	ctx, client := f.Context(), f.clientAt(member.ClientURL())
	r, err := client.Get(ctx, "k/", clientv3.WithPrefix())
	if err != nil {
		f.Fatal(err)
	}
	if fmt.Sprint(r.Kvs) != fmt.Sprint(p.keys) || len(p.keys) == 0 {
		f.Errorf("there were %d keys, and there are %d, or they differ", len(p.keys), len(r.Kvs))
	}
	for _, kv := range r.Kvs {
		if kv.Lease == 0 {
			continue
		}
		if l, err := client.TimeToLive(ctx, clientv3.LeaseID(kv.Lease)); err != nil || l.GrantedTTL != 600 {
			f.Errorf("the lease of %s has %+v, %v", kv.Key, l, err)
		}
	}
	if r.Header.Revision <= p.revision+1e9-1 {
		f.Errorf("it begins at the revision %d", r.Header.Revision)
	}
	f.says(exitFine, "cluster resume --yes --endpoints "+member.ClientURL()+f.login, `Elections go on in generation \d+`)
	f.put(client, "k/new", "1")
	within := *f
	within.user = "reader"
	reader := within.clientAt(member.ClientURL())
	if _, err := reader.Get(ctx, "k/new"); err != nil {
		f.Errorf("who may read is told %v", err)
	}
	if _, err := reader.Put(ctx, "k/new", "2"); err == nil {
		f.Error("who may only read writes")
	}
	f.says(exitFine, "cluster status --endpoints "+member.ClientURL()+f.login, `^Cluster .*: 1 of 1 voter`)
}

// changesRelease takes a cluster of 3.5 to 3.6, and one of 3.6 back, as the checks say.
func (f *foreign) changesRelease(meanwhile func()) {
	to := map[string]string{etcd.Release35: etcd.Release36, etcd.Release36: etcd.Release35}[f.release]
	binary := etcd.Binary(f.T, to)
	check := "cluster upgrade --check "
	if f.release == etcd.Release35 {
		f.says(exitFine, check+to+" "+f.at(), `^Ready for 3\.6\.16, once you have read `)
		f.says(exitWrong, check+"3.7.3 "+f.at(), `step: from 3\.5\.35 to 3\.7\.3 are 2 minor releases`)
		f.says(exitWrong, "cluster downgrade --check 3.4.40 "+f.at(), `3\.5\.35 cannot take back what is newer`)
	} else {
		check = "cluster downgrade --check "
		f.says(exitFine, "cluster upgrade --check 3.7.3 "+f.at(), `^Ready for 3\.7\.3, once you have read `)
		f.says(exitFine, check+to+" "+f.at(), `downgrade: etcd would take it; when all is in order, "etcdctl downgrade enable 3\.5" begins it`)
		if _, err := f.client().Downgrade(f.Context(), clientv3.DowngradeEnable, "3.5"); err != nil {
			f.Fatal(err)
		}
		f.becomes(check+to+" "+f.at(), `^Ready for 3\.5\.35, once you have read `) // it takes etcd some seconds
		f.says(exitFine, check+to+" "+f.at(), `downgrade: it is enabled`)
	}
	// One at a time, the leader last.
	leader := regexp.MustCompile(`; (e\d) leads;`).FindStringSubmatch(f.tow(exitFine, "cluster status "+f.at()))[1]
	var names []string
	for name := range f.members {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int {
		return strings.Compare(strings.Replace(a, leader, "z", 1), strings.Replace(b, leader, "z", 1))
	})
	for i, name := range names {
		m := f.members[name]
		m.Stop()
		m.Binary = binary
		etcd.StartProcesses(f.T, m)
		f.becomes("cluster status "+f.at(), `^Cluster .*: 3 of 3 voters well`)
		meanwhile()
		if i < 2 {
			f.says(exitFine, "cluster status "+f.at(), `^Warning: the members are of 3\.5\.35 and 3\.6\.16$`)
			f.says(exitFine, check+to+" "+f.at(), `it is under way: go on, one member at a time, the leader last`)
		}
	}
	f.release = to
	if to == etcd.Release36 {
		f.becomes("cluster upgrade --check 3.7.3 "+f.at(), `^Ready for 3\.7\.3, once you have read `)
	}
}
