package diag

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"towpath.dev/internal/lang/span"
)

// Options say how diagnostics are shown. The zero Options show all of them,
// without colour.
type Options struct {
	Color bool // with ANSI escapes, for a terminal
	Limit int  // show at most so many, then count the rest; 0 shows all
}

// Text shows diagnostics to a person:
//
//	error[TW0122]: `=` gives a name to a value; values are compared with `==`
//	  --> shop/pricing.tow:2:8
//	  |
//	2 |   if a = b {
//	  |        ^
//	  = expected `==`, found `=`
//	  = fix: write `==`
//
// Its error is the writer's.
func Text(w io.Writer, diagnostics []*Diagnostic, o Options) error {
	b := bufio.NewWriter(w)
	r := renderer{b, o.Color}
	shown := cut(diagnostics, o.Limit)
	for i, d := range shown {
		if i > 0 {
			b.WriteByte('\n')
		}
		r.diagnostic(d)
	}
	if more := len(diagnostics) - len(shown); more > 0 {
		fmt.Fprintf(b, "\n… and %d more\n", more)
	}
	return b.Flush()
}

func cut(diagnostics []*Diagnostic, limit int) []*Diagnostic {
	if limit > 0 && len(diagnostics) > limit {
		return diagnostics[:limit]
	}
	return diagnostics
}

// String is the diagnostic as Text shows it, without colour.
func (d *Diagnostic) String() string {
	var b strings.Builder
	_ = Text(&b, []*Diagnostic{d}, Options{}) // a Builder never fails
	return b.String()
}

type renderer struct {
	*bufio.Writer
	color bool
}

// The styles of a terminal.
const (
	bold   = "1"
	red    = "1;31"
	yellow = "1;33"
	blue   = "1;34"
	green  = "1;32"
)

func (r renderer) style(style, text string) string {
	if !r.color {
		return text
	}
	return "\x1b[" + style + "m" + text + "\x1b[0m"
}

func (r renderer) diagnostic(d *Diagnostic) {
	tone := red
	if d.Severity == Warning {
		tone = yellow
	}
	label := d.Severity.String()
	if d.Code != "" {
		label += "[" + string(d.Code) + "]"
	}
	fmt.Fprintf(r, "%s: %s\n", r.style(tone, label), r.style(bold, visible(d.Message)))
	width := r.place(d.At, tone, '^')
	margin := strings.Repeat(" ", width+1) + r.style(blue, "=") + " "
	switch {
	case d.Expected != "" && d.Found != "":
		r.item(margin, "expected "+d.Expected+", found "+d.Found)
	case d.Expected != "":
		r.item(margin, "expected "+d.Expected)
	case d.Found != "":
		r.item(margin, "found "+d.Found)
	}
	for _, n := range d.Notes {
		r.item(margin, "note: "+n.Text)
		if n.At.IsValid() {
			r.place(n.At, blue, '-')
		}
	}
	if d.Fix != nil {
		r.item(margin, r.style(green, "fix:")+" "+d.Fix.Title)
	}
}

// item writes text after the margin, further lines of it indented.
func (r renderer) item(margin, text string) {
	indent := strings.Repeat(" ", strings.IndexAny(margin, "=\x1b")+2)
	for i, line := range strings.Split(text, "\n") {
		if i == 0 {
			fmt.Fprintf(r, "%s%s\n", margin, visible(line))
		} else {
			fmt.Fprintf(r, "%s%s\n", indent, visible(line))
		}
	}
}

// place shows where a span begins, underlined, and gives the width of the
// line number.
func (r renderer) place(at span.Span, tone string, mark byte) int {
	if !at.IsValid() {
		return 1
	}
	line, _ := at.File.Position(at.Start)
	number := fmt.Sprint(line)
	blank := strings.Repeat(" ", len(number))
	bar := r.style(blue, "|")
	fmt.Fprintf(r, "%s%s %s\n", blank, r.style(blue, "-->"), at)
	fmt.Fprintf(r, "%s %s\n", blank, bar)
	before, marked, after := window(at, line)
	fmt.Fprintf(r, "%s %s %s%s%s\n", r.style(blue, number), bar, before, marked, after)
	marks := strings.Repeat(string(mark), max(1, columns(marked)))
	fmt.Fprintf(r, "%s %s %s%s\n", blank, bar, strings.Repeat(" ", columns(before)), r.style(tone, marks))
	return len(number)
}

// window cuts a span's first line into what stands before it, in it and after
// it, made visible and shortened to what fits a screen.
func window(at span.Span, line int) (before, marked, after string) {
	const around, inside = 80, 160 // characters
	text := string(at.File.Line(line))
	start := min(at.Start-at.File.LineStart(line), len(text))
	end := min(max(start, at.End-at.File.LineStart(line)), len(text))
	// A line may be long and have many diagnostics: little of it is looked at.
	before, marked, after = visible(last(text[:start], around+1)), visible(first(text[start:end], inside+1)), visible(first(text[end:], around+1))
	if r := []rune(before); len(r) > around {
		before = "…" + string(r[len(r)-around:])
	}
	if r := []rune(marked); len(r) > inside {
		return before, string(r[:inside]) + "…", ""
	}
	if r := []rune(after); len(r) > around {
		after = string(r[:around]) + "…"
	}
	return before, marked, after
}

