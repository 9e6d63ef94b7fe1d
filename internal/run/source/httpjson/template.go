package httpjson

import (
	"strings"

	"towpath.dev/internal/run/source"
	"towpath.dev/internal/run/source/jsonpick"
)

// target is a template of a path and a query.
//
//	/lowest/{product}?region={region}&q={query.text}
//
// What stands for a placeholder is escaped, so that it can never end its segment
// or its pair. A segment must not become empty, nor `.` or `..`, which servers
// take for steps to other paths.
type target struct {
	path  []segment
	query []pair
}

// segment is what stands between two slashes of a path.
type segment []part

// part is a literal, and the placeholder after it, if there is one.
type part struct {
	literal string
	place   *placeholder
}

// pair is a name and a value of a query; it is left out where a placeholder in it
// stands for null.
type pair struct {
	name  string // with its `=`
	value []part
	alone bool // the value is one placeholder: of a list, it gives as many pairs
}

// literalTarget is a target without placeholders.
func literalTarget(text string) *target {
	t := &target{}
	path, query, _ := strings.Cut(text, "?")
	if path != "" {
		t.path = []segment{{{literal: path[1:]}}}
	}
	if query != "" {
		t.query = []pair{{name: query}}
	}
	return t
}

// target reads a template.
func (r *reader) target(key, text string) *target {
	t := &target{}
	path, query, hasQuery := cutQuery(text)
	if path != "" && path[0] != '/' {
		r.errorf(key, "`%s` starts with neither `/` nor `?`; it is a path below the `url` of its source", key)
		return t
	}
	if path != "" {
		for s := range splitOutside(path[1:], '/') {
			parts := r.parts(key, s)
			for _, p := range parts {
				if p.place == nil {
					continue
				}
				if p.place.of == ofEach {
					r.errorf(key, "`%s`: in a path, all calls' values stand with commas between them; write `{%s}`", key, strings.Replace(p.place.text, "[]", "[,]", 1))
				}
				r.inURL(key, p.place, false)
			}
			t.path = append(t.path, parts)
		}
	}
	if hasQuery {
		for s := range splitOutside(query, '&') {
			if s != "" {
				t.query = append(t.query, r.pair(key, s))
			}
		}
	}
	return t
}

func (r *reader) pair(key, text string) pair {
	name, value := text, ""
	if i := strings.IndexByte(text, '='); i >= 0 {
		name, value = text[:i+1], text[i+1:]
	}
	p := pair{name: name}
	if strings.ContainsAny(name, "{}") {
		r.errorf(key, "`%s`: a placeholder stands for the value of a pair, as in `?region={region}`", key)
		return p
	}
	r.literal(key, name)
	if value == "" {
		return p
	}
	p.value = r.parts(key, value)
	p.alone = len(p.value) == 1 && p.value[0].literal == "" && p.value[0].place != nil
	for _, part := range p.value {
		if part.place == nil {
			continue
		}
		r.inURL(key, part.place, p.alone && part.place.of == ofOne)
		if part.place.of == ofEach && !p.alone {
			r.errorf(key, "`%s`: `{%s}` gives a pair a call and stands alone after its `=`", key, part.place.text)
		}
	}
	return p
}

// parts reads literals and placeholders.
func (r *reader) parts(key, text string) []part {
	var parts []part
	for text != "" {
		open := strings.IndexByte(text, '{')
		if open < 0 {
			r.literal(key, text)
			return append(parts, part{literal: text})
		}
		r.literal(key, text[:open])
		inside, rest, ok := strings.Cut(text[open+1:], "}")
		if !ok {
			r.errorf(key, "`%s`: a `{` is never closed", key)
			return parts
		}
		if p := r.placeholder(key, inside); p != nil {
			parts = append(parts, part{text[:open], p})
		}
		text = rest
	}
	return parts
}

// literal notes a mistake in a text that is sent as it is written. The text may
// be secret.
func (r *reader) literal(key, text string) {
	if wrong := wrongLiteral(text); wrong == "}" {
		r.errorf(key, "`%s`: a `}` has no `{` before it", key)
	} else if wrong != "" {
		r.errorf(key, "`%s` has %s in it, which no URL can; write it as %%XX", key, wrong)
	}
}

// wrongLiteral names a character that no URL can have; "" when there is none.
func wrongLiteral(text string) string {
	for i, c := range text {
		switch {
		case c == ' ':
			return "a blank"
		case c == '%' && !(len(text) > i+2 && isHex(text[i+1]) && isHex(text[i+2])):
			return "a `%` without two hexadecimal digits"
		case c == '}':
			return "}"
		case c > '~' || c < ' ' || strings.ContainsRune("\"<>\\^`{|#", c):
			return "the character " + quoteRune(c)
		}
	}
	return ""
}

func quoteRune(c rune) string { return "`" + strings.ToValidUTF8(string(c), "?") + "`" }

func isHex(c byte) bool { return c-'0' <= 9 || (c|0x20)-'a' <= 5 }

// cutQuery cuts a template at the `?` that stands outside of braces.
func cutQuery(text string) (path, query string, ok bool) {
	first := true
	for s := range splitOutside(text, '?') {
		if first {
			path, first = s, false
			continue
		}
		return path, text[len(path)+1:], true
	}
	return path, "", false
}

