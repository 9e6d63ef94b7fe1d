package project

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

//go:embed all:template
var template embed.FS

// renamed are the template's files that would mean something where they lie.
var renamed = map[string]string{"gitignore": ".gitignore"}

// ErrNotEmpty says that a new project's folder already holds something.
var ErrNotEmpty = errors.New("the folder is not empty")

// New writes a project of that name into a folder, which it makes. What it
// writes checks, passes its own tests and runs. It gives the paths written, in
// order; the error wraps ErrNotEmpty when the folder holds anything.
func New(dir, name string) ([]string, error) {
	if err := CheckName(name); err != nil {
		return nil, err
	}
	if entries, err := os.ReadDir(dir); err == nil && len(entries) > 0 {
		return nil, fmt.Errorf("%w: %s holds %s", ErrNotEmpty, dir, entries[0].Name())
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	var written []string
	err := fs.WalkDir(template, "template", func(from string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		to := strings.TrimPrefix(strings.TrimPrefix(from, "template"), "/")
		if entry.IsDir() {
			return os.MkdirAll(filepath.Join(dir, filepath.FromSlash(to)), 0o755)
		}
		text, err := template.ReadFile(from)
		if err != nil {
			return err
		}
		if r, ok := renamed[to]; ok {
			to = r
		}
		written = append(written, to)
		filled := strings.ReplaceAll(string(text), "NAME", name)
		return os.WriteFile(filepath.Join(dir, filepath.FromSlash(to)), []byte(filled), 0o644)
	})
	return written, err
}
