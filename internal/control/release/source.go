// Where objects come from, and what a release is once it is read.

package release

import (
	"context"
	"errors"
	"fmt"

	"towpath.dev/internal/artifact"
)

// Kind is what an object is.
type Kind string

// The kinds of objects that their digests name.
const (
	KindArtifact   Kind = "artifact"
	KindBinding    Kind = "binding"
	KindExecutable Kind = "executable" // tow itself
	KindRelease    Kind = "release"
)

// kinds are all of them, with the most bytes that one may have.
var kinds = map[Kind]int64{KindArtifact: MaxArtifact, KindBinding: maxBundle, KindExecutable: MaxExecutable, KindRelease: MaxRelease}

// Check says what is wrong with a kind that came from elsewhere.
func (k Kind) Check() error {
	if kinds[k] == 0 {
		return fmt.Errorf("%.40q is no kind of object: expected artifact, binding, executable or release", string(k))
	}
	return nil
}

// Most is how many bytes an object of the kind has at most; 0 is that there is no such kind.
func (k Kind) Most() int64 { return kinds[k] }

// A Source gives objects. What it gives is what their digest says, or an error that is
// [ErrDamaged]; what it does not have is blob.ErrNotFound. It is safe for concurrent use.
type Source interface {
	Object(ctx context.Context, kind Kind, digest Digest) ([]byte, error)
	// Signatures are those of a release that the source knows of, none if it is unsigned.
	// Nobody has looked whether they are good; see [Policy.Verify].
	Signatures(ctx context.Context, release Digest) ([]*Envelope, error)
	// String is where the objects are, for people.
	String() string
}

// ErrDamaged is that an object's bytes are not those that its digest tells of.
var ErrDamaged = errors.New("damaged")

// ErrMalformed is that a release is here as a whole and is none: its document or a part cannot be
// read, or they do not belong together.
var ErrMalformed = errors.New("malformed")

// malformed is an error that is ErrMalformed, and says why instead of saying so.
type malformed struct{ error }

func (malformed) Is(target error) bool { return target == ErrMalformed }

func (m malformed) Unwrap() error { return m.error }

// verified gives an object's bytes if they are what the digest says. Next is what to do
// about it if not.
func verified(where, name string, kind Kind, digest Digest, data []byte, next string) ([]byte, error) {
	if int64(len(data)) > kinds[kind] {
		return nil, fmt.Errorf("%s: the object %s is %w: expected %d bytes at most, found %d; %s", where, name, ErrDamaged, kinds[kind], len(data), next)
	}
	if found := DigestOf(data); found != digest {
		return nil, fmt.Errorf("%s: the object %s is %w: expected %s, found %s (%d bytes); %s", where, name, ErrDamaged, digest, found, len(data), next)
	}
	return data, nil
}

// A Loaded release is its document, its parts, and who has signed it.
type Loaded struct {
	Digest  Digest
	Release *Release
	// Of tow, which is an executable, these three are nil.
	Artifact []byte // the module
	Manifest *artifact.Manifest
	Binding  Binding
	// Signatures are those that the source knows of; nobody has looked whether they are good.
	Signatures []*Envelope

	bundle     []byte // the binding as an object
	executable []byte
}

// Load reads a release with its parts and sees that they belong together. What is not there is
// blob.ErrNotFound, what is not as it was is ErrDamaged, and what is no release ErrMalformed; other
// errors are the source's.
func Load(ctx context.Context, from Source, digest Digest) (*Loaded, error) {
	if err := digest.Check(); err != nil {
		return nil, err
	}
	l := &Loaded{Digest: digest}
	document, err := from.Object(ctx, KindRelease, digest)
	if err != nil {
		return nil, err
	}
	if l.Release, err = Decode(document); err != nil {
		return nil, fmt.Errorf("the release %s of %s: %w", digest.Short(), from, malformed{err})
	}
	for _, p := range l.Release.parts() {
		if *l.part(p.kind), err = part(ctx, from, p.kind, p.Part); err != nil {
			return nil, fmt.Errorf("the release %s: %w", digest.Short(), err)
		}
	}
	if err := l.read(); err != nil {
		return nil, fmt.Errorf("the release %s of %s: %w", digest.Short(), from, malformed{err})
	}
	if l.Signatures, err = from.Signatures(ctx, digest); err != nil {
		return nil, err
	}
	return l, nil
}

// part is where a part of the release is.
func (l *Loaded) part(kind Kind) *[]byte {
	switch kind {
	case KindArtifact:
		return &l.Artifact
	case KindBinding:
		return &l.bundle
	}
	return &l.executable
}

// read reads the parts.
func (l *Loaded) read() (err error) {
	if l.Release.Executable != nil {
		return nil // whether it runs is for who runs it
	}
	if l.Manifest, err = artifact.Decode(l.Artifact); err != nil {
		return err
	}
	if l.Binding, err = DecodeBinding(l.bundle); err != nil {
		return err
	}
	return l.Release.fits(l.Manifest, l.Binding)
}

func part(ctx context.Context, from Source, kind Kind, p Part) ([]byte, error) {
	data, err := from.Object(ctx, kind, p.Digest)
	if err == nil && int64(len(data)) != p.Size {
		err = malformed{fmt.Errorf("its %s has %d bytes, and the document says %d: make the release again", kind, len(data), p.Size)}
	}
	return data, err
}
