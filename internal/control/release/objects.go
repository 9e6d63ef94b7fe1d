// Objects in a store of blobs.

package release

import (
	"context"
	"errors"
	"fmt"

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

// Size is how many bytes an object has, as the store says.
func (o *Objects) Size(ctx context.Context, kind Kind, digest Digest) (int64, error) {
	if err := errors.Join(kind.Check(), digest.Check()); err != nil {
		return 0, err
	}
	_, size, err := o.store.Head(ctx, objectName(kind, digest), 1)
	return size, err
}

// Release reads a release's document.
func (o *Objects) Release(ctx context.Context, digest Digest) (*Release, error) {
	document, err := o.Object(ctx, KindRelease, digest)
	if err != nil {
		return nil, err
	}
	r, err := Decode(document)
	if err != nil {
		return nil, fmt.Errorf("the release %s of %s: %w", digest.Short(), o, malformed{err})
	}
	return r, nil
}

// Weight is how many bytes the parts of a release have together, as the store says.
func (o *Objects) Weight(ctx context.Context, r *Release) (int64, error) {
	all := int64(0)
	for _, p := range r.parts() {
		size, err := o.Size(ctx, p.kind, p.Digest)
		if err != nil {
			return 0, fmt.Errorf("its %s: %w", p.kind, err)
		}
		all += size
	}
	return all, nil
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
