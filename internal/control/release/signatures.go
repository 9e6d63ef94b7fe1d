// Signatures in a store of blobs.

package release

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path"

	"towpath.dev/internal/blob"
)

// ErrBadSignature is that a signature is not what it has to be, and is not kept.
var ErrBadSignature = errors.New("not good")

// signaturesAt is the prefix of the names of a release's signatures.
func signaturesAt(release Digest) string { return objectName(KindRelease, release) + ".sig/" }

// AddSignatures keeps the signatures of a release beside it, all of them or none. They have to be
// good: of what there is to say of this very release, by keys that the policy has or that they
// brought with them. Whether such a key is trusted is for who runs the release. There is one
// place for each key, so whoever could fill it with anything could keep out who has the key.
//
// What is wrong with a signature is ErrBadSignature. Where another, bad one is in its place it is
// blob.ErrExists, or ErrDamaged. Without the release itself it is blob.ErrNotFound.
func (o *Objects) AddSignatures(ctx context.Context, policy *Policy, release Digest, e *Envelope) error {
	r, err := o.Release(ctx, release)
	if err != nil {
		return err
	}
	good, err := e.good(r, policy)
	if err != nil {
		return err
	}
	for _, one := range good {
		if err := o.addSignature(ctx, release, one); err != nil {
			return err
		}
	}
	return nil
}

// good are the signatures of an envelope, each in one of its own, with the key that it is good by.
func (e *Envelope) good(r *Release, policy *Policy) ([]*Envelope, error) {
	s, err := r.statement()
	if err != nil {
		return nil, err
	}
	want, err := canonical(s)
	if err != nil {
		return nil, err
	}
	if e.PayloadType != TypeRelease || !bytes.Equal(e.Payload, want) {
		return nil, fmt.Errorf("the signatures are %w for the release %s of %s to %s: %s; sign it with \"tow release sign\"",
			ErrBadSignature, s.Release.Short(), r.Program, r.Environment, (&verification{statement: s}).other(e))
	}
	var all []*Envelope
	for _, s := range e.Signatures {
		if k := policy.key(s.KeyID); k != nil {
			s.Key = k.Key
		}
		one := &Envelope{PayloadType: e.PayloadType, Payload: e.Payload, Signatures: []Signature{s}}
		switch {
		case s.Key == nil:
			return nil, fmt.Errorf("the signature by the key %s is %w as far as can be seen: the trust policy does not have the key, and it did not come with it; "+
				"sign with \"tow release sign\", which sends it, or put a policy in force that has it", s.KeyID.Short(), ErrBadSignature)
		case !one.SignedBy(s.Key):
			return nil, fmt.Errorf("the signature by the key %s is %w: the key has not made it; sign the release again", s.KeyID.Short(), ErrBadSignature)
		}
		all = append(all, one)
	}
	return all, nil
}

// addSignature keeps one that is good. Another good one in its place is as well: Ed25519 gives one
// for one statement, and keys lie in services that may do otherwise.
func (o *Objects) addSignature(ctx context.Context, release Digest, e *Envelope) error {
	s := e.Signatures[0]
	kept := &Envelope{PayloadType: e.PayloadType, Payload: e.Payload, Signatures: []Signature{{KeyID: s.KeyID, Sig: s.Sig}}}
	data, err := kept.Encode()
	if err != nil {
		return err
	}
	name := signaturesAt(release) + string(s.KeyID)
	if err = o.store.Create(ctx, name, data, blob.Standard); !errors.Is(err, blob.ErrExists) {
		return err
	}
	have, err := o.signature(ctx, name)
	if err != nil {
		return err
	}
	if have.PayloadType != e.PayloadType || !bytes.Equal(have.Payload, e.Payload) || !have.SignedBy(s.Key) {
		return fmt.Errorf("%s: %w, %s, and is no good signature by the key that it is named by: delete it and sign the release again", o, blob.ErrExists, name)
	}
	return nil
}

// Signatures are those of a release: of the keys that the newest policy here has, and of others as
// far as there are few, for whoever looks who has signed. One that cannot be read is as good as
// none, and is an error only where there is no other: whoever may write to the store could leave
// one.
func (o *Objects) Signatures(ctx context.Context, release Digest) ([]*Envelope, error) {
	if err := release.Check(); err != nil {
		return nil, err
	}
	keys, err := o.keys(ctx)
	if err != nil {
		return nil, err
	}
	asked := map[string]bool{}
	var names []string
	for _, id := range keys { // others may have left any number that a listing has before these
		name := signaturesAt(release) + string(id)
		asked[name] = true
		names = append(names, name)
	}
	others := 0
	for info, err := range o.store.List(ctx, signaturesAt(release), "") {
		if err != nil {
			return nil, err
		}
		if asked[info.Name] {
			continue
		}
		if others == maxSignatures {
			break
		}
		others++
		names = append(names, info.Name)
	}
	var read []*Envelope
	var unread []error
	for _, name := range names {
		e, err := o.signature(ctx, name)
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

// keys are those of releases that the newest policy of the store has, whether or not anybody
// believes it: they say what to look for. Of a policy that cannot be read there are none.
func (o *Objects) keys(ctx context.Context) ([]KeyID, error) {
	newest := ""
	for info, err := range o.store.List(ctx, policiesAt, "") {
		if err != nil {
			return nil, err
		}
		newest = info.Name
	}
	if newest == "" {
		return nil, nil
	}
	data, err := o.store.Get(ctx, newest)
	if err != nil {
		return nil, err
	}
	p, err := ReadPolicy(data)
	if err != nil {
		return nil, nil // who needs the policy is told of it
	}
	var ids []KeyID
	for i := range p.Keys {
		if k := &p.Keys[i]; !k.Snapshots {
			ids = append(ids, k.Key.ID())
		}
	}
	return ids, nil
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
