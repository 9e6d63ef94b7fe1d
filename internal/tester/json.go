package tester

import (
	"encoding/json"
	"io"

	"towpath.dev/internal/lang/span"
)

// JSON shows results to a program: one object a line. A test's has "event"
// "test", a file's coverage "coverage", the last "summary". Lines and columns
// count from 1, columns in characters. The error is the writer's.
type JSON struct{ W io.Writer }

type place struct {
	File   string `json:"file,omitempty"`
	Line   int    `json:"line,omitempty"`
	Column int    `json:"column,omitempty"`
}

func placeOf(at span.Span) place {
	if !at.IsValid() {
		return place{}
	}
	line, column := at.File.Position(at.Start)
	return place{File: at.File.Path, Line: line, Column: column}
}

type testRecord struct {
	Event  string `json:"event"`
	Kind   string `json:"kind"` // "test" or "prop"
	Module string `json:"module"`
	Title  string `json:"title"`
	place
	Passed   bool            `json:"passed"`
	Cases    int             `json:"cases,omitempty"`
	Seed     int64           `json:"seed,omitempty"`
	Case     []namedRecord   `json:"case,omitempty"`
	Failures []failureRecord `json:"failures,omitempty"`
	Debug    []valueRecord   `json:"debug,omitempty"`
}

type namedRecord struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

type failureRecord struct {
	Kind Kind `json:"kind"`
	place
	Message     string             `json:"message"`
	Values      []valueRecord      `json:"values,omitempty"`
	Differences []differenceRecord `json:"differences,omitempty"`
	Stack       []frameRecord      `json:"stack,omitempty"`
	Hidden      int                `json:"stackHidden,omitempty"`
	Add         string             `json:"add,omitempty"`
	Note        string             `json:"note,omitempty"`
}

type valueRecord struct {
	place
	Source string `json:"source"`
	Value  string `json:"value"`
}

type differenceRecord struct {
	Path     string  `json:"path"`
	Expected *string `json:"expected,omitempty"`
	Found    *string `json:"found,omitempty"`
	Left     *string `json:"left,omitempty"`
	Right    *string `json:"right,omitempty"`
}

type frameRecord struct {
	Function string `json:"function"`
	place
}

// Result shows one result.
func (j *JSON) Result(r *Result) error {
	kind := "test"
	if r.Prop {
		kind = "prop"
	}
	out := testRecord{Event: "test", Kind: kind, Module: r.Module, Title: r.Title, place: placeOf(r.At),
		Passed: r.Passed(), Cases: r.Cases, Seed: r.Seed}
	for _, n := range r.Case {
		out.Case = append(out.Case, namedRecord{n.Name, n.Text})
	}
	for _, f := range r.Failures {
		out.Failures = append(out.Failures, failureOf(f))
	}
	for _, d := range r.Debug {
		out.Debug = append(out.Debug, valueRecord{placeOf(d.At), d.Source, d.Text})
	}
	return j.line(out)
}

func failureOf(f *Failure) failureRecord {
	out := failureRecord{Kind: f.Kind, place: placeOf(f.At), Message: f.Message, Add: f.Add, Note: f.Note, Hidden: f.Hidden}
	for _, v := range f.Values {
		out.Values = append(out.Values, valueRecord{placeOf(v.At), v.Source, v.Text})
	}
	for _, d := range f.Differences {
		r := differenceRecord{Path: d.Path}
		if d.Sides {
			r.Left, r.Right = &d.Found, &d.Expected
		} else {
			r.Expected, r.Found = &d.Expected, &d.Found
		}
		out.Differences = append(out.Differences, r)
	}
	for _, frame := range f.Stack {
		out.Stack = append(out.Stack, frameRecord{frame.Name, placeOf(frame.At)})
	}
	return out
}

// Summary shows what a run came to.
func (j *JSON) Summary(s *Summary) error {
	for _, f := range s.Files {
		err := j.line(struct {
			Event   string `json:"event"`
			File    string `json:"file"`
			Lines   int    `json:"lines"`
			Missing []int  `json:"missing"`
		}{"coverage", f.Path, f.Lines, append([]int{}, f.Missing...)})
		if err != nil {
			return err
		}
	}
	return j.line(struct {
		Event   string `json:"event"`
		Tests   int    `json:"tests"`
		Props   int    `json:"props"`
		Cases   int    `json:"cases"`
		Passed  int    `json:"passed"`
		Failed  int    `json:"failed"`
		Skipped int    `json:"skipped"`
		Seed    int64  `json:"seed"`
	}{"summary", s.Tests, s.Props, s.Cases, s.Passed, s.Failed, s.Skipped, s.Seed})
}

func (j *JSON) line(v any) error {
	e := json.NewEncoder(j.W)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}
