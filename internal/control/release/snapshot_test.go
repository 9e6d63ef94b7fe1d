package release_test

import (
	"crypto/ed25519"
	"errors"
	"testing"
	"time"

	"towpath.dev/internal/blob/blobtest"
	"towpath.dev/internal/control/release"
)

// world is who is there for a snapshot.
type world struct {
	root, control, ci *release.Signer
	policy            *release.Policy
	release           made
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{root: newSigner(t), control: newSigner(t), ci: newSigner(t), release: newRelease(t, "shop", "1")}
	p := policyOf(w.root, 5, []*release.Signer{w.ci, w.control}, func(p *release.Policy) { p.Keys[1].Snapshots = true })
	var err error
	if w.policy, err = release.ReadPolicy(signed(t, p, w.root)); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) snapshot(t testing.TB, at time.Time, change ...func(*release.Snapshot)) *release.Snapshot {
	t.Helper()
	s := &release.Snapshot{
		Format: release.Format, Environment: "prod", Time: at, Policy: encode(t, w.policy.Envelope()),
		Desired: []release.Desired{
			{Cell: "eu-1", Program: "shop", Release: w.release.digest}, {Cell: "eu-1", Program: "badges", Release: w.release.digest},
			{Cell: "ap-1", Program: "shop", Release: w.release.digest},
		},
		Admitted: release.Admitted{{Release: w.release.digest, Key: w.ci.KeyID(), Policy: 4}},
	}
	for _, do := range change {
		do(s)
	}
	return s
}

func (w *world) roots() release.Roots {
	return release.Roots{Keys: []release.PublicKey{w.root.Public()}, Threshold: 1}
}

