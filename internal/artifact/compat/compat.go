// Package compat tells what a new version of a program asks of those who rely on the old
// one: is every input that was accepted still accepted, is every answer understood, and
// what do the services that it calls have to do that they did not.
//
//	report := compat.Compare(old, new)
//	report.Against(map[string]compat.Caller{"checkout": {Manifest: checkout, Views: map[string]string{
//		"checkout/services.Quotes.price": "quotes.price",
//	}}})
//	fmt.Print(report)
//
// Types are compared by what JSON of them is read and written (package codec), part by
// part: names of types, their numbers and their layout make no difference. In each place there
// is a speaker, whose texts these are, and a reader:
//
//	a view's input       old callers speak      the new version reads
//	its answer           the new version speaks old callers read
//	a call's arguments   the new version speaks the service reads, which knows the old version's
//	a call's answer      the service speaks     the new version reads
//
// Old callers send members that the old version knew, in any form that it accepted. What
// breaks is what the speaker may say and the reader refuses. What the reader takes but
// makes something else of, as when a parameter is no longer looked at, is a note. Kinds of
// types are told apart even where their texts look alike (a Money and a record of its
// members); the conversions that count as understood stand in [convert].
//
// Paths are those of JSON: $.offers[*].price is the price of each element, $.prices.* each
// value of a map, $.prices{key} its keys, $.condition(Used).grade a field of an alternative.
package compat

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"towpath.dev/internal/abi"
	"towpath.dev/internal/artifact"
)

// Verdict is what can be done with a view that has changed.
type Verdict uint8

// The verdicts, from good to bad.
const (
	// Compatible: whoever relies on the old version can rely on the new one.
	Compatible Verdict = iota
	// NeedsNewView: somebody who relies on the old version may break, and nobody known does.
	// The change belongs into a new view beside the old one.
	NeedsNewView
	// BreaksCallers: callers that are known break.
	BreaksCallers
)

var verdicts = [...]string{"compatible", "needs a new view", "breaks these callers"}

func (v Verdict) String() string { return verdicts[v] }

// MarshalText is the verdict in words.
func (v Verdict) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// Severity is what a finding means.
type Severity uint8

// The severities, from light to heavy.
const (
	// Note: everything works, and something is otherwise than it was.
	Note Severity = iota
	// Bind: the environment, or the service behind it, has to answer to it.
	Bind
	// Breaks: who relied on it gets an error.
	Breaks
)

var severities = [...]string{"note", "bind", "breaks"}

func (s Severity) String() string { return severities[s] }

// MarshalText is the severity in a word.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Finding is a difference that matters.
type Finding struct {
	Severity Severity `json:"severity"`
	// Where it lies: "input", "answer", "view" or "call".
	Where string `json:"where"`
	// Of is the view or operation, "shop.featured", "market/services.Catalog.offers".
	Of   string `json:"of"`
	Path string `json:"path,omitempty"` // in its JSON; "" where it is about all of it
	Was  string `json:"was,omitempty"`  // "" where there was nothing
	Is   string `json:"is,omitempty"`   // "" where there is nothing
	Why  string `json:"why"`
	Next string `json:"next,omitempty"` // what to do
}

// View is what became of a view.
type View struct {
	Name     string    `json:"name"` // qualified
	Verdict  Verdict   `json:"verdict"`
	Findings []Finding `json:"findings,omitempty"`
	// Callers are those that break, of the ones that are known.
	Callers []Broken `json:"callers,omitempty"`
}

// Report is what differs between two versions of a program.
type Report struct {
	Program string    `json:"program"`
	Views   []View    `json:"views"` // the old version's, by name
	Added   []string  `json:"added,omitempty"`
	Calls   []Finding `json:"calls,omitempty"` // what is asked of services

	old, new *artifact.Manifest
}

// Verdict is the worst of the views'.
func (r *Report) Verdict() Verdict {
	worst := Compatible
	for i := range r.Views {
		worst = max(worst, r.Views[i].Verdict)
	}
	return worst
}

// Rebinds reports whether the environment has to answer to something new.
func (r *Report) Rebinds() bool {
	return slices.ContainsFunc(r.Calls, func(f Finding) bool { return f.Severity == Bind })
}

// Compare compares two versions of a program. The manifests are valid, as those are that
// artifact.Decode gives.
func Compare(old, new *artifact.Manifest) *Report {
	r := &Report{Program: new.Program, old: old, new: new}
	for i := range old.Views {
		v := View{Name: old.Views[i].QualifiedName()}
		if now := view(new, v.Name); now != nil {
			v.Findings = r.compareView(&old.Views[i], now)
		} else {
			v.Findings = []Finding{r.removed(&old.Views[i])}
		}
		v.judge()
		r.Views = append(r.Views, v)
	}
	for i := range new.Views {
		if name := new.Views[i].QualifiedName(); view(old, name) == nil {
			r.Added = append(r.Added, name)
		}
	}
	slices.SortFunc(r.Views, func(a, b View) int { return cmp.Compare(a.Name, b.Name) })
	slices.Sort(r.Added)
	r.Calls = compareCalls(old, new)
	return r
}

// judge gives the view its verdict.
func (v *View) judge() {
	v.Verdict = Compatible
	for _, f := range v.Findings {
		if f.Severity == Breaks {
			v.Verdict = NeedsNewView
		}
	}
	if len(v.Callers) > 0 {
		v.Verdict = BreaksCallers
	}
	slices.SortStableFunc(v.Findings, heaviest)
}

