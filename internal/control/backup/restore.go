package backup

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"filippo.io/age"
	"go.etcd.io/etcd/api/v3/mvccpb"
	etcdutl "go.etcd.io/etcd/etcdutl/v3/snapshot"
	"go.uber.org/zap"
	"google.golang.org/protobuf/proto"

	"towpath.dev/election"
	"towpath.dev/internal/blob"
	"towpath.dev/internal/control/backup/catalog"
	"towpath.dev/internal/control/backup/segment"
)

// RestoreOptions say what is restored, and into which member of which cluster.
type RestoreOptions struct {
	Store      blob.Store
	Cluster    string
	Identities []age.Identity
	// Revision or At name what is restored; without either it is the last revision.
	Revision int64
	At       time.Time
	// DataDir is the member's, which must not be there or be empty. Name is the
	// member's, and Members are the peer URLs of all members by their names.
	DataDir, Name string
	Members       map[string]string
	// Again begins a new generation where one with the same members has begun, or one of which nobody
	// can say with which.
	Again bool
	// Bump is added to the revision, or to that of a later generation which went further,
	// so that no revision that a client has seen comes again; default 10^9.
	Bump uint64
	// Prefix is that of election's keys; default "election/".
	Prefix   string
	Progress func(bytes int64) // of objects that were read
	now      func() time.Time
}

const defaultBump = 1_000_000_000

func (o RestoreOptions) filled() RestoreOptions {
	if o.Bump == 0 {
		o.Bump = defaultBump
	}
	if o.Prefix == "" {
		o.Prefix = "election/"
	}
	if o.now == nil {
		o.now = time.Now
	}
	return o
}

// A Restore is one member's restore, planned: what it reads, and where it leads.
type Restore struct {
	Target     catalog.Point // the revision, and when it was seen if that is known
	Base       int64         // the base's revision
	BaseTime   time.Time     // users and roles are of then, or of soon after
	Objects    int           // how many log objects are read
	Bytes      int64         // of the objects that are read
	Etcd       string        // the release of etcd that the base is of, as 3.5, and the earliest to start the member with; "" if it does not say
	Ends       bool          // the backup ends there, and the instant that was asked for is later
	From, Into uint64        // generations
	Joins      bool          // another member has begun the generation
	Unknown    []Unknown     // generations that it goes on above, be they what they may, the newest first

	o     RestoreOptions
	shelf *shelf
	chain catalog.Chain
	plan  restorePlan
	claim string
}

// PlanRestore finds out what a restore would do. It changes nothing.
func PlanRestore(ctx context.Context, o RestoreOptions) (*Restore, error) {
	o = o.filled()
	if err := o.check(); err != nil {
		return nil, err
	}
	latest, err := (&generations{o.Store, o.Cluster}).progress(ctx)
	if err != nil {
		return nil, err
	}
	r := &Restore{o: o}
	if err := r.find(ctx, latest.Number); err != nil {
		return nil, err
	}
	r.From, r.Base, r.BaseTime, r.Objects, r.Bytes = r.shelf.place.generation, r.chain.Base.Revision, r.chain.Base.Time, len(r.chain.Steps), r.chain.Size()
	if m, err := r.shelf.manifest(ctx, r.chain.Base.Folder()); err == nil { // else building it says what is wrong, or takes another one
		r.Etcd = minorRelease(m.Version)
	}
	r.plan = restorePlan{From: r.From, Revision: r.Target.Revision, Bump: r.o.Bump, Members: o.Members, Begun: o.now().UTC()}
	return r, r.join(ctx, latest.Number)
}

// minorRelease is 3.5 of 3.5.35.
func minorRelease(version string) string {
	major, rest, _ := strings.Cut(version, ".")
	minor, _, found := strings.Cut(rest, ".")
	if !found {
		return ""
	}
	return major + "." + minor
}

// check refuses what can be known to be wrong.
func (o RestoreOptions) check() error {
	var faults []error
	if _, there := o.Members[o.Name]; !there {
		faults = append(faults, fmt.Errorf("the member %q is not one of %s: name itself and its peer URLs among the members", o.Name, strings.Join(slices.Sorted(maps.Keys(o.Members)), ", ")))
	}
	entries, err := os.ReadDir(o.DataDir)
	switch {
	case err == nil && len(entries) > 0:
		faults = append(faults, fmt.Errorf("the data folder %s is not empty: nothing is written over; move it away, or name another", o.DataDir))
	case err != nil && !errors.Is(err, os.ErrNotExist):
		faults = append(faults, err)
	}
	if o.Revision != 0 && !o.At.IsZero() {
		faults = append(faults, errors.New("both a revision and an instant: name one of them"))
	}
	return errors.Join(faults...)
}

