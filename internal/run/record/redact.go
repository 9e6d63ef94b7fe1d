package record

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"towpath.dev/internal/abi"
	"towpath.dev/internal/artifact"
	"towpath.dev/internal/codec"
	"towpath.dev/internal/jsonschema"
	"towpath.dev/internal/run/engine"
)

// Redactor takes what a program marks `@private` out of entries, before they are
// put anywhere: a field's whole value has a stand-in, wherever the field is part of
// the input, of arguments, answers or the output. The same value standing where
// nothing is marked has the same one, so that no way around a mark shows it and a
// replay, which computes with stand-ins, finds the answers to its calls. Where a
// program computes something of a private value other than a text that holds it, or
// puts a value of its own into a private field, neither is so: what it computed is
// recorded as it was, or a replay asks for something else.
//
// Members that a type does not know are left out: nobody can say whether they are
// private. A text that is no JSON is recorded as null.
type Redactor struct {
	schema   *abi.Schema
	views    map[string]*artifact.View
	ops      map[string]*artifact.Operation
	examples []string // by type, of those with alternatives
	holds    []bool   // by type: a private field is somewhere in it
	key      Key
	walkers  sync.Pool
}

// NewRedactor makes a Redactor for the entries of a program.
func NewRedactor(m *artifact.Manifest, key Key) *Redactor {
	r := &Redactor{
		schema: &m.Schema, views: map[string]*artifact.View{}, ops: map[string]*artifact.Operation{}, key: key,
		examples: make([]string, len(m.Schema.Types)), holds: holding(&m.Schema),
	}
	for i := range m.Views {
		r.views[m.Views[i].QualifiedName()] = &m.Views[i]
	}
	for i := range m.Operations {
		r.ops[m.Operations[i].QualifiedName()] = &m.Operations[i]
	}
	for i := range m.Schema.Types {
		if k := m.Schema.Types[i].Kind; k == abi.Enum || k == abi.Variant {
			r.examples[i] = string(jsonschema.Example(&m.Schema, abi.TypeID(i)))
		}
	}
	return r
}

// holding says of each type whether a private field is somewhere in it.
func holding(s *abi.Schema) []bool {
	holds := make([]bool, len(s.Types))
	for changed := true; changed; {
		changed = false
		for i := range s.Types {
			t := &s.Types[i]
			found := slices.ContainsFunc(t.Fields, func(f abi.Field) bool { return f.Private || holds[f.Type] })
			for _, c := range t.Ctors {
				found = found || slices.ContainsFunc(c.Fields, func(f abi.Field) bool { return f.Private || holds[f.Type] })
			}
			switch t.Kind {
			case abi.List, abi.Set, abi.Option, abi.Wrapper:
				found = found || holds[t.Elem]
			case abi.Map:
				found = found || holds[t.Key] || holds[t.Elem]
			}
			if found && !holds[i] {
				holds[i], changed = true, true
			}
		}
	}
	return holds
}

// Redact makes an entry fit to be kept, in place: its Record as the engine filled
// it, its Trace and its Caller. It fills in Outcome, Redacted and Incomplete. err
// is what the request ended with.
func (r *Redactor) Redact(e *Entry, err error) {
	w, _ := r.walkers.Get().(*walker)
	if w == nil {
		w = &walker{r: r}
		w.carried.key = &r.key
	}
	w.reset()
	rec := &e.Record
	e.Outcome = OutcomeOf(err)
	if err != nil {
		rec.Error = errorText(err)
	}
	view := r.views[rec.View]
	switch {
	case view == nil:
		e.Incomplete = "the program has no such view"
		w.lose(&rec.Input)
	case !w.document(&rec.Input, func() bool { return w.value(view.Input, false) }):
		e.Incomplete = "the input is no JSON"
	case w.dropped > 0 && e.Outcome == Refused:
		e.Incomplete = "of the input, what its type does not know is left out"
	}
	if len(rec.Output) > 0 && (view == nil || !w.document(&rec.Output, func() bool { return w.value(view.Result, false) })) {
		w.lose(&rec.Output)
	}
	for i := range rec.Answers {
		a := &rec.Answers[i]
		op := r.ops[a.Operation]
		if op == nil || !w.document(&a.Args, func() bool { return w.tuple(r.schema.Types[op.Args].Fields, false) }) {
			w.lose(&a.Args)
		}
		if len(a.Body) > 0 && (op == nil || !w.document(&a.Body, func() bool { return w.value(op.Result, false) })) {
			w.lose(&a.Body)
		}
		a.Error = terse(a.Error)
		w.note(&a.Error)
	}
	if len(e.Trace) > 0 && !w.document(&e.Trace, func() bool { return w.any(false) }) {
		w.lose(&e.Trace)
	}
	w.note(&rec.Error)
	w.note(&e.Caller)
	w.finish()
	e.Redacted = w.hidden
	const kept = 1 << 20
	if cap(w.out) <= kept {
		w.src = nil
		r.walkers.Put(w)
	}
}

