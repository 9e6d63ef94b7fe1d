package filetable

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"

	"towpath.dev/internal/abi"
	"towpath.dev/internal/codec"
	"towpath.dev/internal/run/source"
)

// cells makes JSON of a type out of a row's cells.
type cells struct {
	name     string // of the column, or what the names of several begin with
	column   int    // -1 for an object of members
	form     form
	typ      abi.TypeID // without Option
	nullable bool
	members  []member
}

type member struct {
	quoted string // its name, with the colon
	cells  *cells
}

// form is how a cell becomes JSON.
type form uint8

const (
	formText   form = iota // in quotes
	formString             // in quotes, and empty is a text as well
	formPlain              // as it is, without blanks around it
	formBool               // in any case of letters
)

// formOf is the form of a type's cells.
func formOf(k abi.Kind) form {
	switch k {
	case abi.String:
		return formString
	case abi.Enum, abi.Date, abi.Instant, abi.Duration, abi.Decimal:
		return formText
	case abi.Bool:
		return formBool
	}
	return formPlain
}

// header is the columns' names.
type header []string

// below reports whether there are columns of members of name.
func (h header) below(name string) bool {
	return name == "" || slices.ContainsFunc(h, func(c string) bool { return strings.HasPrefix(c, name+".") })
}

// cells plans a type's JSON from the columns that are called name or name.member.
// The error says which there is not.
func (h header) cells(schema *abi.Schema, id abi.TypeID, name string) (*cells, error) {
	base, nullable := source.Base(schema, id)
	t := &schema.Types[base]
	c := &cells{name: name, column: slices.Index(h, name), form: formOf(t.Kind), typ: base, nullable: nullable}
	if name != "" && c.column >= 0 {
		return c, nil
	}
	c.column = -1
	switch {
	case t.Kind == abi.Json && name == "":
		for i, column := range h {
			c.add(column, &cells{name: column, column: i, form: formString, typ: base, nullable: true})
		}
		return c, nil
	case t.Kind == abi.Money && h.below(name):
		for _, part := range []string{"amount", "currency"} {
			i := slices.Index(h, join(name, part))
			if i < 0 {
				return nil, errors.New(source.Unknown("column", join(name, part), h))
			}
			// The Money as a whole is checked, not the text of an amount.
			c.add(part, &cells{name: h[i], column: i, form: formText, typ: -1})
		}
		return c, nil
	case t.Kind == abi.Record && h.below(name):
		for i := range t.Fields {
			f := &t.Fields[i]
			field := join(name, source.JSONName(f))
			if _, optional := source.Base(schema, f.Type); (optional || f.Default != "") && !slices.Contains(h, field) && !h.below(field) {
				continue
			}
			inner, err := h.cells(schema, f.Type, field)
			if err != nil {
				return nil, err
			}
			inner.nullable = inner.nullable || f.Default != ""
			c.add(source.JSONName(f), inner)
		}
		return c, nil
	}
	if name == "" {
		return nil, errors.New("a row is no " + t.Name + "; name the column that is in `answer`")
	}
	if t.Kind == abi.Money {
		return nil, errors.New(source.Unknown("column", name+".amount", h))
	}
	return nil, errors.New(source.Unknown("column", name, h))
}

func join(name, member string) string {
	if name == "" {
		return member
	}
	return name + "." + member
}

func (c *cells) add(name string, inner *cells) {
	c.members = append(c.members, member{quote(name) + ":", inner})
}

func quote(text string) string {
	quoted, err := json.Marshal(text)
	if err != nil {
		return `""` // no text fails
	}
	return string(quoted)
}

// empty reports whether all cells are.
func (c *cells) empty(row []string) bool {
	if c.column >= 0 {
		return row[c.column] == ""
	}
	return !slices.ContainsFunc(c.members, func(m member) bool { return !m.cells.empty(row) })
}

// cellError is what is wrong with a cell.
type cellError struct {
	column int
	err    error
}

// append appends the JSON of a row.
func (c *cells) append(dst []byte, v *values, row []string) ([]byte, *cellError) {
	if c.nullable && c.empty(row) {
		return append(dst, "null"...), nil
	}
	start := len(dst)
	if c.column >= 0 {
		text := row[c.column]
		if text == "" && c.form != formString {
			return dst, &cellError{c.column, errors.New("the cell of `" + c.name + "` is empty, and null does not do; expected " + v.name(c.typ))}
		}
		dst = appendCell(dst, c.form, text)
		return dst, c.check(v, dst[start:], c.column)
	}
	dst = append(dst, '{')
	for i := range c.members {
		m := &c.members[i]
		if m.cells.nullable && m.cells.empty(row) {
			continue
		}
		if dst[len(dst)-1] != '{' {
			dst = append(dst, ',')
		}
		var err *cellError
		if dst, err = m.cells.append(append(dst, m.quoted...), v, row); err != nil {
			return dst, err
		}
	}
	dst = append(dst, '}')
	if v.schema.Types[c.typ].Kind == abi.Money {
		return dst, c.check(v, dst[start:], c.members[0].cells.column)
	}
	return dst, nil // its members were checked
}

