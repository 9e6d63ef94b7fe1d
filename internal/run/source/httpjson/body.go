package httpjson

import (
	"encoding/json"
	"strings"

	"towpath.dev/internal/run/source"
	"towpath.dev/internal/run/source/jsonpick"
)

// body is a template of a JSON text: literals, and what stands between them.
type body []bodyPart

// bodyPart is a literal and what comes after it.
type bodyPart struct {
	literal string
	what    filling
	place   *placeholder // fillPlace
}

// filling is what a part of a body is filled with.
type filling uint8

const (
	fillNothing filling = iota
	fillPlace           // a placeholder's value, or the array of all calls' values
	fillObject          // the object of the call's arguments
	fillCalls           // the array of the objects of all calls' arguments
)

// allCalls is the placeholder of the array of all calls' arguments.
const allCalls = "{calls}"

// body reads the template in `body`, a JSON text in which a string that is a
// placeholder from its first to its last character stands for the whole value:
//
//	body = '{"query": "query($id: ID!) { price(id: $id) }", "variables": {"id": "{product}"}}'
//
// Without one it is the object of the arguments, or in a batch an object whose
// only member `calls` is the array of them.
func (r *reader) body() body {
	text := r.table.Text("body", "null")
	if !r.table.Has("body") {
		if r.batch {
			return body{{literal: `{"calls":`, what: fillCalls}, {literal: `}`}}
		}
		return body{{what: fillObject}}
	}
	if _, err := jsonpick.Parse([]byte(text)); err != nil {
		r.errorf("body", "`body` is no JSON: %v", err)
		return nil
	}
	var b body
	start := 0 // of the literal
	for i := 0; i < len(text); i++ {
		if text[i] != '"' {
			continue
		}
		end := stringEnd(text, i)
		inside := text[i+1 : end-1]
		if isPlaceholder(inside) {
			if strings.HasPrefix(strings.TrimLeft(text[end:], " \t\r\n"), ":") {
				r.errorf("body", "`body`: %s is a member's name, where no placeholder can stand", text[i:end])
			} else if p, ok := r.filling(inside); ok {
				p.literal = text[start:i]
				b, start = append(b, p), end
			}
		}
		i = end - 1
	}
	return append(b, bodyPart{literal: text[start:]})
}

func (r *reader) filling(text string) (bodyPart, bool) {
	if r.batch && text == allCalls {
		return bodyPart{what: fillCalls}, true
	}
	p := r.placeholder("body", text[1:len(text)-1])
	if p == nil {
		return bodyPart{}, false
	}
	if p.of == ofCommas {
		r.errorf("body", "`body`: values with commas between them are for URLs; write `{%s}` for an array", strings.Replace(p.text, "[,]", "[]", 1))
	}
	return bodyPart{what: fillPlace, place: p}, true
}

// stringEnd is where the string ends whose quote is at i in valid JSON.
func stringEnd(text string, i int) int {
	for i++; text[i] != '"'; i++ {
		if text[i] == '\\' {
			i++
		}
	}
	return i + 1
}

// isPlaceholder tells `{product}` from texts in braces, as GraphQL's are, by
// blanks, quotes and further braces in them.
func isPlaceholder(text string) bool {
	return len(text) > 2 && text[0] == '{' && text[len(text)-1] == '}' && !strings.ContainsAny(text[1:len(text)-1], "{}\" \t\r\n\\:")
}

// members are the names of an operation's parameters, as an object of its
// arguments has them.
type members []memberName

type memberName struct {
	quoted   string // with its colon
	optional bool   // null is left out, as that of a record's field is
}

func membersOf(op *source.Operation) members {
	var m members
	for i, name := range op.Params() {
		quoted, err := json.Marshal(name)
		if err != nil {
			continue // no text fails
		}
		m = append(m, memberName{string(quoted) + ":", isOption(op.Schema, op.Schema.Types[op.Meta.Args].Fields[i].Type)})
	}
	return m
}

// append writes the template's text for the calls.
func (b body) append(dst []byte, m members, c *calls) ([]byte, error) {
	for i := range b {
		p := &b[i]
		dst = append(dst, p.literal...)
		switch p.what {
		case fillObject:
			dst = m.append(dst, c.args(0))
		case fillCalls:
			dst = append(dst, '[')
			for j := range c.index {
				if j > 0 {
					dst = append(dst, ',')
				}
				dst = m.append(dst, c.args(j))
			}
			dst = append(dst, ']')
		case fillPlace:
			var err error
			if dst, err = p.place.appendJSON(dst, c); err != nil {
				return dst, err
			}
		}
	}
	return dst, nil
}

func (p *placeholder) appendJSON(dst []byte, c *calls) ([]byte, error) {
	if p.of == ofOne {
		v, err := p.value(c.args(0))
		return append(dst, v...), err
	}
	dst = append(dst, '[')
	for i := range c.index {
		if i > 0 {
			dst = append(dst, ',')
		}
		v, err := p.value(c.args(i))
		if err != nil {
			return dst, err
		}
		dst = append(dst, v...)
	}
	return append(dst, ']'), nil
}

// append writes the object of a call's arguments.
func (m members) append(dst []byte, args []jsonpick.Value) []byte {
	dst = append(dst, '{')
	first := true
	for i := range m {
		if m[i].optional && args[i].IsNull() {
			continue
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = append(append(dst, m[i].quoted...), args[i]...)
	}
	return append(dst, '}')
}

// size is about how many bytes the template's text for the calls has.
func (b body) size(m members, c *calls) int {
	n, names := 0, 2
	for i := range m {
		names += len(m[i].quoted) + 1
	}
	for i := range b {
		n += len(b[i].literal)
		if b[i].what != fillNothing {
			n += 2 + names*len(c.index)
			for _, v := range c.values {
				n += len(v) + 1
			}
		}
	}
	return n
}
