package lsp

import (
	"net/url"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"towpath.dev/internal/lang/span"
)

// offsetOf is the byte offset of a position; beyond a line's end it is the end.
func offsetOf(f *span.File, p position) int {
	if p.Line >= f.Lines() {
		return len(f.Text)
	}
	line := f.Line(p.Line + 1)
	at := f.LineStart(p.Line + 1)
	for units := 0; units < p.Character && len(line) > 0; {
		r, size := utf8.DecodeRune(line)
		if units += unitsOf(r); units > p.Character {
			break // within a pair of surrogates
		}
		line = line[size:]
		at += size
	}
	return at
}

// positionOf is the position of a byte offset.
func positionOf(f *span.File, offset int) position {
	line, _ := f.Position(offset)
	units := 0
	for _, r := range string(f.Text[f.LineStart(line):min(max(offset, 0), len(f.Text))]) {
		units += unitsOf(r)
	}
	return position{Line: line - 1, Character: units}
}

// unitsOf counts the UTF-16 units of a character.
func unitsOf(r rune) int {
	if r >= 0x10000 {
		return 2
	}
	return 1
}

func rangeOf(s span.Span) textRange {
	if !s.IsValid() {
		return textRange{}
	}
	return textRange{positionOf(s.File, s.Start), positionOf(s.File, s.End)}
}

// pathOf is the file that a URI names, "" when it names none.
func pathOf(uri string) string {
	u, err := url.Parse(uri)
	if err != nil || u.Scheme != "file" {
		return ""
	}
	path := u.Path
	if len(path) >= 3 && path[0] == '/' && path[2] == ':' {
		path = path[1:] // file:///C:/shop
	}
	return filepath.FromSlash(path)
}

// uriOf is a file's URI.
func uriOf(path string) string {
	path = filepath.ToSlash(path)
	if !strings.HasPrefix(path, "/") {
		path = "/" + path
	}
	return (&url.URL{Scheme: "file", Path: path}).String()
}
