// An operation of OpenAPI: its parameters, its answer, and how it is asked.

package importer

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// wanted is a parameter of an operation and where it goes.
type wanted struct {
	member
	in       string // "path", "query" or "body"
	original string // its name in the document
}

// operation imports one.
func (o *openapi) operation(path string, item *openapi3.PathItem, op *openapi3.Operation, method, at string) {
	status, schema, found := answerOf(op)
	if !found {
		o.m.warn(at+"/responses", "it answers no JSON, so it was left out")
		return
	}
	s := o.service(op)
	name := op.OperationID
	if name == "" {
		name = strings.ReplaceAll(path, "{", " by ")
		if method == http.MethodPost {
			name = "post " + name
		}
	}
	out := &operation{name: s.names.pick(lower(name, "op")), idempotent: method == http.MethodGet}
	params, ok := o.params(path, item, op, upper(out.name, ""), at)
	if !ok {
		if s.names.taken[out.name] = false; len(s.ops) == 0 {
			o.m.services = slices.DeleteFunc(o.m.services, func(x *service) bool { return x == s })
		}
		return
	}
	out.doc = describe(op, params)
	for _, p := range params {
		out.params = append(out.params, p.member)
	}
	pointer := ""
	out.result, pointer = o.result(schema, upper(out.name, "")+"Answer", at+"/responses/"+status)
	key := strings.ToLower(method)
	out.settings = append(out.settings, setting{key, tomlText(template(path, params))})
	for _, p := range params {
		if p.in == "body" {
			out.settings = append(out.settings, setting{"body", tomlText(`"{` + p.name + `}"`)})
		}
	}
	if pointer != "" {
		out.settings = append(out.settings, setting{"answer", tomlText(pointer)})
	}
	if op.Responses.Value("404") != nil {
		out.result.null = true
		out.settings = append(out.settings, setting{"none", `["404"]`})
	}
	for _, h := range o.headers(item, op, at) {
		out.settings = append(out.settings, setting{"#", h})
	}
	s.ops = append(s.ops, out)
}

// describe is an operation's documentation, with that of its parameters.
func describe(op *openapi3.Operation, params []wanted) string {
	var lines []string
	if op.Deprecated {
		lines = append(lines, "Deprecated.")
	}
	for _, text := range []string{op.Summary, op.Description} {
		if text = strings.TrimSpace(text); text != "" && (len(lines) == 0 || lines[len(lines)-1] != text) {
			lines = append(lines, text)
		}
	}
	for _, p := range params {
		if p.doc != "" {
			text, _, _ := strings.Cut(strings.TrimSpace(p.doc), "\n")
			lines = append(lines, "`"+p.name+"`: "+text)
		}
	}
	return strings.Join(lines, "\n")
}

// parameters are those of an operation and of its path, the operation's first.
func parameters(item *openapi3.PathItem, op *openapi3.Operation) []*openapi3.Parameter {
	var out []*openapi3.Parameter
	for _, ref := range append(slices.Clone(op.Parameters), item.Parameters...) {
		if ref == nil || ref.Value == nil || slices.ContainsFunc(out, func(p *openapi3.Parameter) bool { return p.Name == ref.Value.Name && p.In == ref.Value.In }) {
			continue
		}
		out = append(out, ref.Value)
	}
	return out
}

// params are an operation's parameters: of its path, what must be given, the body,
// and what may be left out. It is not ok when one that is needed cannot be said.
func (o *openapi) params(path string, item *openapi3.PathItem, op *openapi3.Operation, owner, at string) (out []wanted, ok bool) {
	all := parameters(item, op)
	own := newNames(keywords)
	var later []wanted
	for _, name := range holes(path) {
		i := slices.IndexFunc(all, func(p *openapi3.Parameter) bool { return p.In == "path" && p.Name == name })
		w := wanted{in: "path", original: name, member: member{name: own.pick(lower(name, "param")), typ: typ{text: "String"}}}
		if i < 0 {
			o.m.warn(at, "the path has {%s}, but no parameter says what it is; it became String", name)
		} else {
			w.typ = o.inURL(all[i], owner, at, false)
			w.doc = all[i].Description
		}
		out = append(out, w)
	}
	for _, p := range all {
		if p.In != "query" {
			continue
		}
		if s := schemaOf(p); p.Style == "deepObject" || isObject(s) {
			if p.Required {
				o.m.warn(at, "the parameter %s is an object in the query, which cannot be sent; the operation was left out", p.Name)
				return nil, false
			}
			o.m.warn(at, "the parameter %s is an object in the query, which cannot be sent; it was left out", p.Name)
			continue
		}
		w := wanted{in: "query", original: p.Name, member: member{name: own.pick(lower(p.Name, "param")), doc: p.Description, typ: o.inURL(p, owner, at, true)}}
		if p.Required {
			out = append(out, w)
			continue
		}
		if w.typ.elem != nil {
			w.def = "[]"
		} else if s := schemaOf(p); s != nil {
			w.def = constant(w.typ, s.Default)
		}
		if w.def == "" {
			w.typ.null, w.def = true, "None"
		}
		later = append(later, w)
	}
	if body := op.RequestBody; body != nil && body.Value != nil {
		schema, found := jsonContent(body.Value.Content)
		if !found {
			o.m.warn(at+"/requestBody", "it takes no JSON, so the operation was left out")
			return nil, false
		}
		w := wanted{in: "body", member: member{name: own.pick("body"), doc: body.Value.Description, typ: o.schema(schema, owner+"Body", at+"/requestBody", 0)}}
		if !body.Value.Required {
			w.typ.null, w.def = true, "None"
			later = append(later, w)
		} else {
			out = append(out, w)
		}
	}
	return append(out, later...), true
}

