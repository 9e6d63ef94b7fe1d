// Programs that ask views of this one.

package compat

import (
	"maps"
	"slices"

	"towpath.dev/internal/artifact"
)

// A Caller is a program that asks views of another in the same process, by sources of the
// type "view" (docs/environments.md).
type Caller struct {
	Manifest *artifact.Manifest
	// Views are the views that answer its operations, by the operations' qualified names,
	// "checkout/services.Quotes.price"; a view is "quotes.price", or "price" where no other
	// is called so.
	Views map[string]string
}

// Broken is an operation of a caller that would fail.
type Broken struct {
	Caller    string    `json:"caller"`
	Operation string    `json:"operation"` // qualified
	Need      string    `json:"need"`      // "required", "guarded", "optional" or "unused"
	Findings  []Finding `json:"findings"`
}

// Against finds which of the callers break that are known, by program. What did not work with
// the old version either is not counted.
func (r *Report) Against(callers map[string]Caller) {
	for i := range r.Views {
		r.Views[i].Callers = nil
	}
	for _, program := range slices.Sorted(maps.Keys(callers)) {
		c := callers[program]
		for _, op := range slices.Sorted(maps.Keys(c.Views)) {
			r.against(program, c.Manifest, op, c.Views[op])
		}
	}
	for i := range r.Views {
		r.Views[i].judge()
	}
}

func (r *Report) against(program string, m *artifact.Manifest, op, asked string) {
	o := slices.IndexFunc(m.Operations, func(o artifact.Operation) bool { return o.QualifiedName() == op })
	was := find(r.old, asked)
	if o < 0 || was == nil || len(breaking(program, m, &m.Operations[o], r.old, was)) > 0 {
		return // it does not work today
	}
	found := []Finding{{Severity: Breaks, Where: "view", Of: was.QualifiedName(), Was: asked, Why: "the new version answers no view of this name", Next: "keep it"}}
	if is := find(r.new, asked); is != nil {
		found = breaking(program, m, &m.Operations[o], r.new, is)
	}
	if len(found) == 0 {
		return
	}
	at := slices.IndexFunc(r.Views, func(v View) bool { return v.Name == was.QualifiedName() })
	r.Views[at].Callers = append(r.Views[at].Callers, Broken{program, op, need(m, o), found})
}

// breaking is what of a caller's operation does not fit a view of a program.
func breaking(caller string, m *artifact.Manifest, o *artifact.Operation, of *artifact.Manifest, v *artifact.View) []Finding {
	input, answer := inputs(m, of), answers(m, of)
	input.loose = false // the caller writes what tow writes
	input.speaker.name, answer.reader.name = caller, caller
	input.of, answer.of = v.QualifiedName(), v.QualifiedName()
	all := append(input.run(o.Args, v.Input), answer.run(v.Result, o.Result)...)
	return slices.DeleteFunc(all, func(f Finding) bool { return f.Severity != Breaks })
}
