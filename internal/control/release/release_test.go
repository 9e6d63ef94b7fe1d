package release_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	"towpath.dev/internal/abi"
	"towpath.dev/internal/artifact"
	"towpath.dev/internal/blob"
	"towpath.dev/internal/blob/blobtest"
	"towpath.dev/internal/control/release"
)

// module is an artifact of a program: one that no engine would run, and all that this
// package looks at. Tag makes it another one.
func module(t testing.TB, program, tag string) []byte {
	t.Helper()
	m := &artifact.Manifest{
		ABI: abi.Version, Program: program, Toolchain: "tow 0.1.0 " + tag,
		SourceHash: strings.Repeat("a1", 32), HeapBase: 1024, Pages: 1,
	}
	data, err := artifact.Encode([]byte("\x00asm\x01\x00\x00\x00"), m)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// binding is an environment's files.
func binding() release.Binding {
	return release.Binding{
		"env/prod.toml":    []byte("extends = \"base\"\n"),
		"env/base.toml":    []byte("[sources.prices]\ntype = \"http\"\nurl = \"${env:PRICES}\"\n"),
		"proto/shop.proto": []byte("syntax = \"proto3\";\n"),
	}
}

// made is a release with its parts.
type made struct {
	release          *release.Release
	digest           release.Digest
	artifact, bundle []byte
}

func make1(t testing.TB, program, tag string) made {
	t.Helper()
	m := made{artifact: module(t, program, tag)}
	var err error
	if m.bundle, err = binding().Encode(); err != nil {
		t.Fatal(err)
	}
	if m.release, err = release.New("prod", m.artifact, binding(), nil); err != nil {
		t.Fatal(err)
	}
	if m.digest, err = m.release.Digest(); err != nil {
		t.Fatal(err)
	}
	return m
}

func publish(t testing.TB, o *release.Objects, m made) {
	t.Helper()
	digest, err := o.Publish(context.Background(), m.release, m.artifact, m.bundle)
	if err != nil || digest != m.digest {
		t.Fatalf("published %s, %v; want %s", digest, err, m.digest)
	}
}

func TestTwoWhoReleaseTheSameGetTheSameDigest(t *testing.T) {
	a, b := make1(t, "shop", "1"), make1(t, "shop", "1")
	if a.digest != b.digest {
		t.Errorf("%s and %s", a.digest, b.digest)
	}
	objects := release.NewObjects(blobtest.NewMemory())
	publish(t, objects, a)
	publish(t, objects, b)
	if other := make1(t, "shop", "2"); other.digest == a.digest {
		t.Error("another toolchain gives the same digest")
	}
}

func TestADiskKeepsWhatItFetched(t *testing.T) {
	ctx := t.Context()
	objects := release.NewObjects(blobtest.NewMemory())
	m := make1(t, "shop", "1")
	publish(t, objects, m)
	disk, err := release.OpenDisk(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := disk.Fetch(ctx, m.digest); !errors.Is(err, blob.ErrNotFound) {
		t.Errorf("without a source: %v", err)
	}
	for _, from := range [][]release.Source{{objects}, nil} {
		l, err := disk.Fetch(ctx, m.digest, from...)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(l.Artifact, m.artifact) || l.Release.Program != "shop" || len(l.Binding) != 3 {
			t.Errorf("fetched %+v", l.Release)
		}
	}
}
