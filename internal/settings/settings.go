// Package settings reads TOML files in which every mistake has a place.
//
// A [Table] is asked for its keys by name and type. What is missing, of the wrong
// type or refused by the reader is collected, with its line and column; at the end
// [Table.Done] complains of keys that nobody asked for, and [File.Err] gives all
// mistakes at once.
//
//	file := settings.Parse("env/dev.toml", text)
//	url := file.Root.Table("sources").Required("url")
//	file.Root.Done()
//	if err := file.Err(); err != nil { … }
//
// Texts may refer to secrets, see [File.Expand].
package settings

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// File is a parsed file with the mistakes that were found in it.
type File struct {
	Name string // as mistakes call it
	Root *Table
	// Expand stands references such as ${env:NAME} in texts for what they mean;
	// nil leaves texts as they are. Its error becomes a mistake at the text.
	Expand func(text string) (string, error)

	places   map[string]place // by the key's path
	lists    map[string]int   // how many tables a list of them has, by its path
	mistakes []*Mistake
}

type place struct{ line, column int }

// Mistake is something wrong at a place. Lines and columns count from 1; the line
// is 0 where the mistake is the file's as a whole.
type Mistake struct {
	File         string
	Line, Column int
	Message      string
}

func (m *Mistake) Error() string {
	if m.Line == 0 {
		return m.File + ": " + m.Message
	}
	return fmt.Sprintf("%s:%d:%d: %s", m.File, m.Line, m.Column, m.Message)
}

// Table is a table of a File. A nil Table has no keys.
type Table struct {
	file   *File
	path   string // dotted, "" of the root
	values map[string]any
	asked  map[string]bool
}

// Parse reads a text. A text that is no TOML gives a File whose Err says where.
func Parse(name string, text []byte) *File {
	f := &File{Name: name, places: map[string]place{}, lists: map[string]int{}}
	values := map[string]any{}
	if err := toml.Unmarshal(text, &values); err != nil {
		m := &Mistake{File: name, Message: strings.TrimPrefix(err.Error(), "toml: ")}
		var at *toml.DecodeError
		if errors.As(err, &at) {
			m.Line, m.Column = at.Position()
		}
		f.mistakes = append(f.mistakes, m)
		values = map[string]any{}
	} else {
		f.locate(text)
	}
	f.Root = f.table("", values)
	return f
}

func (f *File) table(path string, values map[string]any) *Table {
	return &Table{file: f, path: path, values: values, asked: map[string]bool{}}
}

// locate notes where each key stands. It is only called with texts that parse.
func (f *File) locate(text []byte) {
	var p unstable.Parser
	p.Reset(text)
	section := ""
	for p.NextExpression() {
		e := p.Expression()
		switch e.Kind {
		case unstable.Table:
			section = f.note(&p, "", e.Key())
		case unstable.ArrayTable:
			section = f.element(f.note(&p, "", e.Key()), lastKey(&p, e.Key()))
		case unstable.KeyValue:
			f.keyValue(&p, section, e)
		}
	}
}

func (f *File) keyValue(p *unstable.Parser, section string, e *unstable.Node) {
	path := f.note(p, section, e.Key())
	switch v := e.Value(); v.Kind {
	case unstable.InlineTable:
		for it := v.Children(); it.Next(); {
			f.keyValue(p, path, it.Node())
		}
	case unstable.Array:
		for list := v.Children(); list.Next(); {
			if list.Node().Kind != unstable.InlineTable {
				continue
			}
			element := f.element(path, lastKey(p, e.Key()))
			for it := list.Node().Children(); it.Next(); {
				f.keyValue(p, element, it.Node())
			}
		}
	}
}

// note notes the places of a dotted key's parts, unless they are known. A part that is a list of
// tables stands for the last one of them so far.
func (f *File) note(p *unstable.Parser, path string, key unstable.Iterator) string {
	for key.Next() {
		n := key.Node()
		path = join(path, string(n.Data))
		if _, known := f.places[path]; !known {
			f.places[path] = placeOf(p, n)
		}
		if last := f.lists[path]; last > 0 && !key.IsLast() {
			path = elementPath(path, last)
		}
	}
	return path
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "\x00" + key
}

// shown is a path as a user writes it.
func shown(path string) string {
	parts := strings.Split(path, "\x00")
	for i, part := range parts {
		parts[i], _, _ = strings.Cut(part, "\x01")
	}
	return strings.Join(parts, ".")
}

// Err gives all mistakes in the order of their places, nil without one. It
// unwraps to *Mistake.
func (f *File) Err() error {
	slices.SortStableFunc(f.mistakes, func(a, b *Mistake) int {
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return a.Column - b.Column
	})
	errs := make([]error, len(f.mistakes))
	for i, m := range f.mistakes {
		errs[i] = m
	}
	return errors.Join(errs...)
}

// Name is the table's dotted path in its file.
func (t *Table) Name() string { return shown(t.path) }

// Errorf notes a mistake, once, at a key of the table, or at the table itself when the
// key is "" or not there.
func (t *Table) Errorf(key, format string, args ...any) {
	at, known := t.file.places[join(t.path, key)]
	if key == "" || !known {
		at = t.file.places[t.path]
	}
	m := &Mistake{t.file.Name, at.line, at.column, fmt.Sprintf(format, args...)}
	if !slices.ContainsFunc(t.file.mistakes, func(o *Mistake) bool { return *o == *m }) {
		t.file.mistakes = append(t.file.mistakes, m)
	}
}

