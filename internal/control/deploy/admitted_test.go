package deploy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"towpath.dev/election"
	"towpath.dev/internal/blob/blobtest"
	"towpath.dev/internal/control/fleet"
	"towpath.dev/internal/control/memstore"
	"towpath.dev/internal/control/release"
)

// trusted is a control plane that has a trust policy, and releases of one key or another.
type trusted struct {
	*Service
	t        *testing.T
	store    *memstore.Store
	blobs    *blobtest.FaultyStore
	objects  *release.Objects
	root     *release.Signer
	old, new *release.Signer
	version  int64
}

func newTrusted(t *testing.T) *trusted {
	w := &trusted{t: t, store: memstore.New(), blobs: blobtest.Faulty(blobtest.NewMemory(), nil)}
	t.Cleanup(w.store.Close)
	w.Service, w.objects = &Service{Store: w.store}, release.NewObjects(w.blobs)
	for _, key := range []**release.Signer{&w.root, &w.old, &w.new} {
		var err error
		if *key, err = release.GenerateKey(t.TempDir() + "/key"); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

// publish publishes a release that is signed by some.
func (w *trusted) publish(environment, name string, by ...*release.Signer) release.Digest {
	w.t.Helper()
	r, err := release.NewTow(environment, name, "linux/amd64", release.Range{Min: 1, Max: 1}, release.PartOf([]byte(name)))
	if err != nil {
		w.t.Fatal(err)
	}
	text, err := r.Encode()
	if err != nil {
		w.t.Fatal(err)
	}
	d, err := w.objects.Put(w.t.Context(), release.KindRelease, text)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, key := range by {
		e, err := release.Sign(r, key)
		if err != nil {
			w.t.Fatal(err)
		}
		e.Signatures[0].Key = key.Public()
		if err := w.objects.AddSignatures(w.t.Context(), nil, d, e); err != nil {
			w.t.Fatal(err)
		}
	}
	return d
}

// set puts a policy in force in which the old key has a status, and gives what leans.
func (w *trusted) set(status release.Status) ([]string, error) {
	w.t.Helper()
	w.version++
	all := []string{"*"}
	e, err := release.SignPolicy(&release.Policy{
		Format: release.Format, Version: w.version, Need: 1, ABI: release.Range{Min: 1, Max: 1}, Roots: release.Roots{Keys: []release.PublicKey{w.root.Public()}, Threshold: 1},
		Keys: []release.Key{
			{Key: w.old.Public(), Name: "old", Status: status, Programs: all, Environments: all},
			{Key: w.new.Public(), Name: "new", Status: release.Active, Programs: all, Environments: all},
		},
	}, w.root)
	if err != nil {
		w.t.Fatal(err)
	}
	text, err := e.Encode()
	if err != nil {
		w.t.Fatal(err)
	}
	leaning, err := w.SetPolicy(w.t.Context(), w.objects, text)
	if err != nil {
		w.version--
		return nil, err
	}
	var says []string
	for _, l := range leaning {
		_, why, _ := strings.Cut(l.Refused, ": ")
		why, _, _ = strings.Cut(why, ",")
		says = append(says, fmt.Sprintf("%s %s %s %s %s", l.Environment, l.Program, l.Release.Short(), l.Keys, why))
	}
	return says, nil
}

func (w *trusted) put(key string, value []byte) {
	w.t.Helper()
	if _, err := w.store.Txn(w.t.Context(), election.Txn{Then: []election.Op{election.Put(key, value, 0)}}); err != nil {
		w.t.Fatal(err)
	}
}

// heard follows what a cell of prod is told, until the test ends.
func (w *trusted) heard(store election.Store) <-chan fleet.Heard {
	ctx, cancel := context.WithCancel(w.t.Context())
	heard, ended := make(chan fleet.Heard), make(chan struct{})
	go func() {
		defer close(ended)
		FollowIntents(ctx, store, "prod", "c", func(h fleet.Heard) {
			select {
			case heard <- h:
			case <-ctx.Done():
			}
		})
	}()
	w.t.Cleanup(func() { cancel(); <-ended })
	return heard
}

// told is what a cell of prod is told that was admitted.
func (w *trusted) told() release.Admitted { return (<-w.heard(w.store)).Admitted }

// TestRetiredKeysLetIn: what runs, may be gone back to or waits to be deployed as a key is retired
// stays let in on nodes that have not run it, and they are told. What was not let in before is
// not, and a revoked key is good for nothing.
func TestRetiredKeysLetIn(t *testing.T) {
	w := newTrusted(t)
	if says, err := w.set(release.Active); err != nil || len(says) > 0 {
		t.Fatal(says, err)
	}
	runs, previous, waits := w.publish("prod", "runs", w.old), w.publish("prod", "previous", w.old), w.publish("prod", "waits", w.old)
	both, nobodys := w.publish("prod", "both", w.old, w.new), w.publish("prod", "nobody's")
	late := w.publish("prod", "late", w.old)
	elsewhere := w.publish("prod2", "elsewhere", w.old)
	w.put(fleet.IntentKey("prod", "c", "tow"), (&fleet.Intent{Release: runs}).Encode())
	w.put(fleet.IntentKey("prod", "c", "cart"), (&fleet.Intent{Release: both}).Encode())
	w.put(fleet.IntentKey("prod", "c", "odd"), (&fleet.Intent{Release: nobodys}).Encode())
	w.put(fleet.IntentKey("prod", "c", "lost"), (&fleet.Intent{Release: digest("not in the store")}).Encode())
	w.put(fleet.IntentKey("prod2", "c", "tow"), (&fleet.Intent{Release: elsewhere}).Encode())
	w.put(headKey("prod", "tow"), encode(&Head{Last: 3, Current: runs, Previous: previous, Active: "tow.prod.3"}))
	w.put(planKey("tow.prod.3"), encode(&Plan{ID: "tow.prod.3", Program: "tow", Environment: "prod", Release: waits}))

	want := []string{
		"prod tow " + runs.Short() + " [old] ", "prod tow " + previous.Short() + " [old] ", "prod tow " + waits.Short() + " [old] ",
		"prod tow " + nobodys.Short() + " [] nobody has signed it: sign it (\"tow release sign\") by one of new (" + w.new.KeyID().Short() + ")",
		"prod2 tow " + elsewhere.Short() + " [old] ",
	}
	for range 2 { // another version remembers
		says, err := w.set(release.Retired)
		slices.Sort(says)
		slices.Sort(want)
		if err != nil || !slices.Equal(says, want) {
			t.Errorf("it says %q, %v; expected %q", says, err, want)
		}
		admitted, err := w.Admitted(t.Context(), "prod")
		if err != nil || len(admitted) != 3 || !admitted.Has(waits, w.old.KeyID()) || admitted.Has(late, w.old.KeyID()) || admitted.Has(both, w.old.KeyID()) {
			t.Errorf("noted is %v, %v", admitted, err)
		}
		if told := w.told(); len(told) != 1 || !told.Has(runs, w.old.KeyID()) { // the others are none of its cell's
			t.Errorf("a node is told %v", told)
		}
	}
	// The policy is asked of, as nodes do.
	w.put(fleet.IntentKey("prod", "c", "tow"), (&fleet.Intent{Release: previous}).Encode())
	if told := w.told(); len(told) != 1 || !told.Has(previous, w.old.KeyID()) {
		t.Errorf("gone back, a node is told %v", told)
	}
	says, err := w.set(release.Revoked)
	if err != nil || len(says) != 5 || !slices.ContainsFunc(says, func(s string) bool { return strings.Contains(s, previous.Short()+" [] it has 0 good signatures") }) {
		t.Errorf("of a revoked key it says %q, %v", says, err)
	}
	if told := w.told(); len(told) > 0 {
		t.Errorf("of a revoked key a node is told %v", told)
	}
}

// TestRetiredWhileObjectsAreAway: who leans on a key is to be known before it is retired; a key that
// somebody else may have does not wait for that.
func TestRetiredWhileObjectsAreAway(t *testing.T) {
	w := newTrusted(t)
	if _, err := w.set(release.Active); err != nil {
		t.Fatal(err)
	}
	w.put(fleet.IntentKey("prod", "c", "tow"), (&fleet.Intent{Release: w.publish("prod", "runs", w.old)}).Encode())
	w.blobs.SetPlan(blobtest.On(blobtest.Get, blobtest.Fault{Before: errors.New("no route to host")}))
	if _, err := w.set(release.Retired); !errors.Is(err, ErrObjects) || !strings.Contains(err.Error(), "or leave these active in it: ") {
		t.Errorf("it says %v", err)
	}
	if _, err := w.set(release.Revoked); err != nil {
		t.Error(err)
	}
}

// TestAdmittedIsNoPolicy: a control node of an earlier version, which takes all below the policy's key for
// the policy, hears nothing else there when a key is retired, and takes none away when it is revoked.
func TestAdmittedIsNoPolicy(t *testing.T) {
	w := newTrusted(t)
	if _, err := w.set(release.Active); err != nil {
		t.Fatal(err)
	}
	w.put(fleet.IntentKey("prod", "c", "tow"), (&fleet.Intent{Release: w.publish("prod", "runs", w.old)}).Encode())
	for _, status := range []release.Status{release.Retired, release.Revoked} {
		if _, err := w.set(status); err != nil {
			t.Fatal(err)
		}
		page, err := w.store.Range(t.Context(), election.Span{Keys: election.Prefix(PolicyKey)})
		if err != nil || len(page.Entries) != 1 || page.Entries[0].Key != PolicyKey {
			t.Errorf("below the policy's key there is %v, %v", page, err)
		}
	}
}

// slow is a store whose watch of what was admitted tells nothing.
type slow struct{ election.Store }

func (s slow) Watch(ctx context.Context, keys election.Keys, from int64) <-chan election.Batch {
	if keys == election.Prefix(admittedKey("prod")) {
		silent := make(chan election.Batch)
		go func() { <-ctx.Done(); close(silent) }()
		return silent
	}
	return s.Store.Watch(ctx, keys, from)
}

// TestPolicyComesWithWhatWasAdmitted: who hears of a policy that retires a key has heard by then what
// that had let in, however late the watch of that is. What is of another environment is none of it.
func TestPolicyComesWithWhatWasAdmitted(t *testing.T) {
	w := newTrusted(t)
	if _, err := w.set(release.Active); err != nil {
		t.Fatal(err)
	}
	runs := w.publish("prod", "runs", w.old)
	w.put(fleet.IntentKey("prod", "c", "tow"), (&fleet.Intent{Release: runs}).Encode())
	w.put(fleet.IntentKey("prod2", "c", "tow"), (&fleet.Intent{Release: w.publish("prod2", "elsewhere", w.old)}).Encode())
	behind, ahead := w.heard(slow{w.store}), w.heard(w.store)
	first := <-behind
	<-ahead
	if _, err := w.set(release.Retired); err != nil {
		t.Fatal(err)
	}
	for h := range behind {
		if bytes.Equal(h.Policy, first.Policy) {
			continue
		}
		if len(h.Admitted) != 1 || !h.Admitted.Has(runs, w.old.KeyID()) {
			t.Errorf("with the policy a node hears of %v", h.Admitted)
		}
		break
	}
	for h := range ahead {
		if len(h.Admitted) > 0 && !bytes.Equal(h.Policy, first.Policy) {
			break
		}
	}
	w.put(admittedKey("prod"), release.Admitted{}.Encode()) // whoever writes it
	for h := range ahead {
		if len(h.Admitted) == 0 {
			break
		}
	}
}
