package backup

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"filippo.io/age"
	clientv3 "go.etcd.io/etcd/client/v3"

	"towpath.dev/internal/blob"
	"towpath.dev/internal/control/backup/catalog"
	"towpath.dev/internal/control/backup/segment"
)

// VerifyOptions say which backup is verified, and how much of it.
type VerifyOptions struct {
	Store      blob.Store
	Cluster    string
	Identities []age.Identity
	Scratch    string           // folder for restores; default the system's
	Points     int              // how many earlier proofs are restored again; below 0 is all
	Client     *clientv3.Client // of the cluster, to compare with; nil is not to
}

// A Finding is one thing that was verified.
type Finding struct {
	What string `json:"what"`
	Err  error  `json:"-"`
	// What was wrong, "" if nothing was.
	Wrong string `json:"wrong,omitempty"`
}

// Verify restores what a store has of the latest generation of a cluster that has a base,
// in a scratch folder, and compares: every base by its own hash and with what the log before it
// leads to, earlier proofs, and the last revision with the cluster, if there is a client. It
// reports each as soon as it is known, and returns an error if it could not go on.
func Verify(ctx context.Context, o VerifyOptions, report func(Finding)) error {
	scratch, remove, err := workFolder(o.Scratch, verifyFolders)
	if err != nil {
		return fmt.Errorf("a folder for restores: %w; name one with --scratch", err)
	}
	defer func() { _ = remove() }()
	latest, err := (&generations{o.Store, o.Cluster}).progress(ctx)
	if err != nil {
		return err
	}
	for g := int64(latest.Number); g >= 0; g-- {
		if err := verifyRecords(ctx, o, uint64(g), report); err != nil {
			return err
		}
		s := newShelf(o.Store, place{o.Cluster, uint64(g)})
		c, err := s.load(ctx)
		if err != nil {
			return err
		}
		if len(c.Bases) > 0 {
			v := &verifier{o: o, c: c, b: &builder{shelf: s, identities: o.Identities}, path: filepath.Join(scratch, "store.db"), report: report}
			return v.all(ctx)
		}
	}
	return noBackup(o.Store, o.Cluster)
}

// verifyRecords reports records of a generation that are damaged, or whose copies are.
func verifyRecords(ctx context.Context, o VerifyOptions, g uint64, report func(Finding)) error {
	check := func(r record, what any) error {
		for _, name := range []string{r.name, r.copy} {
			_, err := r.open(ctx, name, what)
			if errors.Is(err, segment.ErrDamaged) {
				report(Finding{What: name, Err: err, Wrong: err.Error() + "; write in its place what is at the other one of " + r.name + " and " + r.copy + ", if that is no finding too"})
			} else if err != nil && !errors.Is(err, blob.ErrNotFound) {
				return err
			}
		}
		return nil
	}
	if err := check((&generations{o.Store, o.Cluster}).record(g), &claimRecord{}); err != nil {
		return err
	}
	return check(place{o.Cluster, g}.identity(o.Store), &identity{})
}

func noBackup(store blob.Store, cluster string) error {
	return fmt.Errorf("%s has no base of a cluster %q: \"tow backup list\" says which clusters it has", store, cluster)
}

// A verifier verifies one generation.
type verifier struct {
	o      VerifyOptions
	c      catalog.Catalog
	b      *builder
	path   string
	report func(Finding)
}

// found reports; what is no finding but a failure ends verifying.
func (v *verifier) found(ctx context.Context, err error, what string, args ...any) error {
	f := Finding{What: fmt.Sprintf(what, args...), Err: err}
	if err != nil {
		if ctx.Err() != nil || errors.Is(err, os.ErrPermission) {
			return err
		}
		f.Wrong = err.Error()
	}
	v.report(f)
	return nil
}

func (v *verifier) all(ctx context.Context) error {
	for _, gap := range v.c.Gaps() {
		err := errors.New("it cannot be restored: the cluster was compacted before it was kept")
		if err := v.found(ctx, err, "the gap from revision %d to %d", gap.First, gap.Last); err != nil {
			return err
		}
	}
	for _, l := range v.c.Lost {
		if err := v.found(ctx, v.c.LostError(l.Start-1, l.End), "%s", l); err != nil {
			return err
		}
	}
	for _, d := range v.c.Damaged {
		if err := v.found(ctx, errors.New(d.Why), "%s", d.Name); err != nil {
			return err
		}
	}
	slices.SortFunc(v.c.Bases, func(a, b catalog.Base) int { return int(a.Revision - b.Revision) })
	for _, base := range v.c.Bases {
		if err := v.base(ctx, base); err != nil {
			return err
		}
	}
	if err := v.readers(ctx); err != nil {
		return err
	}
	if err := v.proofs(ctx); err != nil {
		return err
	}
	return v.last(ctx)
}

