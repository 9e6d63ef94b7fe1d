package fleet

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestOursIsNoReleasesFault: what the machine has not got, or nobody waited for, is held against no
// release, whatever the host called it, and is tried again.
func TestOursIsNoReleasesFault(t *testing.T) {
	for _, c := range []struct {
		err  error
		says string // "": nothing
	}{
		{context.Canceled, ""},
		{context.DeadlineExceeded, "it took too long, which says nothing of the release"},
		{&fs.PathError{Op: "open", Path: "ca.pem", Err: syscall.EMFILE}, "this node is short of something, which says nothing of the release, and tries again: compiling: open ca.pem"},
		{syscall.ENFILE, "short of something"},
		{syscall.ENOMEM, "short of something"},
		{syscall.ENOSPC, "short of something"},
		{syscall.EDQUOT, "short of something"},
		{syscall.EIO, "short of something"},
	} {
		for _, kind := range []Kind{Unfit, Unbound} {
			t.Run(fmt.Sprint(kind, " ", c.err), func(t *testing.T) {
				run(t, func(t *testing.T, m *machine) {
					_, stop := m.start()
					defer stop()
					m.intend(&Intent{Deployment: "d1", Release: one})
					m.runs(one, "")
					m.set(func() { m.missing[two] = &Fault{kind, fmt.Errorf("compiling: %w", c.err)} })
					m.intend(&Intent{Deployment: "d2", Release: one, Candidate: two, Reach: 1})
					m.runs(one, "")
					trouble, is := (*Trouble)(nil), ""
					if r := m.said(); r.Trouble(two) != nil {
						trouble = r.Trouble(two)
						is = trouble.Text
					}
					if trouble != nil && trouble.Kind != Fetching || (is == "") != (c.says == "") || !strings.Contains(is, c.says) {
						t.Errorf("it says %+v; expected %q", trouble, c.says)
					}
					m.set(func() { delete(m.missing, two) })
					m.runs(two, "")
					if r := m.said(); len(r.Troubles) > 0 {
						t.Errorf("it says %+v", r)
					}
				})
			})
		}
	}
	if err := error(&fs.PathError{Op: "open", Path: "key", Err: syscall.ENOENT}); Passing(err) {
		t.Errorf("%v may pass; expected a file that is missing to be the release's trouble", err)
	}
}

// TestBackOnAFullDisk: a node goes back, and starts again, without room to write that down. What it
// has never run it does not begin, however often it tries.
func TestBackOnAFullDisk(t *testing.T) {
	full := errors.New("memory.json: no space left on device")
	run(t, func(t *testing.T, m *machine) {
		_, stop := m.start()
		defer func() { stop() }()
		m.intend(&Intent{Deployment: "d1", Release: one})
		time.Sleep(time.Hour) // it has proved itself
		m.intend(&Intent{Deployment: "d2", Release: one, Candidate: two, Reach: 1})
		m.runs(two, "")
		m.set(func() { m.broken = full })
		m.intend(&Intent{Deployment: "d2", Release: one})
		m.runs(one, "")
		if r := m.said(); r.Main != one || r.Previous != two || len(r.Troubles) > 0 {
			t.Errorf("it says %+v", r)
		}
		if text := m.own(Unsaved); !strings.HasSuffix(text, ": "+full.Error()) {
			t.Errorf("it says %q; expected it to name the file", text)
		}
		three := digest("three")
		m.intend(&Intent{Deployment: "d3", Release: one, Candidate: three, Onebox: "n", Share: 0.1})
		m.runs(one, "")
		m.intend(&Intent{Deployment: "d3", Release: one, Candidate: three, Reach: 1})
		time.Sleep(time.Hour)
		m.runs(one, "")
		if r := m.said(); r.Previous != two {
			t.Errorf("it says %+v; expected it to remember what it did run", r)
		}
		stop()
		m.set(func() { m.cut = true })
		_, stop = m.start() // what it knows is of before
		m.runs(two, "")
		m.set(func() { m.cut = false })
		m.runs(one, "") // and not what was taken back before
		m.set(func() { m.broken = nil })
		m.runs(three, "")
		if text := m.own(Unsaved); text != "" {
			t.Errorf("it still says %q", text)
		}
	})
}

// TestSoonOnAFullDisk: what is in place for a short time alone, and is what ran before, is gone
// back to all the same.
func TestSoonOnAFullDisk(t *testing.T) {
	run(t, func(t *testing.T, m *machine) {
		_, stop := m.start()
		defer stop()
		m.intend(&Intent{Deployment: "d1", Release: one})
		m.runs(one, "")
		m.intend(&Intent{Deployment: "d2", Release: one, Candidate: two, Reach: 1})
		m.runs(two, "")
		m.set(func() { m.broken = syscall.ENOSPC })
		m.intend(&Intent{Deployment: "d2", Release: one})
		m.runs(one, "")
	})
}

// TestDamagedMemory: a node whose memory cannot be read begins with nothing, says so, and keeps
// what it cannot read for people.
func TestDamagedMemory(t *testing.T) {
	for name, text := range map[string]string{"no JSON": `{"heard":"2026-11-2`, "another type": `{"intents":[]}`, "empty": "", "zeros": "\x00\x00\x00"} {
		t.Run(name, func(t *testing.T) {
			run(t, func(t *testing.T, m *machine) {
				file := filepath.Join(t.TempDir(), "memory.json")
				if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
				m.with = func(o *Options) { o.Keeper = KeeperFile(file) }
				_, stop := m.start()
				defer stop()
				m.intend(&Intent{Deployment: "d1", Release: one})
				m.runs(one, "")
				aside := file + ".damaged-20000101T000000Z" // when the test's time begins
				if says := m.own(Forgot); !strings.Contains(says, aside) || !strings.HasPrefix(says, file+" is damaged (") {
					t.Errorf("it says %q", says)
				}
				if kept, err := os.ReadFile(aside); err != nil || string(kept) != text {
					t.Errorf("%q was put aside: %v", kept, err)
				}
				if again, err := KeeperFile(file).Load(); err != nil || again.Aside != "" || again.Intents["shop"] == nil {
					t.Errorf("it wrote down %+v: %v", again, err)
				}
			})
		})
	}
}

// TestMemoryThatCannotBeRead: a folder in its place is damage like any other; one that cannot be
// opened now is waited for.
func TestMemoryThatCannotBeRead(t *testing.T) {
	file := filepath.Join(t.TempDir(), "memory.json")
	if err := os.Mkdir(file, 0o700); err != nil {
		t.Fatal(err)
	}
	m, err := KeeperFile(file).Load()
	if err != nil || !m.New() || !strings.Contains(m.Aside, "put aside as") {
		t.Errorf("it is %+v: %v", m, err)
	}
	run(t, func(t *testing.T, m *machine) {
		keeper := &busy{fails: 3, Keeper: KeeperFile(file)}
		m.with = func(o *Options) { o.Keeper = keeper }
		_, stop := m.start()
		defer stop()
		m.intend(&Intent{Deployment: "d1", Release: one})
		m.runs(one, "")
	})
}

// busy is a keeper that cannot read at first.
type busy struct {
	Keeper
	fails int
}

func (b *busy) Load() (*Memory, error) {
	if b.fails--; b.fails >= 0 {
		return nil, syscall.EMFILE
	}
	return b.Keeper.Load()
}

// TestSaveNamesTheFile: the error is the same each time, so that a status does not change with it.
func TestSaveNamesTheFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "gone", "memory.json")
	err := KeeperFile(file).Save(newMemory())
	if err == nil || err.Error() != file+": no such file or directory" {
		t.Errorf("it says %v", err)
	}
}
