package sqlquery

import (
	"fmt"
	"slices"
	"strings"

	"towpath.dev/internal/abi"
	"towpath.dev/internal/codec"
	"towpath.dev/internal/run/source"
)

// shape is what rows have to give for an operation's result.
type shape struct {
	typ  string // "List<Offer>", for errors
	elem string // "Offer"
	// A List or a Set has all rows, an Option none or one, anything else one.
	many, optional bool
	root           field
}

// field is a value in a row: one column, or one for each member.
type field struct {
	path     string // the column's name, "price.amount"; "" of the row itself
	key      []byte // `"amount":`
	typ      string // for errors
	kind     abi.Kind
	members  []field // of a Record, a Money or a Variant
	required bool    // an answer without it is none
	alone    bool    // its column may have any name, since there is no other
}

// shapeOf is the shape of a type.
func shapeOf(s *abi.Schema, id abi.TypeID) *shape {
	sh := &shape{typ: s.Types[id].Name}
	for s.Types[id].Kind == abi.Wrapper {
		id = s.Types[id].Elem
	}
	switch t := &s.Types[id]; t.Kind {
	case abi.List, abi.Set:
		sh.many, id = true, t.Elem
	case abi.Option:
		sh.optional, id = true, t.Elem
	}
	sh.elem = s.Types[id].Name
	sh.root = fieldOf(s, "", "", id, nil)
	sh.root.required = true
	sh.root.alone = len(sh.root.members) == 0
	return sh
}

// fieldOf is the field of a value of type id. above are the records and variants
// that it lies in: one that holds itself is a column of JSON.
func fieldOf(s *abi.Schema, path, name string, id abi.TypeID, above []abi.TypeID) field {
	f := field{path: path, typ: s.Types[id].Name, required: s.Types[id].Kind != abi.Option}
	if name != "" {
		f.key = append(codec.AppendString(nil, name), ':')
	}
	id = bare(s, id)
	t := &s.Types[id]
	f.kind = t.Kind
	if slices.Contains(above, id) {
		return f
	}
	above = append(above[:len(above):len(above)], id)
	member := func(name string, id abi.TypeID) *field {
		below := name
		if path != "" {
			below = path + "." + name
		}
		f.members = append(f.members, fieldOf(s, below, name, id, above))
		return &f.members[len(f.members)-1]
	}
	fixed := func(name string, kind abi.Kind) {
		m := member(name, id)
		*m = field{path: m.path, key: m.key, typ: kind.String(), kind: kind, required: true}
	}
	switch t.Kind {
	case abi.Record:
		for _, m := range t.Fields {
			if in := member(source.JSONName(&m), m.Type); m.Default != "" {
				in.required = false
			}
		}
	case abi.Money:
		fixed("amount", abi.Decimal)
		fixed("currency", abi.String)
	case abi.Variant:
		fixed("type", abi.String)
		for _, c := range t.Ctors {
			for _, m := range c.Fields {
				if !slices.ContainsFunc(f.members, func(f field) bool { return string(f.key) == string(keyOf(m)) }) {
					member(source.JSONName(&m), m.Type).required = false
				}
			}
		}
	}
	return f
}

func keyOf(f abi.Field) []byte { return append(codec.AppendString(nil, source.JSONName(&f)), ':') }

// column is a column of a statement's rows.
type column struct {
	name string
	// suits says why the column cannot hold a kind; "" when it can. nil where only
	// the values show it.
	suits func(f *field) string
}

// plan is a shape laid upon columns.
type plan struct {
	*shape
	call  int // the column that tells the call; -1 where one call is asked at a time
	width int
	root  planned
}

// planned is a field and where it comes from.
type planned struct {
	*field
	column  int // -1 where it comes from its members
	members []planned
}

