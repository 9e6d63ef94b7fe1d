//go:build !solo

// How tow cluster shows a cluster to people.

package main

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"towpath.dev/internal/control/cluster"
)

// A styled table is laid out first and painted then: what colours take is no width.
type styledTable struct {
	text   bytes.Buffer
	w      *tabwriter.Writer
	styles []string // of each line; "" is none
}

func newStyledTable() *styledTable {
	t := &styledTable{}
	t.w = tabwriter.NewWriter(&t.text, 0, 0, 2, ' ', 0)
	return t
}

// row adds a line of cells.
func (t *styledTable) row(style string, cells ...string) {
	t.styles = append(t.styles, style)
	fmt.Fprintln(t.w, strings.Join(cells, "\t"))
}

// print puts the table on a stream, each line behind a margin.
func (t *styledTable) print(w io.Writer, color bool, margin string) error {
	if err := t.w.Flush(); err != nil {
		return err
	}
	for i, line := range strings.Split(strings.TrimSuffix(t.text.String(), "\n"), "\n") {
		line = strings.TrimRight(line, " ")
		if t.styles[i] != "" {
			line = paint(color, t.styles[i], line)
		}
		if _, err := fmt.Fprintln(w, margin+line); err != nil {
			return err
		}
	}
	return nil
}

// show puts a look at a cluster on a page.
func (u *ui) show(w io.Writer, o *cluster.Observed) error {
	q := o.Quorum
	fmt.Fprintf(w, "Cluster %s: %d of %d voters well, %d needed; %s; revision %d", o.Cluster, q.Well, q.Voters, q.Need, leadText(o), o.Revision)
	if o.Measured {
		fmt.Fprintf(w, "; %.0f entries/s", o.Rate)
	}
	fmt.Fprint(w, "\n\n")
	t := newStyledTable()
	t.row(dim, "MEMBER", "ROLE", "STATE", "VERSION", "TERM", "INDEX", "LAG", "DATA", "IN USE", "OF QUOTA", "READS p50", "p99", "AT")
	for i := range o.Members {
		style, cells := memberRow(o, &o.Members[i])
		t.row(style, cells...)
	}
	if err := t.print(w, u.outColor, ""); err != nil {
		return err
	}
	for _, m := range o.Members {
		if m.State == cluster.Hidden { // of others there is a warning
			fmt.Fprintf(w, "\n%s answers other members; %s.\n", m.String(), m.Reason)
		}
	}
	if err := u.showElected(w, o); err != nil {
		return err
	}
	return u.showWarnings(w, o.Warnings())
}

// memberRow is a member's style and cells.
func memberRow(o *cluster.Observed, m *cluster.Member) (string, []string) {
	role, style := "follower", ""
	switch {
	case m.Learner:
		role = "learner"
	case m.ID == o.Leader:
		role, style = "leader", bold
	case m.State == cluster.Down || m.State == cluster.Unstarted || m.State == cluster.Hidden:
		role = "voter"
	}
	if m.State == cluster.Down || m.State == cluster.Apart || m.State == cluster.Unstarted {
		style = red
	}
	cells := []string{m.String(), role, string(m.State), or(m.Version, "-")}
	if m.Endpoint == "" {
		cells = append(cells, "-", "-", "-", "-", "-", "-", "-", "-", or(strings.Join(m.ClientURLs, ","), "-"))
		return style, cells
	}
	quota, p50, p99 := "-", "-", "-"
	if m.Quota > 0 {
		quota = fmt.Sprintf("%d%%", (m.Size*100+m.Quota-1)/m.Quota)
	}
	if m.Reads.N > 0 {
		p50, p99 = shortTime(m.Reads.P50), shortTime(m.Reads.P99)
	}
	return style, append(cells, fmt.Sprint(m.Term), fmt.Sprint(m.Applied), fmt.Sprint(m.Lag), size(int(m.Size)), size(int(m.InUse)), quota, p50, p99, m.Endpoint)
}

// shortTime is a duration with three digits or less.
func shortTime(d time.Duration) string {
	switch {
	case d >= 10*time.Second:
		return d.Round(time.Second).String()
	case d >= 100*time.Millisecond:
		return d.Round(10 * time.Millisecond).String()
	case d >= 10*time.Millisecond:
		return d.Round(time.Millisecond).String()
	case d >= time.Millisecond:
		return d.Round(100 * time.Microsecond).String()
	}
	return d.Round(10 * time.Microsecond).String()
}

// electedShown is how many seats are listed; "tow election show" has them all.
const electedShown = 20

func (u *ui) showElected(w io.Writer, o *cluster.Observed) error {
	if len(o.Elected) == 0 {
		return nil
	}
	fmt.Fprintln(w)
	t := newStyledTable()
	t.row(dim, "ELECTED", "SEAT", "HELD BY")
	for _, e := range o.Elected[:min(len(o.Elected), electedShown)] {
		t.row("", e.Group, e.Seat, or(e.Holder, "nobody"))
	}
	if err := t.print(w, u.outColor, ""); err != nil {
		return err
	}
	if more := len(o.Elected) - electedShown; more > 0 {
		fmt.Fprintf(w, "and %s more\n", count(more, "seat"))
	}
	return nil
}

// showWarnings says what is wrong, and what to do.
func (u *ui) showWarnings(w io.Writer, all []cluster.Warning) error {
	for _, warning := range all {
		fmt.Fprintf(w, "\n%s %s\n  Next: %s.\n", paint(u.outColor, red, "Warning:"), warning.Text, warning.Next)
	}
	return nil
}

// showPlan puts a plan on the screen: its steps with the voters that are well before, while
// and after each.
func (u *ui) showPlan(p cluster.Plan) error {
	t := newStyledTable()
	t.row(dim, "", "STEP", "WELL BEFORE", "MEANWHILE", "AFTERWARDS", "NEEDED", "SPARE")
	for i, s := range p.Steps {
		well := func(q cluster.Quorum) string { return fmt.Sprintf("%d of %d", q.Well, q.Voters) }
		spare := min(s.During.Spare(), s.After.Spare())
		style := ""
		if spare < 0 {
			style = red
		}
		t.row(style, fmt.Sprint(i+1), s.String(), well(s.Before), well(s.During), well(s.After), fmt.Sprint(s.After.Need), fmt.Sprint(spare))
	}
	if err := t.print(u.out, u.outColor, ""); err != nil {
		return err
	}
	for _, note := range p.Notes {
		fmt.Fprintf(u.out, "\n%s\n", note)
	}
	return nil
}