// errorText is an error without what it quotes from the request: the kind and the
// place are enough, and the rest is in the record, as far as it may be.
func errorText(err error) string {
	var input *engine.InputError
	var at *codec.Error
	var fault *engine.Fault
	switch {
	case errors.As(err, &input) && errors.As(input.Err, &at):
		return fmt.Sprintf("the input of %s: at %s: expected %s", input.View, at.Path, at.Expected)
	case errors.As(err, &fault):
		bare := *fault
		bare.Detail = ""
		return bare.Error()
	}
	return terse(err.Error())
}

// terse is an error's text without what a decoder found.
func terse(text string) string {
	if before, rest, ok := strings.Cut(text, ": expected "); ok {
		expected, _, _ := strings.Cut(rest, ", found ")
		return before + ": expected " + expected
	}
	return text
}

// A document is one of the texts of an entry, redacted, in walker.out.
type document struct {
	to         *json.RawMessage
	text       *string // instead of to
	start, end int
	spans      int // where those of the next begin
}

// document redacts a text by walking over it. It reports false for one that is no
// JSON, which then is null.
func (w *walker) document(to *json.RawMessage, walk func() bool) bool {
	start, spans := len(w.out), len(w.spans)
	w.src, w.pos, w.depth = *to, 0, 0
	ok := walk()
	if w.space(); !ok || w.pos != len(w.src) {
		w.out, w.spans = w.out[:start], w.spans[:spans]
		w.lose(to)
		return false
	}
	w.documents = append(w.documents, document{to: to, start: start, end: len(w.out), spans: len(w.spans)})
	return true
}

// lose puts null for a text that nothing is known of.
func (w *walker) lose(to *json.RawMessage) { *to = json.RawMessage("null") }

// note redacts a text that a person reads.
func (w *walker) note(to *string) {
	if *to == "" {
		return
	}
	start := len(w.out)
	w.out = codec.AppendEscaped(w.out, *to)
	w.spans = append(w.spans, span{start, len(w.out), classText})
	w.documents = append(w.documents, document{text: to, start: start, end: len(w.out), spans: len(w.spans)})
}

// finish hides what private values are carried to, and hands the documents out.
func (w *walker) finish() {
	final := make([]byte, 0, len(w.out)+len(w.out)/8)
	carries := !w.carried.empty()
	span := 0
	for i := range w.documents {
		d := &w.documents[i]
		start, from := len(final), d.start
		for ; span < d.spans; span++ {
			if !carries {
				continue
			}
			s := w.spans[span]
			final = append(final, w.out[from:s.start]...)
			text := w.out[s.start:s.end]
			if s.class == classText {
				final = w.carried.appendText(final, text)
			} else if standIn, ok := w.carried.find(s.class, text); ok {
				final = append(final, standIn...)
			} else {
				final = append(final, text...)
			}
			from = s.end
		}
		final = append(final, w.out[from:d.end]...)
		if d.text != nil {
			*d.text = unescaped(final[start:])
		} else {
			*d.to = final[start:len(final):len(final)]
		}
	}
}

func unescaped(text []byte) string {
	if !slices.Contains(text, '\\') {
		return string(text)
	}
	var s string
	if json.Unmarshal([]byte(`"`+string(text)+`"`), &s) != nil {
		return "" // it was escaped here
	}
	return s
}
