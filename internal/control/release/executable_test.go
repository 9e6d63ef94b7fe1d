package release

import (
	"errors"
	"os"
	"strings"
	"testing"

	"towpath.dev/internal/blob"
)

// tow is a release of an executable, and the executable.
func tow(t *testing.T) (*Release, []byte) {
	t.Helper()
	data := []byte("#!/bin/sh\nexit 0\n")
	r, err := NewTow("prod", "tow 0.2.0 (go1.26.0, linux/amd64)", "linux/amd64", Range{1, 2}, PartOf(data))
	if err != nil {
		t.Fatal(err)
	}
	return r, data
}

// TestTow: a release of tow goes from a store to a disk as others do, can be run there, and is
// kept for as long as it is needed.
func TestTow(t *testing.T) {
	ctx := t.Context()
	store, err := blob.Open(t.TempDir(), blob.Options{})
	if err != nil {
		t.Fatal(err)
	}
	objects := NewObjects(store)
	r, data := tow(t)
	document, err := r.Encode()
	if err != nil {
		t.Fatal(err)
	}
	_, err1 := objects.Put(ctx, KindExecutable, data)
	digest, err2 := objects.Put(ctx, KindRelease, document)
	disk, err3 := OpenDisk(t.TempDir())
	if err := errors.Join(err1, err2, err3); err != nil {
		t.Fatal(err)
	}
	l, err := disk.Fetch(ctx, digest, objects)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := l.Release.Digest(); err != nil || got != digest || l.Release.ABI != 2 {
		t.Errorf("it is %s with the ABI %d (%v); expected %s with 2", got, l.Release.ABI, err, digest)
	}
	if err := disk.Keep(ctx, digest); err != nil {
		t.Fatal(err)
	}
	file, err := disk.Executable(r.Executable.Digest)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("its file is %v (%v); expected one that can be run", info, err)
	}
	// What is damaged does not run, and is fetched again.
	if err := os.WriteFile(file, []byte("#!/bin/sh\nexit 1\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := disk.Executable(r.Executable.Digest); !errors.Is(err, ErrDamaged) {
		t.Errorf("of a damaged one it says %v", err)
	}
	if _, err := disk.Fetch(ctx, digest, objects); err != nil {
		t.Error(err)
	}
	if err := disk.Keep(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := disk.Executable(r.Executable.Digest); !errors.Is(err, blob.ErrNotFound) {
		t.Errorf("of one that is kept no more it says %v", err)
	}
}

// TestTowIsWhole: what a release of tow cannot be.
func TestTowIsWhole(t *testing.T) {
	for _, c := range []struct {
		change func(*Release)
		want   string
	}{
		{func(r *Release) { r.Program = "shop" }, `it is called "shop": expected tow`},
		{func(r *Release) { r.Artifact = PartOf([]byte("x")) }, "expected an executable alone"},
		{func(r *Release) { r.Executable.Platform = "a computer" }, "expected one such as linux/amd64"},
		{func(r *Release) { r.ABI = 1 }, "it serves the ABI 1 to 2 and is of 1"},
		{func(r *Release) { r.Executable.Size = MaxExecutable + 1 }, "its executable has 268435457 bytes"},
		{func(r *Release) { r.Executable = nil }, "as tow itself is: give it another name"},
	} {
		r, _ := tow(t)
		c.change(r)
		if err := r.Validate(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("it says %v; expected %q", err, c.want)
		}
	}
}