func schemaOf(p *openapi3.Parameter) *openapi3.Schema {
	if p.Schema == nil {
		return nil
	}
	return p.Schema.Value
}

func isObject(s *openapi3.Schema) bool {
	return s != nil && (s.Type.Is("object") || len(s.Properties) > 0)
}

// inURL is the type of a parameter of a path or a query: one whose JSON is a text
// or a number, or a list of such in a query.
func (o *openapi) inURL(p *openapi3.Parameter, owner, at string, list bool) typ {
	if p.Schema == nil {
		return typ{text: "String"}
	}
	types := len(o.m.types)
	t := o.schema(p.Schema, owner+upper(p.Name, "Param"), at+"/parameters/"+escape(p.Name), 0)
	t.null = false
	exploded := p.Explode == nil || *p.Explode
	switch {
	case hasText(t):
		return t
	case t.elem != nil && list && exploded && hasText(*t.elem) && !t.elem.null:
		return t
	case t.elem != nil && list && hasText(*t.elem):
		o.m.warn(at, "the parameter %s is a list in one text; it became String, to be put together by the view", p.Name)
	default:
		o.m.warn(at, "the parameter %s is %s, for which a URL has no form; it became String", p.Name, t)
	}
	o.forget(types)
	return typ{text: "String"}
}

// hasText reports whether values of a type have a text that a URL can hold.
func hasText(t typ) bool {
	if t.decl != nil {
		return t.decl.isEnum()
	}
	switch t.text {
	case "String", "Int", "Float", "Bool", "Decimal", "Date", "Instant", "Duration":
		return true
	}
	return false
}

// forget drops the declarations made since there were n, unless a component or an
// enum, which others may share, is among them.
func (o *openapi) forget(n int) {
	for _, d := range o.m.types[n:] {
		for _, c := range o.components {
			if c.typ.decl == d {
				return
			}
		}
		for _, e := range o.enums {
			if e == d {
				return
			}
		}
	}
	o.m.types = o.m.types[:n]
}

// result is an operation's result, and where in the response it stands: what an
// object that has no name holds alone is the answer itself.
func (o *openapi) result(ref *openapi3.SchemaRef, name, path string) (t typ, pointer string) {
	if ref == nil || ref.Value == nil {
		return jsonType, ""
	}
	s := ref.Value
	envelope := ref.Ref == "" || strings.HasSuffix(ref.Ref, "Response") || strings.HasSuffix(ref.Ref, "Envelope") || strings.HasSuffix(ref.Ref, "Result")
	if envelope && len(s.Properties) == 1 && !s.Nullable && len(s.AllOf)+len(s.OneOf)+len(s.AnyOf) == 0 && s.Type.Is("object") {
		for key, inner := range s.Properties {
			if slices.Contains(s.Required, key) {
				return o.schema(inner, name, path+"/properties/"+escape(key), 0), "/" + escape(key)
			}
		}
	}
	return o.schema(ref, name, path, 0), ""
}

// headers are the headers that an operation wants, as comments.
func (o *openapi) headers(item *openapi3.PathItem, op *openapi3.Operation, at string) []string {
	var out []string
	for _, p := range parameters(item, op) {
		switch {
		case p.In == "header" && p.Required:
			o.m.warn(at, "it needs the header %s; write its value into `headers`", p.Name)
			out = append(out, fmt.Sprintf(`headers = { %s = "…" }`, tomlKey(p.Name)))
		case p.In == "cookie" && p.Required:
			o.m.warn(at, "it needs the cookie %s; write it into `headers`", p.Name)
			out = append(out, fmt.Sprintf(`headers = { cookie = "%s=…" }`, p.Name))
		}
	}
	return out
}

// holes are the names in braces of a path.
func holes(path string) []string {
	var out []string
	for rest := path; ; {
		_, after, found := strings.Cut(rest, "{")
		name, behind, closed := strings.Cut(after, "}")
		if !found || !closed {
			return out
		}
		if !slices.Contains(out, name) {
			out = append(out, name)
		}
		rest = behind
	}
}

// template is a path and query with placeholders of Tow's names.
func template(path string, params []wanted) string {
	var b strings.Builder
	for rest := path; rest != ""; {
		before, after, found := strings.Cut(rest, "{")
		name, behind, closed := strings.Cut(after, "}")
		if !found || !closed {
			b.WriteString(literal(rest, "/"))
			break
		}
		b.WriteString(literal(before, "/"))
		for _, p := range params {
			if p.in == "path" && p.original == name {
				b.WriteString("{" + p.name + "}")
			}
		}
		rest = behind
	}
	separator := "?"
	for _, p := range params {
		if p.in == "query" {
			b.WriteString(separator + literal(p.original, "") + "={" + p.name + "}")
			separator = "&"
		}
	}
	return b.String()
}

// literal escapes what a URL cannot hold, and what would end a part of it.
func literal(text, also string) string {
	var b strings.Builder
	for i := range len(text) {
		c := text[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-._~!$'()*,;:@[]"+also, c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}
