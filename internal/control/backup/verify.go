package backup

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"

	"towpath.dev/internal/blob"
	"towpath.dev/internal/control/backup/catalog"
	"towpath.dev/internal/control/backup/segment"
)

// A Proof is that a backup, restored to a revision, was what its cluster had. It is kept, so
// that a later restore of the same revision can be held against it when the cluster
// has long been compacted.
type Proof struct {
	Time     time.Time `json:"time"`
	Revision int64     `json:"revision"`
	// What the cluster said of it, and at which revision it was compacted then. Of midnights it
	// was not asked: their HashKV is 0, and State alone counts.
	HashKV    uint32 `json:"hashKV"`
	Compacted int64  `json:"compacted"`
	// State is the hash of the revision as if compacted there, so that it does not depend on
	// how much history there is. It is our own, of what had the cluster's HashKV.
	State uint32 `json:"state"`
}

// ErrDiffers is wrapped by errors about backups that are not what their source was.
var ErrDiffers = errors.New("the backup differs from its source")

// A replica is a store's file that goes on with the log, so that the log is read once: by it a
// backup is held against its cluster.
type replica struct {
	path  string
	state replicaState
	file  *storeFile
}

// A replicaState is what is known of a replica's file. It is not there while the file is
// being written, so that what a killed process leaves is not believed.
type replicaState struct {
	Revision  int64 `json:"revision"`
	Compacted int64 `json:"compacted"`
}

// verifyDue verifies, if that is due.
func (u *Uploader) verifyDue(ctx context.Context, c catalog.Catalog) error {
	if !u.readable() || len(c.Bases) == 0 {
		return nil
	}
	now := u.o.Now()
	if u.verified.IsZero() || u.verified.After(now.Add(maxSkew)) {
		var err error
		if u.verified, err = u.lastProof(ctx, now); err != nil {
			return err
		}
		if !u.verified.IsZero() {
			u.gauge.verifiedAt(u.verified)
		}
	}
	if now.Sub(u.verified) < verifyEvery-verifyEarly {
		return nil
	}
	proof, err := u.verify(ctx, c)
	if errors.Is(err, ErrDiffers) || errors.Is(err, segment.ErrDamaged) {
		u.alarm(alarmVerify, err.Error())
		return nil
	}
	if err != nil {
		return fmt.Errorf("verifying: %w", err)
	}
	u.verified = proof.Time
	u.gauge.verifiedAt(proof.Time)
	u.o.Log.Info("backup: restored and compared", "cluster", u.o.Cluster, "revision", proof.Revision, "hashKV", fmt.Sprintf("%08x", proof.HashKV))
	return nil
}

// lastProof is when a backup was last verified; zero if it was not. A proof of the future is that
// of a clock that was wrong, and proves nothing about when.
func (u *Uploader) lastProof(ctx context.Context, now time.Time) (last time.Time, err error) {
	names, err := proofNames(ctx, u.o.Store, u.shelf.place)
	for _, name := range slices.Backward(names) {
		seconds, err := number(name, u.shelf.place.proofs())
		if err != nil {
			continue // no proof
		}
		if at := time.Unix(seconds, 0); !at.After(now.Add(maxSkew)) {
			return at, nil
		}
	}
	return last, err
}

