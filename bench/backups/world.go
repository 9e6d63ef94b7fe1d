package backups

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"golang.org/x/sync/errgroup"

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
	instants  []time.Time // of the hour's updates that are still to come
	head      int64
	hours     []int64 // the last revision before each hour
	compacted int64
	// updated hears of each update. If it is nil, those of a minute are made together.
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
		w.up.Stop()
	}
	if w.client != nil {
		_ = w.client.Close()
	}
	if w.member != nil {
		w.member.Close()
	}
	_ = os.RemoveAll(w.dir)
}

// load writes all records, a hundred a transaction and two transactions at a time.
func (w *world) load() error {
	loading, ctx := errgroup.WithContext(w.ctx)
	loading.SetLimit(2)
	for i := 0; i < w.records.Len(); i += 100 {
		loading.Go(func() error {
			var puts []clientv3.Op
			for j := i; j < min(i+100, w.records.Len()); j++ {
				puts = append(puts, clientv3.OpPut(w.records.Key(j), string(w.records.Value(j))))
			}
			_, err := w.client.Txn(ctx).Then(puts...).Commit()
			return err
		})
	}
	if err := loading.Wait(); err != nil {
		return fmt.Errorf("writing the records: %w", err)
	}
	answer, err := w.client.Get(w.ctx, "\x00", clientv3.WithCountOnly())
	if err == nil {
		w.head = answer.Header.Revision
	}
	return err
}

// pass lets time pass, here and at the uploader.
func (w *world) pass(to time.Time) error {
	w.now = to
	return errors.Join(w.up.at(to), w.up.Flush())
}

// minute simulates one: its updates, each at an instant of its own, and an upload if it is the
// last of so many. At eleven minutes past there is care, and at each hour what is older than
// one is compacted.
func (w *world) minute(uploads int) error {
	begins := w.now
	if begins.Minute() == 0 {
		if err := w.hour(); err != nil {
			return err
		}
	}
	n, _ := slices.BinarySearchFunc(w.instants, begins.Add(time.Minute), time.Time.Compare)
	var err error
	if w.updated != nil {
		err = w.oneByOne(w.instants[:n])
	} else {
		err = w.together(w.instants[:n])
	}
	if err != nil {
		return err
	}
	w.instants = w.instants[n:]
	if err := w.pass(begins.Add(time.Minute)); err != nil {
		return err
	}
	if w.now.Minute()%uploads == 0 {
		if _, err := w.up.do("upload"); err != nil {
			return err
		}
	}
	if w.now.Minute() == 11 {
		if _, err := w.up.do("care"); err != nil {
			return err
		}
	}
	return nil
}

// hour begins one: it compacts, and draws the instants of the updates.
func (w *world) hour() error {
	w.instants = nil
	for range int(float64(w.records.Len()) * changing) {
		w.instants = append(w.instants, w.now.Add(time.Duration(w.random.Int64N(int64(time.Hour))).Truncate(time.Millisecond)))
	}
	slices.SortFunc(w.instants, time.Time.Compare)
	w.hours = append(w.hours, w.head)
	if len(w.hours) < 2 {
		return nil
	}
	w.compacted = w.hours[len(w.hours)-2]
	_, err := w.client.Compact(w.ctx, w.compacted) // it goes on beside what follows
	return err
}

// oneByOne updates a record at each instant, and says which revision each was.
func (w *world) oneByOne(instants []time.Time) error {
	for _, at := range instants {
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
		w.updated(w.head, at)
	}
	return nil
}

// together updates as many records, several at a time, where nobody asks which was when.
func (w *world) together(instants []time.Time) error {
	writing, ctx := errgroup.WithContext(w.ctx)
	writing.SetLimit(8)
	var head atomic.Int64
	head.Store(w.head)
	for _, at := range instants {
		i := w.random.IntN(w.records.Len())
		w.records.Update(i, at)
		key, value := w.records.Key(i), string(w.records.Value(i))
		writing.Go(func() error {
			answer, err := w.client.Put(ctx, key, value)
			if err != nil {
				return err
			}
			for old := head.Load(); old < answer.Header.Revision && !head.CompareAndSwap(old, answer.Header.Revision); old = head.Load() {
			}
			return nil
		})
	}
	err := writing.Wait()
	w.head = head.Load()
	return err
}

// begin makes the first base, and restores and compares it. That is on the day before, so that
// the next time it is compared is when a day has been merged, as on most days.
func (w *world) begin() error {
	defer func() { w.now = dayBegins }()
	if err := w.pass(dayBegins.Add(-22 * time.Hour)); err != nil {
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
