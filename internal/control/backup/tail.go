package backup

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"towpath.dev/internal/control/backup/segment"
)

// A tail follows a store's revisions from one on, and gathers their changes.
type tail struct {
	client *clientv3.Client
	now    func() time.Time
	begin  func() *segment.Writer
	behind func() *segment.Dictionary
	same   func(*etcdserverpb.ResponseHeader) error

	room   int64         // bytes
	rested time.Time     // when the last rest began, if changes have come at a rate ever since
	hurry  chan struct{} // somebody waits for what a rest would delay

	mu     sync.Mutex
	w      *segment.Writer
	end    int64         // the last revision that was seen
	moved  chan struct{} // closed when end changes or room is made
	marked time.Time
	leases leases
}

const (
	// A tail that has so many bytes which nobody takes stops following, and etcd keeps them.
	tailRoom = 256 << 20
	// marksEvery is how far apart the times are that a restore to an instant goes by.
	marksEvery = time.Second
	// So many changes within about a second make it worthwhile to rest, and about so many
	// may come meanwhile: more, and a compaction at the last thousand would be faster.
	gulp = 64
	lag  = 512
	// answerTime is how long an answer of a member may take.
	answerTime = 5 * time.Second
)

// A gapError says that revisions are missing: the store was compacted before they were
// seen. Those after Compacted can still be had.
type gapError struct{ next, compacted int64 }

func (e *gapError) Error() string {
	return fmt.Sprintf("the store was compacted at revision %d before revision %d was seen: what was in between is lost to the log", e.compacted, e.next)
}

// newTail makes one that follows from a revision on.
func newTail(u *Uploader, from int64) *tail {
	t := &tail{client: u.o.Source.Client, now: u.o.Now, begin: u.begin, behind: u.dictionary, same: u.same, room: u.room, w: u.begin(), end: from - 1, moved: make(chan struct{}), hurry: make(chan struct{}, 1)}
	t.leases.ttl = map[int64]int64{}
	return t
}

// follow reads changes until the context ends or they can be read no more: the error is a
// gapError, or one after which following again may go better.
func (t *tail) follow(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	var asking sync.WaitGroup
	defer asking.Wait()
	defer cancel()
	asking.Go(func() { t.leases.ask(ctx, t.client) })
	for {
		err := t.until(ctx, t.roomy)
		if err == nil {
			err = t.watch(ctx)
		}
		if err != nil {
			return err
		}
	}
}

