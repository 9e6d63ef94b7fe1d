package release_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"towpath.dev/internal/blob"
	"towpath.dev/internal/blob/blobtest"
	"towpath.dev/internal/control/release"
)

func sorted(texts []string) string {
	slices.Sort(texts)
	return strings.Join(texts, " ")
}

// folder is a store in a folder, and the folder.
func folder(t *testing.T) (*release.Objects, string) {
	t.Helper()
	dir := t.TempDir()
	store, err := blob.Open(dir, blob.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return release.NewObjects(store), dir
}

func openDisk(t *testing.T, dir string) *release.Disk {
	t.Helper()
	disk, err := release.OpenDisk(dir)
	if err != nil {
		t.Fatal(err)
	}
	return disk
}

// overwrite puts other bytes into a file.
func overwrite(t *testing.T, file string, data []byte) {
	t.Helper()
	if _, err := os.Stat(file); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestDamagedObjectsInAStore(t *testing.T) {
	objects, dir := folder(t)
	m := newRelease(t, "shop", "1")
	publish(t, objects, m)
	other := newRelease(t, "badges", "1")
	publish(t, objects, other)
	for kind, digest := range map[release.Kind]release.Digest{
		release.KindArtifact: m.release.Artifact.Digest, release.KindBinding: m.release.Binding.Digest, release.KindRelease: m.digest,
	} {
		file := filepath.Join(dir, string(kind)+"s", "sha256", digest.Hex())
		good, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		flipped := slices.Clone(good)
		flipped[len(flipped)/2] ^= 1
		for _, bad := range [][]byte{flipped, good[:len(good)-1], nil, other.artifact} { // the last is swapped
			overwrite(t, file, bad)
			_, err := release.Load(t.Context(), objects, digest)
			if kind != release.KindRelease {
				_, err = release.Load(t.Context(), objects, m.digest)
			}
			if !errors.Is(err, release.ErrDamaged) {
				t.Errorf("a damaged %s: %v", kind, err)
			}
			says(t, err, "expected "+string(digest), "found "+string(release.DigestOf(bad)), "make the release again")
			// Who releases the same anew hears of it too.
			if _, err := objects.Publish(t.Context(), m.release, m.artifact, m.bundle); !errors.Is(err, release.ErrDamaged) {
				t.Errorf("publishing over a damaged %s: %v", kind, err)
			}
		}
		overwrite(t, file, good)
	}
	if _, err := release.Load(t.Context(), objects, m.digest); err != nil {
		t.Error(err)
	}
}

func TestAReleaseOfAnotherKindsObject(t *testing.T) {
	objects := release.NewObjects(blobtest.NewMemory())
	m := newRelease(t, "shop", "1")
	publish(t, objects, m)
	digest, err := objects.Put(t.Context(), release.KindRelease, m.bundle)
	if err != nil {
		t.Fatal(err)
	}
	_, err = release.Load(t.Context(), objects, digest)
	says(t, err, "cannot be read")
	_, err = objects.Object(t.Context(), "secret", digest)
	says(t, err, "no kind of object")
}

// TestAnswersThatAreLost: whoever publishes again after an error finds its own objects.
func TestAnswersThatAreLost(t *testing.T) {
	for seed := range uint64(50) {
		store := blobtest.Faulty(blobtest.NewMemory(), blobtest.Random(seed, 0.1, 0.1))
		objects := release.NewObjects(store)
		m := newRelease(t, "shop", "1")
		for attempt := 0; ; attempt++ {
			digest, err := objects.Publish(t.Context(), m.release, m.artifact, m.bundle)
			if err == nil && digest == m.digest {
				break
			}
			if attempt == 100 {
				t.Fatalf("seed %d: %v", seed, err)
			}
			// A release that is there is there as a whole.
			if _, err := release.Load(t.Context(), release.NewObjects(store), m.digest); err == nil {
				continue
			} else if errors.Is(err, release.ErrDamaged) {
				t.Fatalf("seed %d: %v", seed, err)
			}
		}
		store.SetPlan(nil)
		if _, err := release.Load(t.Context(), objects, m.digest); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
}

func TestADiskKeepsWhatItFetched(t *testing.T) {
	objects := release.NewObjects(blobtest.NewMemory())
	m := newRelease(t, "shop", "1")
	publish(t, objects, m)
	dir := t.TempDir()
	disk := openDisk(t, dir)
	_, err := disk.Fetch(t.Context(), m.digest)
	if !errors.Is(err, blob.ErrNotFound) {
		t.Errorf("without a source: %v", err)
	}
	signer := newSigner(t)
	envelope, err := release.Sign(m.release, signer)
	if err != nil {
		t.Fatal(err)
	}
	if err := objects.AddSignatures(t.Context(), nil, m.digest, envelope); err != nil {
		t.Fatal(err)
	}
	for _, from := range [][]release.Source{{objects}, nil} {
		l, err := openDisk(t, dir).Fetch(t.Context(), m.digest, from...)
		if err != nil {
			t.Fatal(err)
		}
		if string(l.Artifact) != string(m.artifact) || l.Release.Program != "shop" || len(l.Binding) != 3 || l.Manifest.Program != "shop" {
			t.Errorf("fetched %+v", l.Release)
		}
		if len(l.Signatures) != 1 || !l.Signatures[0].SignedBy(signer.Public()) {
			t.Errorf("the signatures are %v", l.Signatures)
		}
	}
	if all, err := disk.Releases(); err != nil || len(all) != 1 || all[0] != m.digest {
		t.Errorf("the disk has %v, %v", all, err)
	}
}

// TestADamagedDisk: what is damaged is removed and told, and fetched again.
func TestADamagedDisk(t *testing.T) {
	objects := release.NewObjects(blobtest.NewMemory())
	m := newRelease(t, "shop", "1")
	publish(t, objects, m)
	dir := t.TempDir()
	disk := openDisk(t, dir)
	fetch := func() {
		t.Helper()
		if _, err := disk.Fetch(t.Context(), m.digest, objects); err != nil {
			t.Fatal(err)
		}
	}
	fetch()
	for kind, digest := range map[release.Kind]release.Digest{
		release.KindArtifact: m.release.Artifact.Digest, release.KindBinding: m.release.Binding.Digest, release.KindRelease: m.digest,
	} {
		file := filepath.Join(dir, string(kind)+"s", digest.Hex())
		for what, spoil := range map[string]func() error{
			"cut":     func() error { return os.Truncate(file, 3) },
			"empty":   func() error { return os.Truncate(file, 0) },
			"changed": func() error { return os.WriteFile(file, []byte("something else"), 0o600) },
			"huge":    func() error { return os.Truncate(file, 300<<20) },
			"a link": func() error {
				return errors.Join(os.Rename(file, file+".moved"), os.Symlink(file+".moved", file))
			},
			"a folder": func() error {
				return errors.Join(os.Remove(file), os.MkdirAll(filepath.Join(file, "x"), 0o700))
			},
		} {
			if err := spoil(); err != nil {
				t.Fatal(err)
			}
			_, err := disk.Object(t.Context(), kind, digest)
			if !errors.Is(err, release.ErrDamaged) {
				t.Errorf("%s %s: %v", kind, what, err)
			}
			says(t, err, digest.Hex(), "expected", "found", "was removed")
			if _, err := disk.Object(t.Context(), kind, digest); !errors.Is(err, blob.ErrNotFound) {
				t.Errorf("%s %s, again: %v", kind, what, err)
			}
			_ = os.Remove(file + ".moved")
			fetch()
		}
	}
	// One source lies, the next one does not.
	if err := os.RemoveAll(filepath.Join(dir, "artifacts")); err != nil {
		t.Fatal(err)
	}
	if _, err := disk.Fetch(t.Context(), m.digest, liar{objects}, objects); err != nil {
		t.Error(err)
	}
	if err := os.RemoveAll(filepath.Join(dir, "artifacts")); err != nil {
		t.Fatal(err)
	}
	_, err := disk.Fetch(t.Context(), m.digest, liar{objects})
	says(t, err, "nowhere to be had", "damaged")
}

// liar is a source that gives other bytes.
type liar struct{ *release.Objects }

func (l liar) Object(ctx context.Context, kind release.Kind, digest release.Digest) ([]byte, error) {
	data, err := l.Objects.Object(ctx, kind, digest)
	return append(slices.Clip(data), 0), err
}

func TestWhatAKilledProcessLeaves(t *testing.T) {
	dir := t.TempDir()
	half := filepath.Join(dir, "unfinished", "HALF")
	if err := os.MkdirAll(filepath.Dir(half), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(half, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	disk := openDisk(t, dir)
	if _, err := os.Stat(half); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("half a file is still there: %v", err)
	}
	if all, err := disk.Releases(); err != nil || len(all) != 0 {
		t.Errorf("%v, %v", all, err)
	}
}

func TestKeeping(t *testing.T) {
	objects := release.NewObjects(blobtest.NewMemory())
	dir := t.TempDir()
	disk := openDisk(t, dir)
	var all []made
	for _, tag := range []string{"1", "2", "3"} {
		m := newRelease(t, "shop", tag)
		publish(t, objects, m)
		if _, err := disk.Fetch(t.Context(), m.digest, objects); err != nil {
			t.Fatal(err)
		}
		if err := disk.PutSignatures(m.digest, nil); err != nil {
			t.Fatal(err)
		}
		all = append(all, m)
	}
	if _, err := disk.Files(t.Context(), all[0].release.Binding.Digest); err != nil {
		t.Fatal(err)
	}
	count := func() (n int) {
		_ = filepath.WalkDir(dir, func(_ string, e os.DirEntry, _ error) error {
			if !e.IsDir() {
				n++
			}
			return nil
		})
		return n
	}
	if err := disk.Keep(t.Context(), all[1].digest, all[2].digest); err != nil {
		t.Fatal(err)
	}
	if left, err := disk.Releases(); err != nil || len(left) != 2 {
		t.Errorf("%v, %v", left, err)
	}
	for _, m := range all[1:] {
		if _, err := disk.Fetch(t.Context(), m.digest); err != nil {
			t.Errorf("what is kept is there without a source: %v", err)
		}
	}
	// Two documents, two artifacts, the one binding and its three files, two of signatures.
	if n := count(); n != 10 {
		t.Errorf("%d files are left", n)
	}
	if err := disk.Keep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := count(); n != 0 {
		t.Errorf("%d files are left", n)
	}
}

func TestFilesOfABinding(t *testing.T) {
	disk := openDisk(t, t.TempDir())
	data, err := binding().Encode()
	if err != nil {
		t.Fatal(err)
	}
	digest, err := disk.Put(release.KindBinding, data)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		dir, err := disk.Files(t.Context(), digest)
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(dir, "env", "prod.toml")
		if text, err := os.ReadFile(file); err != nil || string(text) != "extends = \"base\"\n" {
			t.Errorf("%q, %v", text, err)
		}
		overwrite(t, file, []byte("changed by hand"))
	}
}

func TestNotes(t *testing.T) {
	dir := t.TempDir()
	disk := openDisk(t, dir)
	if _, err := disk.Noted("intent"); !errors.Is(err, blob.ErrNotFound) {
		t.Errorf("%v", err)
	}
	for _, text := range []string{"one", "", "two\nlines"} {
		if err := disk.Note("intent", []byte(text)); err != nil {
			t.Fatal(err)
		}
		if back, err := openDisk(t, dir).Noted("intent"); err != nil || string(back) != text {
			t.Errorf("%q, %v", back, err)
		}
	}
	overwrite(t, filepath.Join(dir, "notes", "intent"), []byte("sha256:00\nx"))
	if _, err := disk.Noted("intent"); !errors.Is(err, release.ErrDamaged) {
		t.Errorf("%v", err)
	}
	says(t, disk.Note("../x", nil), "cannot name a note")
}

// TestKeepingWhileFetching: a release whose document is on disk is there as a whole, though
// others were thrown away while it was fetched.
func TestKeepingWhileFetching(t *testing.T) {
	objects := release.NewObjects(blobtest.NewMemory())
	m := newRelease(t, "shop", "1")
	publish(t, objects, m)
	disk := openDisk(t, t.TempDir())
	keeping := keeper{objects, func() {
		if err := disk.Keep(t.Context()); err != nil {
			t.Error(err)
		}
	}}
	if _, err := disk.Fetch(t.Context(), m.digest, keeping); err != nil {
		t.Fatal(err)
	}
	if _, err := disk.Fetch(t.Context(), m.digest); err != nil {
		t.Errorf("without a source: %v", err)
	}
}

// keeper does something whenever it is asked.
type keeper struct {
	*release.Objects
	do func()
}

func (k keeper) Signatures(ctx context.Context, digest release.Digest) ([]*release.Envelope, error) {
	k.do()
	return k.Objects.Signatures(ctx, digest)
}
