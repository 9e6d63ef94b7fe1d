package blob_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"towpath.dev/internal/blob"
)

// leftover is a file as a killed writer leaves them.
func leftover(t *testing.T, dir, name string, age time.Duration) string {
	t.Helper()
	path := filepath.Join(dir, "+unfinished", name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	then := time.Now().Add(-age)
	if err := os.Chtimes(path, then, then); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestFolderLeftovers(t *testing.T) {
	dir := t.TempDir()
	store := folder(t, dir)
	recent, old := leftover(t, dir, "recent", 23*time.Hour), leftover(t, dir, "old", 25*time.Hour)
	foreign := filepath.Join(dir, "+unfinished", "folder")
	if err := os.Mkdir(foreign, 0o700); err != nil {
		t.Fatal(err)
	}
	for info, err := range store.List(t.Context(), "", "") {
		t.Errorf("listed: %s, %v", info.Name, err)
	}
	if err := store.Create(t.Context(), "a", []byte("x"), blob.Standard); err != nil {
		t.Fatal(err)
	}
	for path, stays := range map[string]bool{recent: true, old: false, foreign: true} {
		if _, err := os.Stat(path); (err == nil) != stays {
			t.Errorf("%s: %v", path, err)
		}
	}
	// Once in a while is enough.
	again := leftover(t, dir, "again", 25*time.Hour)
	if err := store.Create(t.Context(), "b", nil, blob.Standard); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(again); err != nil {
		t.Error(err)
	}
}

// TestFolderForeign has files in a store's folder that are none of its objects.
func TestFolderForeign(t *testing.T) {
	dir := t.TempDir()
	store := folder(t, dir)
	for _, name := range []string{".DS_Store", "README", "a file", "lost+found/x", ".snapshot/a", "ok/.nfs000000001"} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	compare(t, "beside foreign files", store, nil)
}

// TestFolderEscape has links in a store's folder that lead out of it.
func TestFolderEscape(t *testing.T) {
	dir, outside := t.TempDir(), t.TempDir()
	store := folder(t, dir)
	if err := os.WriteFile(filepath.Join(outside, "secret"), []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	for from, to := range map[string]string{"out": outside, "file": filepath.Join(outside, "secret"), "up": ".."} {
		if err := os.Symlink(to, filepath.Join(dir, from)); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"out/secret", "file", "up/" + filepath.Base(outside) + "/secret"} {
		if data, err := store.Get(t.Context(), name); err == nil {
			t.Errorf("get %s: %q", name, data)
		}
	}
	for _, name := range []string{"out/new", "up/new"} {
		if err := store.Create(t.Context(), name, nil, blob.Standard); err == nil {
			t.Errorf("created %s", name)
		}
	}
	_ = store.Delete(t.Context(), "out/secret") // an error or none
	if _, err := os.Stat(filepath.Join(outside, "secret")); err != nil {
		t.Error(err)
	}
	compare(t, "beside links", store, nil)
}

// TestFolderBelow has names that are the beginning of others, which a folder cannot have.
func TestFolderBelow(t *testing.T) {
	dir := t.TempDir()
	store := folder(t, dir)
	if err := store.Create(t.Context(), "a/b", []byte("x"), blob.Standard); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"a":     dir + ": create a: there are objects below this name, and a folder keeps none above others",
		"a/b/c": dir + ": create a/b/c: part of this name is an object already, and a folder keeps none below another",
	} {
		if err := store.Create(t.Context(), name, nil, blob.Standard); !errors.Is(err, blob.ErrRefused) || err.Error() != want {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := store.Delete(t.Context(), "a/b"); err != nil {
		t.Fatal(err)
	}
	if err := store.Create(t.Context(), "a", nil, blob.Standard); err != nil {
		t.Errorf("when the objects below it are gone: %v", err)
	}
}

// TestFolderComesAndGoes has folders deleted with their last object while others create in
// them, and nobody notices.
func TestFolderComesAndGoes(t *testing.T) {
	store := folder(t, t.TempDir())
	parallel(6, 600, func(i int) {
		name := fmt.Sprintf("a/b/c/%d", i)
		if err := store.Create(t.Context(), name, nil, blob.Standard); err != nil {
			t.Error(err)
		}
		if err := store.Delete(t.Context(), name); err != nil {
			t.Error(err)
		}
	})
	if _, err := store.Get(t.Context(), "a/b"); !errors.Is(err, blob.ErrNotFound) {
		t.Error(err)
	}
}

// TestFolderGone has a disk that is unmounted while it is used.
func TestFolderGone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "disk")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	store := folder(t, dir)
	if err := os.Remove(dir); err != nil {
		t.Fatal(err)
	}
	for what, call := range operations {
		if err := call(t.Context(), store); !errors.Is(err, blob.ErrRefused) || !strings.Contains(err.Error(), "there is no folder "+dir) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("it was made anew")
	}
}

func TestFolderForbidden(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("to root nothing is forbidden")
	}
	dir := t.TempDir()
	store := folder(t, dir)
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	err := operations["create"](t.Context(), store)
	if !errors.Is(err, blob.ErrRefused) || !strings.Contains(err.Error(), "whoever runs this has to be allowed to read and write") {
		t.Error(err)
	}
}

const killed = "TOWPATH_TEST_KILLED" // the folder that a process writes to until it is killed

// size is that of the ith object of a writer that is killed.
func size(i int) int { return i * 7919 % 300_000 }

// TestFolderKilled kills writers wherever they are, and looks for an object that is not whole.
func TestFolderKilled(t *testing.T) {
	if dir := os.Getenv(killed); dir != "" {
		writeUntilKilled(t, dir)
		return
	}
	dir := t.TempDir()
	store := folder(t, dir)
	created := 0
	for range 12 {
		cmd := exec.Command(os.Args[0], "-test.run=^TestFolderKilled$", "-test.v")
		cmd.Env = append(os.Environ(), killed+"="+dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		// It is killed somewhere in what follows so many of its words.
		_, err = io.ReadFull(out, make([]byte, 100+rand.IntN(1500)))
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // says that it was killed
		if err != nil {
			t.Fatal(err)
		}
	}
	for info, err := range store.List(t.Context(), "", "") {
		if err != nil {
			t.Fatal(err)
		}
		data, err := store.Get(t.Context(), info.Name)
		i, _ := strconv.Atoi(info.Name[strings.LastIndex(info.Name, "/")+1:])
		if err != nil || int64(len(data)) != info.Size || !bytes.Equal(data, bytes.Repeat([]byte{byte(i)}, size(i))) {
			t.Errorf("%s: %d bytes, %v", info.Name, len(data), err)
		}
		created++
	}
	left, err := os.ReadDir(filepath.Join(dir, "+unfinished"))
	if err != nil || created == 0 {
		t.Errorf("%d objects, %v", created, err)
	}
	t.Logf("%d objects, %d leftovers", created, len(left))
}

func writeUntilKilled(t *testing.T, dir string) {
	store := folder(t, dir)
	for i := 0; ; i++ {
		name := fmt.Sprintf("dir-%d/%06d", i%5, i)
		err := store.Create(t.Context(), name, bytes.Repeat([]byte{byte(i)}, size(i)), blob.Standard)
		if err != nil && !errors.Is(err, blob.ErrExists) {
			t.Fatal(err)
		}
		fmt.Println(name)
	}
}