// find finds the newest generation that has the target, and in it what leads there.
func (r *Restore) find(ctx context.Context, latest uint64) error {
	o := r.o
	registry := &generations{o.Store, o.Cluster}
	var reached int64
	none := noBackup(o.Store, o.Cluster)
	for g := int64(latest); g >= 0; g-- {
		s := newShelf(o.Store, place{o.Cluster, uint64(g)})
		c, err := s.load(ctx)
		if err != nil {
			return err
		}
		is, err := courseOf(ctx, registry, uint64(g), c, max(o.Bump, defaultBump))
		if err != nil {
			return err
		}
		if is.unknown != nil {
			r.Unknown = append(r.Unknown, Unknown{uint64(g), is.unknown, is.reached})
		}
		reached = max(reached, is.reached)
		if len(c.Bases) > 0 {
			if r.Target, err = resolveAround(ctx, s, &c, o); err == nil {
				r.chain, err = c.Chain(r.Target.Revision)
			}
			if err == nil {
				last := c.Durable()
				r.Ends = g == int64(latest) && r.Target.Revision == last.Revision && last.Time.Before(o.At)
				// Its revisions go on above those of all generations since.
				r.shelf, r.o.Bump = s, o.Bump+uint64(max(0, reached-r.Target.Revision))
				return nil
			}
			if !errors.Is(err, catalog.ErrNoBase) {
				return err
			}
			none = err
			// Until its first base it was what it was restored to.
			if begun := is.record.Restore; begun != nil && !o.At.IsZero() && !o.At.Before(begun.Begun) {
				o.At, o.Revision = time.Time{}, begun.Revision
			}
		}
		// What is older than a generation may be in the one before.
		if err := r.mayLookBelow(uint64(g), is, o.At); err != nil {
			return err
		}
	}
	return none
}

// reachedBy is the last revision that a generation is known to have come to.
func reachedBy(c catalog.Catalog, record claimRecord) (last int64) {
	if begun := record.Restore; begun != nil {
		last = begun.Revision + int64(begun.Bump)
	}
	for _, b := range c.Bases {
		last = max(last, b.Revision)
	}
	for _, l := range slices.Concat(c.Logs, c.Lost) {
		last = max(last, l.End)
	}
	return last
}

// resolveAround is the revision that the options ask for. Where the object that would say it is found to be
// damaged, the catalog is loaded again, and others say it.
func resolveAround(ctx context.Context, s *shelf, c *catalog.Catalog, o RestoreOptions) (point catalog.Point, err error) {
	for range maxAround {
		if point, err = resolve(ctx, s, *c, o); !errors.Is(err, segment.ErrDamaged) {
			return point, err
		}
		if *c, err = s.load(ctx); err != nil {
			return point, err
		}
	}
	return point, err
}

// resolve is the revision that the options ask for.
func resolve(ctx context.Context, s *shelf, c catalog.Catalog, o RestoreOptions) (catalog.Point, error) {
	if o.Revision != 0 {
		return catalog.Point{Revision: o.Revision}, nil
	}
	if o.At.IsZero() {
		durable := c.Durable()
		return durable, lostBehind(c, durable.Revision, time.Time{})
	}
	moment, err := c.At(o.At)
	if err == nil {
		last := moment.Revision
		if moment.Inside != nil {
			last = moment.Inside.End
		}
		err = lostBehind(c, last, o.At)
	}
	if err != nil || moment.Inside == nil {
		return moment.Point, err
	}
	target := moment.Point
	err = (&builder{shelf: s, identities: o.Identities}).read(ctx, *moment.Inside, func(r segment.Record) error {
		if r.Mark != nil && !r.Mark.Time.After(o.At) && r.Mark.Revision > target.Revision {
			target = catalog.Point{Revision: r.Mark.Revision, Time: r.Mark.Time}
		}
		return nil
	})
	if err == nil && target.Revision == 0 {
		err = fmt.Errorf("nothing can be restored as it was at %s: %w", o.At.UTC().Format(time.RFC3339), catalog.ErrNoBase)
	}
	return target, err
}

// lostBehind refuses to take a revision for the last one, or the last one at an instant, if there was
// a later one that nobody can read any more.
func lostBehind(c catalog.Catalog, revision int64, at time.Time) error {
	for _, l := range c.Lost {
		if l.End > revision && (at.IsZero() || !l.From.After(at)) {
			return fmt.Errorf("%w; to restore what was before it, add --revision %d", c.LostError(max(revision, l.Start-1), l.End), revision)
		}
	}
	return nil
}

