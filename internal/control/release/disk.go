// A node's disk.

package release

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"towpath.dev/internal/blob"
)

// A Disk keeps releases in a folder, so that a node can start and go back without anybody
// else: artifacts/HEX, bindings/HEX, executables/HEX, releases/HEX, signatures/HEX, files/HEX/… (bindings'
// files) and notes/NAME. One process has the folder.
//
// Files are written beside, synced and renamed, so that there are whole ones alone, and
// verified whenever they are read. One that is damaged is removed, and is an error that is
// ErrDamaged this time and blob.ErrNotFound from then on.
type Disk struct {
	dir string

	mu sync.Mutex // held while folders' contents are changed or relied on
}

// OpenDisk keeps releases in a folder, which is made if need be.
func OpenDisk(dir string) (*Disk, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	// What a process that was killed has left half written.
	if err := os.RemoveAll(filepath.Join(dir, unfinished)); err != nil {
		return nil, err
	}
	return &Disk{dir: dir}, nil
}

// unfinished is the folder of what is being written, within the disk's.
const unfinished = "unfinished"

func (d *Disk) String() string { return d.dir }

// diskName is where an object lies, from the disk's folder.
func diskName(kind Kind, digest Digest) string { return string(kind) + "s/" + digest.Hex() }

// Put keeps an object.
func (d *Disk) Put(kind Kind, data []byte) (Digest, error) {
	if err := kind.Check(); err != nil {
		return "", err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return DigestOf(data), d.put(kind, data)
}

// put writes an object unless it is there. The lock is held.
func (d *Disk) put(kind Kind, data []byte) error {
	name := diskName(kind, DigestOf(data))
	if have, err := d.read(name, kinds[kind]); err == nil && bytes.Equal(have, data) {
		return nil
	}
	return d.write(name, data)
}

// Object reads an object.
func (d *Disk) Object(ctx context.Context, kind Kind, digest Digest) ([]byte, error) {
	if err := errors.Join(kind.Check(), digest.Check(), context.Cause(ctx)); err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	name := diskName(kind, digest)
	data, err := d.read(name, kinds[kind])
	if err == nil {
		data, err = verified(d.dir, name, kind, digest, data, "it was removed, and is fetched again")
	}
	return data, d.removeDamaged(name, err)
}

// PutSignatures keeps the signatures of a release, in the place of those that were there.
func (d *Disk) PutSignatures(release Digest, envelopes []*Envelope) error {
	if err := release.Check(); err != nil {
		return err
	}
	lines := [][]byte{}
	for _, e := range envelopes {
		line, err := e.Encode()
		if err != nil {
			return err
		}
		lines = append(lines, line)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.write("signatures/"+release.Hex(), sum(bytes.Join(lines, []byte{'\n'})))
}

// Signatures reads the signatures of a release.
func (d *Disk) Signatures(ctx context.Context, release Digest) ([]*Envelope, error) {
	if err := errors.Join(release.Check(), context.Cause(ctx)); err != nil {
		return nil, err
	}
	data, err := d.summed("signatures/"+release.Hex(), "it was removed, and is fetched again")
	if errors.Is(err, blob.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	all, err := DecodeEnvelopes(data)
	if err != nil {
		return nil, fmt.Errorf("%s: signatures of the release %s: %w", d.dir, release.Short(), err)
	}
	return all, nil
}

// Fetch reads a release, and fetches from the sources what the disk does not have, or has
// damaged. The first source that has an object is believed, as its bytes say what it is. What
// was fetched is on disk afterwards, and the release's document last.
func (d *Disk) Fetch(ctx context.Context, digest Digest, from ...Source) (*Loaded, error) {
	f := &fetching{d, from}
	l, err := Load(ctx, f, digest)
	if err != nil {
		return nil, err
	}
	document, err := l.Release.Encode()
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	// Somebody may have called Keep since the parts were written.
	var errs []error
	for _, p := range l.Release.parts() {
		errs = append(errs, d.put(p.kind, *l.part(p.kind)))
	}
	return l, errors.Join(append(errs, d.put(KindRelease, document))...)
}

// fetching is a disk before others.
type fetching struct {
	disk *Disk
	from []Source
}

func (f *fetching) String() string { return f.disk.String() }

func (f *fetching) Object(ctx context.Context, kind Kind, digest Digest) ([]byte, error) {
	data, err := f.disk.Object(ctx, kind, digest)
	if err == nil || ctx.Err() != nil {
		return data, err
	}
	tried := []error{err}
	for _, source := range f.from {
		data, err := source.Object(ctx, kind, digest)
		if err == nil && DigestOf(data) == digest {
			if kind != KindRelease { // which is written when the rest is there
				_, err = f.disk.Put(kind, data)
			}
			return data, err
		}
		if err == nil {
			err = fmt.Errorf("%s: %s %s is %w: expected %s, found %s", source, kind, digest.Short(), ErrDamaged, digest, DigestOf(data))
		}
		tried = append(tried, err)
	}
	return nil, fmt.Errorf("%s %s is nowhere to be had: %w", kind, digest.Short(), errors.Join(tried...))
}

// Signatures are the sources' where one answers, as there may be new ones, else the disk's.
func (f *fetching) Signatures(ctx context.Context, release Digest) ([]*Envelope, error) {
	var failed []error
	for _, source := range f.from {
		envelopes, err := source.Signatures(ctx, release)
		if err == nil && len(envelopes) > 0 {
			return envelopes, f.disk.PutSignatures(release, envelopes)
		}
		failed = append(failed, err)
	}
	have, err := f.disk.Signatures(ctx, release)
	if len(have) == 0 {
		err = errors.Join(append(failed, err)...)
	}
	return have, err
}

// Keep removes all releases but some, and the objects that none of those has. What is kept
// and is not there, or is damaged, is no error: it is fetched when it is needed.
func (d *Disk) Keep(ctx context.Context, releases ...Digest) error {
	keep := map[string]bool{}
	for _, digest := range releases {
		if err := digest.Check(); err != nil {
			return err
		}
		keep[diskName(KindRelease, digest)], keep["signatures/"+digest.Hex()] = true, true
		document, err := d.Object(ctx, KindRelease, digest)
		if err != nil && !errors.Is(err, blob.ErrNotFound) && !errors.Is(err, ErrDamaged) {
			return err
		}
		r, err := Decode(document)
		if err != nil {
			continue
		}
		for _, name := range r.keeps() {
			keep[name] = true
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, folder := range []string{"releases", "signatures", "artifacts", "bindings", "executables", "files"} {
		entries, err := os.ReadDir(filepath.Join(d.dir, folder))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		for _, e := range entries {
			name := folder + "/" + e.Name()
			if keep[name] {
				continue
			}
			if err := os.RemoveAll(d.path(name)); err != nil {
				return err
			}
		}
	}
	return nil
}

// Releases are those that the disk has, in the order of their digests.
func (d *Disk) Releases() ([]Digest, error) {
	entries, err := os.ReadDir(d.path("releases"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var all []Digest
	for _, e := range entries {
		if digest, err := ParseDigest(digestPrefix + e.Name()); err == nil {
			all = append(all, digest)
		}
	}
	slices.Sort(all)
	return all, nil
}

// Files is a folder with a binding's files, as they are in the binding: what somebody has
// changed there is put right.
func (d *Disk) Files(ctx context.Context, binding Digest) (dir string, err error) {
	data, err := d.Object(ctx, KindBinding, binding)
	if err != nil {
		return "", err
	}
	b, err := DecodeBinding(data)
	if err != nil {
		return "", err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	dir = d.path("files/" + binding.Hex())
	return dir, b.Unpack(dir, d.path(unfinished))
}

// Note keeps a small text that changes, such as what a node was told last.
func (d *Disk) Note(name string, data []byte) error {
	if err := checkNote(name); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.write("notes/"+name, sum(data))
}

// Noted reads a note, or fails with blob.ErrNotFound.
func (d *Disk) Noted(name string) ([]byte, error) {
	if err := checkNote(name); err != nil {
		return nil, err
	}
	return d.summed("notes/"+name, "it was removed")
}

func checkNote(name string) error {
	if len(name) > maxName || !fileForm.MatchString(name) {
		return fmt.Errorf("%.80q cannot name a note: expected small letters, digits, '.', '_' and '-'", name)
	}
	return nil
}

// sum puts the digest of a text before it, so that damage is seen.
func sum(data []byte) []byte { return append([]byte(string(DigestOf(data))+"\n"), data...) }

// summed reads what sum has made.
func (d *Disk) summed(name, next string) ([]byte, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	text, err := d.read(name, MaxEnvelope*2)
	if err != nil {
		return nil, d.removeDamaged(name, err)
	}
	digest, data, _ := bytes.Cut(text, []byte{'\n'})
	if found := DigestOf(data); string(digest) != string(found) {
		return nil, d.removeDamaged(name, fmt.Errorf("%s: %s is %w: expected %.80q, found %s; %s", d.dir, name, ErrDamaged, digest, found, next))
	}
	return data, nil
}

func (d *Disk) path(name string) string { return filepath.Join(d.dir, filepath.FromSlash(name)) }

// read reads a file of the disk's own: no link, nothing larger than it can be.
func (d *Disk) read(name string, most int64) ([]byte, error) {
	file := d.path(name)
	info, err := os.Lstat(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: %s: %w", d.dir, name, blob.ErrNotFound)
	}
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > most {
		return nil, fmt.Errorf("%s: %s is %w: expected a file of at most %d bytes, found %s of %d; it was removed", d.dir, name, ErrDamaged, most, info.Mode(), info.Size())
	}
	opened, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer func() { _ = opened.Close() }() // was read from alone
	return io.ReadAll(io.LimitReader(opened, most+1))
}

// removeDamaged removes a file whose reading has ended with an error that is ErrDamaged.
func (d *Disk) removeDamaged(name string, err error) error {
	if errors.Is(err, ErrDamaged) {
		return errors.Join(err, os.RemoveAll(d.path(name)), syncFolder(filepath.Dir(d.path(name))))
	}
	return err
}

// write writes a file, whole or not at all, that is on disk afterwards.
func (d *Disk) write(name string, data []byte) error {
	written, err := writeBeside(d.path(unfinished), data)
	if err != nil {
		return err
	}
	return place(written, d.path(name))
}