// verify restores what there is into a replica, holds it against the cluster and against the
// bases that came since the last time, and keeps the proof. An earlier proof, whichever, is
// restored once more, from what the store has now.
func (u *Uploader) verify(ctx context.Context, c catalog.Catalog) (Proof, error) {
	r, err := u.openReplica(ctx, c)
	if err != nil {
		return Proof{}, err
	}
	defer r.close()
	since := r.state.Revision
	durable := c.Durable()
	if err := r.advance(ctx, u.builder(), c, durable.Revision); err != nil {
		return Proof{}, err
	}
	proof, err := u.compare(ctx, r, c)
	if err != nil {
		return proof, err
	}
	for _, b := range c.Bases {
		if b.Revision < max(since, r.state.Compacted) || b.Revision > r.state.Revision || b.Compacted > r.state.Revision {
			continue
		}
		if err := u.compareBase(ctx, r, b); err != nil {
			return proof, err
		}
	}
	if err := u.compareProof(ctx, c); err != nil {
		return proof, err
	}
	midnight, err := u.midnight(ctx, r, c)
	if err != nil {
		return proof, err
	}
	if err := r.keep(proof.Compacted); err != nil {
		return proof, err
	}
	// The one that says when all was verified first.
	if err = writeProof(ctx, u.o.Store, u.shelf.place, proof); err == nil && midnight.Revision > 0 {
		err = writeProof(ctx, u.o.Store, u.shelf.place, midnight)
	}
	return proof, err
}

// midnight proves what there was at the last midnight, if nobody has: in time that is all that is kept
// of a day, in an object that was made by leaving out the rest, and so is held against this one day.
func (u *Uploader) midnight(ctx context.Context, r *replica, c catalog.Catalog) (p Proof, err error) {
	at := u.o.Now().UTC().Truncate(24 * time.Hour)
	if !u.verified.Before(at) || len(c.Lost) > 0 { // of what is lost some may have been before it
		return p, nil
	}
	point, err := resolve(ctx, u.shelf, c, RestoreOptions{At: at, Identities: u.o.Identities})
	if _, none := errors.AsType[*catalog.UnrestorableError](err); none || errors.Is(err, catalog.ErrNoBase) {
		return p, nil
	}
	if err != nil || point.Revision < r.state.Compacted || point.Revision > r.state.Revision {
		return p, err
	}
	state, err := hashKV(r.file.db, point.Revision, point.Revision)
	return Proof{Time: at, Revision: point.Revision, Compacted: point.Revision, State: state}, err
}

func (u *Uploader) builder() *builder {
	return &builder{shelf: u.shelf, identities: u.o.Identities}
}

// openReplica goes on with the replica of the last time, or makes one of the newest base.
func (u *Uploader) openReplica(ctx context.Context, c catalog.Catalog) (*replica, error) {
	r := &replica{path: u.scratchFile("replica")}
	text, err := os.ReadFile(r.path + ".json")
	if err == nil {
		err = json.Unmarshal(text, &r.state)
	}
	if err == nil {
		// It may be so old that what leads on from it is gone.
		if _, err = r.state.leads(c, c.Durable().Revision); err == nil {
			r.file, err = reopenFile(r.path, r.state.Revision)
		}
	}
	if err == nil {
		return r, os.Remove(r.path + ".json")
	}
	if err := errors.Join(removed(r.path), removed(r.path+".json")); err != nil {
		return nil, err
	}
	newest, _ := c.Newest()
	r.file, err = u.builder().build(ctx, r.path, catalog.Chain{Target: newest.Revision, Base: newest}, "")
	r.state = replicaState{newest.Revision, newest.Compacted}
	return r, err
}

