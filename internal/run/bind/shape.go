package bind

import (
	"fmt"

	"towpath.dev/internal/abi"
)

// shapeOf writes the JSON of some types: alike for types of two programs, or of two
// versions of one, that have the same. Names that JSON does not show do not matter,
// nor does where a value lies in memory.
func shapeOf(s *abi.Schema, ids ...abi.TypeID) []byte {
	w := &shape{schema: s, seen: map[abi.TypeID]int{}}
	for _, id := range ids {
		w.typ(id)
	}
	return w.text
}

type shape struct {
	schema *abi.Schema
	seen   map[abi.TypeID]int // the number of a type that was written
	text   []byte
}

func (w *shape) typ(id abi.TypeID) {
	if n, known := w.seen[id]; known {
		w.text = fmt.Appendf(w.text, "@%d ", n)
		return
	}
	w.seen[id] = len(w.seen)
	t := &w.schema.Types[id]
	w.text = fmt.Appendf(w.text, "%s ", t.Kind)
	switch t.Kind {
	case abi.Map:
		w.typ(t.Key)
		w.typ(t.Elem)
	case abi.List, abi.Set, abi.Option, abi.Wrapper:
		w.typ(t.Elem)
	}
	w.fields(t.Fields)
	for i := range t.Ctors {
		w.text = fmt.Appendf(w.text, "|%q ", t.Ctors[i].JSON)
		w.fields(t.Ctors[i].Fields)
	}
}

func (w *shape) fields(fields []abi.Field) {
	w.text = fmt.Appendf(w.text, "%d ", len(fields))
	for i := range fields {
		f := &fields[i]
		name := f.JSON
		if name == "" {
			name = f.Name
		}
		w.text = fmt.Appendf(w.text, "%q %q ", name, f.Default)
		w.typ(f.Type)
	}
}