// check looks whether a JSON text is of the cells' type.
func (c *cells) check(v *values, text []byte, column int) *cellError {
	if c.typ < 0 || c.form == formString && v.schema.Types[c.typ].Kind == abi.Json {
		return nil
	}
	err := v.check(c.typ, text)
	if err == nil {
		return nil
	}
	var at *codec.Error
	if errors.As(err, &at) {
		err = errors.New("expected " + at.Expected + ", found " + at.Found)
	}
	return &cellError{column, err}
}

func (v *values) name(id abi.TypeID) string {
	if id < 0 {
		return "an amount and a currency"
	}
	return v.schema.Types[id].Name
}

// appendCell appends a cell's JSON, unchecked.
func appendCell(dst []byte, f form, text string) []byte {
	switch f {
	case formPlain:
		return append(dst, strings.TrimSpace(text)...)
	case formBool:
		return append(dst, strings.ToLower(strings.TrimSpace(text))...)
	}
	return append(dst, quote(text)...)
}

// reading is a table while its rows are read.
type reading struct {
	table *table
	args  *cells // of the key: an object of the parameters
	row   *cells // of the answer
	index *index
}

// readCSV reads the rows for all tables at once.
func (s *Source) readCSV(tables []*table, rows map[*table]*index, text []byte) error {
	r := csv.NewReader(bytes.NewReader(text))
	columns, err := r.Read()
	if err == io.EOF {
		return s.wrong(position{1, 1}, "the file is empty; expected a line with the columns' names")
	} else if err != nil {
		return s.wrongCSV(err)
	}
	for i, c := range columns {
		line, column := r.FieldPos(i)
		if slices.Contains(columns[:i], c) {
			return s.wrong(position{line, column}, "there is a second column `%s`", c)
		}
	}
	r.ReuseRecord = true
	var readings []*reading
	for _, b := range tables {
		one, err := b.reading(columns)
		if err != nil {
			return s.wrong(position{1, 1}, "%w", err)
		}
		readings = append(readings, one)
	}
	var key, object []byte
	for {
		row, err := r.Read()
		if err == io.EOF || s.stop.Err() != nil {
			break
		} else if err != nil {
			return s.wrongCSV(err)
		}
		for _, one := range readings {
			var wrong *cellError
			key, object, wrong = one.add(key[:0], object[:0], row)
			if wrong != nil {
				line, column := r.FieldPos(wrong.column)
				return s.wrong(position{line, column}, "%w", wrong.err)
			}
		}
	}
	for _, one := range readings {
		rows[one.table] = one.index.close()
	}
	return nil
}

func (s *Source) wrongCSV(err error) error {
	var at *csv.ParseError
	switch {
	case !errors.As(err, &at):
		return s.wrong(position{1, 1}, "%w", err)
	case errors.Is(err, csv.ErrFieldCount):
		return s.wrong(position{at.Line, at.Column}, "the line has another number of cells than the first")
	}
	return s.wrong(position{at.Line, at.Column}, "%w", at.Err)
}

// reading plans a table's rows from the columns.
func (b *table) reading(columns header) (*reading, error) {
	schema := b.op.Schema
	args := &cells{column: -1, typ: b.op.Meta.Args}
	for i, name := range b.op.Params() {
		field := &schema.Types[b.op.Meta.Args].Fields[i]
		c, err := columns.cells(schema, field.Type, b.keys[i])
		if err != nil {
			return nil, err
		}
		args.add(name, c)
	}
	elem := b.elem
	row, err := columns.cells(schema, elem, b.answer)
	if err != nil {
		return nil, err
	}
	row.nullable = row.nullable || b.take == takeMaybe
	return &reading{b, args, row, &index{}}, nil
}

// add adds a row. key and object are memory to use.
func (r *reading) add(key, object []byte, row []string) ([]byte, []byte, *cellError) {
	v := r.table.values
	object, wrong := r.args.append(object, v, row)
	if wrong != nil {
		return key, object, wrong
	}
	key, err := v.appendArgs(key, r.table.op.Meta.Args, object)
	if err != nil {
		return key, object, &cellError{r.first(), err}
	}
	if r.index.text, wrong = r.row.append(r.index.text, v, row); wrong != nil {
		return key, object, wrong
	}
	r.index.add(key)
	return key, object, nil
}

// first is the first column of the key.
func (r *reading) first() int {
	c := r.args
	for c.column < 0 && len(c.members) > 0 {
		c = c.members[0].cells
	}
	return max(c.column, 0)
}
