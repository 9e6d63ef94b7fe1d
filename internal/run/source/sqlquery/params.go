package sqlquery

import (
	"slices"
	"strings"

	"towpath.dev/internal/abi"
	"towpath.dev/internal/codec"
	"towpath.dev/internal/run/source"
)

// param is what a statement may be told of a call: a parameter, or a member of
// one, and so a column of the relation calls.
type param struct {
	path string   // "shopper.region"
	kind abi.Kind // String, Int and so on; Json where the value is handed on as JSON
	arg  int      // of which parameter
	in   []string // the members below it, as JSON calls them
}

// params is what an operation's statement may be told.
type params struct {
	all    []param
	whole  []string // the paths of records, which have columns for their members alone
	trees  []argument
	schema *abi.Schema
}

// argument finds the columns in a parameter's JSON.
type argument struct {
	name    string // with quotes; of a member
	column  int    // -1 for a record
	members []argument
}

// paramsOf lists an operation's.
func paramsOf(op source.Operation) *params {
	p := &params{schema: op.Schema}
	for i, f := range op.Schema.Types[op.Meta.Args].Fields {
		p.trees = append(p.trees, p.argument(source.JSONName(&f), f.Type, i, nil, nil))
	}
	return p
}

// argument lists the columns of a value of type id. above are the records that it
// lies in: one that holds itself is JSON.
func (p *params) argument(path string, id abi.TypeID, arg int, in []string, above []abi.TypeID) argument {
	id = bare(p.schema, id)
	if slices.Contains(above, id) {
		return p.column(path, abi.Json, arg, in)
	}
	above = append(above[:len(above):len(above)], id)
	t := &p.schema.Types[id]
	member := func(name string, of func(path string, in []string) argument) argument {
		a := of(path+"."+name, append(in[:len(in):len(in)], name))
		a.name = string(codec.AppendString(nil, name))
		return a
	}
	switch t.Kind {
	case abi.Record:
		a := argument{column: -1}
		for _, f := range t.Fields {
			a.members = append(a.members, member(source.JSONName(&f), func(path string, in []string) argument {
				return p.argument(path, f.Type, arg, in, above)
			}))
		}
		p.whole = append(p.whole, path)
		return a
	case abi.Money:
		p.whole = append(p.whole, path)
		return argument{column: -1, members: []argument{
			member("amount", func(path string, in []string) argument { return p.column(path, abi.Decimal, arg, in) }),
			member("currency", func(path string, in []string) argument { return p.column(path, abi.String, arg, in) }),
		}}
	case abi.Bool, abi.Int, abi.Float, abi.Decimal, abi.String, abi.Duration, abi.Instant, abi.Date:
		return p.column(path, t.Kind, arg, in)
	case abi.Enum:
		return p.column(path, abi.String, arg, in)
	}
	return p.column(path, abi.Json, arg, in)
}

func (p *params) column(path string, kind abi.Kind, arg int, in []string) argument {
	p.all = append(p.all, param{path, kind, arg, in})
	return argument{column: len(p.all) - 1}
}

// bare is a type without Option and wrappers around it.
func bare(s *abi.Schema, id abi.TypeID) abi.TypeID {
	for s.Types[id].Kind == abi.Option || s.Types[id].Kind == abi.Wrapper {
		id = s.Types[id].Elem
	}
	return id
}

// find is the column of a path; -1 without one.
func (p *params) find(path string) int {
	for i := range p.all {
		if p.all[i].path == path {
			return i
		}
	}
	return -1
}

// isWhole reports whether a path is that of a record.
func (p *params) isWhole(path string) bool { return slices.Contains(p.whole, path) }

// firstIn is the first column of a record.
func (p *params) firstIn(path string) string {
	for i := range p.all {
		if strings.HasPrefix(p.all[i].path, path+".") {
			return p.all[i].path
		}
	}
	return path + ".…"
}

// folds reports whether there is a column of the path when capitals do not matter.
func (p *params) folds(path string) bool {
	return slices.ContainsFunc(p.all, func(q param) bool { return strings.EqualFold(q.path, path) })
}

// paths are those of all columns.
func (p *params) paths() []string {
	paths := make([]string, len(p.all))
	for i := range p.all {
		paths[i] = p.all[i].path
	}
	return paths
}

// values finds the JSON of each column in a call's arguments; nil stands for null.
// It reports whether they are as the canonical form has them.
func (p *params) values(args []byte, values [][]byte) bool {
	clear(values)
	if len(p.trees) == 0 {
		return string(args) == "[]"
	}
	at := 0
	for i := range p.trees {
		if at >= len(args) || args[at] != "[,"[min(i, 1)] {
			return false
		}
		end := skip(args, at+1)
		if end < 0 || !p.trees[i].values(args[at+1:end], values) {
			return false
		}
		at = end
	}
	return at == len(args)-1 && args[at] == ']'
}

func (a *argument) values(text []byte, values [][]byte) bool {
	switch {
	case string(text) == "null":
		return true
	case a.column >= 0:
		values[a.column] = text
		return true
	case len(text) < 2 || text[0] != '{':
		return false
	}
	next := 0 // members come in declared order, though not all
	for at := 0; at < len(text)-2; {
		key := at + 1
		if text[at] != "{,"[min(at, 1)] || text[key] != '"' {
			return false
		}
		colon := skip(text, key)
		if colon < 0 || colon >= len(text) || text[colon] != ':' {
			return false
		}
		end := skip(text, colon+1)
		if end < 0 {
			return false
		}
		for i := range a.members {
			m := &a.members[(next+i)%len(a.members)]
			if m.name == string(text[key:colon]) {
				if !m.values(text[colon+1:end], values) {
					return false
				}
				next += i + 1
				break
			}
		}
		at = end
	}
	return true
}

// skip is the end of the JSON value that begins at i in a compact text; -1 without
// one. It does not look for mistakes within the value.
func skip(text []byte, i int) int {
	depth := 0
	for start := i; i < len(text); i++ {
		switch text[i] {
		case '"':
			for i++; i < len(text) && text[i] != '"'; i++ {
				if text[i] == '\\' {
					i++
				}
			}
			if i >= len(text) {
				return -1
			}
			if depth == 0 {
				return i + 1
			}
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 {
				return ended(start, i)
			}
			if depth--; depth == 0 {
				return i + 1
			}
		case ',', ':':
			if depth == 0 {
				return ended(start, i)
			}
		}
	}
	if depth > 0 {
		return -1
	}
	return i
}

// ended is the end of a value without brackets, which has a byte at least.
func ended(start, end int) int {
	if end == start {
		return -1
	}
	return end
}
