// tow explain-request: how a recorded request went, as a tree with times.

package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"towpath.dev/internal/run/record"
	"towpath.dev/internal/run/serve"
)

func explainRequestCommand(u *ui) *cobra.Command {
	x := &explaining{archive: archive{ui: u}}
	c := &cobra.Command{
		Use:   "explain-request ID|FILE",
		Short: "Show how a recorded request went",
		Long: `Show where the time of a request went that "tow dev" or "tow serve" recorded: by its
ID, or the beginning of it, from the records, or from a FILE with one.

A view runs in passes: each goes as far as it can with the answers that are there,
and the calls that it came to go out together, in a batch for each operation.
Below a pass stand the batches that went out after it, and the scopes that expired
or were left out. Bars show what ran side by side; the solid ones are what the
answer waited for: without them it would have come sooner.`,
		Example: "  tow explain-request 4bf92f3577b34da6a3ce929d0e0e4736\n" +
			"  tow explain-request 4bf9 --records /var/lib/towpath/records\n" +
			"  tow explain-request --json 4bf9 | jq .record.answers",
		Args: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usage{errors.New("tow explain-request needs a request: its ID, or a FILE; \"tow call --timing\" and the header Towpath-Request tell the ID"), "tow explain-request"}
			}
			return atMost(1, "an ID or a file")(c, args)
		},
		ValidArgsFunction: x.complete,
		RunE:              func(_ *cobra.Command, args []string) error { return x.run(args[0]) },
	}
	x.flag(c)
	c.Flags().BoolVar(&x.json, "json", false, "print the record as JSON")
	return c
}

// explaining is one tow explain-request.
type explaining struct {
	archive
	json bool
}

func (x *explaining) run(what string) error {
	e, err := x.find(what)
	if err != nil {
		return err
	}
	if x.json {
		return x.encode(e)
	}
	x.header(e)
	if len(e.Trace) == 0 {
		fmt.Fprintln(x.out, "\nThe record has no times: it holds what the request depended on, and no more.")
		return nil
	}
	var s serve.Story
	if err := json.Unmarshal(e.Trace, &s); err != nil {
		return fmt.Errorf("the times of request %s cannot be read: %w; --json prints them as they are", e.ID, err)
	}
	if len(s.Passes) == 0 {
		fmt.Fprintln(x.out, "\nNo pass was made.")
		return nil
	}
	p := plot{ui: x.ui, story: &s, answered: e.Outcome == record.Answered}
	p.build()
	p.draw()
	return nil
}

// header says what the request was, and what came of it.
func (x *explaining) header(e *record.Entry) {
	name := e.Record.View
	if e.Program != "" {
		name = e.Program + "/" + name
	}
	line := paint(x.outColor, bold, name)
	if e.Outcome != 0 {
		style := green
		if e.Outcome != record.Answered {
			style = red
		}
		line += fmt.Sprintf("  %s after %s ms", paint(x.outColor, style, e.Outcome.String()), millis(int64(e.Took), int64(e.Took)))
	}
	fmt.Fprintln(x.out, line)
	var about []string
	add := func(text string) {
		if text != "" {
			about = append(about, text)
		}
	}
	add(e.ID)
	if !e.Begin.IsZero() {
		add(e.Begin.Format(time.RFC3339) + " (" + ago(time.Since(e.Begin)) + ")")
	}
	add(e.Criticality)
	if e.Caller != "" {
		add("caller " + oneLine(e.Caller))
	}
	add(fmt.Sprintf("artifact %.12s", e.Record.Artifact))
	if e.Redacted > 0 {
		add(count(e.Redacted, "private value") + " redacted")
	}
	fmt.Fprintln(x.out, paint(x.outColor, dim, strings.Join(about, ", ")))
	if e.Incomplete != "" {
		fmt.Fprintln(x.out, "Not all of it is recorded: "+oneLine(e.Incomplete))
	}
	if e.Record.Error != "" {
		fmt.Fprintln(x.out, paint(x.outColor, red, oneLine(e.Record.Error)))
	}
}

