package backup

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// TestScratchIsSwept: snapshots, half restores and replicas that processes left which were killed go
// when the next one begins, and what somebody works with stays.
func TestScratchIsSwept(t *testing.T) {
	p := newPair(t)
	u := p.zombie.u
	scratch := u.o.Scratch
	in := func(name string) string { return filepath.Join(scratch, name) }
	for _, name := range []string{"towpath-base-123/snapshot-1.db", "towpath-verify-1/store.db", "towpath-base-of-another.txt/x"} {
		if err := os.MkdirAll(filepath.Dir(in(name)), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{
		"towpath-base-123/snapshot-1.db", "towpath-verify-1/store.db", "theirs.db",
		"towpath-replica-prod-000000.db", "towpath-replica-prod-000000.db.json", "towpath-replica-prod-000000.db.base", "towpath-point-prod-000000.db",
		"towpath-replica-prod-000007.db", "towpath-replica-prod-000007.db.json", "towpath-replica-prod-2-000007.db",
	} {
		if err := os.WriteFile(in(name), []byte("in the clear"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	held, remove, err := workFolder(scratch, baseFolders)
	if err != nil {
		t.Fatal(err)
	}
	u.sweepScratch()
	checked, stop, err := workFolder(scratch, verifyFolders)
	if err != nil {
		t.Fatal(err)
	}
	left := func() (names []string) {
		entries, err := os.ReadDir(scratch)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			names = append(names, e.Name())
		}
		return names
	}
	want := []string{"theirs.db", "towpath-replica-prod-000000.db", "towpath-replica-prod-000000.db.json", "towpath-replica-prod-2-000007.db", filepath.Base(held), filepath.Base(checked)}
	slices.Sort(want)
	if got := left(); !slices.Equal(got, want) {
		t.Errorf("left are %q, expected %q", got, want)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	if err := remove(); err != nil {
		t.Error(err)
	}
	// A base leaves nothing.
	if _, err := u.MakeBase(t.Context(), "a test's"); err != nil {
		t.Fatal(err)
	}
	if got := left(); len(got) != 4 {
		t.Errorf("left are %q", got)
	}
}
