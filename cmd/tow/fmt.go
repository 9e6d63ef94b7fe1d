// tow fmt: the one style.

package main

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/rogpeppe/go-internal/diff"
	"github.com/spf13/cobra"

	"towpath.dev/internal/lang/format"
	"towpath.dev/internal/lang/span"
)

func fmtCommand(u *ui) *cobra.Command {
	f := &formatting{ui: u}
	c := &cobra.Command{
		Use:   "fmt [PATH...]",
		Short: "Format sources in the one style",
		Long: `Rewrite .tow files in the one style that Tow has, and print the names of those
that changed. A PATH is a file, or a folder whose files are meant, also those in
folders below (default: the current folder). "-" formats the input to the
output. A file with syntax errors is left as it is.

With --list or --diff nothing is written, and the exit code is 1 if any file is
not formatted, so that they serve as a check before a commit.`,
		Example: "  tow fmt\n  tow fmt --diff market/pricing.tow\n  tow fmt - < draft.tow",
		RunE:    func(_ *cobra.Command, args []string) error { return f.run(args) },
	}
	c.Flags().BoolVarP(&f.list, "list", "l", false, "only print the names of files that are not formatted")
	c.Flags().BoolVarP(&f.diff, "diff", "d", false, "only print what would change, as a unified diff")
	return c
}

// formatting is one run of tow fmt.
type formatting struct {
	*ui
	list, diff bool

	broken  bool // some file has syntax errors
	changed bool // some file is not formatted
}

func (f *formatting) run(args []string) error {
	if len(args) == 0 {
		args = []string{"."}
	}
	for _, arg := range args {
		var err error
		if arg == "-" {
			err = f.stream()
		} else {
			err = f.path(arg)
		}
		if err != nil {
			return err
		}
	}
	if f.broken || f.changed && (f.list || f.diff) {
		return errWrong
	}
	return nil
}

// stream formats the input to the output.
func (f *formatting) stream() error {
	text, err := io.ReadAll(f.in)
	if err != nil {
		return err
	}
	formatted, ok := f.format("-", text)
	switch {
	case !ok:
		return nil
	case f.list || f.diff:
		return f.report("-", text, formatted)
	}
	_, err = f.out.Write(formatted)
	return err
}

// path formats a file, or the files below a folder. Hidden folders and those
// that begin with an underscore are left out, as the compiler does.
func (f *formatting) path(root string) error {
	return filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if path != root && strings.HasPrefix(entry.Name(), ".") || path != root && strings.HasPrefix(entry.Name(), "_") {
			if entry.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if entry.IsDir() {
			return nil
		}
		if filepath.Ext(path) != ".tow" {
			if path == root {
				return usage{fmt.Errorf("%s is no .tow file", path), "tow fmt"}
			}
			return nil
		}
		return f.file(path)
	})
}

func (f *formatting) file(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	formatted, ok := f.format(filepath.ToSlash(path), text)
	if !ok || bytes.Equal(text, formatted) {
		return nil
	}
	f.changed = true
	if f.list || f.diff {
		return f.report(path, text, formatted)
	}
	fmt.Fprintln(f.out, path)
	return replace(path, formatted)
}

// format gives a text's form. Syntax errors are printed; then it is not ok.
func (f *formatting) format(name string, text []byte) ([]byte, bool) {
	formatted, problems := format.Source(span.NewFile(name, text))
	if problems.HasErrors() {
		f.broken = true
		f.diagnostics(problems.All)
		return nil, false
	}
	return formatted, true
}

// report says that a text is not formatted, as --list or --diff want it.
func (f *formatting) report(path string, text, formatted []byte) error {
	if bytes.Equal(text, formatted) {
		return nil
	}
	f.changed = true
	if f.list {
		fmt.Fprintln(f.out, path)
	}
	if f.diff {
		f.paintDiff(diff.Diff(path, text, path+" (formatted)", formatted))
	}
	return nil
}

func (f *formatting) paintDiff(lines []byte) {
	for line := range bytes.Lines(lines) {
		style := ""
		switch {
		case bytes.HasPrefix(line, []byte("diff ")):
			continue
		case bytes.HasPrefix(line, []byte("+++")), bytes.HasPrefix(line, []byte("---")):
			style = bold
		case line[0] == '+':
			style = green
		case line[0] == '-':
			style = red
		case line[0] == '@':
			style = cyan
		}
		text := strings.TrimSuffix(string(line), "\n")
		fmt.Fprintln(f.out, paint(f.outColor && style != "", style, text))
	}
}

// replace writes a file anew in one step, so that whatever stops us leaves the
// old text or the new one.
func replace(path string, text []byte) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	temp, err := os.CreateTemp(filepath.Dir(path), ".tow-*")
	if err != nil {
		return err
	}
	defer os.Remove(temp.Name()) // gone already when all went well
	if _, err := temp.Write(text); err != nil {
		temp.Close()
		return err
	}
	if err := temp.Close(); err != nil {
		return err
	}
	if err := os.Chmod(temp.Name(), info.Mode().Perm()); err != nil {
		return err
	}
	return os.Rename(temp.Name(), path)
}