// oneLine is a text of anybody's on one line, without what moves a terminal.
func oneLine(text string) string {
	const most = 160
	text = strings.Map(func(c rune) rune {
		if c < ' ' || c >= 0x7f && c < 0xa0 {
			return ' '
		}
		return c
	}, text)
	if utf8.RuneCountInString(text) > most {
		return string([]rune(text)[:most]) + "…"
	}
	return text
}

// glyphs are what a tree and its bars are drawn with.
type glyphs struct{ branch, last, through, left, right, solid, light, instant string }

var (
	lineGlyphs  = glyphs{"├─ ", "└─ ", "│  ", "▕", "▏", "█", "░", "◆"}
	asciiGlyphs = glyphs{"|- ", "`- ", "|  ", "[", "]", "#", "-", "!"}
)

// row is a line of a plot.
type row struct {
	label  string
	calls  string
	begin  int64
	end    int64 // begin for what has no duration
	solid  bool  // the answer waited for it
	remark string
	bad    bool
	below  []*row
}

// plot is how a request went, on its way to a terminal.
type plot struct {
	*ui
	story    *serve.Story
	answered bool
	rows     []*row
	spent    []share // of the total
}

// share is what some part took of the total.
type share struct {
	what string
	took int64
}

// build makes the rows of the story.
func (p *plot) build() {
	chain := waitedFor(p.story)
	p.spent = chain.spent
	for i, pass := range p.story.Passes {
		calls := "no calls"
		if pass.Asked > 0 {
			calls = fmt.Sprintf("%s, %d open", count(pass.Asked, "call"), pass.Pending)
		}
		p.rows = append(p.rows, &row{label: fmt.Sprint("pass ", i+1), calls: calls, begin: pass.Begin, end: pass.End, solid: chain.passes[i]})
	}
	for i := range p.story.Asks {
		a := &p.story.Asks[i]
		remark, bad := askRemark(a)
		p.under(&row{label: shortOperation(a.Operation), calls: count(a.Calls, "call"), begin: a.Begin, end: a.End,
			solid: chain.asks[i], remark: remark, bad: bad})
	}
	for _, v := range p.story.Verdicts {
		p.under(&row{label: scopeName(v), begin: v.At, end: v.At, solid: chain.verdicts[v.At], remark: p.verdictRemark(v), bad: !v.Shed})
	}
}

// under puts a row below the pass after which it came, in the order of time.
func (p *plot) under(r *row) {
	at := -1
	for i, pass := range p.story.Passes {
		if pass.Begin <= r.begin {
			at = i
		}
	}
	list := &p.rows
	if at >= 0 {
		list = &p.rows[at].below
	}
	i := len(*list)
	for i > 0 && (*list)[i-1].begin > r.begin {
		i--
	}
	*list = append((*list)[:i], append([]*row{r}, (*list)[i:]...)...)
}

// shortOperation is an operation without its module: "Catalog.offers".
func shortOperation(name string) string {
	parts := strings.Split(name, ".")
	return strings.Join(parts[max(0, len(parts)-2):], ".")
}

func askRemark(a *serve.StoryAsk) (remark string, bad bool) {
	var parts []string
	for _, each := range []struct {
		n    int
		what string
	}{{a.Hits, "from the cache"}, {a.Joined, "shared"}, {a.Retried, "retried"}, {a.Failed, "failed"}} {
		switch {
		case each.n == 0:
		case each.n == a.Calls && a.Calls > 1:
			parts = append(parts, "all "+each.what)
		case each.n == a.Calls:
			parts = append(parts, each.what)
		default:
			parts = append(parts, fmt.Sprint(each.n, " ", each.what))
		}
	}
	remark = strings.Join(parts, ", ")
	if a.Error != "" {
		remark += ": " + oneLine(a.Error)
	}
	return remark, a.Failed > 0
}

// scopeName is where a scope stands; the view as a whole has no place.
func scopeName(v serve.StoryVerdict) string {
	if v.File == "" {
		return "the view"
	}
	return fmt.Sprintf("%s:%d", v.File, v.Line)
}

