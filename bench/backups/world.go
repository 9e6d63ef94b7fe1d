package backups

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"towpath.dev/internal/control/member"
)

const (
	// policy is the one that everybody keeps here: with it nothing is thinned out, and a
	// restore goes to any minute of 30 days.
	policy = "any minute for 30 days"
	// changing is the share of keys that an hour changes.
	changing = 0.01
	// monthDays is what a month has, on bills.
	monthDays = 30
)

// dayBegins is when the simulated day does.
var dayBegins = time.Date(2026, 9, 1, 0, 0, 0, 0, time.UTC)

// A world is a member of etcd with records, an uploader beside it, and their clock.
type world struct {
	ctx     context.Context
	dir     string
	member  *member.Member
	client  *clientv3.Client
	records *Records
	random  *rand.Rand
	up      *uploader

	now       time.Time
	head      int64
	hours     []int64 // the last revision of each hour that is over
	compacted int64
	// updated hears of each update, if it is not nil.
	updated func(revision int64, at time.Time)
}

func newWorld(ctx context.Context, seed uint64, n int) (_ *world, err error) {
	w := &world{ctx: ctx, records: NewRecords(seed, n), random: rand.New(rand.NewPCG(seed, 3)), now: dayBegins}
	if w.dir, err = os.MkdirTemp("", "backups-*"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			w.close()
		}
	}()
	if err := errors.Join(os.Mkdir(w.store(), 0o700), os.Mkdir(w.scratch(), 0o700)); err != nil {
		return nil, err
	}
	w.member, err = member.Start(ctx, member.Options{
		Dir: filepath.Join(w.dir, "etcd"), Quota: 16 << 30, History: 1000 * time.Hour, UnsafeNoSync: true,
	})
	if err != nil {
		return nil, err
	}
	if w.client, err = w.member.Client(ctx); err != nil {
		return nil, err
	}
	if err := w.load(); err != nil {
		return nil, err
	}
	w.up, err = startUploader(w.member.Endpoints(), w.store(), w.scratch(), policy)
	return w, err
}

func (w *world) store() string   { return filepath.Join(w.dir, "store") }
func (w *world) scratch() string { return filepath.Join(w.dir, "scratch") }

func (w *world) close() {
	if w.up != nil {
		w.up.stop()
	}
	if w.client != nil {
		_ = w.client.Close()
	}
	if w.member != nil {
		w.member.Close()
	}
	_ = os.RemoveAll(w.dir)
}

// load writes all records, a hundred a transaction.
func (w *world) load() error {
	for i := 0; i < w.records.Len(); i += 100 {
		var puts []clientv3.Op
		for j := i; j < min(i+100, w.records.Len()); j++ {
			puts = append(puts, clientv3.OpPut(w.records.Key(j), string(w.records.Value(j))))
		}
		answer, err := w.client.Txn(w.ctx).Then(puts...).Commit()
		if err != nil {
			return fmt.Errorf("writing the records: %w", err)
		}
		w.head = answer.Header.Revision
	}
	return nil
}

// pass lets time pass, here and at the uploader.
func (w *world) pass(to time.Time) error {
	w.now = to
	return errors.Join(w.up.at(to), w.up.in.Flush())
}

// hour simulates an hour: its updates, each at an instant of its own, an upload after every
// so many minutes, and care at eleven minutes past. Before, what is older than an hour is
// compacted. A minute's end is told to each, if that is not nil.
func (w *world) hour(uploads time.Duration, each func() error) error {
	begins := w.now
	if err := w.compact(); err != nil {
		return err
	}
	instants := make([]time.Duration, int(float64(w.records.Len())*changing))
	for i := range instants {
		instants[i] = time.Duration(w.random.Int64N(int64(time.Hour))).Truncate(time.Millisecond)
	}
	slices.Sort(instants)
	for minute := time.Minute; minute <= time.Hour; minute += time.Minute {
		for len(instants) > 0 && instants[0] < minute {
			if err := w.update(begins.Add(instants[0])); err != nil {
				return err
			}
			instants = instants[1:]
		}
		if err := w.pass(begins.Add(minute)); err != nil {
			return err
		}
		if minute%uploads == 0 {
			if _, err := w.up.do("upload"); err != nil {
				return err
			}
		}
		if minute == 11*time.Minute {
			if _, err := w.up.do("care"); err != nil {
				return err
			}
		}
		if each != nil {
			if err := each(); err != nil {
				return err
			}
		}
	}
	w.hours = append(w.hours, w.head)
	return nil
}

// update gives a record its next version.
func (w *world) update(at time.Time) error {
	i := w.random.IntN(w.records.Len())
	w.records.Update(i, at)
	if err := w.pass(at); err != nil {
		return err
	}
	answer, err := w.client.Put(w.ctx, w.records.Key(i), string(w.records.Value(i)))
	if err != nil {
		return err
	}
	w.head = answer.Header.Revision
	if w.updated != nil {
		w.updated(w.head, at)
	}
	return nil
}

// compact forgets what is older than an hour.
func (w *world) compact() error {
	if len(w.hours) < 2 {
		return nil
	}
	w.compacted = w.hours[len(w.hours)-2]
	_, err := w.client.Compact(w.ctx, w.compacted, clientv3.WithCompactPhysical())
	return err
}

// begin makes the first base.
func (w *world) begin() error {
	if err := w.pass(w.now); err != nil {
		return err
	}
	for _, what := range []string{"follow", "care"} {
		if _, err := w.up.do(what); err != nil {
			return err
		}
	}
	return nil
}

// A sum is what the source said of one of its revisions.
type sum struct {
	revision, compacted int64
	hash                uint32
}

// hash asks the member for the hash of one of the revisions that it has.
func (w *world) hash() (sum, error) {
	oldest := max(w.compacted, 1)
	revision := oldest + 1 + w.random.Int64N(w.head-oldest)
	answer, err := w.client.HashKV(w.ctx, w.member.Endpoints()[0], revision)
	if err != nil {
		return sum{}, err
	}
	return sum{revision, max(answer.CompactRevision, 0), answer.Hash}, nil
}
