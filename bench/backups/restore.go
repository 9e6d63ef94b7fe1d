package backups

import (
	"context"
	"fmt"
	"hash/crc32"
	"path/filepath"
	"time"

	"encoding/binary"
	bolt "go.etcd.io/bbolt"
	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/protobuf/proto"

	"towpath.dev/bench/report"
	"towpath.dev/internal/blob"
	"towpath.dev/internal/control/backup"
	"towpath.dev/internal/control/member"
)

// restored is a member that a restore has made.
type restored struct {
	dir     string
	took    time.Duration // from the command to the member's files
	began   time.Duration // from them to a member that answers
	cpu     time.Duration
	objects int
	bytes   int64
	keys    int64
}

// restore restores the last revision, and starts the member.
func (w *world) restore() (*restored, error) {
	store, err := blob.Open(w.store(), blob.Options{})
	if err != nil {
		return nil, err
	}
	r := &restored{dir: filepath.Join(w.dir, "restored")}
	const peer = "127.0.0.1:2380" // nobody else is there to be reached
	cpu, _, err := ownUsage()
	if err != nil {
		return nil, err
	}
	begun := time.Now()
	plan, err := backup.PlanRestore(w.ctx, backup.RestoreOptions{
		Store: store, Cluster: cluster, DataDir: r.dir, Name: "tow", Members: map[string]string{"tow": "http://" + peer},
	})
	if err != nil {
		return nil, err
	}
	if _, err := plan.Run(w.ctx); err != nil {
		return nil, err
	}
	r.took, r.objects, r.bytes = time.Since(begun), plan.Objects, plan.Bytes
	now, _, err := ownUsage()
	if err != nil {
		return nil, err
	}
	r.cpu = now - cpu
	if plan.Target.Revision != w.head {
		return nil, fmt.Errorf("restored is revision %d, and the source is at %d", plan.Target.Revision, w.head)
	}
	return r, nil
}

// start starts the member that was restored, and counts its keys.
func (r *restored) start(ctx context.Context) error {
	begun := time.Now()
	m, err := member.Start(ctx, member.Options{Dir: r.dir, Quota: 16 << 30, History: 1000 * time.Hour})
	if err != nil {
		return err
	}
	defer m.Close()
	client, err := m.Client(ctx)
	if err != nil {
		return err
	}
	defer client.Close()
	answer, err := client.Get(ctx, "", clientv3.WithPrefix(), clientv3.WithCountOnly())
	if err != nil {
		return err
	}
	r.began, r.keys = time.Since(begun), answer.Count
	return nil
}

// check compares the restored file with what the source said of its revisions, each compacted
// where it was then. It is etcd's HashKV once more, by other code than the backup's: the CRC-32C
// over the rows of later revisions than the compaction, and of the earlier ones that still
// count. It reads the file twice for all of them.
func (r *restored) check(sums []sum) (equal int, err error) {
	db, err := bolt.Open(filepath.Join(r.dir, "member", "snap", "db"), 0o600, &bolt.Options{ReadOnly: true})
	if err != nil {
		return 0, err
	}
	defer db.Close()
	table, got := crc32.MakeTable(crc32.Castagnoli), make([]uint32, len(sums))
	err = db.View(func(tx *bolt.Tx) error {
		rows := tx.Bucket([]byte("key"))
		until, err := superseded(rows)
		if err != nil {
			return err
		}
		for i := range got {
			got[i] = crc32.Checksum([]byte("key"), table)
		}
		n := 0
		return rows.ForEach(func(k, v []byte) error {
			revision := int64(binary.BigEndian.Uint64(k))
			for i, s := range sums {
				if revision <= s.revision && (revision > s.compacted || until[n] > s.revision) {
					got[i] = crc32.Update(crc32.Update(got[i], table, k), table, v)
				}
			}
			n++
			return nil
		})
	})
	if err != nil {
		return 0, err
	}
	for i, s := range sums {
		if got[i] != s.hash {
			return equal, fmt.Errorf("at revision %d, compacted at %d, the source had HashKV %08x, and restored is %08x", s.revision, s.compacted, s.hash, got[i])
		}
		equal++
	}
	return equal, nil
}

// superseded is of each row, in their order, which revision wrote its key anew. Nothing is
// deleted here.
func superseded(rows *bolt.Bucket) ([]int64, error) {
	var until []int64
	last := map[string]int{}
	err := rows.ForEach(func(k, v []byte) error {
		var kv mvccpb.KeyValue
		if err := proto.Unmarshal(v, &kv); err != nil {
			return err
		}
		if before, there := last[string(kv.Key)]; there {
			until[before] = int64(binary.BigEndian.Uint64(k))
		}
		last[string(kv.Key)] = len(until)
		until = append(until, 1<<62)
		return nil
	})
	return until, err
}

// bigRecords make a store of 1 GB.
const bigRecords = 720_000

// restoreRows restore a store of 1 GB and a day of its log.
func (b *Bench) restoreRows() ([]report.Row, error) {
	progress("a member with %d records", bigRecords)
	w, err := newWorld(b.ctx, b.Seed, bigRecords)
	if err != nil {
		return nil, err
	}
	defer w.close()
	progress("its base")
	if err := w.begin(); err != nil {
		return nil, err
	}
	var sums []sum
	begun := time.Now()
	for h := range 24 {
		// What a restore reads is hours and a day, whatever they were merged of; the minutes
		// of the last hour it reads themselves.
		uploads := 10
		if h >= 22 {
			uploads = 1
		}
		for range 60 {
			if err := w.minute(uploads); err != nil {
				return nil, err
			}
		}
		if h%4 == 3 {
			s, err := w.hash()
			if err != nil {
				return nil, err
			}
			sums = append(sums, s)
			progress("%d hours of log took %s", h+1, time.Since(begun).Round(time.Second))
		}
	}
	progress("restoring")
	done, err := w.restore()
	if err != nil {
		return nil, err
	}
	equal, err := done.check(sums)
	if err != nil {
		return nil, err
	}
	if err := done.start(b.ctx); err != nil {
		return nil, err
	}
	if done.keys != bigRecords {
		return nil, fmt.Errorf("the restored member has %d keys, and the source %d", done.keys, bigRecords)
	}
	all := done.took + done.began
	return []report.Row{{
		Name: "restore of 1 GB and a day of log, to a member that answers: s", Value: fmt.Sprintf("%.1f s", all.Seconds()), Ratio: all.Seconds(), Bar: 60,
		Note: fmt.Sprintf("%.1f s of CPU; a base and %d objects, %.0f MB, of a folder; %.1f s of it is the member's start; HashKV equal at %d revisions here too", done.cpu.Seconds(), done.objects, float64(done.bytes)/1e6, done.began.Seconds(), equal),
	}}, nil
}
