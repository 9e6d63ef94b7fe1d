// Package txtar reads and writes archives of small text files for tests: a
// comment, then files, each after a line with its name.
//
//	What this archive shows.
//	-- in.tow --
//	fn f() -> Int { 1 }
//	-- out.tow --
//	…
package txtar

import "strings"

// Archive is a comment and files in order.
type Archive struct {
	Comment string
	Files   []File
}

// File is one file; its text ends with a newline unless it is empty.
type File struct{ Name, Text string }

// Parse reads an archive. Every text is one.
func Parse(text string) *Archive {
	a := &Archive{}
	into := &a.Comment
	for text != "" {
		line, rest, found := strings.Cut(text, "\n")
		text = rest
		if name, ok := marker(line); ok {
			a.Files = append(a.Files, File{Name: name})
			into = &a.Files[len(a.Files)-1].Text
			continue
		}
		*into += line
		if found || len(a.Files) > 0 {
			*into += "\n"
		}
	}
	return a
}

func marker(line string) (name string, ok bool) {
	line = strings.TrimSuffix(line, "\r")
	if !strings.HasPrefix(line, "-- ") || !strings.HasSuffix(line, " --") || len(line) < 7 {
		return "", false
	}
	return line[3 : len(line)-3], true
}

// Get is the text of a file and whether the archive has it.
func (a *Archive) Get(name string) (string, bool) {
	for _, f := range a.Files {
		if f.Name == name {
			return f.Text, true
		}
	}
	return "", false
}

// Set replaces a file's text or appends the file.
func (a *Archive) Set(name, text string) {
	if text != "" && !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	for i := range a.Files {
		if a.Files[i].Name == name {
			a.Files[i].Text = text
			return
		}
	}
	a.Files = append(a.Files, File{name, text})
}

// String writes the archive so that Parse reads the same again.
func (a *Archive) String() string {
	var b strings.Builder
	b.WriteString(a.Comment)
	for _, f := range a.Files {
		b.WriteString("-- " + f.Name + " --\n" + f.Text)
	}
	return b.String()
}
