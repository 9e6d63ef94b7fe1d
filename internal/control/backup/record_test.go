package backup

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"towpath.dev/election"
	"towpath.dev/internal/blob"
	"towpath.dev/internal/blob/blobtest"
	"towpath.dev/internal/control/backup/segment"
	"towpath.dev/internal/testkit/etcd"
)

// TestRecordOfOneBit: of a record whichever bit is another one is found, and its copy is read; without a
// copy it is damaged, and nothing else. Who knows of no sums, and one without, are read all the same.
func TestRecordOfOneBit(t *testing.T) {
	want := identity{"00000000deadbeef", time.Date(2026, 11, 27, 10, 0, 0, 5, time.UTC)}
	store := blobtest.NewMemory()
	r := place{"prod", 1}.identity(store)
	if err := r.create(t.Context(), want); err != nil {
		t.Fatal(err)
	}
	text, err := store.Get(t.Context(), r.name)
	if err != nil {
		t.Fatal(err)
	}
	for bit := range 8 * len(text) {
		bent := append([]byte{}, text...)
		bent[bit/8] ^= 1 << (bit % 8)
		replace(t, store, r.name, bent)
		var got identity
		if err := r.read(t.Context(), &got); err != nil || got != want {
			t.Errorf("bit %d: %v, %v", bit, got, err)
		}
		got = identity{}
		if err := openRecord(bent, &got); err == nil && got != want {
			t.Errorf("bit %d is taken for %v", bit, got)
		}
	}
	replace(t, store, r.name, []byte(`{"etcd":"00000000deadbeef","from":"2026-11-27T10:00:00.000000005Z"}`))
	var old identity
	if err := errors.Join(r.read(t.Context(), &old), store.Delete(t.Context(), r.name)); err != nil || old != want {
		t.Errorf("one of before: %v, %v", old, err)
	}
	if err := r.read(t.Context(), &old); err != nil {
		t.Errorf("one that is lost: %v", err)
	}
	if err := r.create(t.Context(), identity{}); !errors.Is(err, blob.ErrExists) {
		t.Errorf("a name whose copy is there is given anew: %v", err)
	}
	replace(t, store, r.copy, text[:20])
	replace(t, store, r.name, text[:30])
	if err := r.read(t.Context(), &old); !errors.Is(err, segment.ErrDamaged) || !strings.Contains(err.Error(), r.name) || !strings.Contains(err.Error(), r.copy) {
		t.Errorf("both are damaged: %v", err)
	}
}

// TestRecordsAreKept: an uploader makes the copies that versions before have not made, makes damaged ones
// anew, and goes on with the copies where what they are of is damaged.
func TestRecordsAreKept(t *testing.T) {
	client, store := etcd.Start(t, 1).Client(t), blobtest.NewMemory()
	o := Options{Source: Source{client, dialer}, Store: store, Cluster: "prod", Scratch: t.TempDir(), Log: testLog(t)}
	if _, err := Generations(store, "prod").Claim(t.Context(), 1, "a test's"); err != nil {
		t.Fatal(err)
	}
	begin := func(when string) {
		t.Helper()
		u, err := NewUploader(t.Context(), o)
		if err != nil || u.shelf.place != (place{"prod", 1}) {
			t.Fatalf("%s: %v", when, err)
		}
	}
	begin("at first")
	records := []record{place{"prod", 1}.identity(store), (&generations{store, "prod"}).record(1)}
	good := map[string]string{}
	for _, r := range records {
		text, err := store.Get(t.Context(), r.name)
		if err != nil {
			t.Fatal(err)
		}
		good[r.copy] = string(text)
	}
	same := func(when string) {
		t.Helper()
		for name, want := range good {
			if text, err := store.Get(t.Context(), name); err != nil || string(text) != want {
				t.Errorf("%s: %s is %q, %v", when, name, text, err)
			}
		}
	}
	same("at first")
	for _, r := range records {
		if err := store.Delete(t.Context(), r.copy); err != nil {
			t.Fatal(err)
		}
	}
	begin("without copies")
	same("without copies")
	for _, r := range records {
		replace(t, store, r.copy, []byte("{"))
	}
	begin("with damaged copies")
	same("with damaged copies")
	for _, r := range records {
		replace(t, store, r.name, []byte("{"))
	}
	begin("with copies alone")
	same("with copies alone")
	if latest, err := Generations(store, "prod").Latest(t.Context()); err != nil || latest.Claim != "a test's" {
		t.Errorf("the latest generation is %v, %v", latest, err)
	}
	// With neither, whose backups these are is for a person to say.
	for name := range good {
		replace(t, store, name, []byte("{"))
	}
	_, err := NewUploader(t.Context(), o)
	if !errors.Is(err, segment.ErrDamaged) || !strings.Contains(err.Error(), "restores do not need it") {
		t.Fatalf("with neither: %v", err)
	}
	t.Log(err)
	if !strings.Contains(err.Error(), "delete prod/000001/cluster and prod/000001/copy/cluster: ") {
		t.Errorf("it does not say what to do")
	}
	if err := errors.Join(store.Delete(t.Context(), records[0].name), store.Delete(t.Context(), records[0].copy)); err != nil {
		t.Fatal(err)
	}
	begin("as the error says")
}

