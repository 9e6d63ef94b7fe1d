package sqlquery

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"towpath.dev/internal/abi"
)

// write makes the statement that the database gets of the one that was given.
func (o *operation) write(d dialect) {
	switch {
	case o.given.calls:
		for i := range o.params.all {
			o.told = append(o.told, i)
		}
		o.text = o.given.withCalls(o.relation(d))
	case d.postgres:
		text := o.instead(func(i int) string { return `towpath_call.` + quoteName(o.params.all[i].path) })
		o.text = "select towpath_call.call, towpath_answer.* from (" + o.postgresCalls() + ") as towpath_call(" + o.names() +
			") cross join lateral (\n" + text + "\n) as towpath_answer"
	default:
		o.text = o.instead(func(i int) string { return fmt.Sprintf("?%d", 1+slices.Index(o.told, i)) })
	}
	sum := sha256.Sum256([]byte(o.text))
	o.key = "towpath_" + hex.EncodeToString(sum[:12])
}

// instead is the statement with something in the place of each name of a
// parameter, which becomes one of those that the statement is told.
func (o *operation) instead(by func(param int) string) string {
	var b strings.Builder
	at := 0
	for _, r := range o.given.refs {
		i := o.params.find(r.path)
		if !slices.Contains(o.told, i) {
			o.told = append(o.told, i)
		}
		b.WriteString(o.given.text[at:r.start])
		b.WriteString(by(i))
		at = r.end
	}
	b.WriteString(o.given.text[at:])
	return b.String()
}

// withCalls is a statement with a common table expression before its own.
func (s *statement) withCalls(calls string) string {
	if s.with > 0 {
		return s.text[:s.with] + " " + calls + "," + s.text[s.with:]
	}
	return "with " + calls + " " + s.text
}

// relation is the common table expression calls.
func (o *operation) relation(d dialect) string {
	if d.postgres {
		return "calls(" + o.names() + ") as (" + o.postgresCalls() + ")"
	}
	var b strings.Builder
	b.WriteString("calls(" + o.names() + ") as materialized (select key")
	for _, i := range o.told {
		b.WriteString(", " + o.params.all[i].inSQLite())
	}
	b.WriteString(" from json_each(?1))")
	return b.String()
}

// names are the columns of the relation of calls.
func (o *operation) names() string {
	names := []string{"call"}
	for _, i := range o.told {
		names = append(names, quoteName(o.params.all[i].path))
	}
	return strings.Join(names, ", ")
}

// postgresCalls selects the rows of the relation of calls: from an array for each
// column, or without columns from their number.
func (o *operation) postgresCalls() string {
	if len(o.told) == 0 {
		return "select nr from generate_series(0, $1::bigint - 1) as given(nr)"
	}
	var columns, arrays []string
	for n, i := range o.told {
		columns = append(columns, fmt.Sprintf("c%d", n+1))
		arrays = append(arrays, fmt.Sprintf("$%d::%s[]", n+1, postgresTypes[o.params.all[i].kind]))
	}
	list := strings.Join(columns, ", ")
	return "select nr - 1, " + list + " from unnest(" + strings.Join(arrays, ", ") + ") with ordinality as given(" + list + ", nr)"
}

var postgresTypes = map[abi.Kind]string{
	abi.Bool: "boolean", abi.Int: "bigint", abi.Float: "double precision", abi.Decimal: "numeric", abi.String: "text",
	abi.Duration: "interval", abi.Instant: "timestamptz", abi.Date: "date", abi.Json: "jsonb",
}

// inSQLite takes the parameter from value, a call's arguments.
func (p *param) inSQLite() string {
	path := fmt.Sprintf("$[%d]", p.arg)
	for _, name := range p.in {
		path += `."` + name + `"`
	}
	path = "'" + strings.ReplaceAll(path, "'", "''") + "'"
	switch p.kind {
	case abi.Json:
		return "nullif(value -> " + path + ", 'null')"
	case abi.Float:
		return "cast(value ->> " + path + " as real)"
	}
	return "value ->> " + path
}

func quoteName(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }
