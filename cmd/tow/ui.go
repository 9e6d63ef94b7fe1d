// What the commands talk to: the streams, and how text is put on them.

package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"
	"strings"

	"golang.org/x/term"

	"towpath.dev/internal/lang/diag"
	"towpath.dev/internal/project"
)

// ui is where a command reads and writes.
type ui struct {
	in       io.Reader
	out, err io.Writer
	// Whether there may be colours on out and on err.
	outColor, errColor bool
	// Whether a person types what is read from in, and reads what is put on out.
	inTerminal, outTerminal bool
	// Whether out takes more than ASCII.
	unicode bool
}

// terminal is the process's own streams. Colours need a terminal, and that
// NO_COLOR (see no-color.org) is not set.
func terminal() *ui {
	colors := os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	isTerminal := func(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }
	return &ui{
		in: os.Stdin, out: os.Stdout, err: os.Stderr,
		outColor:   colors && isTerminal(os.Stdout),
		errColor:   colors && isTerminal(os.Stderr),
		inTerminal: isTerminal(os.Stdin), outTerminal: isTerminal(os.Stdout),
		unicode: isUTF8(os.Getenv("LC_ALL"), os.Getenv("LC_CTYPE"), os.Getenv("LANG")),
	}
}

// isUTF8 reports whether the first of a locale's variables that is set names
// UTF-8. Where none is (the C locale), a Unix terminal need not know more than
// ASCII; Windows has no such variables.
func isUTF8(locale ...string) bool {
	for _, l := range locale {
		if l != "" {
			l = strings.ToLower(l)
			return strings.Contains(l, "utf-8") || strings.Contains(l, "utf8")
		}
	}
	return runtime.GOOS == "windows"
}

// The styles of a terminal.
const (
	bold  = "1"
	dim   = "2"
	red   = "1;31"
	green = "1;32"
	cyan  = "36"
)

func paint(color bool, style, text string) string {
	if !color {
		return text
	}
	return "\x1b[" + style + "m" + text + "\x1b[0m"
}

// fail prints why a command cannot go on.
func (u *ui) fail(err error) {
	var invalid *project.Invalid
	if errors.As(err, &invalid) {
		u.diagnostics(invalid.Diags)
		return
	}
	message := strings.TrimRight(err.Error(), "\n")
	var path *fs.PathError
	if errors.As(err, &path) {
		// Which system call it was helps nobody.
		message = strings.Replace(message, path.Error(), path.Path+": "+path.Err.Error(), 1)
	}
	if strings.Contains(message, "\n") {
		message += "\n" // room after what is to be copied
	}
	if command, rest, ok := strings.Cut(message, " "); ok && command == "tow" {
		fmt.Fprintf(u.err, "%s %s\n", paint(u.errColor, red, command), rest)
		return
	}
	fmt.Fprintf(u.err, "%s %s\n", paint(u.errColor, red, "tow:"), message)
}

// diagnostics prints what is wrong with sources.
func (u *ui) diagnostics(all []*diag.Diagnostic) {
	_ = diag.Text(u.err, all, diag.Options{Color: u.errColor, Limit: maxShown}) // nobody is left to tell
}

// maxShown is how many diagnostics are shown at once; one mistake at the top
// of a file of thousands of lines is read first, the rest later.
const maxShown = 100

// count is "1 file", "2 files".
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// quotedList is `"a", "b" or "c"`.
func quotedList(names []string, conjunction string) string {
	quoted := make([]string, len(names))
	for i, n := range names {
		quoted[i] = fmt.Sprintf("%q", n)
	}
	if len(quoted) < 2 {
		return strings.Join(quoted, "")
	}
	last := len(quoted) - 1
	return strings.Join(quoted[:last], ", ") + " " + conjunction + " " + quoted[last]
}

// size is a number of bytes as people read it.
func size(n int) string {
	switch {
	case n < 10_000:
		return count(n, "byte")
	case n < 10_000_000:
		return fmt.Sprintf("%d KiB", (n+512)/1024)
	}
	return fmt.Sprintf("%d MiB", (n+512*1024)/(1024*1024))
}
