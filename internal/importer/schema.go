// Types of OpenAPI: JSON Schemas become records, variants and what there is.

package importer

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

const (
	componentSchemas = "#/components/schemas/"
	// maxAlternatives is how many values of an enum become alternatives.
	maxAlternatives = 300
	// maxNesting is how deep lists and maps of what has no name may nest; the
	// compiler's own limit is 256.
	maxNesting = 40
)

// component is a schema that others refer to.
type component struct {
	typ   typ
	known bool // typ is; else it is being made
}

// schema is the type for a schema. Name is what a type that must be declared is
// called when it has no name of its own.
func (o *openapi) schema(ref *openapi3.SchemaRef, name, path string, nesting int) typ {
	if ref == nil || ref.Value == nil {
		return jsonType
	}
	if own, ok := strings.CutPrefix(ref.Ref, componentSchemas); ok && !strings.Contains(own, "/") {
		t := o.component(ref, own)
		t.null = t.null || ref.Value.Nullable || ref.Value.Type.Includes("null")
		return t
	}
	if ref.Ref != "" { // into the middle of something: as if it stood here
		if slices.Contains(o.open, ref.Ref) {
			o.m.warn(path, "the schema %s holds itself by a reference into its middle; it became Json", ref.Ref)
			return jsonType
		}
		o.open = append(o.open, ref.Ref)
		defer func() { o.open = o.open[:len(o.open)-1] }()
	}
	if nesting > maxNesting {
		o.m.warn(path, "it nests more than %d deep; it became Json", maxNesting)
		return jsonType
	}
	return o.build(ref.Value, name, path, nesting, nil)
}

func (o *openapi) component(ref *openapi3.SchemaRef, name string) typ {
	c := o.components[name]
	if c == nil {
		c = &component{}
		o.components[name] = c
		c.typ = o.build(o.original(ref, name), upper(name, "Type"), componentSchemas+escape(name), 0, c)
		c.known = true
	}
	if !c.known && c.typ.text == "" {
		o.m.warn(componentSchemas+escape(name), "it holds itself with nothing between that has a name; it became Json there")
		return jsonType
	}
	return c.typ
}

// original is a component as it is declared: a reference may have words beside it.
func (o *openapi) original(ref *openapi3.SchemaRef, name string) *openapi3.Schema {
	if o.doc.Components != nil {
		if declared := o.doc.Components.Schemas[name]; declared != nil && declared.Value != nil {
			return declared.Value
		}
	}
	return ref.Value
}

// escape is a name as a JSON Pointer writes it.
func escape(name string) string {
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
}

// build is the type for a schema that stands here. Where c is not nil the type is
// noted there before its fields are looked into, so that they may hold it.
func (o *openapi) build(s *openapi3.Schema, name, path string, nesting int, c *component) typ {
	t := o.plain(s, name, path, nesting, c)
	if s.Nullable || s.Type.Includes("null") && len(s.Type.Slice()) > 1 || slices.Contains(s.Enum, nil) && len(s.Enum) > 1 {
		t.null = true
	}
	return t
}

// plain is build without regard to null.
func (o *openapi) plain(s *openapi3.Schema, name, path string, nesting int, c *component) typ {
	if s.Always != nil {
		return jsonType
	}
	if s.Const != nil {
		return o.enum([]any{s.Const}, s, name, path, c)
	}
	if len(s.Enum) > 0 {
		return o.enum(s.Enum, s, name, path, c)
	}
	switch {
	case len(s.AllOf) > 0:
		return o.allOf(s, name, path, nesting, c)
	case len(s.OneOf) > 0:
		return o.oneOf(s, s.OneOf, "oneOf", name, path, nesting, c)
	case len(s.AnyOf) > 0:
		return o.oneOf(s, s.AnyOf, "anyOf", name, path, nesting, c)
	}
	kinds := slices.DeleteFunc(slices.Clone(s.Type.Slice()), func(k string) bool { return k == "null" })
	switch {
	case len(kinds) > 1:
		o.m.warn(path, "it is %s; it became Json, as a value of Tow has one type", strings.Join(kinds, " or "))
		return jsonType
	case len(kinds) == 0 && len(s.Properties) > 0:
		return o.object(s, name, path, nesting, c)
	case len(kinds) == 0 && s.Items != nil:
		return o.array(s, name, path, nesting)
	case len(kinds) == 0:
		return jsonType
	}
	switch kinds[0] {
	case "boolean":
		return typ{text: "Bool"}
	case "integer":
		return typ{text: "Int"}
	case "number":
		if s.Format == "decimal" || s.Format == "money" {
			return typ{text: "Decimal"}
		}
		return typ{text: "Float"}
	case "string":
		return o.text(s, path)
	case "array":
		return o.array(s, name, path, nesting)
	case "object":
		return o.object(s, name, path, nesting, c)
	}
	return jsonType
}

