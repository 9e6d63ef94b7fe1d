// Package stdlib holds the standard library: modules written in Tow over a few
// intrinsics, which INTRINSICS.md lists.
//
//	for _, f := range stdlib.Sources() {
//		parse(f.Path, f.Text) // "std/list", "//// Lists: …"
//	}
package stdlib

import (
	"embed"
	"io/fs"
	"path"
	"strings"
)

//go:embed std/*.tow
var sources embed.FS

// File is one module's source.
type File struct {
	Path string // "std/list"
	Text string
}

// Sources are the modules, in order of their paths.
func Sources() []File {
	names, err := fs.Glob(sources, "std/*.tow") // sorted
	if err != nil {
		panic(err) // the pattern is malformed, which no input can cause
	}
	files := make([]File, len(names))
	for i, name := range names {
		text, err := sources.ReadFile(name)
		if err != nil {
			panic(err) // embedded files can be read
		}
		files[i] = File{Path: strings.TrimSuffix(name, path.Ext(name)), Text: string(text)}
	}
	return files
}