// TestRestoreWithoutARecord: whatever becomes of the record of a generation, what is kept is restored, and
// neither revisions nor fencing tokens go back: with the copy as if nothing were, without it when a
// person says that no other member is being restored.
func TestRestoreWithoutARecord(t *testing.T) {
	client, store := etcd.Start(t, 1).Client(t), blobtest.NewMemory()
	last := keepSome(t, client, Options{Store: store, Cluster: "prod"}, 5017)
	members := map[string]string{"a": "http://127.0.0.1:1", "b": "http://127.0.0.1:2"}
	n := 0
	options := func(name string, again bool) RestoreOptions {
		n++
		return RestoreOptions{Store: store, Cluster: "prod", DataDir: filepath.Join(t.TempDir(), fmt.Sprint(n)), Name: name, Members: members, Again: again}
	}
	restore := func(o RestoreOptions) (*Restore, Restored) {
		t.Helper()
		plan, err := PlanRestore(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		done, err := plan.Run(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if done.HashKV != last.hash {
			t.Errorf("restored as %08x, the cluster had %08x", done.HashKV, last.hash)
		}
		return plan, done
	}
	_, first := restore(options("a", false))
	r := (&generations{store, "prod"}).record(1)
	replace(t, store, r.name, []byte("{"))
	if plan, done := restore(options("b", false)); !plan.Joins || plan.Into != 1 || done.Revision != first.Revision {
		t.Errorf("with the copy: into generation %d at %d, joins %v", plan.Into, done.Revision, plan.Joins)
	}

	replace(t, store, r.copy, []byte("{"))
	before := contents(t, store)
	var bad []string
	if err := Verify(t.Context(), VerifyOptions{Store: store, Cluster: "prod", Scratch: t.TempDir()}, func(f Finding) {
		if f.Err != nil {
			bad = append(bad, f.What)
		}
	}); err != nil || fmt.Sprint(bad) != fmt.Sprint([]string{r.name, r.copy}) {
		t.Errorf("verifying finds %q, %v", bad, err)
	}
	_, err := PlanRestore(t.Context(), options("b", false))
	if !errors.Is(err, segment.ErrDamaged) {
		t.Fatalf("without either: %v", err)
	}
	t.Log(err)
	for _, mention := range []string{r.name, r.copy, "put back a copy", "the first one with --again", "begins generation 2", fmt.Sprintf("above %d", first.Revision), "gives up the members that were restored into generation 1"} {
		if !strings.Contains(err.Error(), mention) {
			t.Errorf("it does not mention %q", mention)
		}
	}
	if after := contents(t, store); fmt.Sprint(after) != fmt.Sprint(before) {
		t.Error("who is refused has changed something")
	}
	dated := options("b", true)
	dated.At = time.Now()
	if _, err := PlanRestore(t.Context(), dated); err == nil || !strings.Contains(err.Error(), "name a revision with --revision") {
		t.Errorf("an instant of which nobody knows what there was: %v", err)
	}
	plan, second := restore(options("a", true))
	if plan.Into != 2 || second.Revision <= first.Revision || len(plan.Unknown) != 1 {
		t.Errorf("it begins generation %d at %d, after %d; unknown are %v", plan.Into, second.Revision, first.Revision, plan.Unknown)
	}
	if plan, done := restore(options("b", false)); !plan.Joins || plan.Into != 2 || done.Revision != second.Revision {
		t.Errorf("the other one: into generation %d at %d, joins %v", plan.Into, done.Revision, plan.Joins)
	}

	// Two in a row are unknown, and the later one is known to have come further than was to be supposed.
	for _, r := range []record{r, (&generations{store, "prod"}).record(2)} {
		for _, name := range []string{r.name, r.copy} {
			replace(t, store, name, []byte("{"))
		}
	}
	const mark = 7_000_000_000
	if err := Generations(store, "prod").Raise(t.Context(), 2, mark); err != nil {
		t.Fatal(err)
	}
	if plan, third := restore(options("a", true)); plan.Into != 3 || third.Revision <= mark+defaultBump/2 || len(plan.Unknown) != 2 {
		t.Errorf("it begins generation %d at %d, after %d; unknown are %v", plan.Into, third.Revision, mark, plan.Unknown)
	}
}

// TestMend: the cluster that was restored says what its generation's record said, for nobody else, and its
// sessions open again.
func TestMend(t *testing.T) {
	ctx := t.Context()
	client, store := etcd.Start(t, 1).Client(t), blobtest.NewMemory()
	registry := Generations(store, "prod")
	begun, err := election.Restored(ctx, election.Etcd(client), "", registry)
	if err != nil {
		t.Fatal(err)
	}
	r := (&generations{store, "prod"}).record(1)
	open := func() error {
		s, err := election.Open(ctx, election.Etcd(client), election.Options{Registry: registry})
		if err != nil {
			return err
		}
		return s.Close(context.WithoutCancel(ctx))
	}
	replace(t, store, r.name, []byte("{"))
	if err := open(); err != nil {
		t.Errorf("with the copy: %v", err)
	}
	replace(t, store, r.copy, []byte("{"))
	if err := open(); !errors.Is(err, segment.ErrDamaged) || !strings.Contains(err.Error(), "delete what is at "+r.copy) {
		t.Errorf("without: %v", err)
	}
	if err := Mend(ctx, store, "prod", begun.Number, begun.Claim); err == nil || !strings.Contains(err.Error(), "delete "+r.copy) {
		t.Errorf("mended over what is there: %v", err)
	}
	if err := store.Delete(ctx, r.copy); err != nil {
		t.Fatal(err)
	}
	for _, other := range []uint64{0, 2} {
		if err := Mend(ctx, store, "prod", other, "another"); err != nil || open() == nil {
			t.Errorf("generation %d mends: %v", other, err)
		}
	}
	if err := Mend(ctx, store, "prod", begun.Number, begun.Claim); err != nil {
		t.Fatal(err)
	}
	if err := open(); err != nil {
		t.Errorf("mended: %v", err)
	}
	if ours, err := registry.Claim(ctx, 1, "another"); ours || err != nil {
		t.Errorf("another claims what was mended: %v, %v", ours, err)
	}
}
