//go:build !solo

// Before tow itself is upgraded: what the nodes run, and whether all of it fits.

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"towpath.dev/api/towpathv1"
	"towpath.dev/client"
	"towpath.dev/internal/blob"
	"towpath.dev/internal/control/deploy"
	"towpath.dev/internal/control/release"
)

// preflight is what an upgrade is judged by.
type preflight struct {
	release *release.Release // of the new tow
	digest  release.Digest
	nodes   []*nodeView
	uses    []programUse
}

// programUse is that a program's release runs, or may.
type programUse struct {
	program string
	digest  release.Digest
	abi     int
	what    string // "runs", "ran before", "is being deployed"
	moves   bool   // it is being deployed: nodes that were not upgraded yet may have to run it
}

// look asks for all that the preflight looks at.
func (p *preflight) look(ctx context.Context, c *client.Control) (head *towpathv1.ProgramHead, err error) {
	environment := p.release.Environment
	f, err := c.Deploy.GetFleet(ctx, &towpathv1.GetFleetRequest{Environment: environment})
	if err != nil {
		return nil, err
	}
	view, err := newFleetView(environment, f)
	if err != nil {
		return nil, err
	}
	for _, cell := range view.Cells {
		p.nodes = append(p.nodes, cell.Nodes...)
	}
	list, err := c.Deploy.ListDeployments(ctx, &towpathv1.ListDeploymentsRequest{Environment: environment, Limit: 50})
	if err != nil {
		return nil, err
	}
	for _, h := range list.GetPrograms() {
		if h.GetProgram() == release.Tow {
			head = h
			continue
		}
		p.use(h.GetProgram(), h.GetCurrent(), "runs", false)
		p.use(h.GetProgram(), h.GetPrevious(), "ran before", false)
	}
	for _, d := range list.GetDeployments() {
		if d.GetProgram() != release.Tow && d.GetPhase() != string(deploy.Ended) {
			p.use(d.GetProgram(), d.GetRelease(), "is being deployed by "+d.GetId(), true)
		}
	}
	return head, p.readABIs(ctx, apiSource{c})
}

func (p *preflight) use(program, digest, what string, moves bool) {
	if digest != "" {
		p.uses = append(p.uses, programUse{program: program, digest: release.Digest(digest), what: what, moves: moves})
	}
}

// readABIs finds out of which ABI what is used is. What is not there any more nobody can go back
// to.
func (p *preflight) readABIs(ctx context.Context, from release.Source) error {
	var found []programUse
	for _, u := range p.uses {
		text, err := from.Object(ctx, release.KindRelease, u.digest)
		if errors.Is(err, blob.ErrNotFound) {
			continue
		}
		if err != nil {
			return fmt.Errorf("the release %s of %s: %w", u.digest.Short(), u.program, err)
		}
		r, err := release.Decode(text)
		if err != nil {
			return err
		}
		u.abi = r.ABI
		found = append(found, u)
	}
	p.uses = found
	return nil
}

// unchanged reports whether all nodes run the new tow already.
func (p *preflight) unchanged(head *towpathv1.ProgramHead) bool {
	return head.GetCurrent() == string(p.digest) && head.GetActive() == "" && !slices.ContainsFunc(p.nodes, func(n *nodeView) bool {
		return n.Status.Follows(release.Tow) && !p.has(n)
	})
}

// has reports whether a node runs the new tow.
func (p *preflight) has(n *nodeView) bool { return n.Status.Programs[release.Tow].Main == p.digest }