func signSnapshot(t testing.TB, s *release.Snapshot, by ...*release.Signer) *release.Envelope {
	t.Helper()
	e, err := release.SignSnapshot(s, by...)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestWhomASnapshotIsBelieved(t *testing.T) {
	w := newWorld(t)
	stranger := newSigner(t)
	older, err := release.ReadPolicy(signed(t, policyOf(w.root, 4, nil), w.root))
	if err != nil {
		t.Fatal(err)
	}
	revoked, err := release.ReadPolicy(signed(t, policyOf(w.root, 6, []*release.Signer{w.control}, func(p *release.Policy) {
		p.Keys[0].Snapshots, p.Keys[0].Status = true, release.Revoked
	}), w.root))
	if err != nil {
		t.Fatal(err)
	}
	key := func(s *release.Signer) []release.PublicKey { return []release.PublicKey{s.Public()} }
	noPolicy := func(s *release.Snapshot) { s.Policy, s.Admitted = nil, nil }
	for name, test := range map[string]struct {
		trust  release.Trust
		by     *release.Signer
		change func(*release.Snapshot)
		says   string
		policy int64 // in force
	}{
		"by root keys":                {trust: release.Trust{Roots: w.roots()}, by: w.control, policy: 5},
		"by the policy":               {trust: release.Trust{Policy: w.policy}, by: w.control, policy: 5},
		"by a policy before":          {trust: release.Trust{Policy: older}, by: w.control, policy: 5},
		"by a key":                    {trust: release.Trust{Keys: key(w.control)}, by: w.control, policy: 5},
		"without a policy":            {trust: release.Trust{Keys: key(w.control)}, by: w.control, change: noPolicy},
		"nothing to go by":            {by: w.control, says: "nothing to verify it by"},
		"nothing to go by, no policy": {by: w.control, change: noPolicy, says: "none of the keys has signed it"},
		"another key":                 {trust: release.Trust{Keys: key(stranger)}, by: w.control, says: "none of the keys"},
		"other roots": {trust: release.Trust{Roots: release.Roots{Keys: key(stranger), Threshold: 1}}, by: w.control,
			says: "signed by 0 of the given 1 root keys"},
		"a stranger's":            {trust: release.Trust{Roots: w.roots()}, by: stranger, says: "no key has signed it that the policy knows"},
		"one for releases":        {trust: release.Trust{Roots: w.roots()}, by: w.ci, says: "signs releases, and no snapshots"},
		"revoked meanwhile":       {trust: release.Trust{Policy: revoked}, by: w.control, says: "is revoked"},
		"roots, and no policy":    {trust: release.Trust{Roots: w.roots()}, by: w.control, change: noPolicy, says: "has no trust policy, and this node was given root keys"},
		"too old":                 {trust: release.Trust{Roots: w.roots()}, by: w.control, change: func(s *release.Snapshot) { s.Time = now.Add(-25 * time.Hour) }, says: "25h0m0s old"},
		"old, and allowed":        {trust: release.Trust{Roots: w.roots(), MaxAge: 48 * time.Hour}, by: w.control, change: func(s *release.Snapshot) { s.Time = now.Add(-25 * time.Hour) }, policy: 5},
		"by a clock that is fast": {trust: release.Trust{Roots: w.roots()}, by: w.control, change: func(s *release.Snapshot) { s.Time = now.Add(time.Hour) }, policy: 5},
		"from the future":         {trust: release.Trust{Roots: w.roots()}, by: w.control, change: func(s *release.Snapshot) { s.Time = now.Add(3 * time.Hour) }, says: "from the future, by 3h0m0s"},
		"of another environment":  {trust: release.Trust{Roots: w.roots()}, by: w.control, change: func(s *release.Snapshot) { s.Environment = "staging" }, says: "is of the environment staging, and this node belongs to prod"},
	} {
		t.Run(name, func(t *testing.T) {
			s := w.snapshot(t, now.Add(-time.Hour))
			if test.change != nil {
				test.change(s)
			}
			test.trust.Environment, test.trust.Now = "prod", now
			read, policy, err := release.OpenSnapshot(encode(t, signSnapshot(t, s, test.by)), test.trust)
			if test.says != "" {
				says(t, err, test.says)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if (policy == nil) != (test.policy == 0) || policy != nil && policy.Version != test.policy {
				t.Errorf("the policy in force is %v", policy)
			}
			if len(read.Desired) != 3 || read.Desired[0].Cell != "ap-1" || read.Desired[1].Program != "badges" {
				t.Errorf("desired are %v", read.Desired)
			}
		})
	}
}

func TestSnapshotsInAStore(t *testing.T) {
	w := newWorld(t)
	store := blobtest.NewMemory()
	objects := release.NewObjects(store)
	ctx := t.Context()
	trust := release.Trust{Environment: "prod", Roots: w.roots(), Now: now}
	_, _, err := objects.Snapshot(ctx, trust)
	says(t, err, "there is no good snapshot of prod of the last 24h0m0s")
	put := func(at time.Time, by *release.Signer) {
		t.Helper()
		for range 2 {
			if err := objects.PutSnapshot(ctx, signSnapshot(t, w.snapshot(t, at), by)); err != nil {
				t.Fatal(err)
			}
		}
	}
	put(now.Add(-30*time.Hour), w.control)
	if _, _, err := objects.Snapshot(ctx, trust); err == nil {
		t.Error("an old one is taken")
	}
	put(now.Add(-2*time.Hour), w.control)
	put(now.Add(-time.Hour), newSigner(t)) // who cannot be believed does no harm
	s, policy, err := objects.Snapshot(ctx, trust)
	if err != nil || !s.Time.Equal(now.Add(-2*time.Hour)) || policy.Version != 5 {
		t.Errorf("%v, %v", s, err)
	}
	if err := objects.PruneSnapshots(ctx, "prod", now.Add(-90*time.Minute)); err != nil {
		t.Fatal(err)
	}
	if err := objects.PruneSnapshots(ctx, "prod", now); err != nil {
		t.Fatal(err)
	}
	left := 0
	for _, err := range store.List(ctx, "snapshots/", "") {
		if left++; err != nil {
			t.Fatal(err)
		}
	}
	if left != 1 {
		t.Errorf("%d snapshots are left; want the newest", left)
	}
}

// TestStartingInAnOutage: a node that knows nothing but root keys and where objects are
// verifies what it runs, though the key that signed it is retired.
func TestStartingInAnOutage(t *testing.T) {
	w := newWorld(t)
	objects := release.NewObjects(blobtest.NewMemory())
	ctx := t.Context()
	publish(t, objects, w.release)
	if err := objects.AddSignatures(ctx, nil, w.release.digest, sign(t, w.release.release, w.ci)); err != nil {
		t.Fatal(err)
	}
	retired := policyOf(w.root, 6, []*release.Signer{w.ci, w.control}, func(p *release.Policy) {
		p.Keys[0].Status, p.Keys[1].Snapshots = release.Retired, true
	})
	var err error
	if w.policy, err = release.ReadPolicy(signed(t, retired, w.root)); err != nil {
		t.Fatal(err)
	}
	if err := objects.PutSnapshot(ctx, signSnapshot(t, w.snapshot(t, now), w.control)); err != nil {
		t.Fatal(err)
	}
	s, policy, err := objects.Snapshot(ctx, release.Trust{Environment: "prod", Roots: w.roots(), Now: now})
	if err != nil {
		t.Fatal(err)
	}
	l, err := openDisk(t, t.TempDir()).Fetch(ctx, s.Desired[0].Release, objects)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := policy.Verify(l.Signatures, l.Release, s.Admitted, now); err != nil {
		t.Error(err)
	}
	if _, err := policy.Verify(l.Signatures, l.Release, nil, now); !errors.Is(err, release.ErrUntrusted) {
		t.Errorf("without its admission: %v", err)
	}
}

func FuzzSnapshot(f *testing.F) {
	private := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	key, err := release.NewSigner(private)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(signSnapshot(f, newWorld(f).snapshot(f, now), key).Payload)
	trust := release.Trust{Environment: "prod", Keys: []release.PublicKey{key.Public()}, Now: now}
	f.Fuzz(func(t *testing.T, payload []byte) {
		s, _, err := release.OpenSnapshot(enclosed(t, private, release.TypeSnapshot, payload), trust)
		if err == nil && s.Validate() != nil {
			t.Fatalf("%q passes", payload)
		}
	})
}
