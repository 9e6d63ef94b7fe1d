//go:build !solo

package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"towpath.dev/internal/control/fleet"
	"towpath.dev/internal/control/release"
)

// TestOursIsNoFault: what the machine has not got, and what nobody waited for, is no fault of a
// release; a secret that is missing is one.
func TestOursIsNoFault(t *testing.T) {
	for err, ours := range map[error]bool{
		fmt.Errorf("compiling: %w", context.Canceled):                                      true,
		fmt.Errorf("compiling: %w", context.DeadlineExceeded):                              true,
		caught(func() error { panic(error(syscall.ENOMEM)) }):                              true,
		errors.New("env/prod.toml:3: `ca`: open ca.pem: too many open files"):              true,
		fmt.Errorf("env: %w", &fs.PathError{Op: "read", Path: "key", Err: syscall.EIO}):    true,
		fmt.Errorf("env: %w", &fs.PathError{Op: "open", Path: "key", Err: fs.ErrNotExist}): false,
		errors.New("the artifact has no manifest"):                                         false,
	} {
		fault := (*fleet.Fault)(nil)
		if got := !errors.As(faultOf(fleet.Unbound, err), &fault); got != ours || err == nil {
			t.Errorf("%v is ours: %t; expected %t", err, got, ours)
		}
	}
	defer func() {
		if r := recover(); r != "a mistake" {
			t.Errorf("it went on with %v", r)
		}
	}()
	_ = caught(func() error { panic("a mistake") })
}

// readOnly is a keeper on a disk that is full.
type readOnly struct {
	fleet.Keeper
	saves int
}

func (k *readOnly) Save(*fleet.Memory) error {
	k.saves++
	return syscall.ENOSPC
}

// TestLaunchOnAFullDisk: a node that cannot write down which tow it tries goes on as the one that
// is installed, and one that has nothing to write down does not try to.
func TestLaunchOnAFullDisk(t *testing.T) {
	disk, err := release.OpenDisk(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	self := &fleet.Self{Release: release.DigestOf([]byte("installed")), Installed: true}
	file := filepath.Join(t.TempDir(), "memory.json")
	for _, c := range []struct {
		name  string
		tow   release.Digest
		try   *fleet.Try
		saves int
	}{
		{"nothing was deployed", "", nil, 0},
		{"one is on trial", release.DigestOf([]byte("another")), &fleet.Try{Running: true, Since: time.Now()}, 1},
		{"one has proved itself", release.DigestOf([]byte("another")), &fleet.Try{Settled: true}, 0},
	} {
		keeper := fleet.KeeperFile(file)
		m, err := keeper.Load()
		if err != nil {
			t.Fatal(err)
		}
		if c.tow != "" {
			m.Ran[release.Tow] = []release.Digest{c.tow}
			m.Tries[release.Tow] = map[release.Digest]*fleet.Try{c.tow: c.try}
		}
		if err := keeper.Save(m); err != nil {
			t.Fatal(err)
		}
		full := &readOnly{Keeper: keeper}
		if err := launch(self, disk, full, fleet.Kills{}, slog.New(slog.DiscardHandler)); err != nil || full.saves != c.saves {
			t.Errorf("%s: %v, after %d times; expected it to go on, after %d", c.name, err, full.saves, c.saves)
		}
	}
}