func (p *plot) verdictRemark(v serve.StoryVerdict) string {
	switch {
	case v.Shed:
		return "this optional scope was left out under load"
	case v.File == "":
		return "its time was up"
	case p.answered:
		return "the time of this scope was up; its else stood in"
	}
	return "the time of this scope was up"
}

// chain is what the answer waited for, one after the other.
type chain struct {
	passes   map[int]bool
	asks     map[int]bool
	verdicts map[int64]bool // by instant
	spent    []share
}

// waitedFor walks back from the end: a pass waited for what came last before it
// began, that batch for the pass after which it went out, and so on. What lies
// beside this way could have been slower without anyone noticing.
func waitedFor(s *serve.Story) *chain {
	c := &chain{passes: map[int]bool{}, asks: map[int]bool{}, verdicts: map[int64]bool{}}
	took := map[string]int64{}
	var names []string
	add := func(what string, ns int64) {
		if _, known := took[what]; !known {
			names = append(names, what)
		}
		took[what] += max(ns, 0)
	}
	at := s.Total // what comes after is accounted for
	for i := len(s.Passes) - 1; i >= 0 && !c.passes[i]; {
		pass := s.Passes[i]
		if i == len(s.Passes)-1 {
			at = c.lastWait(s, pass.End, at, add)
		}
		add(otherTime, at-pass.End)
		add(runTime, pass.End-pass.Begin)
		c.passes[i] = true
		if i == 0 {
			add(otherTime, pass.Begin)
			break
		}
		i--
		ask, verdict := cause(s, pass.Begin, s.Passes[0].Begin)
		if verdict >= 0 { // it came since a batch did not
			c.verdicts[s.Verdicts[verdict].At] = true
			ask = tooLate(s, s.Passes[i].End, s.Verdicts[verdict].At)
		}
		switch {
		case ask >= 0:
			c.asks[ask] = true
			add(shortOperation(s.Asks[ask].Operation), pass.Begin-s.Asks[ask].Begin)
			at = s.Asks[ask].Begin
			for i > 0 && s.Passes[i].Begin > at {
				i--
			}
		case verdict >= 0:
			at = s.Passes[i].End
			add(scopeName(s.Verdicts[verdict]), pass.Begin-at)
		default: // nothing that is known
			at = pass.Begin
		}
	}
	for _, name := range names {
		c.spent = append(c.spent, share{name, took[name]})
	}
	slices.SortStableFunc(c.spent, func(a, b share) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(b.took, a.took))
	})
	return c
}

// rank puts calls before what is none.
func rank(s share) int {
	switch s.what {
	case runTime:
		return 1
	case otherTime:
		return 2
	}
	return 0
}

// What of the total is no call's.
const (
	runTime   = "running"
	otherTime = "the rest"
)

// lastWait accounts for what a request waited for after its last pass, when it
// ended while it waited: for its time to be up. It gives where that began.
func (c *chain) lastWait(s *serve.Story, from, to int64, add func(string, int64)) int64 {
	for _, v := range s.Verdicts {
		if v.File != "" || v.At < from {
			continue
		}
		c.verdicts[v.At] = true
		add(otherTime, to-v.At)
		what := "calls that came too late"
		if ask := tooLate(s, from, v.At); ask >= 0 {
			c.asks[ask] = true
			what = shortOperation(s.Asks[ask].Operation)
		}
		add(what, v.At-from)
		return from
	}
	return to
}

// tooLate is the batch that somebody's time was up for, which began to wait at
// from: of those under way until then, or given up then, the one that ended last;
// -1 when none is known.
func tooLate(s *serve.Story, from, until int64) int {
	found, latest := -1, from
	for i, a := range s.Asks {
		if a.Begin < until && a.End > latest && (a.End >= until || a.Failed > 0) {
			found, latest = i, a.End
		}
	}
	return found
}

