package tester

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"towpath.dev/internal/lang/diag"
)

// Style says how results are shown to a person.
type Style struct {
	Color   bool // with ANSI escapes, for a terminal
	Verbose bool // tests that pass are listed too
	Missing bool // the summary lists the lines that were not reached
}

// Text shows results to a person as they come:
//
//	FAIL  shop: a full basket is delivered for nothing
//	error: the expectation does not hold
//	  --> shop.tow:52:10
//	   |
//	52 |   expect quote("bob", lines).fee == 0 EUR
//	   |          ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
//	   = quote("bob", lines).fee   4.90 EUR
//	   = lines                     [Line { sku: "lamp", … }]
//
// The error is the writer's.
type Text struct {
	W     io.Writer
	Style Style
}

// Result shows one result.
func (t *Text) Result(r *Result) error {
	b := bufio.NewWriter(t.W)
	p := printer{b, t.Style}
	switch {
	case !r.Passed():
		fmt.Fprintf(b, "%s  %s: %s\n", p.paint(red, "FAIL"), r.Module, p.paint(bold, r.Title))
		p.counterexample(r)
		for i, f := range r.Failures {
			if i > 0 {
				b.WriteByte('\n')
			}
			p.failure(f)
		}
	case t.Style.Verbose:
		fmt.Fprintf(b, "%s    %s: %s%s\n", p.paint(green, "ok"), r.Module, r.Title, casesOf(r))
	case len(r.Debug) > 0:
		fmt.Fprintf(b, "%s    %s: %s\n", p.paint(green, "ok"), r.Module, r.Title)
	}
	for _, d := range r.Debug {
		fmt.Fprintf(b, "  %s %s = %s\n", p.paint(blue, d.At.String()+":"), d.Source, d.Text)
	}
	if !r.Passed() {
		b.WriteByte('\n')
	}
	return b.Flush()
}

func casesOf(r *Result) string {
	if !r.Prop {
		return ""
	}
	return fmt.Sprintf(" (%s)", count(r.Cases, "case"))
}

// Summary shows what a run came to.
func (t *Text) Summary(s *Summary) error {
	b := bufio.NewWriter(t.W)
	p := printer{b, t.Style}
	p.coverage(s.Files)
	what := count(s.Tests, "test")
	if s.Props > 0 {
		what += fmt.Sprintf(" and %s of %s", count(s.Props, "property"), count(s.Cases, "case"))
	}
	verdict := p.paint(green, "all passed")
	if s.Failed > 0 {
		verdict = p.paint(red, fmt.Sprintf("%d failed", s.Failed)) + fmt.Sprintf(", %d passed", s.Passed)
	}
	if s.Passed+s.Failed == 0 {
		verdict = "nothing was run"
	}
	if s.Skipped > 0 {
		verdict += fmt.Sprintf(", %d not chosen", s.Skipped)
	}
	fmt.Fprintf(b, "%s: %s\n", what, verdict)
	return b.Flush()
}

type printer struct {
	*bufio.Writer
	style Style
}

// The styles of a terminal.
const (
	bold  = "1"
	red   = "1;31"
	green = "1;32"
	blue  = "34"
)

func (p printer) paint(style, text string) string {
	if !p.style.Color {
		return text
	}
	return "\x1b[" + style + "m" + text + "\x1b[0m"
}

// counterexample shows the inputs for which a prop does not hold.
func (p printer) counterexample(r *Result) {
	if !r.Prop {
		return
	}
	smaller := ""
	if r.Shrinks > 0 {
		smaller = fmt.Sprintf(", made smaller %s", count(r.Shrinks, "time"))
	}
	fmt.Fprintf(p, "case %d of seed %d does not hold%s\n", r.Cases, r.Seed, smaller)
	names := make([][2]string, len(r.Case))
	for i, n := range r.Case {
		names[i] = [2]string{n.Name, n.Text}
	}
	p.table("  ", names, " = ")
}

func (p printer) failure(f *Failure) {
	d := &diag.Diagnostic{At: f.At, Message: f.Message}
	var text strings.Builder
	_ = diag.Text(&text, []*diag.Diagnostic{d}, diag.Options{Color: p.style.Color}) // a Builder never fails
	p.WriteString(text.String())
	line := 1
	if f.At.IsValid() {
		line, _ = f.At.File.Position(f.At.Start)
	}
	margin := strings.Repeat(" ", len(fmt.Sprint(line))+1) + p.paint(blue, "=") + " "
	rows := make([][2]string, len(f.Values))
	for i, v := range f.Values {
		rows[i] = [2]string{shorten(v.Source, 50), shorten(v.Text, 300)}
	}
	p.table(margin, rows, "   ")
	for _, d := range f.Differences {
		expected, found := "expected", "found"
		if d.Sides {
			expected, found = "right", "left"
		}
		fmt.Fprintf(p, "%s%s: %s %s, %s %s\n", margin, p.paint(bold, d.Path), found, shorten(d.Found, 200), expected, shorten(d.Expected, 200))
	}
	for i, frame := range f.Stack {
		by := "called by"
		if i == 0 && f.Kind == Fault {
			by = "in"
		}
		if i == innerFrames && f.Hidden > 0 {
			fmt.Fprintf(p, "%s… and %d more calls between\n", margin, f.Hidden)
		}
		fmt.Fprintf(p, "%s%s %s, %s\n", margin, by, frame.Name, frame.At)
	}
	if f.Note != "" {
		fmt.Fprintf(p, "%snote: %s\n", margin, f.Note)
	}
	if f.Add != "" {
		fmt.Fprintf(p, "%s%s add `%s`, or what it should answer\n", margin, p.paint(green, "fix:"), f.Add)
	}
}

// table writes two columns.
func (p printer) table(margin string, rows [][2]string, gap string) {
	width := 0
	for _, r := range rows {
		width = max(width, utf8.RuneCountInString(r[0]))
	}
	for _, r := range rows {
		pad := strings.Repeat(" ", width-utf8.RuneCountInString(r[0]))
		fmt.Fprintf(p, "%s%s%s%s%s\n", margin, r[0], pad, gap, r[1])
	}
}

// coverage shows the share of each file's lines that was reached.
func (p printer) coverage(files []File) {
	width := 0
	for _, f := range files {
		width = max(width, utf8.RuneCountInString(f.Path))
	}
	for _, f := range files {
		reached := f.Lines - len(f.Missing)
		fmt.Fprintf(p, "%-*s  %3d%% of %s", width, f.Path, f.Percent(), count(f.Lines, "line"))
		if p.style.Missing && reached < f.Lines {
			fmt.Fprintf(p, ", not reached: %s", ranges(f.Missing))
		}
		p.WriteByte('\n')
	}
}

// ranges writes ascending numbers as "3, 7-9".
func ranges(ns []int) string {
	var parts []string
	for i := 0; i < len(ns); {
		j := i
		for j+1 < len(ns) && ns[j+1] == ns[j]+1 {
			j++
		}
		if j > i {
			parts = append(parts, fmt.Sprintf("%d-%d", ns[i], ns[j]))
		} else {
			parts = append(parts, fmt.Sprint(ns[i]))
		}
		i = j + 1
	}
	return strings.Join(parts, ", ")
}

// count is "1 test", "2 tests", "2 properties".
func count(n int, noun string) string {
	switch {
	case n == 1:
		return "1 " + noun
	case strings.HasSuffix(noun, "y"):
		return fmt.Sprintf("%d %sies", n, strings.TrimSuffix(noun, "y"))
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
