package source

import (
	"slices"
	"strings"

	"towpath.dev/internal/abi"
)

// Unknown is what to say of a name that is none of those known: which was
// likely meant, and which there are.
//
//	there is no parameter `prodct`; did you mean `product`? There is `product`, `region`
func Unknown(what, name string, known []string) string {
	text := "there is no " + what + " `" + name + "`"
	if len(known) == 0 {
		return text + ", nor any other"
	}
	const most = 12
	listed := known
	if len(listed) > most {
		listed = listed[:most]
	}
	there := "`" + strings.Join(listed, "`, `") + "`"
	if len(known) > most {
		there += ", …"
	}
	if near := nearest(name, known); near != "" {
		return text + "; did you mean `" + near + "`? There is " + there
	}
	return text + "; there is " + there
}

// nearest is the name that is most likely meant, "" when none is near.
func nearest(name string, known []string) string {
	best, bestDistance := "", 2+len(name)/4
	for _, k := range known {
		d := distance(name, k)
		if strings.EqualFold(name, k) {
			d = 0
		}
		if d < bestDistance && 2*d <= len(k) {
			best, bestDistance = k, d
		}
	}
	return best
}

// distance is Levenshtein's.
func distance(a, b string) int {
	const longest = 64 // names beyond it are not worth the time
	if len(a) > longest || len(b) > longest {
		return longest
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}

// Base is the type that values of a type are written as in JSON: what wrappers
// wrap; and whether null is one of them, as of an Option and of Json.
func Base(s *abi.Schema, id abi.TypeID) (base abi.TypeID, nullable bool) {
	for range len(s.Types) {
		switch t := &s.Types[id]; t.Kind {
		case abi.Wrapper:
			id = t.Elem
		case abi.Option:
			id, nullable = t.Elem, true
		default:
			return id, nullable || t.Kind == abi.Json
		}
	}
	return id, nullable
}

// JSONName is what JSON calls a field.
func JSONName(f *abi.Field) string {
	if f.JSON != "" {
		return f.JSON
	}
	return f.Name
}

// Members resolves a dotted name such as "query.text": a parameter, whose index
// it gives, and the members within it, none when it is the parameter as a whole.
// The type is that of the last member; ok is false of what lies within a Json or
// a Map, where any name may be. mistake says what is wrong with the name.
func (o *Operation) Members(name string) (param int, members []string, typ abi.TypeID, ok bool, mistake string) {
	params := o.Params()
	if param = slices.Index(params, name); param < 0 {
		members = strings.Split(name, ".")
		if param = slices.Index(params, members[0]); param < 0 {
			return 0, nil, 0, false, Unknown("parameter", members[0], params)
		}
		members = members[1:]
	}
	typ = o.Schema.Types[o.Meta.Args].Fields[param].Type
	for i, m := range members {
		base, _ := Base(o.Schema, typ)
		t := &o.Schema.Types[base]
		switch t.Kind {
		case abi.Json, abi.Map:
			return param, members, 0, false, ""
		case abi.Money:
			if m != "amount" && m != "currency" {
				return 0, nil, 0, false, Unknown("member", m, []string{"amount", "currency"})
			}
			if i+1 < len(members) {
				return 0, nil, 0, false, "`" + m + "` of a Money has no members"
			}
			return param, members, 0, false, ""
		case abi.Record:
			names := make([]string, len(t.Fields))
			for j := range t.Fields {
				names[j] = JSONName(&t.Fields[j])
			}
			j := slices.Index(names, m)
			if j < 0 {
				return 0, nil, 0, false, Unknown("member", m, names) + " in " + t.Name
			}
			typ = t.Fields[j].Type
		default:
			return 0, nil, 0, false, "a " + t.Name + " has no member `" + m + "`"
		}
	}
	return param, members, typ, true, ""
}
