// Objects in a store of blobs.

package release

import (
	"context"
	"errors"
	"fmt"
	"path"

	"towpath.dev/internal/blob"
)

// Objects keeps objects in a store, a folder or a bucket:
//
//	artifacts/sha256/HEX         modules
//	bindings/sha256/HEX          environments' files
//	executables/sha256/HEX       tow itself
//	releases/sha256/HEX          documents
//	releases/sha256/HEX.sig/KEY  their signatures, each in an envelope of its own
//	policies/VERSION             every version of the trust policy
//	snapshots/ENVIRONMENT/TIME   what ran, for nodes that start in an outage
//
// Each is created if absent and never changed, so that whoever is second finds what it
// would have written. What the store answers is verified, every time. Attempts are the
// store's matter: see [blob.Retry].
type Objects struct{ store blob.Store }

// NewObjects keeps objects in a store.
func NewObjects(store blob.Store) *Objects { return &Objects{store} }

func (o *Objects) String() string { return o.store.String() }

// objectName is an object's name in the store.
func objectName(kind Kind, digest Digest) string {
	return string(kind) + "s/sha256/" + digest.Hex()
}

// Put keeps an object. One that is there already is read and compared.
func (o *Objects) Put(ctx context.Context, kind Kind, data []byte) (Digest, error) {
	if err := kind.Check(); err != nil {
		return "", err
	}
	digest := DigestOf(data)
	if int64(len(data)) > kinds[kind] {
		return "", fmt.Errorf("the %s %s has %d bytes: expected %d at most", kind, digest.Short(), len(data), kinds[kind])
	}
	err := o.store.Create(ctx, objectName(kind, digest), data, blob.Standard)
	if errors.Is(err, blob.ErrExists) {
		_, err = o.Object(ctx, kind, digest)
	}
	return digest, err
}

// Object reads an object.
func (o *Objects) Object(ctx context.Context, kind Kind, digest Digest) ([]byte, error) {
	if err := errors.Join(kind.Check(), digest.Check()); err != nil {
		return nil, err
	}
	name := objectName(kind, digest)
	data, err := o.store.Get(ctx, name)
	if err != nil {
		return nil, err
	}
	return verified(o.String(), name, kind, digest, data,
		"delete it and make the release again: the same sources give the same object")
}

// Publish keeps a release and its parts, its document last: a release that is there is
// there as a whole. The artifact and the bundle are those that it was made of.
func (o *Objects) Publish(ctx context.Context, r *Release, module, bundle []byte) (Digest, error) {
	document, err := r.Encode()
	if err != nil {
		return "", err
	}
	l := Loaded{Release: r, Artifact: module, bundle: bundle}
	if PartOf(module) != r.Artifact || PartOf(bundle) != r.Binding {
		return "", fmt.Errorf("the release of %s to %s is not of this artifact and binding: it says %s and %s, and they are %s and %s",
			r.Program, r.Environment, r.Artifact.Digest.Short(), r.Binding.Digest.Short(), DigestOf(module).Short(), DigestOf(bundle).Short())
	}
	if err := l.read(); err != nil {
		return "", err
	}
	if _, err := o.Put(ctx, KindArtifact, module); err != nil {
		return "", err
	}
	if _, err := o.Put(ctx, KindBinding, bundle); err != nil {
		return "", err
	}
	return o.Put(ctx, KindRelease, document)
}

// signaturesAt is the prefix of the names of a release's signatures.
func signaturesAt(release Digest) string { return objectName(KindRelease, release) + ".sig/" }

// AddSignatures keeps the signatures of a release's envelope beside it.
func (o *Objects) AddSignatures(ctx context.Context, release Digest, e *Envelope) error {
	if err := release.Check(); err != nil {
		return err
	}
	for _, s := range e.Signatures {
		if err := s.KeyID.Check(); err != nil {
			return err
		}
		data, err := (&Envelope{PayloadType: e.PayloadType, Payload: e.Payload, Signatures: []Signature{s}}).Encode()
		if err != nil {
			return err
		}
		// Ed25519 gives one signature for one statement. Where there is another, it is bad, and
		// whoever verifies it will say so.
		err = o.store.Create(ctx, signaturesAt(release)+string(s.KeyID), data, blob.Standard)
		if err != nil && !errors.Is(err, blob.ErrExists) {
			return err
		}
	}
	return nil
}

// Signatures are those of a release. One that cannot be read is as good as none, and is an
// error only where there is no other: whoever may write to the store could leave one.
func (o *Objects) Signatures(ctx context.Context, release Digest) ([]*Envelope, error) {
	if err := release.Check(); err != nil {
		return nil, err
	}
	var read []*Envelope
	var unread []error
	for info, err := range o.store.List(ctx, signaturesAt(release), "") {
		if err != nil {
			return nil, err
		}
		if len(read)+len(unread) == maxSignatures {
			break
		}
		e, err := o.signature(ctx, info.Name)
		switch {
		case err == nil:
			read = append(read, e)
		case errors.Is(err, ErrDamaged):
			unread = append(unread, err)
		case !errors.Is(err, blob.ErrNotFound):
			return nil, err
		}
	}
	if len(read) == 0 {
		return nil, errors.Join(unread...)
	}
	return read, nil
}

func (o *Objects) signature(ctx context.Context, name string) (*Envelope, error) {
	data, err := o.store.Get(ctx, name)
	if err != nil {
		return nil, err
	}
	e, err := DecodeEnvelope(data)
	if err == nil && (len(e.Signatures) != 1 || string(e.Signatures[0].KeyID) != path.Base(name)) {
		err = errors.New("expected one signature, of the key that it is named by")
	}
	if err != nil {
		return nil, fmt.Errorf("%s: the signature %s is %w: %w; delete it and sign the release again", o, name, ErrDamaged, err)
	}
	return e, nil
}