// readers says who can read the newest base, and who no longer can.
func (v *verifier) readers(ctx context.Context) error {
	newest, some := v.c.Newest()
	if !some {
		return nil
	}
	now, err := v.b.shelf.manifest(ctx, newest.Folder())
	if err != nil || !now.Encrypted || len(now.Recipients) == 0 {
		return err
	}
	what := fmt.Sprintf("%s, for %s", newest, strings.Join(now.Recipients, ", "))
	var gone []string
	for _, b := range v.c.Bases {
		m, err := v.b.shelf.manifest(ctx, b.Folder())
		if err != nil {
			return err
		}
		for _, r := range m.Recipients {
			if !slices.Contains(now.Recipients, r) && !slices.Contains(gone, r) {
				gone = append(gone, r)
			}
		}
	}
	if len(gone) > 0 {
		what += "; no longer for " + strings.Join(gone, ", ")
	}
	v.report(Finding{What: what})
	return nil
}

// base restores a base by itself, which checks its hash, and what leads to it without it.
func (v *verifier) base(ctx context.Context, base catalog.Base) error {
	alone, err := v.hash(ctx, v.c, base.Revision, base.Revision)
	if err := v.found(ctx, err, "%s, restored by itself", base); err != nil || alone == 0 {
		return err
	}
	others := v.c
	others.Bases = slices.DeleteFunc(slices.Clone(v.c.Bases), func(b catalog.Base) bool { return b.Revision >= base.Revision })
	if _, err := others.Chain(base.Revision); err != nil {
		return nil // the log that led to it is not kept any more, or is that of a gap
	}
	before, err := v.hash(ctx, others, base.Revision, base.Revision)
	if err == nil && before != alone {
		err = fmt.Errorf("%w: the log leads to the state %08x, the base is %08x", ErrDiffers, before, alone)
	}
	return v.found(ctx, err, "the log that leads to %s", base)
}

// hash restores a revision and is its hash, as if it were compacted at another.
func (v *verifier) hash(ctx context.Context, c catalog.Catalog, compacted, revision int64) (uint32, error) {
	chain, err := c.Chain(revision)
	if err != nil {
		return 0, err
	}
	f, err := v.b.build(ctx, v.path, chain, "")
	if err != nil {
		return 0, err
	}
	defer f.discard()
	return hashKV(f.db, compacted, revision)
}

// proofs restores the revisions of earlier proofs, the newest first.
func (v *verifier) proofs(ctx context.Context) error {
	names, err := proofNames(ctx, v.o.Store, v.b.shelf.place)
	if err != nil {
		return err
	}
	slices.Reverse(names)
	left := v.o.Points
	for _, name := range names {
		if left == 0 {
			return nil
		}
		p, err := readProof(ctx, v.o.Store, name)
		if errors.Is(err, segment.ErrDamaged) {
			if err := v.found(ctx, err, "a proof"); err != nil {
				return err
			}
			continue
		}
		if err != nil {
			return err
		}
		kept, err := checkProof(ctx, v.b, v.c, p, v.path)
		if !kept {
			continue
		}
		left--
		if err := v.found(ctx, err, "revision %d, as it was proven on %s", p.Revision, p.Time.Format("2006-01-02 15:04Z")); err != nil {
			return err
		}
	}
	return nil
}

// last restores the last revision, and compares it with the cluster.
func (v *verifier) last(ctx context.Context) error {
	durable := v.c.Durable()
	if v.o.Client == nil {
		_, err := v.hash(ctx, v.c, durable.Revision, durable.Revision)
		return v.found(ctx, err, "revision %d, the last; name --endpoints to compare it with the cluster", durable.Revision)
	}
	endpoint, err := follower(ctx, v.o.Client)
	if err != nil {
		return err
	}
	answer, err := v.o.Client.HashKV(ctx, endpoint, durable.Revision)
	if err != nil {
		return v.found(ctx, err, "revision %d, the last, at %s", durable.Revision, endpoint)
	}
	got, err := v.hash(ctx, v.c, max(answer.CompactRevision, 0), durable.Revision)
	if err == nil && got != answer.Hash {
		err = fmt.Errorf("%w: HashKV is %08x there, and %08x restored", ErrDiffers, answer.Hash, got)
	}
	return v.found(ctx, err, "revision %d, the last, which %s has with HashKV %08x", durable.Revision, endpoint, answer.Hash)
}
