package httpjson

import (
	"strings"

	"towpath.dev/internal/abi"
	"towpath.dev/internal/run/source"
	"towpath.dev/internal/run/source/jsonpick"
	"towpath.dev/internal/settings"
)

// placeholder is a `{…}` in a template: a parameter, or a member within one.
type placeholder struct {
	text   string // as it is written, without its braces
	name   string // without what says of how many calls it is
	param  int
	within jsonpick.Pointer
	of     reach
	typ    abi.TypeID // what it is of, when known
	known  bool
}

// reach is how many calls a placeholder is of.
type reach uint8

const (
	ofOne    reach = iota // {p}: the one call's
	ofEach                // {p[]}: all calls', one by one
	ofCommas              // {p[,]}: all calls', with commas between them
)

var null = jsonpick.Value("null")

// value is what the placeholder stands for in a call, null where a member on the
// way is not there.
func (p *placeholder) value(args []jsonpick.Value) (jsonpick.Value, error) {
	v := args[p.param]
	if p.within.IsWhole() {
		return v, nil
	}
	found, ok, err := p.within.Find(v)
	switch {
	case err != nil: // a member of a Json may stand twice
		return nil, source.Errorf(source.Failed, "the argument `%s`: %w", p.name, err)
	case !ok:
		return null, nil
	}
	return found, nil
}

// scalar is the text of what the placeholder stands for in a URL; ok is false for
// null.
func (p *placeholder) scalar(args []jsonpick.Value) (text []byte, ok bool, err error) {
	v, err := p.value(args)
	if err != nil || v.IsNull() {
		return nil, false, err
	}
	if text, ok = v.Text(); !ok {
		return nil, false, noScalar(p, v)
	}
	return text, true, nil
}

func noScalar(p *placeholder, v jsonpick.Value) error {
	return source.Errorf(source.Failed, "the argument `%s` is %s; expected a text, a number, true or false", p.name, v.Kind())
}

// calls are the arguments of the calls that one request is for.
type calls struct {
	params int
	values []jsonpick.Value // of one call after the other
	index  []int            // of each call in the batch
}

func (c *calls) reset(params int) {
	clear(c.values[:cap(c.values)]) // they keep arguments alive
	c.params, c.values, c.index = params, c.values[:0], c.index[:0]
}

func (c *calls) args(i int) []jsonpick.Value { return c.values[i*c.params : (i+1)*c.params] }

// add takes a call's arguments apart.
func (c *calls) add(index int, args []byte) error {
	list, err := jsonpick.Parse(args)
	if err != nil {
		return source.Errorf(source.Failed, "the arguments are no JSON: %w", err)
	}
	before := len(c.values)
	c.values = list.Elements(c.values)
	if len(c.values)-before != c.params {
		c.values = c.values[:before]
		return source.Errorf(source.Failed, "there are other arguments than the %d expected", c.params)
	}
	c.index = append(c.index, index)
	return nil
}

// drop forgets the call added last.
func (c *calls) drop() {
	c.values = c.values[:len(c.values)-c.params]
	c.index = c.index[:len(c.index)-1]
}

// reader reads an operation's templates, or those of its batch, and notes the
// mistakes.
type reader struct {
	op    *source.Operation
	table *settings.Table
	batch bool
	wrong bool // a mistake was noted
}

func (r *reader) errorf(key, format string, args ...any) {
	r.table.Errorf(key, format, args...)
	r.wrong = true
}

// placeholder reads what stands between braces; nil after a mistake.
func (r *reader) placeholder(key, text string) *placeholder {
	name := text
	p := &placeholder{text: text}
	if n, ok := strings.CutSuffix(name, "[]"); ok {
		name, p.of = n, ofEach
	} else if n, ok := strings.CutSuffix(name, "[,]"); ok {
		name, p.of = n, ofCommas
	}
	param, members, typ, known, mistake := r.op.Members(name)
	switch {
	case mistake != "":
		r.errorf(key, "`%s`: %s", key, mistake)
		return nil
	case r.batch && p.of == ofOne:
		r.errorf(key, "`%s`: `{%s}` is of one call, and a batch is of many; write `{%s[]}`", key, text, text)
		return nil
	case !r.batch && p.of != ofOne:
		r.errorf(key, "`%s`: `{%s}` is of many calls, which only a `batch` is; write `{%s}`", key, text, name)
		return nil
	}
	p.name, p.param, p.within, p.typ, p.known = name, param, jsonpick.Member(members...), typ, known
	return p
}

// inURL notes a mistake when the type of what a placeholder stands for has no
// text. Lists are taken where list says so.
func (r *reader) inURL(key string, p *placeholder, list bool) {
	if !p.known {
		return
	}
	schema := r.op.Schema
	base, _ := source.Base(schema, p.typ)
	if k := schema.Types[base].Kind; list && (k == abi.List || k == abi.Set) {
		base, _ = source.Base(schema, schema.Types[base].Elem)
	}
	switch t := &schema.Types[base]; t.Kind {
	case abi.Money, abi.Record:
		r.errorf(key, "`%s`: `{%s}` is a %s, which is an object; name a member of it, as `{%s.%s}`", key, p.text, t.Name, p.text, memberOf(t))
	case abi.List, abi.Set, abi.Map, abi.Tuple, abi.Variant:
		r.errorf(key, "`%s`: `{%s}` is a %s, for which a URL has no place here", key, p.text, t.Name)
	}
}

func memberOf(t *abi.Type) string {
	if len(t.Fields) > 0 {
		return source.JSONName(&t.Fields[0])
	}
	return "amount"
}
