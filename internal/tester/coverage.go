package tester

import (
	"sort"

	"towpath.dev/internal/lang/core"
	"towpath.dev/internal/lang/span"
)

// spans is a set of places whose evaluation has begun.
type spans map[span.Span]struct{}

func (s spans) note(at span.Span) { s[at] = struct{}{} }

// File is how much of a file's functions was run.
type File struct {
	Path    string
	Lines   int   // on which an expression of a function begins
	Missing []int // those that were never reached, ascending
}

// Percent is the share of the lines that were reached, rounded down, so that
// 100 means all.
func (f *File) Percent() int {
	if f.Lines == 0 {
		return 100
	}
	return 100 * (f.Lines - len(f.Missing)) / f.Lines
}

// coverage collects what all tests reached.
type coverage struct{ reached map[*span.File]map[int]bool }

func newCoverage() *coverage { return &coverage{map[*span.File]map[int]bool{}} }

func (c *coverage) add(s spans) {
	for at := range s {
		note(c.reached, at)
	}
}

func note(lines map[*span.File]map[int]bool, at span.Span) {
	if !at.IsValid() {
		return
	}
	of := lines[at.File]
	if of == nil {
		of = map[int]bool{}
		lines[at.File] = of
	}
	line, _ := at.File.Position(at.Start)
	of[line] = true
}

// files compares what was reached with what there is in the project.
func (c *coverage) files(p *core.Program) []File {
	all := map[*span.File]map[int]bool{}
	var walk func(e core.Expr)
	walk = func(e core.Expr) {
		note(all, e.Pos())
		core.EachChild(e, walk)
	}
	var out []File
	for _, m := range p.Modules {
		if isStd(m) {
			continue
		}
		for _, f := range m.Funcs {
			if f.Body != nil {
				walk(f.Body)
			}
		}
		if len(all[m.File]) == 0 {
			continue // types and services only
		}
		file := File{Path: m.File.Path, Lines: len(all[m.File])}
		for line := range all[m.File] {
			if !c.reached[m.File][line] {
				file.Missing = append(file.Missing, line)
			}
		}
		sort.Ints(file.Missing)
		out = append(out, file)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Path < out[j].Path })
	return out
}
