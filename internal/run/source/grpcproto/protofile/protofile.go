// Package protofile reads .proto files, with what they import.
//
//	file, err := protofile.Load("protos/shop/v1/pricing.proto", protofile.Options{Include: []string{"protos"}})
//	for i := range file.Services().Len() { … }
//
// The well-known types (google/protobuf/*.proto) are built in. An import is
// looked for in the folders of Include in their order, then in the file's own.
package protofile

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/bufbuild/protocompile"
	"github.com/bufbuild/protocompile/reporter"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Options of Load. The zero Options work.
type Options struct {
	Include  []string // folders in which imports are looked for
	Comments bool     // keep the comments of declarations; see protoreflect.SourceLocations
}

const (
	maxFile   = 8 << 20 // bytes; what is larger was not written by people
	maxErrors = 10      // of one Load; later ones mostly follow from earlier
)

// Load reads a file and links it with its imports. The error names each
// mistake as FILE:LINE:COLUMN: MESSAGE, one a line.
func Load(path string, opts Options) (protoreflect.FileDescriptor, error) {
	if _, err := os.Stat(path); err != nil {
		return nil, brief(err)
	}
	name, folders := place(path, opts.Include)
	var found []error
	compiler := protocompile.Compiler{
		Resolver: protocompile.WithStandardImports(&protocompile.SourceResolver{ImportPaths: folders, Accessor: open}),
		Reporter: reporter.NewReporter(func(err reporter.ErrorWithPos) error {
			if found = append(found, fmt.Errorf("%s: %w", err.GetPosition(), err.Unwrap())); len(found) == maxErrors {
				return err
			}
			return nil
		}, nil),
	}
	if opts.Comments {
		compiler.SourceInfoMode = protocompile.SourceInfoStandard
	}
	files, err := compiler.Compile(context.Background(), name)
	switch {
	case len(found) > 0:
		return nil, explain(errors.Join(found...), folders)
	case err != nil:
		return nil, explain(err, folders)
	}
	return files[0], nil
}

// place is a file's name as others import it, and the folders where imports are
// looked for. A file that lies in one of the include folders is named from there:
// under two names it would declare everything twice.
func place(path string, include []string) (name string, folders []string) {
	for _, dir := range include {
		rel, err := filepath.Rel(dir, path)
		if err == nil && filepath.IsLocal(rel) && (name == "" || len(rel) < len(name)) {
			name = filepath.ToSlash(rel)
		}
	}
	folders = append(folders, include...)
	if name == "" {
		name = filepath.Base(path)
		// Its own folder goes first, so that the name means this file.
		return name, append([]string{filepath.Dir(path)}, folders...)
	}
	return name, append(folders, filepath.Dir(path))
}

func open(path string) (io.ReadCloser, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxFile {
		return nil, fmt.Errorf("%s has %d bytes, more than the %d that a .proto file may have", path, info.Size(), maxFile)
	}
	return os.Open(path)
}

// brief is an error of the file system without the system call.
func brief(err error) error {
	var at *os.PathError
	if errors.As(err, &at) {
		return fmt.Errorf("%s: %w", at.Path, at.Err)
	}
	return err
}

// explain says what to do about an import that was not found.
func explain(err error, folders []string) error {
	text := err.Error()
	if !errors.Is(err, os.ErrNotExist) && !strings.Contains(text, "no such file") && !strings.Contains(text, "could not resolve") {
		return err
	}
	return fmt.Errorf("%w; imports are looked for in %s: add the folder that holds it to `include`", err, strings.Join(folders, ", "))
}
