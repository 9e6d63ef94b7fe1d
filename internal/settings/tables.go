// Lists of tables, numbers, and tables that may be switched off.

package settings

import (
	"math"
	"strconv"

	"github.com/pelletier/go-toml/v2/unstable"
)

// Tables are the tables of a list such as [[wave]]; nil without the key.
func (t *Table) Tables(key string) []*Table {
	list, ok := get[[]any](t, key, "tables, each headed by [["+key+"]]")
	if !ok {
		return nil
	}
	var all []*Table
	for i, v := range list {
		values, ok := v.(map[string]any)
		if !ok {
			t.Errorf(key, "`%s` has %s in it; expected tables, each headed by [[%s]]", key, kind(v), key)
			return nil
		}
		all = append(all, t.file.table(elementPath(join(t.path, key), i+1), values))
	}
	return all
}

// Float is a number above least and up to most, or def without the key.
func (t *Table) Float(key string, def, above, most float64) float64 {
	if n, whole := t.whole(key); whole {
		return t.within(key, float64(n), def, above, most)
	}
	x, ok := get[float64](t, key, "a number")
	if !ok {
		return def
	}
	return t.within(key, x, def, above, most)
}

// whole is a number that is written without a point.
func (t *Table) whole(key string) (int64, bool) {
	if t == nil {
		return 0, false
	}
	n, ok := t.values[key].(int64)
	if ok {
		t.asked[key] = true
	}
	return n, ok
}

func (t *Table) within(key string, x, def, above, most float64) float64 {
	if !(x > above && x <= most) || math.IsInf(x, 0) {
		t.Errorf(key, "`%s` is %v; expected a number above %v, and at most %v", key, x, above, most)
		return def
	}
	return x
}

// Off reports whether false stands in the place of a table, which says that there shall be none.
func (t *Table) Off(key string) bool {
	if t == nil || t.values[key] != false {
		return false
	}
	t.asked[key] = true
	return true
}

// elementPath is the path of the n-th table in a list, from 1.
func elementPath(path string, n int) string { return path + "\x01" + strconv.Itoa(n) }

// element notes where the next table of a list begins, and gives its path.
func (f *File) element(path string, at place) string {
	f.lists[path]++
	element := elementPath(path, f.lists[path])
	f.places[element] = at
	return element
}

// lastKey is where the last part of a dotted key stands.
func lastKey(p *unstable.Parser, key unstable.Iterator) (at place) {
	for key.Next() {
		at = placeOf(p, key.Node())
	}
	return at
}

func placeOf(p *unstable.Parser, n *unstable.Node) place {
	at := p.Shape(n.Raw).Start
	return place{at.Line, at.Column}
}