// cause is what came last before a pass began: the index of a batch, or of a
// scope whose time was up; -1 for neither. What came before first is too early.
func cause(s *serve.Story, begin, first int64) (ask, verdict int) {
	ask, verdict = -1, -1
	latest := first
	for i, a := range s.Asks {
		if a.End <= begin && a.End > latest {
			ask, latest = i, a.End
		}
	}
	for i, v := range s.Verdicts {
		if v.At <= begin && v.At > latest && !v.Shed {
			ask, verdict, latest = -1, i, v.At
		}
	}
	return ask, verdict
}

// barWidth is how many characters the whole time takes.
const barWidth = 32

// draw prints the rows, aligned.
func (p *plot) draw() {
	g := asciiGlyphs
	if p.unicode {
		g = lineGlyphs
	}
	label, calls := 0, 0
	for _, r := range p.rows {
		label, calls = max(label, len(r.label)), max(calls, len(r.calls))
		for _, b := range r.below {
			label, calls = max(label, 3+utf8.RuneCountInString(b.label)), max(calls, len(b.calls))
		}
	}
	line := func(tree string, r *row) {
		room := label + 3 - utf8.RuneCountInString(tree)
		took := p.millis(r.end - r.begin)
		if r.begin == r.end {
			took = ""
		}
		text := fmt.Sprintf("%s%-*s  %-*s  %9s %9s  %s", tree, room, r.label, calls, r.calls, p.millis(r.begin), took, p.bar(g, r))
		if r.remark != "" {
			style := dim
			if r.bad {
				style = red
			}
			text += "  " + paint(p.outColor, style, r.remark)
		}
		fmt.Fprintln(p.out, text)
	}
	fmt.Fprintln(p.out, "\n"+paint(p.outColor, dim, fmt.Sprintf("%-*s  %9s %9s", label+3+2+calls, "", "at, ms", "took")))
	for i, r := range p.rows {
		tree, through := g.branch, g.through
		if i == len(p.rows)-1 {
			tree, through = g.last, "   "
		}
		line(tree, r)
		for j, b := range r.below {
			branch := g.branch
			if j == len(r.below)-1 {
				branch = g.last
			}
			line(through+branch, b)
		}
	}
	p.legend(g)
}

// legend sums up, and says what the bars mean.
func (p *plot) legend(g glyphs) {
	var parts []string
	for _, s := range p.spent {
		if s.took*1000 >= p.story.Total { // else it is nothing
			parts = append(parts, fmt.Sprintf("%s %s", s.what, p.millis(s.took)))
		}
	}
	fmt.Fprintf(p.out, "\nOf %s ms: %s.\n", p.millis(p.story.Total), strings.Join(parts, ", "))
	for _, r := range p.rows {
		for _, b := range r.below {
			if !b.solid && b.end > b.begin {
				fmt.Fprintln(p.out, paint(p.outColor, dim, fmt.Sprintf("%s is what the answer waited for, %s ran beside it.", g.solid, g.light)))
				return
			}
		}
	}
}

// millis is a duration in milliseconds, with as many digits as the total deserves.
func millis(ns, total int64) string {
	digits := 1
	switch {
	case total < int64(time.Millisecond):
		digits = 3
	case total < int64(20*time.Millisecond):
		digits = 2
	}
	return fmt.Sprintf("%.*f", digits, float64(ns)/1e6)
}

func (p *plot) millis(ns int64) string { return millis(ns, p.story.Total) }

// bar is where in the whole time a row lies.
func (p *plot) bar(g glyphs, r *row) string {
	cell := func(ns int64) int {
		return int(min(max(ns, 0)*barWidth/max(p.story.Total, 1), barWidth-1))
	}
	from, to := cell(r.begin), cell(r.end-1)
	if to < from {
		to = from
	}
	fill := g.light
	switch {
	case r.begin == r.end:
		fill = g.instant
	case r.solid:
		fill = g.solid
	}
	filled := strings.Repeat(fill, to-from+1)
	if r.solid {
		filled = paint(p.outColor, cyan, filled)
	}
	return g.left + strings.Repeat(" ", from) + filled + strings.Repeat(" ", barWidth-1-to) + g.right
}