// watch reads changes until there is no room for more. Then the watch ends: what nobody
// reads of one, etcd's client keeps in memory, however much it is.
//
// It ends as well, and rests, when many changes have come within a second and it has all
// there are. A member sends a watch that is up to date each change by itself, and one
// that is behind up to a thousand at once, for a fifth of its CPU time.
func (t *tail) watch(following context.Context) error {
	ctx, cancel := context.WithCancel(clientv3.WithRequireLeader(following))
	defer cancel()
	begun, changes := t.rested, 0
	if begun.IsZero() {
		begun = time.Now()
	}
	t.mu.Lock()
	next := t.end + 1
	t.mu.Unlock()
	// All keys: from the least one on.
	watch := t.client.Watch(ctx, "\x00", clientv3.WithFromKey(), clientv3.WithRev(next), clientv3.WithFragment())
	for answer := range watch {
		if answer.Header != nil { // else the client says that it has ended
			if err := t.same(answer.Header); err != nil {
				return err
			}
		}
		if answer.CompactRevision != 0 {
			return &gapError{next, answer.CompactRevision}
		}
		if err := answer.Err(); err != nil {
			return fmt.Errorf("the watch: %w", err)
		}
		if err := t.take(answer.Events); err != nil {
			return err
		}
		if len(answer.Events) > 0 {
			next = answer.Events[len(answer.Events)-1].Kv.ModRevision + 1
		}
		t.mu.Lock()
		full := !t.roomy()
		t.mu.Unlock()
		changes += len(answer.Events)
		switch since := time.Since(begun); {
		case full:
			return nil
		case since >= 2*marksEvery:
			begun, changes, t.rested = time.Now(), 0, time.Time{}
		case changes >= gulp && next > answer.Header.Revision:
			cancel()
			t.rested = time.Now()
			return t.rest(following, min(marksEvery, since*lag/time.Duration(changes)))
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return errors.New("the watch has ended")
}

// rest waits for a while, or until somebody waits for what comes meanwhile.
func (t *tail) rest(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-t.hurry:
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

// take adds events, which are of whole revisions.
func (t *tail) take(events []*clientv3.Event) error {
	if len(events) == 0 {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	at, empty := t.now(), t.w.Empty()
	// Nothing may follow the first of events until all of them are known to be good.
	last, sub := t.end, int64(-1)
	for i, e := range events {
		switch {
		case e.Kv.ModRevision == last && i > 0:
			sub++
		case e.Kv.ModRevision == last+1:
			last, sub = last+1, 0
		default:
			return fmt.Errorf("expected revision %d of the watch, found %d", last+1, e.Kv.ModRevision)
		}
		deleted := e.Type == mvccpb.Event_DELETE
		row, err := encodeRow(e.Kv, deleted)
		if err != nil {
			return err
		}
		t.w.Change(segment.Change{Main: last, Sub: sub, Deleted: deleted, Row: row})
		if e.Kv.Lease != 0 && !deleted {
			t.leases.see(e.Kv.Lease)
		}
	}
	t.end = last
	if empty || at.Sub(t.marked) >= marksEvery {
		t.w.Mark(at)
		t.marked = at
	}
	t.wake()
	return nil
}

// wake tells those who wait; the caller holds mu.
func (t *tail) wake() {
	close(t.moved)
	t.moved = make(chan struct{})
}

// until waits until a condition, which is asked with mu held, holds.
func (t *tail) until(ctx context.Context, holds func() bool) error {
	for {
		t.mu.Lock()
		done, moved := holds(), t.moved
		t.mu.Unlock()
		if done {
			return nil
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// roomy says whether more may be gathered before somebody takes it; the caller holds mu.
func (t *tail) roomy() bool { return t.w.Raw() < t.room }

// reached waits until a revision was seen.
func (t *tail) reached(ctx context.Context, revision int64) error {
	t.mu.Lock()
	behind := t.end < revision
	t.mu.Unlock()
	if behind {
		select {
		case t.hurry <- struct{}{}:
		default: // it is known
		}
	}
	return t.until(ctx, func() bool { return t.end >= revision })
}

// full waits until there is more than one object should have.
func (t *tail) full(ctx context.Context) error {
	return t.until(ctx, func() bool { return t.w.Raw() >= cutAt })
}

// cutAt is how many bytes make an object before its time has come.
const cutAt = 64 << 20

// cut takes what was gathered, as an object; nil if that is nothing.
func (t *tail) cut(ctx context.Context) ([]byte, segment.Header, error) {
	t.leases.settle(ctx)
	t.mu.Lock()
	w := t.w
	if w.Empty() {
		t.mu.Unlock()
		return nil, segment.Header{}, nil
	}
	t.w = t.begin()
	w.Mark(t.now())
	t.marked = time.Time{}
	t.wake()
	t.mu.Unlock()
	for _, l := range t.leases.take() {
		w.Lease(l)
	}
	w.Behind(t.behind())
	return w.Seal()
}

// leases learns for how long the leases live that keys are on: what a watch does not say.
type leases struct {
	mu      sync.Mutex
	ttl     map[int64]int64 // of those that were asked about; 0 until there is an answer
	waiting []int64
	asked   int // of how many an answer is on its way
	answers []segment.Lease
	wake    chan struct{}
	idle    chan struct{} // closed when all have their answers
}

// maxLeases is how many are remembered; then all are forgotten, and asked about again.
const maxLeases = 100_000

func (l *leases) see(id int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, known := l.ttl[id]; known {
		return
	}
	if len(l.ttl) >= maxLeases {
		clear(l.ttl)
	}
	l.ttl[id] = 0
	l.waiting = append(l.waiting, id)
	if l.wake != nil {
		close(l.wake)
		l.wake = nil
	}
}

// askAtOnce is about how many leases is asked at a time: ten thousand clients that come back
// together are a second's work then, and not ten.
const askAtOnce = 16

// ask asks about leases.
func (l *leases) ask(ctx context.Context, client *clientv3.Client) {
	var asking sync.WaitGroup
	for range askAtOnce {
		asking.Go(func() {
			for ctx.Err() == nil {
				l.askOne(ctx, client)
			}
		})
	}
	asking.Wait()
}

// askOne asks about the next lease, or waits until there is one.
func (l *leases) askOne(ctx context.Context, client *clientv3.Client) {
	l.mu.Lock()
	if len(l.waiting) == 0 {
		if l.wake == nil {
			l.wake = make(chan struct{})
		}
		wake := l.wake
		l.mu.Unlock()
		select {
		case <-wake:
		case <-ctx.Done():
		}
		return
	}
	id := l.waiting[0]
	l.waiting = l.waiting[1:]
	l.asked++
	l.mu.Unlock()
	asking, cancel := context.WithTimeout(ctx, answerTime)
	answer, err := client.TimeToLive(asking, clientv3.LeaseID(id))
	cancel()
	l.mu.Lock()
	defer l.mu.Unlock()
	// One that cannot be had, or has ended, is one of unknown length.
	if err == nil && answer.GrantedTTL > 0 {
		l.answers = append(l.answers, segment.Lease{ID: id, TTL: answer.GrantedTTL})
	}
	if l.asked--; l.settled() && l.idle != nil {
		close(l.idle)
		l.idle = nil
	}
}

// settled says whether all that was asked is answered; the caller holds mu.
func (l *leases) settled() bool { return len(l.waiting) == 0 && l.asked == 0 }

// settle waits for answers, for a while.
func (l *leases) settle(ctx context.Context) {
	l.mu.Lock()
	if l.settled() {
		l.mu.Unlock()
		return
	}
	if l.idle == nil {
		l.idle = make(chan struct{})
	}
	idle := l.idle
	l.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	select {
	case <-idle:
	case <-ctx.Done():
	}
}

// take takes the answers.
func (l *leases) take() []segment.Lease {
	l.mu.Lock()
	defer l.mu.Unlock()
	answers := l.answers
	l.answers = nil
	return answers
}
