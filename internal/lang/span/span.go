// Package span names places in source text.
//
// A Span is a half-open range of byte offsets in one File. Files are held by
// their spans' users through a *File pointer, so that a diagnostic, a fault
// table and a source map can all print "path:line:column" without a registry.
//
//	f := span.NewFile("shop/pricing.tow", text)
//	s := f.Span(10, 14)
//	fmt.Println(s)             // shop/pricing.tow:2:3
//	line, col := f.Position(10) // both from 1, the column in characters
package span

import (
	"bytes"
	"fmt"
	"sort"
	"unicode/utf8"
)

// File is one source text with the offsets of its lines.
type File struct {
	Path  string // as shown to the user, slash-separated, relative to the project's root
	Text  []byte
	lines []int // offset of each line's first byte
}

// NewFile indexes text. The text is kept, not copied.
func NewFile(path string, text []byte) *File {
	lines := []int{0}
	for i, c := range text {
		if c == '\n' {
			lines = append(lines, i+1)
		}
	}
	return &File{Path: path, Text: text, lines: lines}
}

// Span makes the half-open span [start, end), clamped to the file.
func (f *File) Span(start, end int) Span {
	start = min(max(start, 0), len(f.Text))
	end = min(max(end, start), len(f.Text))
	return Span{File: f, Start: start, End: end}
}

// Position gives the line and the column, both counted from 1, of an offset.
// The column counts characters (runes), as editors show it.
func (f *File) Position(offset int) (line, column int) {
	offset = min(max(offset, 0), len(f.Text))
	i := sort.Search(len(f.lines), func(i int) bool { return f.lines[i] > offset }) - 1
	return i + 1, utf8.RuneCount(f.Text[f.lines[i]:offset]) + 1
}

// Lines is the number of lines, at least one.
func (f *File) Lines() int { return len(f.lines) }

// LineStart is the offset of the first byte of a line counted from 1.
func (f *File) LineStart(line int) int {
	return f.lines[min(max(line, 1), len(f.lines))-1]
}

// Line is the text of a line counted from 1, without its line break.
func (f *File) Line(line int) []byte {
	start := f.LineStart(line)
	rest := f.Text[start:]
	if i := bytes.IndexByte(rest, '\n'); i >= 0 {
		rest = rest[:i]
	}
	return bytes.TrimSuffix(rest, []byte{'\r'})
}

// Span is a half-open range of byte offsets. The zero Span is "nowhere".
type Span struct {
	File       *File
	Start, End int
}

// IsValid reports whether the span names a place.
func (s Span) IsValid() bool { return s.File != nil }

// Text is the source text in the span.
func (s Span) Text() string {
	if s.File == nil {
		return ""
	}
	return string(s.File.Text[s.Start:s.End])
}

// To joins two spans of one file into the smallest that covers both.
func (s Span) To(t Span) Span {
	if s.File == nil {
		return t
	}
	if t.File != s.File {
		return s
	}
	return Span{File: s.File, Start: min(s.Start, t.Start), End: max(s.End, t.End)}
}

// Contains reports whether offset lies in the span or at its end.
func (s Span) Contains(offset int) bool { return s.Start <= offset && offset <= s.End }

// String is "path:line:column", the form that editors and terminals link.
func (s Span) String() string {
	if s.File == nil {
		return "-"
	}
	line, col := s.File.Position(s.Start)
	return fmt.Sprintf("%s:%d:%d", s.File.Path, line, col)
}
