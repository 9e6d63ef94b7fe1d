// Watching a project's files. They are few, and looking at their sizes and
// times four times a second costs nothing that anyone notices; so no dependency
// on any system's file events is worth its quirks.

package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"time"

	"towpath.dev/internal/project"
)

// watch runs the tests now and after each change, until interrupted.
func (t *testRun) watch(ctx context.Context, dir string) error {
	p, err := project.Find(dir)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt)
	defer stop()
	ticker := time.NewTicker(250 * time.Millisecond)
	defer ticker.Stop()
	return watch(ctx, p.Root, ticker.C, func() error {
		if t.outColor {
			fmt.Fprint(t.out, "\x1b[2J\x1b[H") // a clean screen
		}
		err := t.once(dir)
		if err != nil && !errors.Is(err, errWrong) {
			t.fail(err)
		}
		fmt.Fprintf(t.err, "\nWatching %s. Ctrl-C ends it.\n", p.Root)
		return nil
	})
}

// watch calls changed once, and again at each tick at which a file below root
// differs from what it was, until the context ends or changed fails.
func watch(ctx context.Context, root string, tick <-chan time.Time, changed func() error) error {
	last := snapshot(root)
	if err := changed(); err != nil {
		return err
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick:
		}
		now := snapshot(root)
		if now == last {
			continue
		}
		last = now
		if err := changed(); err != nil {
			return err
		}
	}
}

// snapshot is a text that changes when a project's files do.
func snapshot(root string) string {
	var b strings.Builder
	_ = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			fmt.Fprintf(&b, "%s %v\n", path, err)
		case path != root && strings.HasPrefix(entry.Name(), ".") && entry.IsDir():
			return fs.SkipDir
		case filepath.Ext(path) == ".tow", filepath.Ext(path) == ".toml": // environments too
			if info, err := entry.Info(); err == nil {
				fmt.Fprintf(&b, "%s %d %d\n", path, info.Size(), info.ModTime().UnixNano())
			}
		}
		return nil
	})
	return b.String()
}
