package backup

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"towpath.dev/internal/blob"
	"towpath.dev/internal/blob/blobtest"
	"towpath.dev/internal/testkit/etcd"
	"towpath.dev/internal/testkit/s3"
)

// An overwriting store takes an object for one that is there.
type overwriting struct{ blob.Store }

func (s overwriting) Create(ctx context.Context, name string, data []byte, class blob.Class) error {
	err := s.Store.Create(ctx, name, data, class)
	if !errors.Is(err, blob.ErrExists) {
		return err
	}
	if err := s.Delete(ctx, name); err != nil {
		return err
	}
	return s.Store.Create(ctx, name, data, class)
}

// contents is all objects of a store.
func contents(t *testing.T, store blob.Store) map[string]string {
	t.Helper()
	all := map[string]string{}
	for info, err := range store.List(t.Context(), "", "") {
		if err != nil {
			t.Fatal(err)
		}
		object, err := store.Get(t.Context(), info.Name)
		if err != nil {
			t.Fatal(err)
		}
		all[info.Name] = string(object)
	}
	return all
}

// TestRestoreFromAStoreThatOverwrites: where two restores could claim one generation, none is begun:
// the store stays as it was, no member is made, and the error says where, why, and what to do.
func TestRestoreFromAStoreThatOverwrites(t *testing.T) {
	client := etcd.Start(t, 1).Client(t)
	refused := func(t *testing.T, good, careless blob.Store) {
		keepSome(t, client, Options{Store: good, Cluster: "prod"}, 5016)
		before := contents(t, good)
		dir := filepath.Join(t.TempDir(), "m")
		o := RestoreOptions{Store: careless, Cluster: "prod", DataDir: dir, Name: "m", Members: map[string]string{"m": "http://127.0.0.1:1"}}
		for try := range 2 { // what is found once is found again
			plan, err := PlanRestore(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			_, err = plan.Run(t.Context())
			if !errors.Is(err, blob.ErrRefused) {
				t.Fatalf("try %d: %v", try, err)
			}
			t.Log(err)
			for _, mention := range []string{
				careless.String(), "nothing was restored", "generation 1 of prod was not claimed", "this store overwrites: ",
				"expected a store that heeds If-None-Match", "copy all of prod/ and shared/ into a store like that or into a folder, and restore from there",
			} {
				if !strings.Contains(err.Error(), mention) {
					t.Errorf("it does not mention %q", mention)
				}
			}
		}
		after := contents(t, good)
		for name, object := range before {
			if after[name] != object {
				t.Errorf("%s is another object now, or none", name)
			}
			delete(after, name)
		}
		for name := range after {
			t.Errorf("%s has come to be", name)
		}
		for _, made := range []string{dir, dir + ".restoring"} {
			if _, err := os.Stat(made); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("%s has come to be: %v", made, err)
			}
		}
		// What the error says to do is enough.
		o.Store = openFolder(t, t.TempDir())
		for name, object := range before {
			if strings.HasPrefix(name, "prod/") || strings.HasPrefix(name, sharedRoot) {
				if err := o.Store.Create(t.Context(), name, []byte(object), blob.Standard); err != nil {
					t.Fatal(err)
				}
			}
		}
		plan, err := PlanRestore(t.Context(), o)
		if err == nil {
			_, err = plan.Run(t.Context())
		}
		if err != nil || plan.Into != 1 {
			t.Errorf("the copy is restored with %v", err)
		}
	}
	t.Run("memory", func(t *testing.T) {
		good := blobtest.NewMemory()
		refused(t, good, overwriting{good})
	})
	t.Run("folder", func(t *testing.T) {
		good := openFolder(t, t.TempDir())
		refused(t, good, overwriting{good})
	})
	t.Run("s3", func(t *testing.T) {
		server := s3.Start(t)
		server.Environment(t)
		proxy := s3.NewProxy(t, server.Address, server.Overwriting())
		refused(t, openS3(t, server.URL("bucket/overwriting")), openS3(t, s3.URL(proxy.Address, server.Region, "bucket/overwriting")))
	})
}