// text is the type for a string, by its format.
func (o *openapi) text(s *openapi3.Schema, path string) typ {
	switch s.Format {
	case "date":
		return typ{text: "Date"}
	case "date-time":
		return typ{text: "Instant"}
	case "decimal", "int64", "uint64", "int32", "double":
		return typ{text: "Decimal"} // whose JSON is a text
	case "duration":
		if example, ok := s.Example.(string); ok && isDuration(example) {
			return typ{text: "Duration"}
		}
		o.m.warn(path, "it is a duration as ISO 8601 writes it (PT1H30M), which Tow's Duration (1h30m) does not read; it became String")
	}
	return typ{text: "String"}
}

// isDuration reports whether a text is a Duration as Tow reads it.
func isDuration(text string) bool {
	return text != "" && strings.Trim(text, "0123456789.dhmsun") == "" && text[0] >= '0' && text[0] <= '9' && text[len(text)-1] >= 'a'
}

func (o *openapi) array(s *openapi3.Schema, name, path string, nesting int) typ {
	elem := jsonType
	switch {
	case len(s.PrefixItems) > 0:
		o.m.warn(path+"/prefixItems", "a list whose elements have types by their place became List<Json>")
	case s.Items != nil:
		elem = o.schema(s.Items, singular(name), path+"/items", nesting+1)
	}
	return typ{text: "List<" + elem.String() + ">", elem: &elem}
}

// singular is a name for one of what a plural names.
func singular(name string) string {
	switch {
	case strings.HasSuffix(name, "ies") && len(name) > 4:
		return name[:len(name)-3] + "y"
	case strings.HasSuffix(name, "ses") || strings.HasSuffix(name, "xes") || strings.HasSuffix(name, "ches") || strings.HasSuffix(name, "shes"):
		return name[:len(name)-2]
	case strings.HasSuffix(name, "s") && !strings.HasSuffix(name, "ss") && !strings.HasSuffix(name, "us") && len(name) > 2:
		return name[:len(name)-1]
	}
	return name + "Item"
}

// object is the type for an object: a record of its properties, or a Map.
func (o *openapi) object(s *openapi3.Schema, name, path string, nesting int, c *component) typ {
	if len(s.Properties) == 0 {
		if s.AdditionalProperties.Schema == nil {
			return jsonType
		}
		elem := o.schema(s.AdditionalProperties.Schema, singular(name), path+"/additionalProperties", nesting+1)
		return typ{text: "Map<String, " + elem.String() + ">"}
	}
	if s.AdditionalProperties.Schema != nil {
		o.m.warn(path+"/additionalProperties", "a record has the members that are named; others are not read")
	}
	d := o.declare(name, s, path, c)
	d.fields = o.fields(o.own(s, path), d.name, "", nesting)
	return typ{text: d.name, decl: d}
}

// declare makes a declaration, and tells the component that it is its type.
func (o *openapi) declare(name string, s *openapi3.Schema, path string, c *component) *decl {
	d := &decl{doc: about(s), path: path}
	o.m.types = append(o.m.types, d)
	if c == nil {
		d.name = o.m.names.pick(name)
		return d
	}
	d.name, d.own = o.m.names.claim(name), name
	c.typ = typ{text: d.name, decl: d}
	return d
}

// about is a schema's documentation.
func about(s *openapi3.Schema) string {
	text := s.Description
	if text == "" {
		text = s.Title
	}
	if s.Deprecated {
		text = strings.TrimSpace("Deprecated. " + text)
	}
	return text
}

// property is a member of an object.
type property struct {
	name     string
	ref      *openapi3.SchemaRef
	required bool
	path     string
}

// own are an object's own properties, in the order of the document.
func (o *openapi) own(s *openapi3.Schema, path string) []property {
	var out []property
	for name, ref := range s.Properties {
		out = append(out, property{name, ref, slices.Contains(s.Required, name), path + "/properties/" + escape(name)})
	}
	placed := !slices.ContainsFunc(out, func(p property) bool { line, _ := place(p.ref); return line == 0 })
	slices.SortFunc(out, func(a, b property) int {
		if placed {
			al, ac := place(a.ref)
			bl, bc := place(b.ref)
			if al != bl {
				return al - bl
			}
			if ac != bc {
				return ac - bc
			}
		}
		return strings.Compare(a.name, b.name)
	})
	return out
}

// place is where a schema or a reference stands in the document; 0 when that is
// not known.
func place(ref *openapi3.SchemaRef) (line, column int) {
	switch {
	case ref == nil:
	case ref.Origin != nil && ref.Origin.Key != nil:
		return ref.Origin.Key.Line, ref.Origin.Key.Column
	case ref.Ref == "" && ref.Value != nil && ref.Value.Origin != nil && ref.Value.Origin.Key != nil:
		return ref.Value.Origin.Key.Line, ref.Value.Origin.Key.Column
	}
	return 0, 0
}

