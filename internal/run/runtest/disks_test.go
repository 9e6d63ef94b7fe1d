package runtest

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"towpath.dev/internal/run/engine"
	"towpath.dev/internal/run/record"
	"towpath.dev/internal/run/serve"
)

// takesNothing makes a folder of a path in which nobody can make a file, whoever
// they are.
func takesNothing(t *testing.T, path string) {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("there is no such folder here")
	}
	if err := os.Symlink("/proc/self", path); err != nil {
		t.Fatal(err)
	}
}

func TestNoRoomForCompiledModules(t *testing.T) {
	s := newService(t, faulty)
	r := respond(t, serve.Options{}, serve.Limits{})
	dir := filepath.Join(t.TempDir(), "cache")
	takesNothing(t, dir)
	r.server.Put("shop", r.release(stock, stockAt(s.addr), engine.Options{CacheDir: dir}))
	r.expect("required", `{"item":"good"}`, "7")
}

func TestNoRoomForRecords(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "records")
	ring, err := record.Open(dir, record.Options{Sample: 1})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	takesNothing(t, dir)
	s := newService(t, faulty)
	r := respond(t, serve.Options{Records: ring}, serve.Limits{})
	r.put(stock, stockAt(s.addr))
	for range 20 {
		r.expect("required", `{"item":"good"}`, "7")
		r.expect("guarded", `{"item":"wrong"}`, "-1")
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := ring.Sync(ctx); err == nil {
		t.Error("the disk that takes nothing is said to have taken all")
	}
	if stats := ring.Stats(); stats.DiskError == nil || stats.Dropped.Disk+int64(stats.Queued) != 40 {
		t.Errorf("%+v", stats)
	}
	_ = ring.Close(ctx) // what it says is of the disk
	r.expect("required", `{"item":"good"}`, "7")
}
