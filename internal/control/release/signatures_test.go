package release_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"towpath.dev/internal/blob"
	"towpath.dev/internal/blob/blobtest"
	"towpath.dev/internal/control/release"
)

// changed is an envelope with another signature, key and id of one.
func changed(e *release.Envelope, change func(*release.Signature)) *release.Envelope {
	out := *e
	out.Signatures = append([]release.Signature{}, e.Signatures...)
	change(&out.Signatures[0])
	return &out
}

// TestOnlyGoodSignaturesAreKept: nobody takes a key's place who does not have the key, whether
// or not there is a policy.
func TestOnlyGoodSignaturesAreKept(t *testing.T) {
	objects := release.NewObjects(blobtest.NewMemory())
	ctx := t.Context()
	m, other := newRelease(t, "shop", "1"), newRelease(t, "shop", "2")
	root, ci, stranger := newSigner(t), newSigner(t), newSigner(t)
	if err := objects.AddSignatures(ctx, nil, m.digest, sign(t, m.release, ci)); !errors.Is(err, blob.ErrNotFound) {
		t.Errorf("before the release is there: %v", err)
	}
	publish(t, objects, m)
	policy, err := release.ReadPolicy(signed(t, policyOf(root, 1, []*release.Signer{ci}), root))
	if err != nil {
		t.Fatal(err)
	}
	good := sign(t, m.release, ci)
	for _, test := range []struct {
		name     string
		policy   *release.Policy
		envelope *release.Envelope
		says     string
	}{
		{"made up, of the policy's key", policy, changed(good, func(s *release.Signature) { s.Sig = make([]byte, 64) }), "the key has not made it"},
		{"made up, with the key", nil, changed(good, func(s *release.Signature) { s.Sig = make([]byte, 64) }), "the key has not made it"},
		{"made up, with another key", nil, changed(sign(t, m.release, stranger), func(s *release.Signature) { s.KeyID = ci.KeyID() }), "the key has not made it"},
		{"made up, with another key than the policy's", policy, changed(sign(t, m.release, stranger), func(s *release.Signature) { s.KeyID = ci.KeyID() }), "the key has not made it"},
		{"without its key", nil, changed(good, func(s *release.Signature) { s.Key = nil }), "did not come with it"},
		{"of another release", policy, sign(t, other.release, ci), "it is about the release " + other.digest.Short()},
		{"of another kind", policy, &release.Envelope{PayloadType: "x", Payload: good.Payload, Signatures: good.Signatures}, `it is of "x"`},
		{"one of two", policy, &release.Envelope{PayloadType: good.PayloadType, Payload: good.Payload, Signatures: append(sign(t, m.release, stranger).Signatures,
			release.Signature{KeyID: ci.KeyID(), Sig: make([]byte, 64)})}, "the key has not made it"},
	} {
		err := objects.AddSignatures(ctx, test.policy, m.digest, test.envelope)
		if !errors.Is(err, release.ErrBadSignature) {
			t.Errorf("%s: %v", test.name, err)
		}
		says(t, err, test.says)
		if all, err := objects.Signatures(ctx, m.digest); err != nil || len(all) != 0 {
			t.Errorf("%s: kept: %v, %v", test.name, all, err)
		}
	}
	for name, e := range map[string]*release.Envelope{
		"by the policy": changed(good, func(s *release.Signature) { s.Key = nil }), "once more": good, "of one whom nobody trusts yet": sign(t, m.release, stranger),
	} {
		if err := objects.AddSignatures(ctx, policy, m.digest, e); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if all, err := objects.Signatures(ctx, m.digest); err != nil || len(all) != 2 {
		t.Errorf("%v, %v", all, err)
	}
}

// TestASignatureInAnothersPlace: what is there and is not good is told of, and not taken for
// the one that was to be kept.
func TestASignatureInAnothersPlace(t *testing.T) {
	objects, dir := folder(t)
	m, ci := newRelease(t, "shop", "1"), newSigner(t)
	publish(t, objects, m)
	good := sign(t, m.release, ci)
	if err := objects.AddSignatures(t.Context(), nil, m.digest, good); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "releases", "sha256", m.digest.Hex()+".sig", string(ci.KeyID()))
	kept, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(kept, []byte(`"key":`)) {
		t.Errorf("it is kept as %s; expected DSSE's members alone", kept)
	}
	overwrite(t, file, encode(t, changed(good, func(s *release.Signature) { s.Sig, s.Key = make([]byte, 64), nil })))
	err = objects.AddSignatures(t.Context(), nil, m.digest, good)
	if !errors.Is(err, blob.ErrExists) {
		t.Errorf("%v", err)
	}
	says(t, err, string(ci.KeyID()), "delete it and sign the release again")
}

// TestTheListHidesNoSignature: however many others have signed, those of the policy's keys are
// found.
func TestTheListHidesNoSignature(t *testing.T) {
	objects := release.NewObjects(blobtest.NewMemory())
	ctx := t.Context()
	m, root, ci := newRelease(t, "shop", "1"), newSigner(t), newSigner(t)
	publish(t, objects, m)
	others := make([]*release.Signer, 40)
	for i := range others {
		if others[i] = newSigner(t); others[i].KeyID() > ci.KeyID() {
			others[i], ci = ci, others[i] // the last one of the list
		}
	}
	for _, one := range others {
		if err := objects.AddSignatures(ctx, nil, m.digest, sign(t, m.release, one)); err != nil {
			t.Fatal(err)
		}
	}
	if err := objects.AddSignatures(ctx, nil, m.digest, sign(t, m.release, ci)); err != nil {
		t.Fatal(err)
	}
	policy, err := release.ReadPolicy(signed(t, policyOf(root, 1, []*release.Signer{ci}), root))
	if err != nil {
		t.Fatal(err)
	}
	if err := objects.PutPolicy(ctx, policy); err != nil {
		t.Fatal(err)
	}
	all, err := objects.Signatures(ctx, m.digest)
	if err != nil || len(all) != 33 {
		t.Errorf("there are %d signatures, %v; expected the policy's and 32 more", len(all), err)
	}
	if _, err := policy.Verify(all, m.release, nil, now); err != nil {
		t.Error(err)
	}
}
