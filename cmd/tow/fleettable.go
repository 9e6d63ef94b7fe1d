//go:build !solo

// How tow fleet shows a fleet to people.

package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"towpath.dev/internal/control/fleet"
)

// show puts a fleet on a page.
func (u *ui) showFleet(w io.Writer, v *fleetView, now time.Time) error {
	fmt.Fprintln(w, v.line())
	for _, c := range v.Cells {
		fmt.Fprintf(w, "\n%s%s\n", paint(u.outColor, bold, "Cell "+printable(c.Name)), c.where())
		for _, program := range slices.Sorted(maps.Keys(c.Intents)) {
			fmt.Fprintf(w, "  %s: %s\n", printable(program), c.shall(program))
		}
		if len(c.Nodes) == 0 {
			continue
		}
		t := newStyledTable()
		t.row(dim, "NODE", "STATE", "TOW", "ABI", "PROGRAM", "RUNS", "BESIDE", "PREVIOUS", "NOTE")
		for _, n := range c.Nodes {
			n.rows(t, now)
		}
		if err := t.print(w, u.outColor, "  "); err != nil {
			return err
		}
	}
	u.showTroubles(w, v)
	return nil
}

// showTroubles tells what is wrong in the nodes' own words.
func (u *ui) showTroubles(w io.Writer, v *fleetView) {
	blank := "\n"
	say := func(color, what, format string, args ...any) {
		fmt.Fprintf(w, "%s%s %s\n", blank, paint(u.outColor, color, what), fmt.Sprintf(format, args...))
		blank = ""
	}
	for _, c := range v.Cells {
		for _, n := range c.Nodes {
			if n.unready() {
				say(red, "Not ready:", "%s: %s", printable(n.Name), printable(n.Status.Unready))
			}
			for _, t := range n.Status.Troubles {
				say(red, "Trouble:", "%s itself (%s): %s", printable(n.Name), t.Kind, printable(t.Text))
			}
			for _, program := range slices.Sorted(maps.Keys(n.Status.Programs)) {
				for _, t := range n.Status.Programs[program].Troubles {
					say(red, "Trouble:", "%s, %s of %s (%s): %s", printable(n.Name), printable(program), t.Release.Short(), t.Kind, printable(t.Text))
				}
				for _, r := range n.Status.Programs[program].References {
					if len(r.Missing) > 0 {
						say(cyan, "Missing:", "%s, %s of %s: %s", printable(n.Name), printable(program), r.Release.Short(), missing(r))
					}
				}
			}
		}
	}
}

// missing is which references do not resolve.
func missing(r fleet.References) string {
	text := printable(strings.Join(r.Missing, ", "))
	if r.More > 0 {
		text += fmt.Sprintf(" and %d more", r.More)
	}
	switch r.Resolve {
	case 0:
		return text
	case 1:
		return text + " (1 other resolves)"
	}
	return fmt.Sprintf("%s (%d others resolve)", text, r.Resolve)
}

// line is the fleet on one line: how many there are, and who is not as they shall be.
func (v *fleetView) line() string {
	nodes := 0
	var away, behind, troubled []string
	for _, c := range v.Cells {
		nodes += len(c.Nodes)
		for _, n := range c.Nodes {
			switch {
			case !n.Attached:
				away = append(away, printable(n.Name))
			case len(n.Behind) > 0:
				behind = append(behind, printable(n.Name))
			}
			if n.troubled() {
				troubled = append(troubled, printable(n.Name))
			}
		}
	}
	line := fmt.Sprintf("%s: %s in %s", v.Environment, count(nodes, "node"), count(len(v.Cells), "cell"))
	if nodes == 0 {
		return line + "; \"tow join-token create --env " + v.Environment + "\" lets nodes in"
	}
	well := true
	for _, of := range []struct {
		what  string
		names []string
	}{{"away", away}, {"behind", behind}, {"in trouble", troubled}} {
		if len(of.names) > 0 {
			well = false
			line += fmt.Sprintf("; %s: %s", of.what, few(of.names))
		}
	}
	if well {
		line += ", all as they shall be"
	}
	return line
}

// few names some of many.
func few(names []string) string {
	const most = 5
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}

