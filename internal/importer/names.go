// Names: what a document calls things, as Tow may call them.

package importer

import (
	"maps"
	"strconv"
	"strings"
	"unicode"
)

var keywords = set("as", "const", "else", "false", "fn", "if", "import", "is", "let", "match", "optional", "pub", "service", "true", "type", "view", "within")

// upperTaken are the names of the standard library that are written here; others,
// as Order, may be declared anew.
var upperTaken = set("Bool", "Int", "Float", "Decimal", "Money", "String", "Duration", "Instant", "Date", "Json", "List", "Map", "Set", "Option", "Some", "None")

func set(names ...string) map[string]bool {
	out := map[string]bool{}
	for _, n := range names {
		out[n] = true
	}
	return out
}

// names keeps the names of one space apart.
type names struct {
	taken map[string]bool
	kept  map[string]bool // for those that claim them
}

func newNames(taken map[string]bool) *names {
	return &names{taken: maps.Clone(taken), kept: map[string]bool{}}
}

// claim is a name that may have been kept, or another if it is taken.
func (n *names) claim(candidates ...string) string {
	if first := candidates[0]; n.kept[first] {
		delete(n.kept, first)
		n.taken[first] = true
		return first
	}
	return n.pick(candidates...)
}

// pick is the first candidate that is free, or the last with the least number
// that makes it so.
func (n *names) pick(candidates ...string) string {
	for _, c := range candidates {
		if !n.taken[c] && !n.kept[c] {
			n.taken[c] = true
			return c
		}
	}
	last := candidates[len(candidates)-1]
	for i := 2; ; i++ {
		if c := last + strconv.Itoa(i); !n.taken[c] && !n.kept[c] {
			n.taken[c] = true
			return c
		}
	}
}

const maxName = 64 // characters; names made of long texts are cut

// words takes a text apart: at what is neither letter nor digit, and where small
// letters or digits turn into capitals, as in "HTTPServer-name2".
func words(text string) []string {
	var out []string
	var word []rune
	flush := func() {
		if len(word) > 0 {
			out = append(out, string(word))
		}
		word = nil
	}
	runes := []rune(text)
	for i, r := range runes {
		switch {
		case r > unicode.MaxASCII || !unicode.IsLetter(r) && !unicode.IsDigit(r):
			flush()
			continue
		case i > 0 && unicode.IsUpper(r) && !unicode.IsUpper(runes[i-1]):
			flush()
		case i > 0 && i+1 < len(runes) && unicode.IsUpper(r) && unicode.IsUpper(runes[i-1]) && runes[i+1] >= 'a' && runes[i+1] <= 'z':
			flush()
		}
		word = append(word, r)
	}
	flush()
	return out
}

// upper is a name in UpperCamel: "order_item" is OrderItem, "NEW" is New. What has
// no letters at all is def with the digits behind it.
func upper(text, def string) string {
	var b strings.Builder
	for _, w := range words(text) {
		if b.Len()+len(w) > maxName {
			break
		}
		b.WriteString(strings.ToUpper(w[:1]))
		b.WriteString(strings.ToLower(w[1:]))
	}
	name := b.String()
	if name == "" || name[0] >= '0' && name[0] <= '9' {
		name = def + name
	}
	return name
}

// lower is a name in lowerCamel: "seller_id" is sellerId.
func lower(text, def string) string {
	name := upper(text, "")
	if name == "" || name[0] >= '0' && name[0] <= '9' {
		name = def + name
	} else {
		name = strings.ToLower(name[:1]) + name[1:]
	}
	if keywords[name] {
		name += "_"
	}
	return name
}

// cut shortens a name that became long.
func cut(name string) string {
	if len(name) > 2*maxName {
		return name[:2*maxName]
	}
	return name
}

// quoted is a text as Tow's strings write it.
func quoted(text string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range text {
		switch {
		case r == '"' || r == '\\' || r == '{' || r == '}':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == '\r':
			b.WriteString(`\r`)
		case !isPlain(r):
			b.WriteString(`\u{` + strconv.FormatInt(int64(r), 16) + `}`)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// isPlain reports whether a character may stand in a source as it is: see "Source
// text" in docs/spec.md.
func isPlain(r rune) bool {
	switch {
	case r < ' ' || r >= 0x7f && r < 0xa0 || r == 0xfeff || r == unicode.ReplacementChar,
		r == 0x2028 || r == 0x2029 || r == 0x061c || r == 0x200e || r == 0x200f,
		r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069:
		return false
	}
	return unicode.IsPrint(r)
}

const (
	maxDocWidth = 88 // characters of a line
	maxDocLines = 12
)

// docLines breaks a text into lines of documentation.
func docLines(text string) []string {
	text = strings.Map(func(r rune) rune {
		switch {
		case r == '\n':
			return r
		case !isPlain(r):
			return ' '
		}
		return r
	}, strings.ReplaceAll(text, "\r\n", "\n"))
	var out []string
	for _, paragraph := range strings.Split(strings.TrimSpace(text), "\n") {
		line := ""
		for _, w := range strings.Fields(paragraph) {
			if line != "" && len(line)+1+len(w) > maxDocWidth {
				out = append(out, line)
				line = ""
			}
			if line != "" {
				line += " "
			}
			line += w
		}
		if line != "" || len(out) > 0 && out[len(out)-1] != "" {
			out = append(out, line)
		}
	}
	for len(out) > 0 && out[len(out)-1] == "" {
		out = out[:len(out)-1]
	}
	if len(out) > maxDocLines {
		out = append(out[:maxDocLines-1], "…")
	}
	return out
}
