package backup

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"filippo.io/age"
	clientv3 "go.etcd.io/etcd/client/v3"
	"golang.org/x/sync/errgroup"

	"towpath.dev/internal/blob"
	"towpath.dev/internal/control/backup/catalog"
	"towpath.dev/internal/control/backup/cost"
	"towpath.dev/internal/control/backup/segment"
)

// A Source is a cluster of etcd whose revisions are kept.
type Source struct {
	Client *clientv3.Client
	// Dial connects to one member alone, for what has to be one member's.
	Dial func(endpoint string) (*clientv3.Client, error)
}

// Options say what is kept where. Source, Store and Cluster have no default.
type Options struct {
	Source  Source
	Store   blob.Store
	Cluster string         // its name in the store; see blob.CheckName
	Every   time.Duration  // how much may be lost; default one minute
	Keep    catalog.Policy // default [DefaultKeep]
	// Recipients can read what is written; without any, everybody who can read the store.
	Recipients []age.Recipient
	// Identities read what was written, to merge, thin and verify it. Those of encrypted
	// backups should be a recipient of their own, so that the key for restores stays away.
	Identities []age.Identity
	// Plain lets a backup that is encrypted go on in the clear, and Dropped are recipients without whom
	// it may go on that has been for them.
	Plain   bool
	Dropped []age.Recipient
	Scratch string // folder for snapshots and restores; default the user's for caches
	Log     *slog.Logger
	Metrics *Metrics
	Now     func() time.Time // default time.Now
}

// DefaultKeep is what is kept where nobody said what.
const DefaultKeep = "any minute for 2 days, hours for 2 weeks, days for 3 months"

