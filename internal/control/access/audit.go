package access

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// Audit is a log of who called what, a file of JSON lines that only grows: one line a
// call, refused ones too; of calls that last, one when they begin and one when they
// end. It says what a call was about, never a value or a secret.
//
// A line is with the operating system before its call is answered, and on the disk
// within a second: killing the process loses none, a crash of the machine the last
// second's. Beyond auditSize the file is put aside and a new one begun; the
// auditKept newest of those are kept.
type Audit struct {
	dir  string
	log  *slog.Logger
	most int64 // bytes of a file
	stop chan struct{}
	done chan struct{}

	mu     sync.Mutex
	file   *os.File
	size   int64
	dirty  bool  // there are lines that may not be on the disk
	failed error // of the last line
}

const (
	auditName = "audit.jsonl"
	auditSize = 16 << 20
	auditKept = 8
	auditSync = time.Second
)

// An Event is a line of the audit log.
type Event struct {
	Time      time.Time `json:"time"`
	Principal string    `json:"principal,omitempty"`
	Role      Role      `json:"role,omitempty"`
	Procedure string    `json:"procedure"`
	Subject   string    `json:"subject,omitempty"`
	// Outcome is "ok", "begun", or an error's code.
	Outcome string `json:"outcome"`
	Peer    string `json:"peer,omitempty"`
	Request string `json:"request,omitempty"`
}

// OpenAudit opens the log in a folder, which it makes.
func OpenAudit(dir string, log *slog.Logger) (*Audit, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	a := &Audit{dir: dir, log: log, most: auditSize, stop: make(chan struct{}), done: make(chan struct{})}
	if err := a.open(); err != nil {
		return nil, err
	}
	go a.keepSynced()
	return a, nil
}

// open opens the file that lines go to, after the last whole one.
func (a *Audit) open() error {
	f, err := os.OpenFile(filepath.Join(a.dir, auditName), os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err == nil && info.Size() > 0 {
		last := make([]byte, 1)
		if _, err = f.ReadAt(last, info.Size()-1); err == nil && last[0] != '\n' {
			_, err = f.Write([]byte{'\n'}) // a crash has cut the last line; readers leave it out
		}
	}
	if err != nil {
		return errors.Join(err, f.Close())
	}
	a.file, a.size = f, info.Size()
	return nil
}

// keepSynced puts lines on the disk until the log is closed.
func (a *Audit) keepSynced() {
	defer close(a.done)
	tick := time.NewTicker(auditSync)
	defer tick.Stop()
	for {
		select {
		case <-a.stop:
			return
		case <-tick.C:
			a.sync()
		}
	}
}

// sync puts the lines so far on the disk, while others are written.
func (a *Audit) sync() {
	a.mu.Lock()
	f, dirty := a.file, a.dirty
	a.dirty = false
	a.mu.Unlock()
	if !dirty {
		return
	}
	// A file that was put aside meanwhile was synced before it was closed.
	if err := f.Sync(); err != nil && !errors.Is(err, fs.ErrClosed) {
		a.mu.Lock()
		a.failed = err
		a.mu.Unlock()
	}
}

// Write adds a line. An error is kept too: see Err.
func (a *Audit) Write(e Event) {
	e.Time = e.Time.UTC()
	line, err := json.Marshal(e)
	if err != nil {
		panic(err) // an Event is plain
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.size >= a.most {
		if err := a.rotate(); err != nil { // then the line goes to the file that there is
			a.log.Error("the audit log cannot be put aside", "error", err)
		}
	}
	n, err := a.file.Write(append(line, '\n'))
	a.size += int64(n)
	a.dirty = true
	if err != nil && a.failed == nil {
		a.log.Error("the audit log cannot be written; until it can, nothing may be changed", "error", err)
	}
	a.failed = err
}

// Err is why the last line could not be written; nil when all is well. While it
// cannot, calls that change something are to be refused.
func (a *Audit) Err() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.failed
}

// rotate puts the file aside and begins another. a.mu is held.
func (a *Audit) rotate() error {
	aside := filepath.Join(a.dir, "audit-"+time.Now().UTC().Format("20060102T150405.000000000Z")+".jsonl")
	if err := errors.Join(a.file.Sync(), a.file.Close(), os.Rename(a.file.Name(), aside)); err != nil {
		return errors.Join(err, a.open()) // on with the one that there is
	}
	if err := a.open(); err != nil {
		return err
	}
	old, err := a.aside()
	for _, name := range old[min(auditKept, len(old)):] {
		err = errors.Join(err, os.Remove(name))
	}
	return err
}

// aside is the files that were put aside, the newest first.
func (a *Audit) aside() ([]string, error) {
	names, err := filepath.Glob(filepath.Join(a.dir, "audit-*.jsonl")) // in order, and so by their times
	slices.Reverse(names)
	return names, err
}

// Newest is the newest lines that keep wants, at most so many, the newest first.
func (a *Audit) Newest(limit int, keep func(*Event) bool) ([]Event, error) {
	a.mu.Lock()
	old, err := a.aside()
	a.mu.Unlock()
	if err != nil {
		return nil, err
	}
	var out []Event
	for _, name := range append([]string{filepath.Join(a.dir, auditName)}, old...) {
		text, err := os.ReadFile(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue // it was put aside, or dropped, a moment ago
		}
		if err != nil {
			return nil, fmt.Errorf("the audit log: %w", err)
		}
		for len(text) > 0 && len(out) < limit {
			text = bytes.TrimSuffix(text, []byte{'\n'})
			at := bytes.LastIndexByte(text, '\n') + 1
			var e Event
			if json.Unmarshal(text[at:], &e) == nil && keep(&e) {
				out = append(out, e)
			}
			text = text[:at]
		}
		if len(out) == limit {
			break
		}
	}
	return out, nil
}

// Close puts all lines on the disk and closes the file.
func (a *Audit) Close() error {
	close(a.stop)
	<-a.done
	a.mu.Lock()
	defer a.mu.Unlock()
	return errors.Join(a.file.Sync(), a.file.Close())
}

// Subject is what a call was about, bounded and on one line.
func Subject(parts ...string) string {
	const most = 300
	s := strings.ToValidUTF8(strings.Join(parts, "/"), "�")
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}
