// Text: the module as Tow, and its environment as TOML.

package importer

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
)

// text is the module before it is formatted.
func (m *module) text() []byte {
	var b bytes.Buffer
	for _, line := range docLines(m.doc) {
		fmt.Fprintf(&b, "//// %s\n", line)
	}
	for _, d := range m.types {
		b.WriteByte('\n')
		d.print(&b)
	}
	for _, s := range m.services {
		b.WriteByte('\n')
		s.print(&b)
	}
	return b.Bytes()
}

func doc(b *bytes.Buffer, text string) {
	for _, line := range docLines(text) {
		fmt.Fprintf(b, "/// %s\n", line)
	}
}

func (d *decl) print(b *bytes.Buffer) {
	doc(b, d.doc)
	if !d.variant {
		fmt.Fprintf(b, "pub type %s {\n", d.name)
		for _, f := range d.fields {
			f.print(b)
			b.WriteByte('\n')
		}
		b.WriteString("}\n")
		return
	}
	fmt.Fprintf(b, "pub type %s =\n", d.name)
	for _, a := range d.alternatives {
		b.WriteString("|\n")
		doc(b, a.doc)
		if a.json != "" {
			fmt.Fprintf(b, "@json(%s) ", quoted(a.json))
		}
		b.WriteString(a.name)
		if a.bare {
			fmt.Fprintf(b, "(%s)", a.fields[0].typ)
		} else if len(a.fields) > 0 {
			b.WriteString("(\n")
			for _, f := range a.fields {
				f.print(b)
				b.WriteString(",\n")
			}
			b.WriteString(")")
		}
		b.WriteByte('\n')
	}
}

func (f *member) print(b *bytes.Buffer) {
	doc(b, f.doc)
	if f.json != "" {
		fmt.Fprintf(b, "@json(%s) ", quoted(f.json))
	}
	fmt.Fprintf(b, "%s: %s", f.name, f.typ)
	if f.def != "" {
		fmt.Fprintf(b, " = %s", f.def)
	}
}

func (s *service) print(b *bytes.Buffer) {
	doc(b, s.doc)
	fmt.Fprintf(b, "pub service %s {\n", s.name)
	for _, op := range s.ops {
		doc(b, op.doc)
		fmt.Fprintf(b, "fn %s(", op.name)
		for i := range op.params {
			if i > 0 {
				b.WriteString(", ")
			}
			p := op.params[i]
			p.doc, p.json = "", "" // said with the operation; parameters have no other names
			p.print(b)
		}
		fmt.Fprintf(b, ") -> %s", op.result)
		if op.idempotent {
			b.WriteString(" idempotent")
		}
		b.WriteByte('\n')
	}
	b.WriteString("}\n")
}

// connection is a [sources.X] table.
type connection struct {
	name     string
	comments []string // above it
	settings []setting
	notes    []string // lines below, commented out
}

// environment is the TOML that binds the module's services.
func (m *module) environment() []byte {
	var b bytes.Buffer
	comment := func(lines []string) {
		for _, line := range lines {
			fmt.Fprintf(&b, "# %s\n", oneLine(line))
		}
	}
	comment(m.source.comments)
	fmt.Fprintf(&b, "[sources.%s]\n", tomlKey(m.source.name))
	for _, s := range m.source.settings {
		fmt.Fprintf(&b, "%s = %s\n", s.key, s.value)
	}
	comment(m.source.notes)
	for _, s := range m.services {
		fmt.Fprintf(&b, "\n[services.%s]\nsource = %s\n", s.name, tomlText(m.source.name))
		for _, op := range s.ops {
			fmt.Fprintf(&b, "\n[services.%s.%s]\n", s.name, op.name)
			for _, s := range op.settings {
				if s.key == "#" {
					comment([]string{s.value})
					continue
				}
				fmt.Fprintf(&b, "%s = %s\n", s.key, s.value)
			}
		}
	}
	return b.Bytes()
}

func oneLine(text string) string {
	return strings.Map(func(r rune) rune {
		if !isPlain(r) {
			return ' '
		}
		return r
	}, text)
}

// tomlKey is a name as a bare key, or quoted.
func tomlKey(name string) string {
	for _, c := range name {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_') {
			return tomlText(name)
		}
	}
	if name == "" {
		return `""`
	}
	return name
}

// tomlText is a text in quotes.
func tomlText(text string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range text {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case !isPlain(r):
			fmt.Fprintf(&b, `\U%08x`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// count is a number as TOML and Tow write it.
func count(n int64) string { return strconv.FormatInt(n, 10) }
