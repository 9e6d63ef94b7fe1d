// Package sample makes JSON of types: inputs and answers as they could be, by chance. It
// favours few values and small ones, so that two that are compared are equal now and then.
//
//	text := sample.JSON(rand.New(rand.NewPCG(seed, 0)), &manifest.Schema, view.Input)
package sample

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"

	"towpath.dev/internal/abi"
)

// JSON is a text that a type takes, in any form that it takes.
func JSON(r *rand.Rand, s *abi.Schema, id abi.TypeID) []byte {
	return []byte((&dice{r, s}).text(id, 0))
}

// dice makes texts of a schema's types.
type dice struct {
	*rand.Rand
	*abi.Schema
}

// deepest bounds how deep texts are of types that contain themselves.
const deepest = 6

func (d *dice) pick(of ...string) string { return of[d.IntN(len(of))] }

func (d *dice) text(id abi.TypeID, depth int) string {
	t := &d.Types[id]
	switch t.Kind {
	case abi.Wrapper:
		return d.text(t.Elem, depth)
	case abi.Option:
		if d.IntN(3) == 0 || depth > deepest {
			return "null"
		}
		return d.text(t.Elem, depth)
	case abi.List, abi.Set:
		return "[" + strings.Join(d.several(func() string { return d.text(t.Elem, depth+1) }, depth), ",") + "]"
	case abi.Map:
		return d.mapText(t, depth)
	case abi.Tuple:
		var parts []string
		for _, f := range t.Fields {
			parts = append(parts, d.text(f.Type, depth+1))
		}
		return "[" + strings.Join(parts, ",") + "]"
	case abi.Record:
		return "{" + strings.Join(d.members(t.Fields, depth), ",") + "}"
	case abi.Enum:
		return quoted(t.Ctors[d.IntN(len(t.Ctors))].JSON)
	case abi.Variant:
		c := &t.Ctors[d.IntN(len(t.Ctors))]
		if depth > deepest { // the alternative with the fewest parts ends it
			for i := range t.Ctors {
				if len(t.Ctors[i].Fields) < len(c.Fields) {
					c = &t.Ctors[i]
				}
			}
		}
		return "{" + strings.Join(append([]string{`"type":` + quoted(c.JSON)}, d.members(c.Fields, depth)...), ",") + "}"
	}
	return d.scalar(t.Kind)
}

// scalar is a text of a type without parts.
func (d *dice) scalar(k abi.Kind) string {
	switch k {
	case abi.Bool:
		return d.pick("true", "false")
	case abi.Int:
		if d.IntN(2) == 0 {
			return fmt.Sprint(d.IntN(200) - 50)
		}
		return d.pick("0", "1", "-7", "9007199254740993", "9007199254740992")
	case abi.Float:
		return d.pick("0", "1.5", "1e300", "-2.25e-9", "3")
	case abi.Decimal:
		return d.pick(`"1.50"`, "2", "0.25", `"7"`, fmt.Sprintf(`"%d.%02d"`, d.IntN(1000), d.IntN(100)))
	case abi.Money: // of one currency: sums of several are faults
		return d.pick(`{"amount":"1.50","currency":"USD"}`, `{"currency":"USD","amount":3}`, fmt.Sprintf(`{"amount":"%d.%02d","currency":"USD"}`, d.IntN(1000), d.IntN(100)))
	case abi.String:
		return d.pick(`""`, `"x"`, `"Red"`, `"2026-01-31"`, fmt.Sprintf(`"s%d"`, d.IntN(20)))
	case abi.Duration:
		return d.pick(`"1h30m"`, `"5ms"`, `"48h"`)
	case abi.Instant:
		return d.pick(`"2026-01-31T09:30:00Z"`, `"2026-01-31T09:30:00.5+01:00"`)
	case abi.Date:
		return d.pick(`"2026-01-31"`, `"2026-02-01"`)
	case abi.Json:
		return d.pick(`{"a":[1,null]}`, `null`, `"x"`, `[]`)
	}
	panic(fmt.Sprintf("sample: there is no JSON of the kind %d", k))
}

func quoted(text string) string {
	b, err := json.Marshal(text)
	if err != nil {
		panic(err) // a text is always JSON
	}
	return string(b)
}

// several are up to two, now and then up to a dozen, or none where it is deep.
func (d *dice) several(one func() string, depth int) []string {
	n := d.IntN(3)
	switch {
	case depth >= deepest:
		n = 0
	case d.IntN(6) == 0:
		n = d.IntN(max(3, 13-4*depth))
	}
	var out []string
	for range n {
		out = append(out, one())
	}
	return out
}

func (d *dice) mapText(t *abi.Type, depth int) string {
	key := d.Types[t.Key].Kind
	isName := key == abi.String || key == abi.Int || key == abi.Date || key == abi.Enum
	entries := d.several(func() string {
		k, v := d.text(t.Key, depth+1), d.text(t.Elem, depth+1)
		if !isName {
			return "[" + k + "," + v + "]"
		}
		if key == abi.Int {
			k = `"` + k + `"`
		}
		return k + ":" + v
	}, depth)
	if isName {
		return "{" + strings.Join(entries, ",") + "}"
	}
	return "[" + strings.Join(entries, ",") + "]"
}

// members are an object's, some of those left out that may be.
func (d *dice) members(fields []abi.Field, depth int) []string {
	var out []string
	for _, f := range fields {
		leavable := f.Default != "" || d.Types[f.Type].Kind == abi.Option
		if leavable && (d.IntN(3) == 0 || depth > deepest) {
			continue
		}
		out = append(out, quoted(f.JSON)+":"+d.text(f.Type, depth+1))
	}
	return out
}