// fit lays the shape upon columns. The error says what they lack and what they
// have too much.
func (sh *shape) fit(columns []column, withCall bool) (*plan, error) {
	f := &fitting{columns: columns, used: make([]bool, len(columns)), typ: sh.elem}
	p := &plan{shape: sh, call: -1, width: len(columns)}
	if withCall {
		if p.call = f.find("call"); p.call < 0 {
			f.missing = append(f.missing, "call")
		}
	}
	if sh.root.alone {
		p.root = f.single(&sh.root)
	} else {
		p.root, _ = f.members(&sh.root)
	}
	return p, f.err()
}

type fitting struct {
	typ     string
	columns []column
	used    []bool
	missing []string // paths
	unfit   []string // sentences
}

func (f *fitting) find(name string) int {
	i := slices.IndexFunc(f.columns, func(c column) bool { return c.name == name })
	if i >= 0 {
		f.used[i] = true
	}
	return i
}

// single finds the one column besides call.
func (f *fitting) single(of *field) planned {
	i := slices.Index(f.used, false)
	if i < 0 {
		f.unfit = append(f.unfit, fmt.Sprintf("a column for the %s is missing", f.typ))
		return planned{field: of, column: -1}
	}
	f.used[i] = true
	f.suit(i, of)
	return planned{of, i, nil}
}

func (f *fitting) suit(i int, of *field) {
	if suits := f.columns[i].suits; suits != nil {
		if why := suits(of); why != "" {
			f.unfit = append(f.unfit, why)
		}
	}
}

// members finds the columns of a field's members, and reports whether there are
// any.
func (f *fitting) members(of *field) (planned, bool) {
	p := planned{field: of, column: -1}
	var missing []string
	for i := range of.members {
		m := &of.members[i]
		if c := f.find(m.path); c >= 0 {
			f.suit(c, m)
			p.members = append(p.members, planned{m, c, nil})
			continue
		}
		if below, any := f.members(m); any {
			p.members = append(p.members, below)
		} else if m.required {
			missing = append(missing, m.needs()...)
		}
	}
	if len(p.members) > 0 || of.path == "" {
		f.missing = append(f.missing, missing...)
	}
	return p, len(p.members) > 0
}

// needs are the columns that a field cannot do without.
func (of *field) needs() []string {
	var needs []string
	for i := range of.members {
		if of.members[i].required {
			needs = append(needs, of.members[i].needs()...)
		}
	}
	if needs == nil {
		return []string{of.path}
	}
	return needs
}

// err says what is wrong, nil when nothing is.
func (f *fitting) err() error {
	var given, extra []string
	for i, c := range f.columns {
		given = append(given, c.name)
		if !f.used[i] {
			extra = append(extra, "`"+c.name+"`")
		}
	}
	if len(extra)+len(f.missing)+len(f.unfit) == 0 {
		return nil
	}
	var wrong []string
	if len(extra) > 0 {
		wrong = append(wrong, fmt.Sprintf("%s has no %s", f.typ, strings.Join(extra, ", ")))
	}
	if n := len(f.missing); n > 0 {
		names := make([]string, n)
		for i, m := range f.missing {
			names[i] = "`" + m + "`"
			if c := f.folded(m); c != "" {
				names[i] += fmt.Sprintf(" (`%s` is there; write as \"%s\" with the quotes)", c, m)
			}
		}
		verb := "is"
		if n > 1 {
			verb = "are"
		}
		wrong = append(wrong, fmt.Sprintf("%s %s missing", strings.Join(names, ", "), verb))
	}
	wrong = append(wrong, f.unfit...)
	between := "; "
	if len(wrong) == 2 {
		between = ", and "
	}
	if len(given) == 0 {
		given = []string{"no columns"}
	}
	return fmt.Errorf("the statement gives %s; %s", strings.Join(given, ", "), strings.Join(wrong, between))
}

// folded is a column's name that differs from name in small and capital letters
// alone: PostgreSQL folds names without quotes.
func (f *fitting) folded(name string) string {
	for i, c := range f.columns {
		if !f.used[i] && strings.EqualFold(c.name, name) {
			return c.name
		}
	}
	return ""
}
