package release_test

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"towpath.dev/internal/blob/blobtest"
	"towpath.dev/internal/control/release"
)

func newSigner(t testing.TB) *release.Signer {
	t.Helper()
	_, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	s, err := release.NewSigner(private)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func sign(t testing.TB, r *release.Release, by ...*release.Signer) *release.Envelope {
	t.Helper()
	e, err := release.Sign(r, by...)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// encode is an envelope's JSON.
func encode(t testing.TB, e *release.Envelope) []byte {
	t.Helper()
	data, err := e.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// now is when the tests take place.
var now = time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)

// policyOf is a policy of one root key with keys that may sign anything, changed first.
func policyOf(root *release.Signer, version int64, keys []*release.Signer, change ...func(*release.Policy)) *release.Policy {
	p := &release.Policy{
		Format: release.Format, Version: version, Need: 1, ABI: release.Range{Min: 1, Max: 3},
		Roots: release.Roots{Keys: []release.PublicKey{root.Public()}, Threshold: 1},
	}
	for i, k := range keys {
		p.Keys = append(p.Keys, release.Key{Key: k.Public(), Name: fmt.Sprintf("key%d", i), Status: release.Active, Programs: []string{"*"}, Environments: []string{"*"}})
	}
	for _, do := range change {
		do(p)
	}
	return p
}

// signed is a policy's envelope.
func signed(t testing.TB, p *release.Policy, by ...*release.Signer) []byte {
	t.Helper()
	e, err := release.SignPolicy(p, by...)
	if err != nil {
		t.Fatal(err)
	}
	return encode(t, e)
}

// TestTheEnvelope holds it against DSSE as others have written it down, and against
// Ed25519 of the standard library.
func TestTheEnvelope(t *testing.T) {
	m, s := newRelease(t, "shop", "1"), newSigner(t)
	var envelope struct {
		PayloadType string
		Payload     []byte
		Signatures  []struct {
			KeyID string
			Sig   []byte
		}
	}
	data := encode(t, sign(t, m.release, s))
	if err := json.Unmarshal(data, &envelope); err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf(`{"format":1,"release":%q,"program":"shop","environment":"prod","abi":1}`, m.digest)
	if envelope.PayloadType != "application/vnd.towpath.release+json" || string(envelope.Payload) != want {
		t.Errorf("the envelope is %s of %s", envelope.PayloadType, envelope.Payload)
	}
	pae := fmt.Sprintf("DSSEv1 %d %s %d %s", len(envelope.PayloadType), envelope.PayloadType, len(envelope.Payload), envelope.Payload)
	if !ed25519.Verify(ed25519.PublicKey(s.Public()), []byte(pae), envelope.Signatures[0].Sig) {
		t.Error("the signature is not over DSSE's PAE")
	}
	if envelope.Signatures[0].KeyID != string(s.KeyID()) || len(s.KeyID()) != 64 {
		t.Errorf("the key's id is %s", envelope.Signatures[0].KeyID)
	}
	// The other alphabet of base64, and members that we do not know.
	other := strings.NewReplacer("+", "-", "/", "_", `"payloadType"`, `"later":1,"payloadType"`).Replace(string(data))
	other = strings.Replace(other, "application_vnd.towpath.release-json", "application/vnd.towpath.release+json", 1)
	if e, err := release.DecodeEnvelope([]byte(other)); err != nil || !e.SignedBy(s.Public()) {
		t.Errorf("%v", err)
	}
}

func TestEnvelopesThatAreRefused(t *testing.T) {
	m, s := newRelease(t, "shop", "1"), newSigner(t)
	good := string(encode(t, sign(t, m.release, s)))
	for _, test := range []struct{ old, new, says string }{
		{"{", "[", "cannot be read"},
		{`"signatures":[`, `"signatures":[],"x":[`, "0 signatures"},
		{`"payload":"`, `"payload":"!`, "expected base64"},
		{`"application/vnd.towpath.release+json"`, `""`, "payloadType"},
		{`"sig":"`, `"sig":"AAAA`, "expected 64 bytes, found 67"},
		{string(s.KeyID()), "x", "no key's id"},
		{`"key":"`, `"key":"!`, "its key: expected base64"},
		{`"key":"`, `"key":"AAAA`, "a public key cannot be read"},
	} {
		_, err := release.DecodeEnvelope([]byte(strings.Replace(good, test.old, test.new, 1)))
		says(t, err, test.says)
	}
}

func TestKeys(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "ci.key")
	made, err := release.GenerateKey(path)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	read, err := release.ReadKey(path)
	if err != nil || read.KeyID() != made.KeyID() {
		t.Errorf("%v", err)
	}
	public, err := release.ReadPublicKey(path + ".pub")
	if err != nil || public.ID() != made.KeyID() {
		t.Errorf("%v", err)
	}
	_, err = release.GenerateKey(path)
	says(t, err, "never written over")
	_, err = release.ReadKey(path + ".pub")
	says(t, err, `has a "PUBLIC KEY"`, "expected a private key")
	_, err = release.ReadPublicKey(path)
	says(t, err, `has a "PRIVATE KEY"`, ".pub")
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	_, err = release.ReadKey(path)
	says(t, err, "mode 0640", "chmod 600")
	if err := os.WriteFile(path, []byte("nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = release.ReadKey(path)
	says(t, err, "has no PEM in it")
}

func TestWhatAPolicyLetsRun(t *testing.T) {
	m := newRelease(t, "shop", "1")
	root, a, b, stranger := newSigner(t), newSigner(t), newSigner(t), newSigner(t)
	other := newRelease(t, "badges", "1")
	elsewhere, later := *m.release, *m.release
	elsewhere.Environment, later.ABI = "staging", 9
	first := func(change func(*release.Key)) func(*release.Policy) {
		return func(p *release.Policy) { change(&p.Keys[0]) }
	}
	admitted := release.Admitted{{Release: m.digest, Key: a.KeyID(), Policy: 1}}
	for name, test := range map[string]struct {
		change     func(*release.Policy)
		signatures []*release.Envelope
		release    *release.Release
		admitted   release.Admitted
		says       []string // none if it may run
	}{
		"signed":         {signatures: []*release.Envelope{sign(t, m.release, a)}},
		"signed by both": {signatures: []*release.Envelope{sign(t, m.release, stranger), sign(t, m.release, b)}},
		"unsigned":       {says: []string{"nobody has signed it", "key0", "key1", "tow release sign"}},
		"by a stranger":  {signatures: []*release.Envelope{sign(t, m.release, stranger)}, says: []string{"does not know the key " + stranger.KeyID().Short()}},
		"another release's signature": {signatures: []*release.Envelope{sign(t, other.release, a)},
			says: []string{"has signed another statement", "about the release " + other.digest.Short()}},
		"another environment's": {signatures: []*release.Envelope{sign(t, &elsewhere, a)}, says: []string{"another statement"}},
		"damaged":               {signatures: []*release.Envelope{damaged(sign(t, m.release, a))}, says: []string{"key0", "is not by it"}},
		"damaged, and good":     {signatures: []*release.Envelope{damaged(sign(t, m.release, a)), sign(t, m.release, a)}},
		"the wrong ABI":         {release: &later, signatures: []*release.Envelope{sign(t, &later, a)}, says: []string{"its ABI is 9, and the policy takes 1 to 3"}},
		"the wrong program": {change: first(func(k *release.Key) { k.Programs = []string{"badge*", "x"} }),
			signatures: []*release.Envelope{sign(t, m.release, a)}, says: []string{"may sign badge*, x for * alone", "one of key1"}},
		"a pattern": {change: first(func(k *release.Key) { k.Programs, k.Environments = []string{"sh?p"}, []string{"p*"} }),
			signatures: []*release.Envelope{sign(t, m.release, a)}},
		"the wrong environment": {change: first(func(k *release.Key) { k.Environments = []string{"staging"} }),
			signatures: []*release.Envelope{sign(t, m.release, a)}, says: []string{"for staging alone"}},
		"too early": {change: first(func(k *release.Key) { k.NotBefore = now.Add(time.Hour) }),
			signatures: []*release.Envelope{sign(t, m.release, a)}, says: []string{"good from 2026-11-28T13:00:00Z on", "look at the clock"}},
		"not early": {change: first(func(k *release.Key) { k.NotBefore = now }), signatures: []*release.Envelope{sign(t, m.release, a)}},
		"retired": {change: first(func(k *release.Key) { k.Status = release.Retired }),
			signatures: []*release.Envelope{sign(t, m.release, a)}, says: []string{"key0", "is retired, and this release was not admitted"}},
		"retired, admitted before": {change: first(func(k *release.Key) { k.Status = release.Retired }),
			signatures: []*release.Envelope{sign(t, m.release, a)}, admitted: admitted},
		"retired, admitted by another": {change: func(p *release.Policy) { p.Keys[1].Status = release.Retired },
			signatures: []*release.Envelope{sign(t, m.release, b)}, admitted: admitted, says: []string{"is retired"}},
		"admitted, without a signature": {admitted: admitted, says: []string{"nobody has signed it"}},
		"revoked": {change: first(func(k *release.Key) { k.Status = release.Revoked }),
			signatures: []*release.Envelope{sign(t, m.release, a)}, admitted: admitted, says: []string{"key0", "is revoked"}},
		"revoked, and another": {change: first(func(k *release.Key) { k.Status = release.Revoked }),
			signatures: []*release.Envelope{sign(t, m.release, a, b)}},
		"a key for snapshots": {change: first(func(k *release.Key) { k.Snapshots = true }),
			signatures: []*release.Envelope{sign(t, m.release, a)}, says: []string{"signs snapshots, and no releases"}},
		"two needed": {change: func(p *release.Policy) { p.Need = 2 }, signatures: []*release.Envelope{sign(t, m.release, a, b)}},
		"two needed, one twice": {change: func(p *release.Policy) { p.Need = 2 },
			signatures: []*release.Envelope{sign(t, m.release, a), sign(t, m.release, a)}, says: []string{"1 good signatures, and needs 2"}},
	} {
		t.Run(name, func(t *testing.T) {
			p := policyOf(root, 7, []*release.Signer{a, b})
			if test.change != nil {
				test.change(p)
			}
			p, err := release.ReadPolicy(signed(t, p, root))
			if err != nil {
				t.Fatal(err)
			}
			r := m.release
			if test.release != nil {
				r = test.release
			}
			admissions, err := p.Verify(test.signatures, r, test.admitted, now)
			if len(test.says) == 0 {
				if err != nil {
					t.Fatal(err)
				}
				for _, m := range admissions {
					if p.Keys[0].Status != release.Active && m.Key == a.KeyID() || m.Policy != 7 {
						t.Errorf("the admission is %v", m)
					}
				}
				return
			}
			if !errors.Is(err, release.ErrUntrusted) || len(admissions) > 0 {
				t.Errorf("%v, %v", admissions, err)
			}
			says(t, err, append(test.says, "to prod is not trusted by the policy 7")...)
		})
	}
	// A team that has not set a policy up.
	if _, err := (*release.Policy)(nil).Verify(nil, m.release, nil, now); err != nil {
		t.Error(err)
	}
}

// damaged is an envelope whose signatures have a wrong bit.
func damaged(e *release.Envelope) *release.Envelope {
	for _, s := range e.Signatures {
		s.Sig[5] ^= 1
	}
	return e
}

// TestARetiredKey: what was admitted stays so.
func TestARetiredKey(t *testing.T) {
	m, next := newRelease(t, "shop", "1"), newRelease(t, "shop", "2")
	root, key := newSigner(t), newSigner(t)
	p := policyOf(root, 1, []*release.Signer{key})
	var admitted release.Admitted
	admissions, err := p.Verify([]*release.Envelope{sign(t, m.release, key)}, m.release, admitted, now)
	if err != nil || len(admissions) != 1 {
		t.Fatalf("%v, %v", admissions, err)
	}
	admitted = admitted.With(admissions...).With(admissions...)
	if len(admitted) != 1 || len(admitted.Of(next.digest)) != 0 || len(admitted.Of(m.digest)) != 1 {
		t.Errorf("admitted are %v", admitted)
	}
	p.Keys[0].Status = release.Retired
	if _, err := p.Verify([]*release.Envelope{sign(t, m.release, key)}, m.release, admitted, now); err != nil {
		t.Error(err)
	}
	_, err = p.Verify([]*release.Envelope{sign(t, next.release, key)}, next.release, admitted, now)
	says(t, err, "is retired")
	p.Keys[0].Status = release.Revoked
	_, err = p.Verify([]*release.Envelope{sign(t, m.release, key)}, m.release, admitted, now)
	says(t, err, "is revoked")
}

func TestOnePolicyFollowsAnother(t *testing.T) {
	root, newRoot, key := newSigner(t), newSigner(t), newSigner(t)
	keys := []*release.Signer{key}
	first, err := release.ReadPolicy(signed(t, policyOf(root, 3, keys), root))
	if err != nil {
		t.Fatal(err)
	}
	other := func(p *release.Policy) { p.ABI.Max = 9 }
	for name, test := range map[string]struct {
		next []byte
		says string
	}{
		"the next one":                 {signed(t, policyOf(root, 4, keys, other), root), ""},
		"one later on":                 {signed(t, policyOf(root, 9, keys, other), root), ""},
		"the same":                     {signed(t, policyOf(root, 3, keys), root), ""},
		"another of the same version":  {signed(t, policyOf(root, 3, keys, other), root), "two trust policies 3 that say different things"},
		"an older one":                 {signed(t, policyOf(root, 2, keys, other), root), "the policy 3 is known"},
		"of other roots":               {signed(t, policyOf(newRoot, 4, keys), newRoot), "signed by 0 of the policy 3's 1 root keys"},
		"by the old roots alone":       {signed(t, policyOf(newRoot, 4, keys), root), "signed by 0 of its own 1 root keys"},
		"by the old roots and the new": {signed(t, policyOf(newRoot, 4, keys), root, newRoot), ""},
		"by a key for releases":        {signed(t, policyOf(root, 4, keys), key), "signed by 0 of its own"},
	} {
		next, err := first.Next(test.next)
		if test.says != "" {
			says(t, err, test.says)
			continue
		}
		if err != nil || next.Version < 3 {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := first.Next(signed(t, policyOf(root, 2, keys), root)); !errors.Is(err, release.ErrOlder) {
		t.Errorf("%v", err)
	}
	// Thresholds, and envelopes that are put together.
	two := func(p *release.Policy) {
		p.Roots = release.Roots{Keys: []release.PublicKey{root.Public(), newRoot.Public()}, Threshold: 2}
	}
	_, err = release.ReadPolicy(signed(t, policyOf(root, 4, keys, two), root, root))
	says(t, err, "signed by 1 of its own 2 root keys, and 2 have to")
	one, err := release.SignPolicy(policyOf(root, 4, keys, two), root)
	if err != nil {
		t.Fatal(err)
	}
	more, err := release.SignPolicy(policyOf(root, 4, keys, two), newRoot)
	if err != nil {
		t.Fatal(err)
	}
	if err := one.Add(more); err != nil {
		t.Fatal(err)
	}
	if _, err := first.Next(encode(t, one)); err != nil {
		t.Error(err)
	}
	unlike, err := release.SignPolicy(policyOf(root, 5, keys, two), newRoot)
	if err != nil {
		t.Fatal(err)
	}
	says(t, one.Add(unlike), "another statement")
}

// TestVersionsNeverGoBack: whatever comes in whatever order, the version that is known
// grows, and each is one policy.
func TestVersionsNeverGoBack(t *testing.T) {
	seed := rand.Uint64()
	for i := range 200 {
		d := rand.New(rand.NewPCG(seed, uint64(i)))
		roots := []*release.Signer{newSigner(t), newSigner(t), newSigner(t)}
		var known *release.Policy
		for range 12 {
			by := []*release.Signer{roots[d.IntN(3)], roots[d.IntN(3)]}
			p := policyOf(by[0], 1+d.Int64N(8), nil, func(p *release.Policy) { p.ABI.Max = 1 + d.IntN(3) })
			next, err := known.Next(signed(t, p, by...))
			if err != nil {
				continue
			}
			if known != nil {
				if next.Version < known.Version || next.Version == known.Version && next.ABI != known.ABI {
					t.Fatalf("seed %d, %d: from %d to %d", seed, i, known.Version, next.Version)
				}
				was := known.Roots.Keys[0]
				if next.Version > known.Version && !next.Envelope().SignedBy(was) {
					t.Fatalf("seed %d, %d: the roots were replaced without them", seed, i)
				}
			}
			known = next
		}
	}
}

func TestPoliciesThatAreWrong(t *testing.T) {
	root, key := newSigner(t), newSigner(t)
	for text, change := range map[string]func(*release.Policy){
		"its format is 2":             func(p *release.Policy) { p.Format = 2 },
		"its version is 0":            func(p *release.Policy) { p.Version = 0 },
		"it has 0 root keys":          func(p *release.Policy) { p.Roots.Keys = nil },
		"2 of its 1 root keys":        func(p *release.Policy) { p.Roots.Threshold = 2 },
		"its root key 2 stands":       func(p *release.Policy) { p.Roots.Keys = append(p.Roots.Keys, p.Roots.Keys[0]) },
		"its ABI is from 3 to 2":      func(p *release.Policy) { p.ABI = release.Range{Min: 3, Max: 2} },
		"needs 2 signatures":          func(p *release.Policy) { p.Need = 2 },
		"its key 2 stands there":      func(p *release.Policy) { p.Keys = append(p.Keys, p.Keys[0]) },
		"its status is \"gone\"":      func(p *release.Policy) { p.Keys[0].Status = "gone" },
		"its name is \"\"":            func(p *release.Policy) { p.Keys[0].Name = "" },
		"0 patterns of programs":      func(p *release.Policy) { p.Keys[0].Programs = nil },
		"its environments have \"[\"": func(p *release.Policy) { p.Keys[0].Environments = []string{"["} },
		"expected a time in UTC":      func(p *release.Policy) { p.Keys[0].NotBefore = now.In(time.FixedZone("", 3600)) },
		"a public key has 3 bytes":    func(p *release.Policy) { p.Keys[0].Key = release.PublicKey("abc") },
	} {
		_, err := release.SignPolicy(policyOf(root, 1, []*release.Signer{key}, change), root)
		says(t, err, "a trust policy", text)
	}
	// As a person writes it.
	text, err := json.MarshalIndent(policyOf(root, 1, []*release.Signer{key}), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if p, err := release.ParsePolicy(text); err != nil || p.Keys[0].Key.ID() != key.KeyID() {
		t.Errorf("%v", err)
	}
	_, err = release.ParsePolicy([]byte(strings.Replace(string(text), "need", "needs", 1)))
	says(t, err, `unknown field "needs"`)
}

func TestPoliciesInAStore(t *testing.T) {
	objects := release.NewObjects(blobtest.NewMemory())
	ctx := t.Context()
	roots := []*release.Signer{newSigner(t), newSigner(t), newSigner(t), newSigner(t)}
	put := func(version int64, root *release.Signer, by ...*release.Signer) error {
		p, err := release.ReadPolicy(signed(t, policyOf(root, version, nil), by...))
		if err != nil {
			t.Fatal(err)
		}
		return objects.PutPolicy(ctx, p)
	}
	// The roots are replaced twice.
	if err := errors.Join(put(1, roots[0], roots[0]), put(2, roots[1], roots[0], roots[1]), put(3, roots[2], roots[1], roots[2])); err != nil {
		t.Fatal(err)
	}
	if err := put(3, roots[2], roots[1], roots[2]); err != nil {
		t.Errorf("the same again: %v", err)
	}
	says(t, put(3, roots[3], roots[3]), "say different things")

	given := release.Roots{Keys: []release.PublicKey{roots[0].Public()}, Threshold: 1}
	for name, known := range map[string]*release.Policy{"nothing": nil} {
		p, err := objects.Policy(ctx, known, given)
		if err != nil || p.Version != 3 {
			t.Errorf("from %s: %v", name, err)
		}
		if p, err = objects.Policy(ctx, p, given); err != nil || p.Version != 3 {
			t.Errorf("again: %v", err)
		}
	}
	_, err := objects.Policy(ctx, nil, release.Roots{Keys: []release.PublicKey{roots[3].Public()}, Threshold: 1})
	says(t, err, "signed by 0 of the given 1 root keys")
	// What does not follow ends the way, and what was good stays so.
	if err := put(4, roots[3], roots[3]); err != nil {
		t.Fatal(err)
	}
	p, err := objects.Policy(ctx, nil, given)
	if p == nil || p.Version != 3 {
		t.Errorf("the policy is %v", p)
	}
	says(t, err, "policies/000000000004", "signed by 0 of the policy 3's")
}

func TestSignaturesInAStore(t *testing.T) {
	objects, dir := folder(t)
	ctx := t.Context()
	m, a, b := newRelease(t, "shop", "1"), newSigner(t), newSigner(t)
	publish(t, objects, m)
	if all, err := objects.Signatures(ctx, m.digest); err != nil || len(all) != 0 {
		t.Errorf("%v, %v", all, err)
	}
	for range 2 {
		if err := objects.AddSignatures(ctx, nil, m.digest, sign(t, m.release, a, b)); err != nil {
			t.Fatal(err)
		}
	}
	all, err := objects.Signatures(ctx, m.digest)
	if err != nil || len(all) != 2 {
		t.Fatalf("%v, %v", all, err)
	}
	file := func(s *release.Signer) string {
		return filepath.Join(dir, "releases", "sha256", m.digest.Hex()+".sig", string(s.KeyID()))
	}
	overwrite(t, file(a), []byte("{"))
	if all, err = objects.Signatures(ctx, m.digest); err != nil || len(all) != 1 || !all[0].SignedBy(b.Public()) {
		t.Errorf("%v, %v", all, err)
	}
	good, err := os.ReadFile(file(b))
	if err != nil {
		t.Fatal(err)
	}
	overwrite(t, file(b), []byte("{"))
	overwrite(t, file(a), good) // swapped
	if _, err = objects.Signatures(ctx, m.digest); !errors.Is(err, release.ErrDamaged) {
		t.Errorf("%v", err)
	}
	says(t, err, string(a.KeyID()), string(b.KeyID()), "sign the release again")
}

// FuzzDecodeEnvelope, and below it what can be in one: signed, so that the bytes get as far
// as the documents' decoders.
func FuzzDecodeEnvelope(f *testing.F) {
	f.Add(encode(f, sign(f, newRelease(f, "shop", "1").release, newSigner(f))))
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := release.DecodeEnvelope(data)
		if err != nil {
			return
		}
		again, err := e.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := release.DecodeEnvelope(again); err != nil {
			t.Fatalf("%q is written as %q: %v", data, again, err)
		}
	})
}

// enclosed is a payload in an envelope that a key has signed.
func enclosed(t testing.TB, private ed25519.PrivateKey, kind string, payload []byte) []byte {
	t.Helper()
	s, err := release.NewSigner(private)
	if err != nil {
		t.Fatal(err)
	}
	sig := ed25519.Sign(private, fmt.Appendf(nil, "DSSEv1 %d %s %d %s", len(kind), kind, len(payload), payload))
	return fmt.Appendf(nil, `{"payloadType":%q,"payload":%q,"signatures":[{"keyid":%q,"sig":%q}]}`, kind,
		base64.StdEncoding.EncodeToString(payload), s.KeyID(), base64.StdEncoding.EncodeToString(sig))
}

func FuzzPolicy(f *testing.F) {
	private := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	root, err := release.NewSigner(private)
	if err != nil {
		f.Fatal(err)
	}
	e, err := release.SignPolicy(policyOf(root, 1, []*release.Signer{root}), root)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(e.Payload)
	m := newRelease(f, "shop", "1")
	f.Fuzz(func(t *testing.T, payload []byte) {
		p, err := release.ReadPolicy(enclosed(t, private, release.TypePolicy, payload))
		if err != nil {
			return
		}
		if err := p.Validate(); err != nil {
			t.Fatal(err)
		}
		_, _ = p.Verify([]*release.Envelope{sign(t, m.release, root)}, m.release, nil, now)
	})
}
