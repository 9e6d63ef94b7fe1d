// Package project knows what makes a folder a Tow project: the tow.toml at its
// root, and the files that a new project begins with.
//
//	p, err := project.Find("shop/market") // walks up to shop/tow.toml
//	fmt.Println(p.Name, p.Root)
//
// A mistake in a tow.toml is an *Invalid, whose diagnostics have a place.
package project

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"towpath.dev/internal/lang/diag"
	"towpath.dev/internal/lang/span"
)

// File is the name of the file that makes a folder a project.
const File = "tow.toml"

// Project is a folder with a tow.toml.
type Project struct {
	Root string // the folder, as an operating system's path
	Name string // what the program is called in artifacts and on servers
}

// FS is the project's files.
func (p *Project) FS() fs.FS { return os.DirFS(p.Root) }

// Invalid is a tow.toml that cannot be used.
type Invalid struct{ Diags []*diag.Diagnostic }

func (e *Invalid) Error() string {
	lines := make([]string, len(e.Diags))
	for i, d := range e.Diags {
		lines[i] = d.At.String() + ": " + d.Message
	}
	return strings.Join(lines, "\n")
}

// ErrNone says that neither a folder nor any above it is a project.
var ErrNone = errors.New("no project")

// Find reads the project that the folder dir is, or lies in. The error wraps
// ErrNone when there is none, or is an *Invalid.
func Find(dir string) (*Project, error) {
	start, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(start)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("%s is a file; name the project's folder", dir)
	}
	for root := start; ; root = filepath.Dir(root) {
		if _, err := os.Stat(filepath.Join(root, File)); err == nil {
			return Load(root)
		}
		if root == filepath.Dir(root) {
			return nil, fmt.Errorf("%w: there is no %s in %s or in a folder above it; \"tow new NAME\" makes a project", ErrNone, File, start)
		}
	}
}

// Load reads the project whose root is the folder.
func Load(root string) (*Project, error) {
	path := filepath.Join(root, File)
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	name, err := parse(text)
	if err != nil {
		return nil, err
	}
	return &Project{Root: root, Name: name}, nil
}

// config is a tow.toml.
type config struct {
	Name *string        `toml:"name"`
	Dev  map[string]any `toml:"dev"` // see ReadDev
}

// parse reads a tow.toml into the project's name.
func parse(text []byte) (name string, err error) {
	file := span.NewFile(File, text)
	var c config
	decoder := toml.NewDecoder(strings.NewReader(string(text))).DisallowUnknownFields()
	if err := decoder.Decode(&c); err != nil {
		return "", invalid(file, err)
	}
	if c.Name == nil {
		d := complain(file.Span(0, 0), "the project has no name")
		return "", &Invalid{[]*diag.Diagnostic{d.FixWith("write `name = \"shop\"`", file.Span(0, 0), "name = \"shop\"\n")}}
	}
	if why := CheckName(*c.Name); why != nil {
		at := file.Span(0, 0)
		if i := strings.Index(string(text), *c.Name); i >= 0 && *c.Name != "" {
			at = file.Span(i, i+len(*c.Name))
		}
		return "", &Invalid{[]*diag.Diagnostic{complain(at, "%s", why)}}
	}
	return *c.Name, nil
}

func complain(at span.Span, format string, args ...any) *diag.Diagnostic {
	return &diag.Diagnostic{At: at, Message: fmt.Sprintf(format, args...)}
}

// invalid gives the decoder's errors a place.
func invalid(file *span.File, err error) error {
	var unknown *toml.StrictMissingError
	if errors.As(err, &unknown) {
		out := &Invalid{}
		for i := range unknown.Errors {
			e := &unknown.Errors[i]
			key := strings.Join(e.Key(), ".")
			d := complain(position(file, e, len(key)), "there is no setting `%s`", key)
			out.Diags = append(out.Diags, d.Note(span.Span{}, "a %s holds `name` and the table `dev`", File))
		}
		return out
	}
	var broken *toml.DecodeError
	if errors.As(err, &broken) {
		message := strings.TrimPrefix(broken.Error(), "toml: ")
		if len(broken.Key()) > 0 && !strings.Contains(message, "already") {
			message = fmt.Sprintf("`%s` is a text in quotes, as in `name = \"shop\"`", strings.Join(broken.Key(), "."))
		}
		return &Invalid{[]*diag.Diagnostic{complain(position(file, broken, 1), "%s", message)}}
	}
	return &Invalid{[]*diag.Diagnostic{complain(file.Span(0, 0), "%s", strings.TrimPrefix(err.Error(), "toml: "))}}
}

// position is the place of a decoder's error. Its rows and columns count from
// 1, columns in bytes.
func position(file *span.File, e *toml.DecodeError, width int) span.Span {
	row, column := e.Position()
	start := file.LineStart(row) + column - 1
	return file.Span(start, start+width)
}

var nameForm = regexp.MustCompile(`^[a-z][a-z0-9-]*[a-z0-9]$|^[a-z]$`)

// maxName bounds a project's name: it becomes part of file names and of labels.
const maxName = 63

// CheckName says what is wrong with a project's name; nil when nothing is.
func CheckName(name string) error {
	switch {
	case name == "":
		return errors.New("the project's name is empty")
	case len(name) > maxName:
		return fmt.Errorf("the project's name has %d characters; it may have %d", len(name), maxName)
	case !nameForm.MatchString(name):
		return fmt.Errorf("`%s` cannot name a project: a name has small letters, digits and hyphens, and begins with a letter", name)
	}
	return nil
}