// join finds out whether another member has begun this restore.
func (r *Restore) join(ctx context.Context, latest uint64) error {
	r.Into = latest + 1
	if latest == 0 || r.o.Again {
		return nil
	}
	if len(r.Unknown) > 0 && r.Unknown[0].Generation == latest {
		return r.mayBegin(r.Unknown[0])
	}
	record, err := (&generations{r.o.Store, r.o.Cluster}).read(ctx, latest)
	if err != nil {
		return err
	}
	begun := record.Restore
	if begun == nil || !maps.Equal(begun.Members, r.o.Members) {
		return nil
	}
	done, err := restoredBy(ctx, r.o.Store, place{r.o.Cluster, latest})
	if err != nil {
		return err
	}
	if done[r.o.Name] {
		return nil
	}
	if begun.Revision != r.Target.Revision || begun.From != r.From {
		return fmt.Errorf("generation %d of %s, begun at %s, restores these members to revision %d of generation %d, and this command would restore %s to revision %d of generation %d: to join it, add --revision %d; to begin another with all members, add --again",
			latest, r.o.Cluster, begun.Begun.Format(time.RFC3339), begun.Revision, begun.From, r.o.Name, r.Target.Revision, r.From, begun.Revision)
	}
	r.Into, r.Joins, r.plan, r.claim = latest, true, *begun, record.Claim
	return nil
}

// Restored is what a restore has done.
type Restored struct {
	HashKV   uint32 // of the revision as the source had it, compacted at Compacted
	Compact  int64
	Revision int64  // that the member begins with
	Token    string // of the new cluster: --initial-cluster-token
	Paused   bool   // election waits for "tow cluster resume"
}

// Run restores the member. If it is killed, run it again.
func (r *Restore) Run(ctx context.Context) (Restored, error) {
	var done Restored
	if err := r.exclusive(ctx); err != nil {
		return done, err
	}
	work := strings.TrimRight(r.o.DataDir, "/") + ".restoring"
	if err := errors.Join(os.RemoveAll(work), os.MkdirAll(work, 0o700)); err != nil {
		return done, fmt.Errorf("the folder for the restore: %w", err)
	}
	defer os.RemoveAll(work)
	file := filepath.Join(work, "store.db")
	f, err := r.build(ctx, file, &done)
	if err != nil {
		return done, err
	}
	// What cannot be restored claims no generation.
	err = r.claimed(ctx)
	if err == nil {
		err = r.begin(f, &done)
	}
	if err != nil {
		f.discard()
		return done, err
	}
	if err := f.close(false); err != nil { // etcdutl copies it
		return done, err
	}
	done.Token = fmt.Sprintf("%s-%06d", r.o.Cluster, r.Into)
	made := filepath.Join(work, "member")
	err = etcdutl.NewV3(zap.NewNop()).Restore(etcdutl.RestoreConfig{
		SnapshotPath: file, SkipHashCheck: true, // the file was checked by its rows
		Name: r.o.Name, OutputDataDir: made, PeerURLs: strings.Split(r.o.Members[r.o.Name], ","),
		InitialCluster: initialCluster(r.o.Members), InitialClusterToken: done.Token,
		RevisionBump: r.plan.Bump, MarkCompacted: true,
	})
	if err != nil {
		return done, fmt.Errorf("making a member of the restored store: %w", err)
	}
	if err := r.install(made); err != nil {
		return done, err
	}
	err = r.o.Store.Create(ctx, place{r.o.Cluster, r.Into}.restores()+ofMember(r.o.Name), []byte(r.claim), blob.Standard)
	if err != nil && !errors.Is(err, blob.ErrExists) {
		return done, fmt.Errorf("the member is restored in %s, and that %w in %s: %w; if another member of this cluster is restored now, it will find generation %d nevertheless", r.o.DataDir, ErrNotNoted, r.o.Store, err, r.Into)
	}
	return done, nil
}

// exclusive refuses a store that overwrites: in it two restores could both claim the generation, and two
// leaders have one fencing token.
func (r *Restore) exclusive(ctx context.Context) error {
	err := blob.Probe(ctx, r.o.Store)
	if errors.Is(err, blob.ErrRefused) {
		err = fmt.Errorf("nothing was restored, and generation %d of %s was not claimed, as a claim is worth nothing here: %w; copy all of %s/ and %s into a store like that or into a folder, and restore from there",
			r.Into, r.o.Cluster, err, r.o.Cluster, sharedRoot)
	}
	return err
}

