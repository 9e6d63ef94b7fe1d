package filetable

import (
	"bytes"
	"fmt"
	"strings"

	"towpath.dev/internal/run/source"
	"towpath.dev/internal/run/source/jsonpick"
)

// index is the answers of a table's rows, by the canonical arguments of the calls
// that they answer. It does not change once it is made.
type index struct {
	text  []byte           // of the answers, one after the other
	ends  []int            // of each row's answer in text
	keys  []string         // of each row, while the index is made
	first map[string]int32 // the first row of a key
	next  []int32          // the next row of the same key; -1 after the last
}

// add adds a row: its answer was appended to text.
func (x *index) add(key []byte) {
	x.ends = append(x.ends, len(x.text))
	x.keys = append(x.keys, string(key))
}

// close makes the rows found by their keys.
func (x *index) close() *index {
	x.first = make(map[string]int32, len(x.keys))
	x.next = make([]int32, len(x.keys))
	for i := len(x.keys) - 1; i >= 0; i-- {
		x.next[i] = -1
		if later, ok := x.first[x.keys[i]]; ok {
			x.next[i] = later
		}
		x.first[x.keys[i]] = int32(i)
	}
	x.keys = nil
	return x
}

func (x *index) row(i int32) []byte {
	if i == 0 {
		return x.text[:x.ends[0]]
	}
	return x.text[x.ends[i-1]:x.ends[i]]
}

// answer is the answer to a call.
func (x *index) answer(b *table, args []byte) ([]byte, error) {
	row, ok := x.first[string(args)]
	if b.take == takeAll {
		answer := []byte{'['}
		for i := row; ok && i >= 0; i = x.next[i] {
			if i != row {
				answer = append(answer, ',')
			}
			answer = append(answer, x.row(i)...)
		}
		return append(answer, ']'), nil
	}
	switch {
	case !ok && b.take == takeMaybe:
		return []byte("null"), nil
	case !ok:
		elem := b.op.Schema.Types[b.elem].Name
		return nil, source.Errorf(source.Failed, "no row of %s has %s; expected one. Where there need be none, let the operation return %s?", b.src.name, b.described(args), elem)
	case x.next[row] >= 0:
		n := 1
		for i := x.next[row]; i >= 0; i = x.next[i] {
			n++
		}
		return nil, source.Errorf(source.Failed, "%d rows of %s have %s; expected one", n, b.src.name, b.described(args))
	}
	return bytes.Clone(x.row(row)), nil
}

// described is a call's key in a message: "currency = EUR, day = 2026-01-31".
func (b *table) described(args []byte) string {
	if len(b.keys) == 0 {
		return "any key"
	}
	const most = 60 // bytes of a value
	list, err := jsonpick.Parse(args)
	if err != nil {
		return "such a key"
	}
	var parts []string
	for i, v := range list.Elements(nil) {
		text, ok := v.Text()
		if !ok {
			text = v
		}
		shown := string(text)
		if len(shown) > most {
			shown = strings.ToValidUTF8(shown[:most], "") + "…"
		}
		if ok && v[0] == '"' && strings.ContainsFunc(shown, func(r rune) bool { return r < ' ' || r == ',' || r == '"' }) || shown == "" {
			shown = fmt.Sprintf("%q", shown)
		}
		parts = append(parts, b.keys[i]+" = "+shown)
	}
	return strings.Join(parts, ", ")
}