// Keys are the table's keys in the order of the file.
func (t *Table) Keys() []string {
	if t == nil {
		return nil
	}
	keys := slices.Collect(maps.Keys(t.values))
	slices.SortFunc(keys, func(a, b string) int {
		p, q := t.file.places[join(t.path, a)], t.file.places[join(t.path, b)]
		if p != q {
			if p.line != q.line {
				return p.line - q.line
			}
			return p.column - q.column
		}
		return strings.Compare(a, b)
	})
	return keys
}

// Empty is a table without keys, whose mistakes stand at this one.
func (t *Table) Empty(key string) *Table {
	e := t.file.table(join(t.path, key), map[string]any{})
	if _, known := t.file.places[e.path]; !known {
		t.file.places[e.path] = t.file.places[t.path]
	}
	return e
}

// Has reports whether the key is there.
func (t *Table) Has(key string) bool {
	if t == nil {
		return false
	}
	_, ok := t.values[key]
	return ok
}

// get is a key's value as a T, and whether it is there and one.
func get[T any](t *Table, key, want string) (T, bool) {
	var zero T
	if t == nil {
		return zero, false
	}
	t.asked[key] = true
	v, ok := t.values[key]
	if !ok {
		return zero, false
	}
	x, ok := v.(T)
	if !ok {
		t.Errorf(key, "`%s` is %s; expected %s", key, kind(v), want)
	}
	return x, ok
}

// kind says what a value is.
func kind(v any) string {
	switch v.(type) {
	case string:
		return "a text"
	case int64:
		return "a whole number"
	case float64:
		return "a number"
	case bool:
		return "true or false"
	case map[string]any:
		return "a table"
	case []any:
		return "a list"
	}
	return "a date or time"
}

// Text is the key's text, its references expanded, or def without the key.
func (t *Table) Text(key, def string) string {
	text, ok := get[string](t, key, "a text in quotes")
	if !ok {
		return def
	}
	return t.expand(key, text)
}

func (t *Table) expand(key, text string) string {
	if t.file.Expand == nil {
		return text
	}
	out, err := t.file.Expand(text)
	if err != nil {
		t.Errorf(key, "`%s`: %v", key, err)
		return text
	}
	return out
}

// Required is Text of a key that must be there and not be empty.
func (t *Table) Required(key string) string {
	text := t.Text(key, "")
	switch {
	case !t.Has(key):
		t.Errorf("", "`%s` is missing its `%s`", t.Name(), key)
	case text == "":
		t.Errorf(key, "`%s` is empty", key)
	}
	return text
}

// Choice is a text that is one of some; def without the key.
func (t *Table) Choice(key, def string, of ...string) string {
	text := t.Text(key, def)
	if t.Has(key) && !slices.Contains(of, text) {
		t.Errorf(key, "`%s` is %q; expected one of %s", key, text, strings.Join(of, ", "))
		return def
	}
	return text
}

// Int is a whole number from least to most, or def without the key.
func (t *Table) Int(key string, def, least, most int64) int64 {
	n, ok := get[int64](t, key, "a whole number")
	if !ok {
		return def
	}
	if n < least || n > most {
		t.Errorf(key, "`%s` is %d; expected %d to %d", key, n, least, most)
		return def
	}
	return n
}

// Bool is true or false, or def without the key.
func (t *Table) Bool(key string, def bool) bool {
	if b, ok := get[bool](t, key, "true or false"); ok {
		return b
	}
	return def
}

// Duration is a positive duration such as "50ms", or def without the key.
func (t *Table) Duration(key string, def time.Duration) time.Duration {
	text, ok := get[string](t, key, `a duration in quotes, as "50ms"`)
	if !ok {
		return def
	}
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		t.Errorf(key, "`%s` is %q; expected a duration above zero, as \"50ms\" or \"2s\"", key, text)
		return def
	}
	return d
}

// Texts is a list of texts, their references expanded; nil without the key. One
// text stands for a list of it, and whole numbers for their digits.
func (t *Table) Texts(key string) []string {
	if t == nil {
		return nil
	}
	if t.asked[key] = true; !t.Has(key) {
		return nil
	}
	list, ok := t.values[key].([]any)
	if !ok {
		list = []any{t.values[key]}
	}
	var out []string
	for _, v := range list {
		switch v := v.(type) {
		case string:
			out = append(out, t.expand(key, v))
		case int64:
			out = append(out, strconv.FormatInt(v, 10))
		default:
			t.Errorf(key, "`%s` has %s in it; expected texts in quotes", key, kind(v))
			return nil
		}
	}
	return out
}

// Table is a table in the table; nil without the key.
func (t *Table) Table(key string) *Table {
	values, ok := get[map[string]any](t, key, "a table")
	if !ok {
		return nil
	}
	return t.file.table(join(t.path, key), values)
}

// TextMap is a table whose values are all texts, their references expanded; nil
// without the key.
func (t *Table) TextMap(key string) map[string]string {
	sub := t.Table(key)
	if sub == nil {
		return nil
	}
	out := map[string]string{}
	for _, k := range sub.Keys() {
		out[k] = sub.Text(k, "")
	}
	return out
}

// Done complains of the keys that nobody asked for.
func (t *Table) Done() {
	if t == nil {
		return
	}
	for _, key := range t.Keys() {
		if t.asked[key] {
			continue
		}
		known := slices.Sorted(maps.Keys(t.asked))
		where := "here"
		if t.path != "" {
			where = "in `" + t.Name() + "`"
		}
		if len(known) == 0 {
			t.Errorf(key, "there is no setting `%s` %s", key, where)
			continue
		}
		t.Errorf(key, "there is no setting `%s` %s; there is `%s`", key, where, strings.Join(known, "`, `"))
	}
}