// claimed claims the generation, or joins who has claimed it for the same restore.
func (r *Restore) claimed(ctx context.Context) error {
	if r.Joins {
		return nil
	}
	r.claim = rand.Text()
	ours, err := (&generations{r.o.Store, r.o.Cluster}).claim(ctx, r.Into, claimRecord{Claim: r.claim, Restore: &r.plan})
	if err != nil {
		return fmt.Errorf("the claim of generation %d of %s: %w", r.Into, r.o.Cluster, err)
	}
	if ours {
		return nil
	}
	generation := r.Into
	if err := r.join(ctx, generation); err != nil {
		return err
	}
	if !r.Joins {
		return fmt.Errorf("generation %d of %s was begun by another restore just now: run this again", generation, r.o.Cluster)
	}
	return nil
}

// build makes the store's file.
func (r *Restore) build(ctx context.Context, file string, done *Restored) (*storeFile, error) {
	f, err := r.buildAround(ctx, file)
	if err != nil {
		return nil, err
	}
	done.Compact = max(r.chain.Base.Compacted, thinnedUpTo(r.chain.Steps))
	if done.HashKV, err = hashKV(f.db, done.Compact, r.Target.Revision); err == nil {
		done.Paused, err = f.hasPrefix(r.o.Prefix)
	}
	if err != nil {
		f.discard()
		return nil, err
	}
	return f, nil
}

// A toldError says what an error says that another one tells already.
type toldError struct {
	error
	told error
}

func (e toldError) Unwrap() []error { return []error{e.error, e.told} }

// maxAround is how many damaged objects a restore finds by itself, one after the other.
const maxAround = 20

// buildAround makes the store's file. Where an object is found to be damaged and others lead to
// the same revision, it takes those.
func (r *Restore) buildAround(ctx context.Context, file string) (f *storeFile, err error) {
	b := &builder{shelf: r.shelf, identities: r.o.Identities, progress: r.o.Progress}
	key, _ := election.RestoredKey(r.o.Prefix, 0, "")
	for range maxAround {
		if f, err = b.build(ctx, file, r.chain, key); !errors.Is(err, segment.ErrDamaged) {
			return f, err
		}
		c, loading := r.shelf.load(ctx)
		if loading != nil {
			return nil, errors.Join(err, loading)
		}
		chain, none := c.Chain(r.Target.Revision)
		if none != nil && strings.Contains(none.Error(), err.Error()) {
			return nil, toldError{none, err} // which says what is damaged
		}
		if none != nil {
			return nil, fmt.Errorf("%w; and nothing else leads there: %w", err, none)
		}
		r.chain = chain
	}
	return nil, err
}

// begin writes the new generation into the store's file, if there are elections in it.
func (r *Restore) begin(f *storeFile, done *Restored) error {
	revision := r.Target.Revision
	if done.Paused {
		revision++
		key, value := election.RestoredKey(r.o.Prefix, r.Into, r.claim)
		if err := f.begin(key, value, revision); err != nil {
			return err
		}
	}
	done.Revision = revision + int64(r.plan.Bump)
	return nil
}

// begin writes one more revision.
func (f *storeFile) begin(key string, value []byte, revision int64) error {
	kv := &mvccpb.KeyValue{Key: []byte(key), Value: value, CreateRevision: revision, ModRevision: revision, Version: 1}
	if f.current != nil {
		kv.CreateRevision, kv.Version = f.current.CreateRevision, f.current.Version+1
	}
	row, err := proto.Marshal(kv)
	if err != nil {
		return err
	}
	f.target = revision
	return errors.Join(f.change(segment.Change{Main: revision, Row: row}), f.commit())
}

// install moves the member's folder to its place, whole or not at all.
func (r *Restore) install(made string) error {
	if err := os.Remove(r.o.DataDir); err != nil && !errors.Is(err, os.ErrNotExist) { // it is empty
		return err
	}
	if err := os.Rename(made, r.o.DataDir); err != nil {
		return err
	}
	parent, err := os.Open(filepath.Dir(filepath.Clean(r.o.DataDir)))
	if err != nil {
		return err
	}
	return errors.Join(parent.Sync(), parent.Close())
}

// initialCluster is members as etcd's flag has them.
func initialCluster(members map[string]string) string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(members)) {
		for url := range strings.SplitSeq(members[name], ",") {
			all = append(all, name+"="+url)
		}
	}
	return strings.Join(all, ",")
}