// where is the regions of a cell's nodes.
func (c *cellView) where() string {
	var all []string
	for _, n := range c.Nodes {
		if n.Status.Region != "" {
			all = append(all, printable(n.Status.Region))
		}
	}
	slices.Sort(all)
	if all = slices.Compact(all); len(all) == 0 {
		return ""
	}
	return ", " + strings.Join(all, ", ")
}

// shall is what a cell's nodes shall run of a program.
func (c *cellView) shall(program string) string {
	i := c.Intents[program]
	text := or(i.Release.Short(), "nothing")
	later := ""
	if len(i.Later) > 0 {
		later = fmt.Sprintf("; later, one after the other, at %s that were away when it was their turn", count(len(i.Later), "node"))
	}
	if i.Candidate == "" {
		return fmt.Sprintf("%s, by %s%s", text, printable(i.Deployment), later)
	}
	ahead := 0
	for _, n := range c.Nodes {
		if i.RoleOf(n.Name).Main == i.Candidate {
			ahead++
		}
	}
	text += fmt.Sprintf("; %s is on trial, by %s, at %d of %s", i.Candidate.Short(), printable(i.Deployment), ahead, count(len(c.Nodes), "node"))
	text += later
	if i.Onebox != "" {
		text += fmt.Sprintf(", and beside it at %s for %.3g%% of the requests", printable(i.Onebox), 100*i.Share)
	}
	return text
}

// rows puts a node into a table, a line for each program.
func (n *nodeView) rows(t *styledTable, now time.Time) {
	state := "attached"
	if !n.Attached {
		state = "away"
	}
	if since, err := time.Parse(time.RFC3339, n.Since); err == nil {
		state += " " + shortAge(now.Sub(since))
	}
	if n.unready() {
		state += ", not ready"
	}
	head := []string{printable(n.Name), state, towVersion(n.Status.Version), fmt.Sprint(n.Status.ABI)}
	programs := map[string]bool{}
	for p := range n.Status.Programs {
		programs[p] = true
	}
	for p := range n.Behind {
		programs[p] = true
	}
	if len(programs) == 0 {
		t.row(n.style(""), append(head, "-", "-", "-", "-")...)
	}
	for _, p := range slices.Sorted(maps.Keys(programs)) {
		r := n.Status.Programs[p]
		beside := "-"
		if r.Beside != "" {
			beside = fmt.Sprintf("%s %.3g%%", r.Beside.Short(), 100*r.Share)
		}
		t.row(n.style(p), append(head, printable(p), or(r.Main.Short(), "-"), beside, or(r.Previous.Short(), "-"), n.note(p))...)
		head = []string{"", "", "", ""}
	}
}

// note is what is not as it shall be with a program.
func (n *nodeView) note(program string) string {
	var all []string
	if text := n.Behind[program]; text != "" {
		all = append(all, text)
	}
	for _, t := range n.Status.Programs[program].Troubles {
		text := string(t.Kind) + " trouble"
		if t.Count > 1 {
			text += fmt.Sprintf(", %d times", t.Count)
		}
		if t.Starved > 0 {
			text += fmt.Sprintf(", %d for want of memory", t.Starved)
		}
		all = append(all, text)
	}
	return strings.Join(all, "; ")
}

func (n *nodeView) style(program string) string {
	r := n.Status.Programs[program]
	switch {
	case !n.Attached || n.unready() || slices.ContainsFunc(r.Troubles, func(t fleet.Trouble) bool { return t.Kind.Final() }):
		return red
	case n.note(program) != "":
		return cyan
	}
	return ""
}

// unready reports whether the node lives, and nobody can ask it. Of one that is away that is not
// known any more.
func (n *nodeView) unready() bool { return n.Attached && n.Status.Unready != "" }

func (n *nodeView) troubled() bool {
	if n.unready() || len(n.Status.Troubles) > 0 {
		return true
	}
	for _, r := range n.Status.Programs {
		if len(r.Troubles) > 0 {
			return true
		}
	}
	return false
}

// towVersion is the number in what "tow version" says.
func towVersion(text string) string {
	text, _, _ = strings.Cut(strings.TrimPrefix(printable(text), "tow "), " ")
	return or(text, "-")
}

// shortAge is how long ago something was, in one unit.
func shortAge(d time.Duration) string {
	switch d = max(d, 0); {
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", int(d.Hours()))
	}
	return fmt.Sprintf("%dd", int(d.Hours())/24)
}