func (o Options) filled() (Options, error) {
	if o.Every == 0 {
		o.Every = time.Minute
	}
	if o.Keep == (catalog.Policy{}) {
		o.Keep, _ = catalog.Parse(DefaultKeep)
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Metrics == nil {
		o.Metrics = NewMetrics()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	var faults []error
	if o.Scratch == "" {
		var err error
		if o.Scratch, err = ownScratch(); err != nil {
			faults = append(faults, err)
		}
	}
	if err := CheckCluster(o.Cluster); err != nil {
		faults = append(faults, err)
	}
	if o.Every < 0 {
		faults = append(faults, fmt.Errorf("every %s: expected a time", o.Every))
	}
	return o, errors.Join(faults...)
}

// ownScratch is a folder of this user's alone that outlives the process: what is verified goes
// on from what is there, and nobody else may put something in its place.
func ownScratch() (string, error) {
	cache, err := os.UserCacheDir()
	if err == nil {
		cache = filepath.Join(cache, "towpath", "backup")
		err = os.MkdirAll(cache, 0o700)
	}
	if err != nil {
		return "", fmt.Errorf("a folder for snapshots and restores: %w; name one with --scratch", err)
	}
	return cache, nil
}

// CheckCluster says what is wrong with a cluster's name in a store.
func CheckCluster(name string) error {
	if err := blob.CheckName(name); err != nil {
		return fmt.Errorf("the cluster's name: %w", err)
	}
	if strings.Contains(name, "/") || name+"/" == sharedRoot {
		return fmt.Errorf("the cluster's name is %q: expected no slash, and not \"shared\", where uploaders that are shared keep theirs", name)
	}
	return nil
}

// An Uploader keeps a cluster's revisions. Several for one cluster do no harm, and no
// good.
type Uploader struct {
	o      Options
	etcd   string // the cluster's ID
	room   int64  // see tailRoom
	shelf  *shelf
	gauge  *clusterMetrics
	prices cost.Sheet

	mu        sync.Mutex
	durable   int64            // the last revision that is in the store
	led       bool             // the newest base and the log lead to all that is uploaded, so that it is proven
	behindGap int64            // the revision that the base has to have for that, after a gap
	spare     map[string]int64 // see isSpare
	proven    time.Time        // when all revisions there were were in the store
	changed   chan struct{}
	rebase    chan string         // reasons to make a base now
	look      chan struct{}       // whether there is one is to be found out
	behind    *segment.Dictionary // of minutes; nil if there is none
	since     time.Time           // when that was the newest one of the store

	older map[uint64]*Uploader // of generations before this one; see careForOlder

	verified, sawOlder time.Time // of care alone
}

// NewUploader finds out where a cluster's objects go.
func NewUploader(ctx context.Context, o Options) (*Uploader, error) {
	o, err := o.filled()
	if err != nil {
		return nil, err
	}
	o.Metrics.Keeps(o.Cluster, o.Every)
	if _, shared := o.Store.(*recent); !shared {
		o.Store = newRecent(o.Store)
	}
	o.Store = blob.Retry(o.Store, blob.Policy{Failed: func(f blob.Failure) {
		o.Log.Warn("backup: the store failed; trying again", "cluster", o.Cluster, "operation", f.Operation, "object", f.Name, "attempt", f.Attempt, "error", f.Err)
	}})
	etcd, err := etcdID(ctx, o.Source)
	if err != nil {
		return nil, err
	}
	at, err := findPlace(ctx, o, etcd)
	if err != nil {
		return nil, err
	}
	if err := keepsReaders(ctx, o, at); err != nil {
		return nil, err
	}
	return &Uploader{
		o: o, etcd: etcd, room: tailRoom, shelf: newShelf(o.Store, at), gauge: o.Metrics.of(o.Cluster), prices: cost.DefaultSheet(),
		changed: make(chan struct{}), rebase: make(chan string, 1), look: make(chan struct{}, 1),
	}, nil
}

// Durable is the last revision that is in the store: compaction up to there loses
// nothing. It is 0 until one is known to be.
func (u *Uploader) Durable() int64 {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.durable
}

// based notes what of the log the newest base leads to: all of it, or not what is behind a gap.
// Until there is a base behind that, what is uploaded is lost with the cluster all the same.
func (u *Uploader) based(c catalog.Catalog) {
	newest, some := c.Newest()
	_, broken := c.Broken()
	u.mu.Lock()
	defer u.mu.Unlock()
	u.led = some && !broken && newest.Revision >= u.behindGap
}

// gapped notes that the log goes on behind a gap, from a revision on.
func (u *Uploader) gapped(next int64) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.led, u.behindGap = false, next-1
}

// WaitDurable waits until a revision is in the store.
func (u *Uploader) WaitDurable(ctx context.Context, revision int64) error {
	for {
		u.mu.Lock()
		durable, changed := u.durable, u.changed
		u.mu.Unlock()
		if durable >= revision {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("revision %d is not in the store yet, %d is: %w", revision, durable, ctx.Err())
		}
	}
}

// Base asks for a base soon.
func (u *Uploader) Base(reason string) {
	select {
	case u.rebase <- reason:
	default: // one is asked for
	}
}

// Run keeps revisions until the context ends. What goes wrong on the way is logged, and
// tried again, but for ErrAnother.
func (u *Uploader) Run(ctx context.Context) error {
	running, ctx := errgroup.WithContext(ctx)
	running.Go(func() error { return u.keep(ctx) })
	running.Go(func() error { return u.care(ctx) })
	return running.Wait()
}

// keep uploads the log.
func (u *Uploader) keep(ctx context.Context) error {
	var wait backoff
	for {
		err := u.keepOn(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if errors.Is(err, ErrAnother) {
			return err
		}
		if u.gap(ctx, err) {
			continue
		}
		u.o.Log.Warn("backup: the log is not followed", "cluster", u.o.Cluster, "error", err)
		if err := wait.sleep(ctx); err != nil {
			return err
		}
	}
}

// gap says whether an error is that revisions were compacted before they were seen, and then
// has it go on behind them, with a base.
func (u *Uploader) gap(ctx context.Context, err error) bool {
	gap, is := errors.AsType[*gapError](err)
	if !is {
		return false
	}
	// The object that starts last is not always the one that reaches furthest: an uploader
	// that had stood still for long may have written it. And a base has what is before it, back
	// to the compaction of its time.
	c, err := u.shelf.load(ctx)
	if err != nil {
		u.o.Log.Warn("backup: what the store has is not known", "cluster", u.o.Cluster, "error", err)
		return false
	}
	c.Bases = append(c.Bases, catalog.Base{Revision: gap.next - 1, Compacted: gap.next - 1})
	for _, s := range c.Restorable() {
		if s.First < gap.next && s.Last+1 >= gap.compacted {
			u.resume(s.Last + 1)
			return true
		}
	}
	u.alarm(alarmGap, gap.Error()+"; a base is made at once", "next", gap.next, "compacted", gap.compacted)
	u.gapped(gap.compacted + 1)
	u.Base("compaction was faster than the log")
	u.resume(gap.compacted + 1)
	return true
}

// resume says from where on to go on, when that is not what the store says.
func (u *Uploader) resume(next int64) { u.setDurable(next-1, time.Time{}) }

func (u *Uploader) setDurable(revision int64, proven time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if revision > u.durable {
		u.durable = revision
		close(u.changed)
		u.changed = make(chan struct{})
	}
	if u.led && !proven.IsZero() {
		u.proven = proven // also back, if the clock was put right
	}
	u.gauge.durable(u.durable, u.proven)
}

// keepOn uploads from where the store ends.
func (u *Uploader) keepOn(ctx context.Context) error {
	following, stop := outliving(ctx, leaveTime)
	defer stop()
	f, err := u.Follow(following)
	if err != nil {
		return err
	}
	defer f.Close()
	for {
		err := f.wait(ctx)
		if ctx.Err() != nil {
			u.leave(f.Upload(following))
		}
		if err != nil {
			return err
		}
		if err := f.Upload(following); err != nil {
			return err
		}
	}
}

// put uploads a log object. If another uploader was first, following has to go on behind
// what that one has.
func (u *Uploader) put(ctx context.Context, object []byte, h segment.Header) error {
	name := u.shelf.place.log(catalog.Minute, h.Start)
	err := u.o.Store.Create(ctx, name, object, blob.Standard)
	if err == nil {
		u.shelf.remember(name, h)
		return nil
	}
	if !errors.Is(err, blob.ErrExists) {
		return err
	}
	there, err := u.o.Store.Get(ctx, name)
	if err != nil {
		return err
	}
	if sha256.Sum256(there) == sha256.Sum256(object) {
		u.shelf.remember(name, h)
		return nil // an attempt whose answer was lost had succeeded
	}
	_, err = u.shelf.check(ctx, name, there, u.o.Identities)
	if errors.Is(err, segment.ErrDamaged) {
		return u.replace(ctx, name, there, object, h, err)
	}
	other, _, err := segment.ReadHeader(there)
	if err != nil {
		return fmt.Errorf("the object %s in %s: %w", name, u.o.Store, err)
	}
	return fmt.Errorf("%w: the revisions %d to %d of %s are there; going on behind them", errOvertaken, other.Start, other.End, u.o.Cluster)
}

// replace puts a log object in the place of one that is damaged. That stays, under another name: it
// may have had more, for who can mend it.
func (u *Uploader) replace(ctx context.Context, name string, damaged, object []byte, h segment.Header, why error) error {
	aside := u.shelf.place.aside(name, damaged)
	u.alarm(alarmCare, fmt.Sprintf("%s; it is replaced by what the cluster still has of the same revisions, and kept as %s", why, aside), "start", h.Start, "end", h.End)
	err := u.o.Store.Create(ctx, aside, damaged, blob.Standard)
	if err != nil && !errors.Is(err, blob.ErrExists) {
		return err
	}
	if err := u.o.Store.Delete(ctx, name); err != nil {
		return err
	}
	u.shelf.drop(name)
	if err := u.o.Store.Create(ctx, name, object, blob.Standard); err != nil {
		return err // by another uploader: then put is tried again
	}
	u.shelf.remember(name, h)
	return nil
}

var errOvertaken = errors.New("another uploader was first")

// begin begins a log object.
func (u *Uploader) begin() *segment.Writer {
	return segment.NewWriter(segment.Header{Cluster: u.shelf.place.cluster, Generation: u.shelf.place.generation}, u.segments())
}

func (u *Uploader) segments() segment.Options { return segment.Options{Recipients: u.o.Recipients} }

// revision is the one that the cluster has come to, as most of its members know it.
func (u *Uploader) revision(ctx context.Context) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	answer, err := u.o.Source.Client.Get(ctx, "\x00", clientv3.WithCountOnly())
	if err != nil {
		return 0, fmt.Errorf("the cluster does not say which revision it is at: %w", err)
	}
	return answer.Header.Revision, u.same(answer.Header)
}

// alarm tells of something that a person should know.
func (u *Uploader) alarm(kind, message string, args ...any) {
	u.gauge.alarm(kind, u.o.Now())
	u.o.Log.Error("backup: "+message, append([]any{"cluster", u.o.Cluster, "alarm", kind}, args...)...)
}