// fields are the members of a record or an alternative; the one called except is
// left out.
func (o *openapi) fields(props []property, owner, except string, nesting int) []member {
	own := newNames(keywords)
	var out []member
	for _, p := range props {
		if except != "" && p.name == except {
			continue
		}
		if p.name == "" {
			o.m.warn(p.path, "a member whose name is empty cannot be read; it was left out")
			continue
		}
		f := member{name: own.pick(lower(p.name, "field")), typ: o.schema(p.ref, owner+upper(p.name, "Field"), p.path, nesting+1)}
		if f.name != p.name {
			f.json = p.name
		}
		if s := p.ref.Value; s != nil {
			if p.ref.Ref == "" {
				f.doc = about(s)
			}
			o.presence(&f, s, p.required && !s.WriteOnly)
		}
		if f.typ.decl != nil && f.doc == f.typ.decl.doc {
			f.doc = "" // it stands there
		}
		out = append(out, f)
	}
	return out
}

// presence says what an absent member means: its default, or None.
func (o *openapi) presence(f *member, s *openapi3.Schema, required bool) {
	if required {
		return
	}
	if !f.typ.null {
		if f.def = constant(f.typ, s.Default); f.def != "" {
			return
		}
	}
	f.typ.null = true
	f.def = "None"
}

// constant is an expression for a JSON value of a type; "" where there is none.
func constant(t typ, v any) string {
	switch t.text {
	case "Bool":
		if b, ok := v.(bool); ok {
			return strconv.FormatBool(b)
		}
	case "Int":
		if f, ok := number(v); ok && f == math.Trunc(f) && math.Abs(f) < 1<<53 {
			return strconv.FormatInt(int64(f), 10)
		}
	case "Float", "Decimal":
		if f, ok := number(v); ok && math.Abs(f) < 1e15 && (f == 0 || math.Abs(f) > 1e-6) {
			return strconv.FormatFloat(f, 'f', -1, 64)
		}
	case "String":
		if text, ok := v.(string); ok && len(text) < 200 {
			return quoted(text)
		}
	}
	if t.decl != nil && t.decl.isEnum() {
		for _, a := range t.decl.alternatives {
			if text, ok := v.(string); ok && (a.json == text || a.json == "" && a.name == text) {
				return a.name
			}
		}
	}
	return ""
}

func number(v any) (float64, bool) {
	switch x := v.(type) {
	case float64:
		return x, true
	case int:
		return float64(x), true
	case int64:
		return float64(x), true
	case uint64:
		return float64(x), true
	case json.Number:
		f, err := x.Float64()
		return f, err == nil
	}
	return 0, false
}

// enum is the type for one of some values: a variant for texts.
func (o *openapi) enum(values []any, s *openapi3.Schema, name, path string, c *component) typ {
	var texts []string
	kinds := map[string]bool{}
	for _, v := range values {
		switch x := v.(type) {
		case nil:
			continue
		case string:
			if !slices.Contains(texts, x) {
				texts = append(texts, x)
			}
			kinds["String"] = true
		case bool:
			kinds["Bool"] = true
		default:
			if f, ok := number(v); ok && f == math.Trunc(f) {
				kinds["Int"] = true
			} else if ok {
				kinds["Float"] = true
			} else {
				kinds["Json"] = true
			}
		}
	}
	switch {
	case len(kinds) > 1 && kinds["Int"] && kinds["Float"] && len(kinds) == 2:
		return typ{text: "Float"}
	case len(kinds) != 1 || kinds["Json"]:
		o.m.warn(path+"/enum", "its values are of several types; it became Json")
		return jsonType
	case !kinds["String"]:
		for kind := range kinds {
			return typ{text: kind}
		}
	case slices.Contains(texts, ""):
		o.m.warn(path+"/enum", "one of its values is the empty text, which no alternative can be called; it became String")
		return typ{text: "String"}
	case len(texts) > maxAlternatives:
		o.m.warn(path+"/enum", "it has %d values, more than the %d that become alternatives; it became String", len(texts), maxAlternatives)
		return typ{text: "String"}
	}
	key := fmt.Sprintf("%q", texts)
	if d := o.enums[key]; d != nil {
		return typ{text: d.name, decl: d}
	}
	d := o.declare(name, s, path, c)
	o.enums[key] = d
	d.variant = true
	for _, text := range texts {
		spelt := text
		if rest, ok := strings.CutPrefix(text, "-"); ok {
			spelt = "minus " + rest
		} else if rest, ok := strings.CutPrefix(text, "+"); ok {
			spelt = "plus " + rest
		}
		short := upper(signs.Replace(spelt), "Value")
		a := alternative{name: o.m.names.pick(short, cut(d.name+short))}
		if a.name != text {
			a.json = text
		}
		d.alternatives = append(d.alternatives, a)
	}
	return typ{text: d.name, decl: d}
}

// signs are those that tell values apart, as "-price" and "price".
var signs = strings.NewReplacer("!", " not ", "<", " less ", ">", " greater ", "=", " equal ", "*", " star ")