// first is a beginning of a text with at least so many of its characters, or the
// whole; last is an end of it.
func first(text string, characters int) string {
	end := min(len(text), characters*utf8.UTFMax)
	for n := 1; n < utf8.UTFMax && end < len(text) && !utf8.RuneStart(text[end]); n++ {
		end++
	}
	return text[:end]
}

func last(text string, characters int) string {
	start := max(0, len(text)-characters*utf8.UTFMax)
	for n := 1; n < utf8.UTFMax && start > 0 && !utf8.RuneStart(text[start]); n++ {
		start--
	}
	return text[start:]
}

// visible replaces what a terminal would not show as one character.
func visible(text string) string {
	plain := true
	for i := range len(text) {
		if c := text[i]; c < ' ' || c > '~' {
			plain = false
			break
		}
	}
	if plain {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		switch {
		case r == '\t':
			b.WriteString("    ")
		case r == '\x1b':
			b.WriteString("␛")
		case r == 0xFFFD || unicode.IsPrint(r):
			b.WriteRune(r)
		default:
			fmt.Fprintf(&b, "<U+%04X>", r)
		}
	}
	return b.String()
}

// columns counts the cells of a terminal that text takes.
func columns(text string) int {
	n := 0
	for _, r := range text {
		switch {
		case unicode.Is(unicode.Mn, r):
		case 0x1100 <= r && r <= 0x115F, 0x2E80 <= r && r <= 0xA4CF, 0xAC00 <= r && r <= 0xD7A3,
			0xF900 <= r && r <= 0xFAFF, 0xFE30 <= r && r <= 0xFE6F, 0xFF00 <= r && r <= 0xFF60, 0x1F300 <= r && r <= 0x1FAFF:
			n += 2
		default:
			n++
		}
	}
	return n
}

// record is a diagnostic in JSON. Lines and columns count from 1, columns in
// characters; an end is the place after the last character.
type record struct {
	Code     Code   `json:"code"`
	Severity string `json:"severity"`
	File     string `json:"file"`
	place
	Message  string       `json:"message"`
	Expected string       `json:"expected,omitempty"`
	Found    string       `json:"found,omitempty"`
	Notes    []noteRecord `json:"notes,omitempty"`
	Fix      *fixRecord   `json:"fix,omitempty"`
}

type place struct {
	Line      int `json:"line"`
	Column    int `json:"column"`
	EndLine   int `json:"endLine"`
	EndColumn int `json:"endColumn"`
}

type noteRecord struct {
	Text string `json:"text"`
	File string `json:"file,omitempty"`
	*place
}

type fixRecord struct {
	Title string       `json:"title"`
	Edits []editRecord `json:"edits"`
}

type editRecord struct {
	StartLine   int    `json:"startLine"`
	StartColumn int    `json:"startColumn"`
	EndLine     int    `json:"endLine"`
	EndColumn   int    `json:"endColumn"`
	New         string `json:"new"`
}

// JSON shows diagnostics to a program: one object a line. Beyond a limit the
// last line is {"more": N}. A diagnostic without a place has line 0. The error
// is the writer's.
func JSON(w io.Writer, diagnostics []*Diagnostic, limit int) error {
	b := bufio.NewWriter(w)
	e := json.NewEncoder(b)
	e.SetEscapeHTML(false)
	shown := cut(diagnostics, limit)
	for _, d := range shown {
		if err := e.Encode(toRecord(d)); err != nil {
			return err
		}
	}
	if more := len(diagnostics) - len(shown); more > 0 {
		if err := e.Encode(map[string]int{"more": more}); err != nil {
			return err
		}
	}
	return b.Flush()
}

func toRecord(d *Diagnostic) record {
	r := record{Code: d.Code, Severity: d.Severity.String(), File: pathOf(d.At), place: placeOf(d.At),
		Message: d.Message, Expected: d.Expected, Found: d.Found}
	for _, n := range d.Notes {
		note := noteRecord{Text: n.Text}
		if n.At.IsValid() {
			at := placeOf(n.At)
			note.File, note.place = pathOf(n.At), &at
		}
		r.Notes = append(r.Notes, note)
	}
	if d.Fix != nil {
		r.Fix = &fixRecord{Title: d.Fix.Title}
		for _, edit := range d.Fix.Edits {
			at := placeOf(edit.At)
			r.Fix.Edits = append(r.Fix.Edits, editRecord{at.Line, at.Column, at.EndLine, at.EndColumn, edit.New})
		}
	}
	return r
}

func pathOf(at span.Span) string {
	if !at.IsValid() {
		return ""
	}
	return at.File.Path
}

func placeOf(at span.Span) (p place) {
	if at.IsValid() {
		p.Line, p.Column = at.File.Position(at.Start)
		p.EndLine, p.EndColumn = at.File.Position(at.End)
	}
	return p
}
