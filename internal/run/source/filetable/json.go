package filetable

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"towpath.dev/internal/run/source"
	"towpath.dev/internal/run/source/jsonpick"
)

// selector is the pointer that a setting names: one that starts with a slash, or
// the name of a member; of "" the whole.
func selector(name string) (jsonpick.Pointer, error) {
	if name == "" || strings.HasPrefix(name, "/") {
		return jsonpick.Compile(name)
	}
	return jsonpick.Member(name), nil
}

// jsonRows reads a JSON file's rows for one table.
type jsonRows struct {
	src    *Source
	table  *table
	text   []byte
	at     int // where the rows that were read end
	keys   []jsonpick.Pointer
	names  []string // of the parameters, quoted, with a colon
	answer jsonpick.Pointer
	index  *index
	object []byte // memory to use
	key    []byte
}

func (s *Source) readJSON(b *table, text []byte) (*index, error) {
	rows, ok, err := b.rows.Scan(text)
	var at *jsonpick.Error
	switch {
	case errors.As(err, &at):
		found := ""
		if at.Found != "" {
			found = ", found " + at.Found
		}
		return nil, s.wrong(place(text, at.Offset), "expected %s%s", at.Expected, found)
	case !ok:
		return nil, s.wrong(position{1, 1}, "there is nothing at %s, where the rows are said to be", b.rows)
	}
	r := &jsonRows{src: s, table: b, text: text, index: &index{}}
	r.at = max(bytes.Index(text, rows), 0)
	r.answer, _ = selector(b.answer) // Bind has seen that they are well
	for i, name := range b.op.Params() {
		p, _ := selector(b.keys[i])
		r.keys = append(r.keys, p)
		r.names = append(r.names, quote(name)+":")
	}
	switch rows[0] {
	case '[':
		for _, row := range rows.Elements(nil) {
			if err = r.add(row, nil); err != nil {
				return nil, err
			}
		}
	case '{':
		if len(r.keys) > 1 {
			return nil, s.wrong(place(text, r.at), "the rows are an object by one key, and %s has %d parameters; expected an array", b.op.Meta.Name, len(r.keys))
		}
		rows.Members(func(name []byte, row jsonpick.Value) bool {
			err = r.add(row, name)
			return err == nil
		})
		if err != nil {
			return nil, err
		}
	default:
		return nil, s.wrong(place(text, r.at), "the rows are %s; expected an array of them, or an object by their key", rows.Kind())
	}
	return r.index.close(), nil
}

// add adds a row; name is that of its member where the rows are an object.
func (r *jsonRows) add(row jsonpick.Value, name []byte) error {
	if err := r.src.stop.Err(); err != nil {
		return err
	}
	// Rows are parts of the text, one after the other.
	start := r.at + max(bytes.Index(r.text[r.at:], row), 0)
	r.at = start + len(row)
	wrong := func(err error) error { return r.src.wrong(place(r.text, start), "%w", err) }

	b := r.table
	r.object = append(r.object[:0], '{')
	for i := range r.keys {
		value := jsonpick.Value(nil)
		if name != nil {
			schema := b.op.Schema
			base, _ := source.Base(schema, schema.Types[b.op.Meta.Args].Fields[i].Type)
			value = appendCell(nil, formOf(schema.Types[base].Kind), string(name))
		} else {
			found, ok, err := r.keys[i].Find(row)
			if err != nil {
				return wrong(err)
			}
			if !ok {
				continue // null, if that can be
			}
			value = found
		}
		if len(r.object) > 1 {
			r.object = append(r.object, ',')
		}
		r.object = append(append(r.object, r.names[i]...), value...)
	}
	r.object = append(r.object, '}')
	var err error
	if r.key, err = b.values.appendArgs(r.key[:0], b.op.Meta.Args, r.object); err != nil {
		return wrong(fmt.Errorf("the row's key: %w", err))
	}
	answer, ok, err := r.answer.Find(row)
	if err != nil {
		return wrong(err)
	}
	if !ok {
		_, nullable := source.Base(b.op.Schema, b.elem)
		if !nullable && b.take != takeMaybe {
			return wrong(fmt.Errorf("the row has nothing at %s", r.answer))
		}
		answer = jsonpick.Value("null")
	}
	r.index.text = append(r.index.text, answer...)
	r.index.add(r.key)
	return nil
}
