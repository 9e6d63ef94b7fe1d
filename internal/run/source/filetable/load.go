package filetable

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"
	"unicode/utf8"

	"towpath.dev/internal/run/source"
)

// stamp tells a file's contents apart without reading them.
type stamp struct {
	info fs.FileInfo // nil for none
	// settled says that the file was old enough when it was read: one written in
	// the same tick of its file system's clock would have the same time.
	settled bool
	hash    [sha256.Size]byte // of the contents
}

// tick is longer than any file system's clock takes to go on.
const tick = 2 * time.Second

// is reports whether the file that info is of was read, and has nothing new.
func (s *stamp) is(info fs.FileInfo) bool { return s.settled && sameFile(s.info, info) }

func sameFile(a, b fs.FileInfo) bool {
	return a != nil && os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}

// load begins a load. s.mu is held, and none is under way.
func (s *Source) load() {
	loading := make(chan struct{})
	s.loading = loading
	tables, tried := slices.Clone(s.tables), s.tried
	s.running.Go(func() {
		rows, now, err := s.read(tables, tried)
		s.mu.Lock()
		defer s.mu.Unlock()
		switch {
		case len(tables) != len(s.tables): // bound meanwhile: read again
			now = stamp{}
			s.looked = time.Time{}
		default:
			s.looked = time.Now()
		}
		s.tried = now
		switch {
		case err != nil:
			s.state = err
		case rows != nil:
			s.rows, s.state = rows, nil
		}
		s.loading = nil
		close(loading)
	})
}

// read reads the file for the tables; rows are nil when it has nothing new since
// the stamp. The error is a *source.Error.
func (s *Source) read(tables []*table, tried stamp) (rows map[*table]*index, now stamp, err error) {
	const attempts = 3
	for range attempts {
		text, now, err := s.text(tried)
		switch {
		case errors.Is(err, errChanged):
			continue
		case err != nil:
			return nil, stamp{}, source.Errorf(source.Unreachable, "%s: %w", s.name, pathless(err))
		case now.hash == tried.hash:
			return nil, now, nil
		}
		rows, err := s.parse(tables, text)
		if s.stop.Err() != nil {
			return nil, stamp{}, source.Errorf(source.Unreachable, "%s: the source was closed", s.name)
		}
		return rows, now, err
	}
	return nil, stamp{}, source.Errorf(source.Unavailable, "%s is being written; replace it by renaming another file to it", s.name)
}

// pathless is an error without the path, which the message has already.
func pathless(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}

var errChanged = errors.New("changed while it was read")

// text reads the file, unless nothing has changed.
func (s *Source) text(tried stamp) ([]byte, stamp, error) {
	before, err := os.Stat(s.path)
	switch {
	case err != nil:
		return nil, stamp{}, err
	case !before.Mode().IsRegular(): // a pipe would not even open
		return nil, stamp{}, errors.New("it is no regular file")
	case tried.is(before):
		return nil, tried, nil
	}
	start := time.Now()
	text, err := os.ReadFile(s.path)
	if err != nil {
		return nil, stamp{}, err
	}
	after, err := os.Stat(s.path)
	if err != nil {
		return nil, stamp{}, err
	}
	if !sameFile(before, after) || int64(len(text)) != after.Size() {
		return nil, stamp{}, errChanged
	}
	return text, stamp{after, start.Sub(after.ModTime()) > tick, sha256.Sum256(text)}, nil
}

// parse makes the tables' indexes of the file's text.
func (s *Source) parse(tables []*table, text []byte) (map[*table]*index, error) {
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	rows := make(map[*table]*index, len(tables))
	if !utf8.Valid(text) {
		at := 0
		for r, n := utf8.DecodeRune(text); r != utf8.RuneError || n > 1; r, n = utf8.DecodeRune(text[at:]) {
			at += n
		}
		return nil, s.wrong(place(text, at), "it is not UTF-8; expected a file in UTF-8")
	}
	if s.format == "json" {
		for _, b := range tables {
			index, err := s.readJSON(b, text)
			if err != nil {
				return nil, err
			}
			rows[b] = index
		}
		return rows, nil
	}
	if err := s.readCSV(tables, rows, text); err != nil {
		return nil, err
	}
	return rows, nil
}

// position is a line and a column, from 1.
type position struct{ line, column int }

// place is the position of a byte of a text, in characters.
func place(text []byte, offset int) position {
	offset = min(offset, len(text))
	start := bytes.LastIndexByte(text[:offset], '\n') + 1
	return position{1 + bytes.Count(text[:offset], []byte("\n")), 1 + utf8.RuneCount(text[start:offset])}
}

func (s *Source) wrong(at position, format string, args ...any) error {
	return source.Errorf(source.Unfit, "%s:%d:%d: %w", s.name, at.line, at.column, fmt.Errorf(format, args...))
}
