package fleet

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"towpath.dev/internal/abi"
	"towpath.dev/internal/artifact"
	"towpath.dev/internal/blob"
	"towpath.dev/internal/control/release"
)

// counted is a source that counts how often it was asked, and may have become silent.
type counted struct {
	release.Source
	asked  atomic.Int64
	silent atomic.Bool
}

func (c *counted) Object(ctx context.Context, kind release.Kind, d release.Digest) ([]byte, error) {
	if err := c.ask(ctx); err != nil {
		return nil, err
	}
	return c.Source.Object(ctx, kind, d)
}

func (c *counted) Signatures(ctx context.Context, d release.Digest) ([]*release.Envelope, error) {
	if err := c.ask(ctx); err != nil {
		return nil, err
	}
	return c.Source.Signatures(ctx, d)
}

func (c *counted) ask(ctx context.Context) error {
	c.asked.Add(1)
	if c.silent.Load() {
		<-ctx.Done()
		return ctx.Err()
	}
	return nil
}

// published is a release of the program "shop" in a store of objects.
func published(t *testing.T) (*release.Objects, *release.Release, release.Digest) {
	t.Helper()
	store, err := blob.Open(t.TempDir(), blob.Options{})
	if err != nil {
		t.Fatal(err)
	}
	module, err := artifact.Encode([]byte("\x00asm\x01\x00\x00\x00"), &artifact.Manifest{
		ABI: abi.Version, Program: "shop", Toolchain: "tow 0.1.0", SourceHash: strings.Repeat("a1", 32), HeapBase: 1024, Pages: 1,
	})
	if err != nil {
		t.Fatal(err)
	}
	binding := release.Binding{"env/prod.toml": []byte("# nothing\n")}
	bundle, err := binding.Encode()
	if err != nil {
		t.Fatal(err)
	}
	r, err := release.New("prod", module, binding, nil)
	if err != nil {
		t.Fatal(err)
	}
	objects := release.NewObjects(store)
	d, err := objects.Publish(t.Context(), r, module, bundle)
	if err != nil {
		t.Fatal(err)
	}
	return objects, r, d
}

// TestDiskFirst: what a node has on its disk it waits for nobody for, as sources are silent in
// an outage; that a release has no signatures is no reason to ask for some.
func TestDiskFirst(t *testing.T) {
	objects, _, d := published(t)
	disk, err := release.OpenDisk(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	source := &counted{Source: objects}
	stock := &Stock{Environment: "prod", Disk: disk, From: []release.Source{source}}
	if _, err := stock.Get(t.Context(), "shop", d, nil); err != nil || source.asked.Load() == 0 {
		t.Fatalf("the first time: %v, asked %d times", err, source.asked.Load())
	}
	source.asked.Store(0)
	source.silent.Store(true)
	if _, err := stock.Get(t.Context(), "shop", d, nil); err != nil || source.asked.Load() > 0 {
		t.Errorf("from the disk: %v, asked %d times", err, source.asked.Load())
	}
}

// TestSignedLater: a release that nobody had signed is let run once somebody has, and what is known
// of it then is written down once: going back to it needs no room on the disk.
func TestSignedLater(t *testing.T) {
	objects, r, d := published(t)
	roots := newRoots(t, 1)
	policy := roots.policy(1, 0)
	dir := t.TempDir()
	disk, err := release.OpenDisk(dir)
	if err != nil {
		t.Fatal(err)
	}
	stock := &Stock{Environment: "prod", Disk: disk, From: []release.Source{objects}}
	fault := (*Fault)(nil)
	if _, err := stock.Get(t.Context(), "shop", d, policy); !errors.As(err, &fault) || fault.Kind != Distrust {
		t.Fatalf("unsigned it is %v", err)
	}
	e, err := release.Sign(r, roots.keys[0])
	if err != nil {
		t.Fatal(err)
	}
	p, err := release.ReadPolicy(policy)
	if err != nil {
		t.Fatal(err)
	}
	if err := objects.AddSignatures(t.Context(), p, d, e); err != nil {
		t.Fatal(err)
	}
	if _, err := stock.Get(t.Context(), "shop", d, policy); err != nil {
		t.Fatalf("signed later it is %v", err)
	}
	wrote := func() []os.FileInfo {
		all, err := filepath.Glob(filepath.Join(dir, "*", "*"))
		if err != nil {
			t.Fatal(err)
		}
		var files []os.FileInfo
		for _, name := range all {
			info, err := os.Stat(name)
			if err != nil {
				t.Fatal(err)
			}
			files = append(files, info)
		}
		return files
	}
	before := wrote()
	if _, err := stock.Get(t.Context(), "shop", d, policy); err != nil {
		t.Fatal(err)
	}
	if after := wrote(); !slices.EqualFunc(before, after, os.SameFile) {
		t.Errorf("what was known was written again: %v, and now %v", before, after)
	}
}
