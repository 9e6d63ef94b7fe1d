// Package history is what happened in a run, as those saw it who took part: each
// process appends records to a file of its own, one line of JSON each. All of them are
// on one machine and tell the time by one clock, so that their records can be put in order.
//
// A record is in the kernel's hands before [Log.Write] returns: a process that is
// killed afterwards has still said it.
package history

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"towpath.dev/election"
)

// Kind is what a record is about.
type Kind string

// What happens.
const (
	Call     Kind = "call"     // a leader sends a batch to the register
	Answer   Kind = "answer"   // and hears that it was accepted,
	Denial   Kind = "denial"   // or refused; neither is an outcome that is not known
	Accepted Kind = "accepted" // the register did a batch
	Refused  Kind = "refused"  // the register did not

	Began Kind = "began" // a leadership began, as its holder sees it
	Ended Kind = "ended" // At is when its holder believed in it for the last time

	Held  Kind = "held"  // the store: a seat's key was written
	Freed Kind = "freed" // the store: a seat's key was removed

	Fault  Kind = "fault"  // somebody broke something
	Healed Kind = "healed" // and repaired it
)

// A Record is one thing that happened.
type Record struct {
	At     int64          `json:"t"` // nanoseconds of CLOCK_BOOTTIME
	Kind   Kind           `json:"k"`
	Who    string         `json:"w,omitempty"` // the process that it is about
	Seat   string         `json:"s,omitempty"` // GROUP/SEAT
	Token  election.Token `json:"f,omitzero"`
	Batch  uint64         `json:"b,omitempty"` // which one of Who's
	Ops    []Op           `json:"o,omitempty"`
	Values []uint64       `json:"v,omitempty"` // what the reads of Ops found, in order
	Note   string         `json:"n,omitempty"`
}

// An Op reads or writes one register of a seat.
type Op struct {
	Register uint32 `json:"r"`
	Value    uint64 `json:"v,omitempty"` // what is written; 0 is a read
}

// A Log is a file of records. Its methods may be called from several goroutines.
type Log struct {
	mu   sync.Mutex
	file *os.File
}

// Open opens a log to append to. A line that a killed process left unfinished is cut off.
func Open(name string) (*Log, error) {
	file, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(file)
	if err == nil {
		whole := int64(bytes.LastIndexByte(text, '\n') + 1)
		_, seek := file.Seek(whole, io.SeekStart)
		err = errors.Join(file.Truncate(whole), seek)
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return &Log{file: file}, nil
}

// Write appends records in one write. Those without a time happen now.
func (l *Log) Write(records ...Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	var lines bytes.Buffer
	for _, r := range records {
		if r.At == 0 {
			r.At = Now()
		}
		text, err := json.Marshal(r)
		if err != nil {
			return err
		}
		lines.Write(text)
		lines.WriteByte('\n')
	}
	_, err := l.file.Write(lines.Bytes())
	return err
}

// Sync waits until the disk has it.
func (l *Log) Sync() error { return l.file.Sync() }

// Close closes the file.
func (l *Log) Close() error { return l.file.Close() }

// Read reads one log. A line that a killed process left unfinished is left out.
func Read(name string) ([]Record, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var records []Record
	for in, number := bufio.NewReader(file), 1; ; number++ {
		line, err := in.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return records, nil
		}
		if err != nil {
			return nil, err
		}
		var r Record
		if err := json.Unmarshal(line, &r); err != nil {
			return nil, fmt.Errorf("%s:%d: expected a record, found %.80q: %w", name, number, line, err)
		}
		records = append(records, r)
	}
}

// ReadAll reads all logs of a folder, in the order of their times. Records of one log
// keep its order.
func ReadAll(folder string) ([]Record, error) {
	names, err := filepath.Glob(filepath.Join(folder, "*"+Extension))
	if err != nil {
		return nil, err
	}
	var all []Record
	for _, name := range names {
		records, err := Read(name)
		if err != nil {
			return nil, err
		}
		all = append(all, records...)
	}
	slices.SortStableFunc(all, func(a, b Record) int { return int(a.At - b.At) })
	return all, nil
}

// Extension is how the names of logs end.
const Extension = ".history"
