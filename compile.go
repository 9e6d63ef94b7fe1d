package towpath

import (
	"fmt"
	"io/fs"
	"strings"

	"towpath.dev/internal/lang/compile"
	"towpath.dev/internal/lang/diag"
	"towpath.dev/internal/project"
)

// CompileDir compiles the project that a folder is, or lies in: the nearest
// folder with a tow.toml, upwards. The error is a *CompileError when the
// program is at fault.
func CompileDir(dir string) ([]byte, error) {
	p, err := project.Find(dir)
	if err != nil {
		return nil, err
	}
	return Compile(p.FS(), p.Name)
}

// Compile compiles the sources in a file system, "market/shop.tow" being the
// module market/shop; other files are not looked at. The name is the program's
// own, for people, and may be "". The same sources and name give the same bytes.
//
// The error is a *CompileError when the program is at fault.
func Compile(sources fs.FS, name string) ([]byte, error) {
	res, err := compile.Build(sources, compile.Options{Name: name})
	if err != nil {
		return nil, err
	}
	if res.Diags.HasErrors() {
		e := &CompileError{}
		for _, d := range res.Diags.All {
			e.Diagnostics = append(e.Diagnostics, newDiagnostic(d))
		}
		return nil, e
	}
	return res.Artifact, nil
}

// CompileError says why a project does not compile.
type CompileError struct {
	Diagnostics []Diagnostic // sorted by place; warnings too
}

// Error is a line for each error.
func (e *CompileError) Error() string {
	var lines []string
	for i := range e.Diagnostics {
		if d := &e.Diagnostics[i]; !d.Warning {
			lines = append(lines, d.String())
		}
	}
	return strings.Join(lines, "\n")
}

// Diagnostic is one thing that the compiler says. `tow explain CODE` says more.
type Diagnostic struct {
	Code     string // "TW0301", stable
	Warning  bool   // else it keeps the project from compiling
	File     string // "market/shop.tow"
	Line     int    // from 1
	Column   int    // from 1, in characters
	Message  string
	Expected string // "" when nothing particular was
	Found    string
}

func newDiagnostic(d *diag.Diagnostic) Diagnostic {
	out := Diagnostic{
		Code: string(d.Code), Warning: d.Severity == diag.Warning,
		Message: d.Message, Expected: d.Expected, Found: d.Found,
	}
	if f := d.At.File; f != nil {
		out.File = f.Path
		out.Line, out.Column = f.Position(d.At.Start)
	}
	return out
}

// String is "market/shop.tow:3:14: error[TW0301]: …".
func (d *Diagnostic) String() string {
	kind := "error"
	if d.Warning {
		kind = "warning"
	}
	return fmt.Sprintf("%s:%d:%d: %s[%s]: %s", d.File, d.Line, d.Column, kind, d.Code, d.Message)
}