// heaviest orders findings: what breaks first.
func heaviest(a, b Finding) int { return cmp.Compare(b.Severity, a.Severity) }

// view is the view of a qualified name; nil if there is none.
func view(m *artifact.Manifest, name string) *artifact.View {
	for i := range m.Views {
		if m.Views[i].QualifiedName() == name {
			return &m.Views[i]
		}
	}
	return nil
}

// find is the view that a name means: its qualified one, or its own where no other view
// has it, as responders take it.
func find(m *artifact.Manifest, name string) *artifact.View {
	if v := view(m, name); v != nil {
		return v
	}
	if named := namesakes(m, name); len(named) == 1 {
		return named[0]
	}
	return nil
}

// namesakes are the views of a name, whatever their module.
func namesakes(m *artifact.Manifest, name string) []*artifact.View {
	var all []*artifact.View
	for i := range m.Views {
		if m.Views[i].Name == name {
			all = append(all, &m.Views[i])
		}
	}
	return all
}

// removed is the finding of a view that the new version does not have.
func (r *Report) removed(v *artifact.View) Finding {
	f := Finding{Severity: Breaks, Where: "view", Of: v.QualifiedName(), Was: "a view", Why: "the new version has no view of this name: who asks for it gets not-found",
		Next: "keep it, and remove it when nobody asks for it any more"}
	if now := find(r.new, v.Name); now != nil {
		f.Is = "perhaps " + now.QualifiedName()
		f.Next = fmt.Sprintf("if it was moved, keep a view of the old name that does what %s does", now.QualifiedName())
	}
	return f
}

func (r *Report) compareView(was, is *artifact.View) []Finding {
	name := was.QualifiedName()
	var all []Finding
	all = append(all, inputs(r.old, r.new).compare(name, was.Input, is.Input)...)
	all = append(all, answers(r.old, r.new).compare(name, was.Result, is.Result)...)
	if flat(&r.old.Schema, was.Input) && !flat(&r.new.Schema, is.Input) {
		all = append(all, Finding{Severity: Breaks, Where: "input", Of: name, Was: "GET and POST", Is: "POST",
			Why:  "a parameter is neither a scalar nor a list of them any more, and so no query can carry the input: who asks by GET is refused",
			Next: "make the parameter a scalar or a list of scalars, or add a new view"})
	}
	if len(namesakes(r.old, was.Name)) == 1 && len(namesakes(r.new, was.Name)) > 1 {
		all = append(all, Finding{Severity: Breaks, Where: "view", Of: name, Was: "the only view " + was.Name, Is: "one of several",
			Why: "who asks for " + was.Name + " without a module is refused, as it may mean several views", Next: "give the new view another name"})
	}
	if was.WithinNS != is.WithinNS {
		all = append(all, Finding{Severity: Note, Where: "view", Of: name, Was: within(was.WithinNS), Is: within(is.WithinNS), Why: "its deadline is another one"})
	}
	return append(all, r.compareNeeds(was, is)...)
}

func within(ns int64) string {
	if ns == 0 {
		return "no deadline"
	}
	return "within " + time.Duration(ns).String()
}

// needs are how a view needs operations, by their names.
func needs(m *artifact.Manifest, v *artifact.View) map[string]string {
	out := map[string]string{}
	for _, c := range v.Callings {
		out[m.Operations[c.Operation].QualifiedName()] = c.Need
	}
	return out
}

// weight orders needs.
var weight = map[string]int{"": 0, "optional": 1, "guarded": 2, "required": 3}

// compareNeeds notes the calls whose failure fails the view, and did not.
func (r *Report) compareNeeds(was, is *artifact.View) []Finding {
	var all []Finding
	before, now := needs(r.old, was), needs(r.new, is)
	for _, op := range slices.Sorted(maps.Keys(now)) {
		if now[op] == "required" && weight[before[op]] < weight["required"] {
			was := before[op]
			if was == "" {
				was = "not asked"
			}
			all = append(all, Finding{Severity: Note, Where: "view", Of: is.QualifiedName(), Was: op + " " + was, Is: op + " required",
				Why: "the view fails when " + op + " does, and did not before", Next: "put an `else` around the call where there is an answer without it"})
		}
	}
	return all
}

// flat reports whether a query can carry an input, as package serve has it.
func flat(s *abi.Schema, input abi.TypeID) bool {
	for _, f := range s.Types[input].Fields {
		id, option := f.Type, false
		if s.Types[id].Kind == abi.Option {
			id, option = s.Types[id].Elem, true
		}
		if k := s.Types[id].Kind; !option && (k == abi.List || k == abi.Set) {
			id = s.Types[id].Elem
		}
		switch s.Types[base(s, id)].Kind {
		case abi.String, abi.Decimal, abi.Duration, abi.Instant, abi.Date, abi.Enum, abi.Int, abi.Float, abi.Bool:
		default:
			return false
		}
	}
	return true
}

// base is the type behind wrappers.
func base(s *abi.Schema, id abi.TypeID) abi.TypeID {
	for s.Types[id].Kind == abi.Wrapper {
		id = s.Types[id].Elem
	}
	return id
}

// String is the report for people: what is not compatible, and why, and what to do.
func (r *Report) String() string {
	var b strings.Builder
	r.write(&b)
	return b.String()
}