// splitOutside splits at separators outside of braces.
func splitOutside(text string, separator byte) func(func(string) bool) {
	return func(yield func(string) bool) {
		start, inside := 0, false
		for i := range len(text) {
			switch c := text[i]; {
			case c == '{':
				inside = true
			case c == '}':
				inside = false
			case c == separator && !inside:
				if !yield(text[start:i]) {
					return
				}
				start = i + 1
			}
		}
		yield(text[start:])
	}
}

// appendPath writes the path. The error is of a value that has no place there.
func (t *target) appendPath(dst []byte, c *calls) ([]byte, error) {
	for _, s := range t.path {
		dst = append(dst, '/')
		start := len(dst)
		var last *placeholder
		for _, p := range s {
			dst = append(dst, p.literal...)
			if p.place == nil {
				continue
			}
			last = p.place
			var err error
			if dst, err = appendInPath(dst, p.place, c); err != nil {
				return dst, err
			}
		}
		if last == nil {
			continue
		}
		switch string(dst[start:]) {
		case "":
			return dst, source.Errorf(source.Failed, "the argument `%s` is empty, and the path has no place for that", last.name)
		case ".", "..":
			return dst, source.Errorf(source.Failed, "the argument `%s` makes `%s` of a part of the path, which would lead to another", last.name, dst[start:])
		}
	}
	return dst, nil
}

func appendInPath(dst []byte, p *placeholder, c *calls) ([]byte, error) {
	if p.of == ofCommas {
		return appendCommas(dst, p, c)
	}
	text, ok, err := p.scalar(c.args(0))
	if err == nil && !ok {
		err = source.Errorf(source.Failed, "the argument `%s` is null, and the path has no place for that", p.name)
	}
	return appendEscaped(dst, text), err
}

// appendCommas writes all calls' values. That they are no nulls was seen to, see
// [target.takes].
func appendCommas(dst []byte, p *placeholder, c *calls) ([]byte, error) {
	for i := range c.index {
		if i > 0 {
			dst = append(dst, ',')
		}
		text, _, err := p.scalar(c.args(i))
		if err != nil {
			return dst, err
		}
		dst = appendEscaped(dst, text)
	}
	return dst, nil
}

// appendQuery writes the query's pairs, an `&` before each but the first. The
// query begins in dst at begin.
func (t *target) appendQuery(dst []byte, begin int, c *calls) ([]byte, error) {
	for i := range t.query {
		p := &t.query[i]
		if p.alone && p.value[0].place.of != ofCommas {
			var err error
			if dst, err = p.appendEach(dst, begin, c); err != nil {
				return dst, err
			}
			continue
		}
		before := len(dst)
		dst = appendName(dst, begin, p.name)
		for _, part := range p.value {
			dst = append(dst, part.literal...)
			if part.place == nil {
				continue
			}
			if part.place.of == ofCommas {
				var err error
				if dst, err = appendCommas(dst, part.place, c); err != nil {
					return dst, err
				}
				continue
			}
			text, ok, err := part.place.scalar(c.args(0))
			if err != nil {
				return dst, err
			}
			if !ok {
				dst = dst[:before]
				break
			}
			dst = appendEscaped(dst, text)
		}
	}
	return dst, nil
}

// appendEach writes a pair for each value that the pair's only placeholder stands
// for: of each call, and of each element of a list.
func (p *pair) appendEach(dst []byte, begin int, c *calls) ([]byte, error) {
	place := p.value[0].place
	for i := range c.index {
		v, err := place.value(c.args(i))
		if err != nil {
			return dst, err
		}
		if len(v) > 0 && v[0] == '[' && place.of == ofOne {
			for _, e := range v.Elements(nil) {
				if e.IsNull() {
					continue
				}
				text, ok := e.Text()
				if !ok {
					return dst, source.Errorf(source.Failed, "the argument `%s` is a list with %s in it; expected texts, numbers, true and false", place.name, e.Kind())
				}
				dst = appendEscaped(appendName(dst, begin, p.name), text)
			}
			continue
		}
		if v.IsNull() {
			continue
		}
		text, ok := v.Text()
		if !ok {
			return dst, noScalar(place, v)
		}
		dst = appendEscaped(appendName(dst, begin, p.name), text)
	}
	return dst, nil
}

func appendName(dst []byte, begin int, name string) []byte {
	if len(dst) > begin {
		dst = append(dst, '&')
	}
	return append(dst, name...)
}

// takes is the error of a call that a batch's path and query cannot be of, so that
// it alone fails.
func (t *target) takes(args []jsonpick.Value) error {
	check := func(parts []part) error {
		for _, p := range parts {
			if p.place == nil {
				continue
			}
			if _, ok, err := p.place.scalar(args); err != nil {
				return err
			} else if !ok {
				return source.Errorf(source.Failed, "the argument `%s` is null, and the URL of the batch has no place for that", p.place.name)
			}
		}
		return nil
	}
	for _, s := range t.path {
		if err := check(s); err != nil {
			return err
		}
	}
	for i := range t.query {
		if err := check(t.query[i].value); err != nil {
			return err
		}
	}
	return nil
}

// unreserved are the characters that stand for themselves anywhere in a URL (RFC
// 3986, section 2.3).
var unreserved = func() (set [256]bool) {
	for _, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~") {
		set[c] = true
	}
	return set
}()

// appendEscaped writes a text with everything but unreserved characters as %XX.
func appendEscaped(dst, text []byte) []byte {
	const hex = "0123456789ABCDEF"
	for _, c := range text {
		if unreserved[c] {
			dst = append(dst, c)
		} else {
			dst = append(dst, '%', hex[c>>4], hex[c&15])
		}
	}
	return dst
}