// refusals are all that speaks against the upgrade.
func (p *preflight) refusals(downgrade bool) []string {
	var all []string
	refuse := func(format string, args ...any) { all = append(all, fmt.Sprintf(format, args...)) }
	e := p.release.Executable
	var upgraded, elsewhere, later []string
	for _, n := range p.nodes {
		if !n.Status.Follows(release.Tow) {
			continue
		}
		name := printable(n.Name)
		upgraded = append(upgraded, name)
		if n.Status.Upgrades != e.Platform {
			elsewhere = append(elsewhere, fmt.Sprintf("%s (%s)", name, printable(n.Status.Upgrades)))
		}
		if versionBefore(p.release.Toolchain, n.Status.Version) {
			later = append(later, fmt.Sprintf("%s (%s)", name, towVersion(n.Status.Version)))
		}
		for _, u := range p.uses {
			if u.moves && !p.has(n) && n.Status.ABI != u.abi {
				refuse("%s (%s) %s and is of the ABI %d, and %s, which is not upgraded yet, serves %d: wait until that deployment has ended", u.program, u.digest.Short(), u.what, u.abi, name, n.Status.ABI)
			}
		}
	}
	for _, u := range p.uses {
		if e.Serves.Has(u.abi) {
			continue
		}
		next := "deploy it again, built by a tow that the new one serves"
		if u.moves {
			next = "wait until that deployment has ended, or take it back"
		}
		refuse("%s (%s) %s and is of the ABI %d, and the new tow serves %d to %d: %s", u.program, u.digest.Short(), u.what, u.abi, e.Serves.Min, e.Serves.Max, next)
	}
	switch {
	case len(upgraded) == 0:
		refuse("no node of %s can be upgraded: start nodes with \"tow serve --role responder --upgradable\"", p.release.Environment)
	case len(elsewhere) > 0:
		refuse("the new tow is for %s, and these nodes are not: %s", e.Platform, few(elsewhere))
	}
	if len(later) > 0 && !downgrade {
		refuse("the new tow is %s, and these nodes run a later one: %s; say --downgrade if that is meant", towVersion(p.release.Toolchain), few(later))
	}
	return all
}

// summary is what the upgrade does, on a line.
func (p *preflight) summary() string {
	move, have, other := 0, 0, 0
	for _, n := range p.nodes {
		switch {
		case !n.Status.Follows(release.Tow):
			other++
		case p.has(n):
			have++
		default:
			move++
		}
	}
	text := fmt.Sprintf("%s becomes %s", count(move, "node"), towVersion(p.release.Toolchain))
	if move != 1 {
		text = strings.Replace(text, "becomes", "become", 1)
	}
	if have > 0 {
		text += fmt.Sprintf("; %d already", have)
	}
	if other > 0 {
		text += fmt.Sprintf("; %d not upgradable", other)
	}
	return text
}

// show puts the nodes on a page, and what becomes of each.
func (p *preflight) show(w io.Writer, color bool) error {
	fmt.Fprintf(w, "%s: %s (%s, release %s)\n", p.release.Environment, p.summary(), printable(p.release.Toolchain), p.digest.Short())
	if len(p.nodes) == 0 {
		return nil
	}
	t := newStyledTable()
	t.row(dim, "NODE", "CELL", "RUNS", "ABI", "THEN")
	for _, n := range p.nodes {
		style, then := "", "is upgraded"
		switch {
		case !n.Status.Follows(release.Tow):
			style, then = dim, "stays: it was started without --upgradable"
		case p.has(n):
			then = "stays: it runs it already"
		case !n.Attached:
			style, then = cyan, "is upgraded when it is back: it is away now"
		}
		t.row(style, printable(n.Name), printable(n.Status.Cell), or(towVersion(n.Status.Version), "-"), fmt.Sprint(n.Status.ABI), then)
	}
	return t.print(w, color, "  ")
}

// versionBefore reports whether what one tow says of itself is of an earlier version than what another
// says. What says no version is not before any.
func versionBefore(one, other string) bool {
	a, ok1 := versionNumbers(one)
	b, ok2 := versionNumbers(other)
	return ok1 && ok2 && slices.Compare(a[:], b[:]) < 0
}

func versionNumbers(text string) (v [3]int, ok bool) {
	_, err := fmt.Sscanf(towVersion(text), "%d.%d.%d", &v[0], &v[1], &v[2])
	return v, err == nil
}