func removed(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// leads is what of the log leads from a replica to a revision: it is what a base of its
// revision would be.
func (s replicaState) leads(c catalog.Catalog, revision int64) ([]catalog.Step, error) {
	own := catalog.Catalog{Logs: c.Logs, Bases: []catalog.Base{{Revision: s.Revision, Compacted: s.Revision}}}
	chain, err := own.Chain(max(revision, s.Revision))
	return chain.Steps, err
}

// advance applies the log up to a revision.
func (r *replica) advance(ctx context.Context, b *builder, c catalog.Catalog, revision int64) error {
	if revision <= r.state.Revision {
		return nil
	}
	steps, err := r.state.leads(c, revision)
	if err != nil {
		return err
	}
	r.file.target = revision
	if err := b.log(ctx, r.file, steps); err != nil {
		return err
	}
	r.state.Revision = revision
	r.state.Compacted = max(r.state.Compacted, thinnedUpTo(steps))
	return r.file.commit()
}

// thinnedUpTo is the revision below which steps have no history, as it was thinned; 0 if they
// have all of it.
func thinnedUpTo(steps []catalog.Step) (revision int64) {
	for _, s := range steps {
		if s.Log.Points != nil {
			revision = s.Last
		}
	}
	return revision
}

// compare holds a replica against the cluster, at the last whole hour's revision if the cluster
// still has it, as that can be restored for longest; else at the last.
func (u *Uploader) compare(ctx context.Context, r *replica, c catalog.Catalog) (Proof, error) {
	candidates := []int64{r.state.Revision}
	if m, err := c.At(u.o.Now().Truncate(time.Hour)); err == nil && m.Revision >= r.state.Compacted && m.Revision < r.state.Revision {
		candidates = []int64{m.Revision, r.state.Revision}
	}
	endpoint, err := follower(ctx, u.o.Source.Client)
	if err != nil {
		return Proof{}, err
	}
	for _, revision := range candidates {
		// Reading all of a store takes a member longer than other answers do.
		asking, cancel := context.WithTimeout(ctx, 10*time.Minute)
		answer, err := u.o.Source.Client.HashKV(asking, endpoint, revision)
		cancel()
		if errors.Is(err, rpctypes.ErrCompacted) {
			continue
		}
		if err != nil {
			return Proof{}, fmt.Errorf("the hash of revision %d at %s: %w", revision, endpoint, err)
		}
		if err := u.same(answer.Header); err != nil {
			return Proof{}, err
		}
		p := Proof{Time: u.o.Now().UTC(), Revision: revision, HashKV: answer.Hash, Compacted: max(answer.CompactRevision, 0)}
		if p.Compacted < r.state.Compacted {
			continue // the replica has less history
		}
		if err := r.expect(fmt.Sprintf("%s has", endpoint), p.Compacted, revision, answer.Hash); err != nil {
			return p, err
		}
		p.State, err = hashKV(r.file.db, revision, revision)
		return p, err
	}
	return Proof{}, fmt.Errorf("nothing to compare with: the cluster was compacted beyond revision %d, the last that is kept", r.state.Revision)
}

// expect compares a replica's hash with another one.
func (r *replica) expect(whose string, compacted, revision int64, want uint32) error {
	got, err := hashKV(r.file.db, compacted, revision)
	if err == nil && got != want {
		err = fmt.Errorf("%w: at revision %d, compacted at %d, %s HashKV %08x, and the backup %08x: make a base with \"tow backup base --recipient …\" (without --recipient where it is not encrypted), and report this", ErrDiffers, revision, compacted, whose, want, got)
	}
	return err
}

// compareBase restores a base by itself and holds the replica, which came to it by the log,
// against it.
func (u *Uploader) compareBase(ctx context.Context, r *replica, b catalog.Base) error {
	path := r.path + ".base"
	defer os.Remove(path)
	f, err := u.builder().build(ctx, path, catalog.Chain{Target: b.Revision, Base: b}, "")
	if err != nil {
		return err
	}
	defer f.discard()
	compacted := max(b.Compacted, r.state.Compacted)
	sum, err := hashKV(f.db, compacted, b.Revision)
	if err != nil {
		return err
	}
	return r.expect(fmt.Sprintf("%s has", b), compacted, b.Revision, sum)
}

// cheap is how many bytes are read each time to restore an earlier proof once more, whatever it
// costs.
const cheap = 64 << 20

// compareProof restores the revision of an earlier proof, drawn out of all that are kept. One whose
// revision was thinned away meanwhile is none, so another one is drawn.
func (u *Uploader) compareProof(ctx context.Context, c catalog.Catalog) error {
	names, err := proofNames(ctx, u.o.Store, u.shelf.place)
	if err != nil || len(names) == 0 {
		return err
	}
	for _, i := range rand.Perm(len(names)) {
		p, err := readProof(ctx, u.o.Store, names[i])
		if errors.Is(err, segment.ErrDamaged) {
			u.alarm(alarmVerify, err.Error())
			continue
		}
		if err != nil {
			return err
		}
		chain, err := c.Chain(p.Revision)
		if err == nil && !affordable(chain.Size(), c) {
			return nil
		}
		kept, err := checkProof(ctx, u.builder(), c, p, u.scratchFile("point"))
		if kept || err != nil {
			return err
		}
	}
	u.o.Log.Warn("backup: of no earlier proof the revision is kept any more, so none was restored once more", "cluster", u.o.Cluster)
	return nil
}

// affordable decides by chance whether so many bytes are to be read, so that in a month no more are than
// the backup has: what is in the cheaper class costs to be read.
func affordable(size int64, c catalog.Catalog) bool {
	all := int64(0)
	for _, b := range c.Bases {
		all += b.Size
	}
	for _, l := range c.Logs {
		all += l.Size
	}
	return size <= cheap || rand.Float64()*float64(size) < float64(max(cheap, all/30))
}

// scratchFile is a file that outlives this process, if the folder does.
func (u *Uploader) scratchFile(what string) string {
	return filepath.Join(u.o.Scratch, fmt.Sprintf("towpath-%s-%s-%06d.db", what, u.shelf.place.cluster, u.shelf.place.generation))
}

// checkProof restores a proof's revision; false if it is not kept any more.
func checkProof(ctx context.Context, b *builder, c catalog.Catalog, p Proof, path string) (kept bool, err error) {
	chain, err := c.Chain(p.Revision)
	if _, gone := errors.AsType[*catalog.UnrestorableError](err); gone {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	f, err := b.build(ctx, path, chain, "")
	if err != nil {
		return true, err
	}
	defer f.discard()
	sum, err := hashKV(f.db, p.Revision, p.Revision)
	if err == nil && sum != p.State {
		err = fmt.Errorf("%w: revision %d, proven at %s, had the state %08x, and is restored as %08x now", ErrDiffers, p.Revision, p.Time.Format(time.RFC3339), p.State, sum)
	}
	return true, err
}

// keep keeps the replica for the next time, with as much history as the cluster has.
func (r *replica) keep(compacted int64) error {
	if compacted > r.state.Compacted {
		if err := r.file.compact(compacted); err != nil {
			return err
		}
		r.state.Compacted = compacted
	}
	err := r.file.close(true)
	r.file = nil
	if err != nil {
		return err
	}
	text, err := json.Marshal(r.state)
	if err != nil {
		return err
	}
	return os.WriteFile(r.path+".json", text, 0o600)
}

// close lets go of the replica, and of its file unless it was kept.
func (r *replica) close() {
	if r.file != nil {
		r.file.discard()
	}
}

// maxProofs is how many proofs are kept: two a day for half a year.
const maxProofs = 366

func writeProof(ctx context.Context, store blob.Store, at place, p Proof) error {
	text, err := json.Marshal(p)
	if err != nil {
		return err
	}
	err = store.Create(ctx, at.proofs()+fmt.Sprintf("%020d", p.Time.Unix()), text, blob.Standard)
	if errors.Is(err, blob.ErrExists) {
		return nil // in the same second
	}
	return err
}

// proofNames is the names of a generation's proofs, the oldest first. Of too many the oldest
// are deleted.
func proofNames(ctx context.Context, store blob.Store, at place) (names []string, err error) {
	for info, err := range store.List(ctx, at.proofs(), "") {
		if err != nil {
			return nil, err
		}
		names = append(names, info.Name)
	}
	for len(names) > maxProofs {
		if err := store.Delete(ctx, names[0]); err != nil {
			return nil, err
		}
		names = names[1:]
	}
	return names, nil
}

func readProof(ctx context.Context, store blob.Store, name string) (p Proof, err error) {
	text, err := store.Get(ctx, name)
	if err != nil {
		return p, err
	}
	if err := json.Unmarshal(text, &p); err != nil {
		return p, fmt.Errorf("%s in %s: %w: %w", name, store, segment.ErrDamaged, err)
	}
	return p, nil
}
