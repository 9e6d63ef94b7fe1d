// allOf, oneOf and anyOf.

package importer

import (
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// allOf is the type for a schema that is several at once: a record of all their
// properties.
func (o *openapi) allOf(s *openapi3.Schema, name, path string, nesting int, c *component) typ {
	parts := meaningful(s.AllOf)
	if len(parts) == 1 && len(s.Properties) == 0 && len(s.OneOf) == 0 && len(s.AnyOf) == 0 {
		return o.schema(parts[0], name, path+"/allOf/0", nesting)
	}
	props, ok := o.flatten(s, path, nil)
	if !ok || len(props) == 0 {
		o.m.warn(path+"/allOf", "it joins what are no plain objects; it became Json")
		return jsonType
	}
	d := o.declare(name, s, path, c)
	d.fields = o.fields(props, d.name, "", nesting)
	return typ{text: d.name, decl: d}
}

// meaningful are the schemas that say more than words.
func meaningful(refs openapi3.SchemaRefs) openapi3.SchemaRefs {
	var out openapi3.SchemaRefs
	for _, r := range refs {
		if r == nil || r.Value == nil {
			continue
		}
		s := r.Value
		if r.Ref == "" && s.Type == nil && len(s.Properties)+len(s.AllOf)+len(s.OneOf)+len(s.AnyOf)+len(s.Enum)+len(s.Required) == 0 && s.Items == nil && s.Const == nil {
			continue
		}
		out = append(out, r)
	}
	return out
}

// flatten are the properties of an object and of all that it joins. It reports
// false where one of these is no plain object.
func (o *openapi) flatten(s *openapi3.Schema, path string, above []*openapi3.Schema) (props []property, ok bool) {
	if slices.Contains(above, s) || len(s.OneOf) > 0 || len(s.AnyOf) > 0 || len(s.Enum) > 0 || s.Always != nil {
		return nil, false
	}
	if kinds := slices.DeleteFunc(slices.Clone(s.Type.Slice()), func(k string) bool { return k == "null" }); len(kinds) > 1 || len(kinds) == 1 && kinds[0] != "object" {
		return nil, false
	}
	above = append(above, s)
	for _, part := range meaningful(s.AllOf) {
		at := path + "/allOf/" + count(int64(slices.Index(s.AllOf, part)))
		if part.Ref != "" {
			at = part.Ref
		}
		more, ok := o.flatten(part.Value, at, above)
		if !ok {
			return nil, false
		}
		props = join(props, more)
	}
	props = join(props, o.own(s, path))
	for i := range props { // a part may require what another declares
		props[i].required = props[i].required || slices.Contains(s.Required, props[i].name)
	}
	return props, true
}

// join adds properties; one of the same name takes the earlier one's place.
func join(props, more []property) []property {
	for _, p := range more {
		i := slices.IndexFunc(props, func(q property) bool { return q.name == p.name })
		if i < 0 {
			props = append(props, p)
			continue
		}
		p.required = p.required || props[i].required
		props[i] = p
	}
	return props
}

// oneOf is the type for a schema that is one of several: an Option where the other
// is null, the union of enums, or a variant that the member `type` tells apart.
func (o *openapi) oneOf(s *openapi3.Schema, all openapi3.SchemaRefs, word, name, path string, nesting int, c *component) typ {
	null := false
	refs := openapi3.SchemaRefs{}
	for _, r := range all {
		if r != nil && r.Value != nil && r.Value.Type.Is("null") {
			null = true
			continue
		}
		refs = append(refs, r)
	}
	t := o.oneOfOthers(s, refs, word, name, path, nesting, c)
	t.null = t.null || null
	return t
}

func (o *openapi) oneOfOthers(s *openapi3.Schema, refs openapi3.SchemaRefs, word, name, path string, nesting int, c *component) typ {
	if len(s.Properties) == 0 {
		switch {
		case len(refs) == 1:
			return o.schema(refs[0], name, path+"/"+word+"/0", nesting)
		case len(refs) == 0:
			return jsonType
		}
		if texts := enumTexts(refs); texts != nil {
			return o.enum(texts, s, name, path, c)
		}
		if s.Discriminator != nil && s.Discriminator.PropertyName != "type" {
			o.m.warn(path+"/discriminator", "the member `%s` tells its alternatives apart, in Tow's JSON it is `type`; it became Json", s.Discriminator.PropertyName)
			return jsonType
		}
		if parts := o.parts(s, refs, path, word); parts != nil {
			return o.variant(s, parts, name, path, nesting, c)
		}
	}
	o.m.warn(path+"/"+word, "nothing tells its alternatives apart as Tow does, by a member `type`; it became Json")
	return jsonType
}

// enumTexts are the values of enums of texts together; nil where some are others.
func enumTexts(refs openapi3.SchemaRefs) []any {
	var out []any
	for _, r := range refs {
		if r == nil || r.Value == nil || !r.Value.Type.Is("string") && r.Value.Type != nil {
			return nil
		}
		values := r.Value.Enum
		if text, ok := r.Value.Const.(string); ok {
			values = []any{text}
		}
		if len(values) == 0 {
			return nil
		}
		for _, v := range values {
			if _, ok := v.(string); !ok {
				return nil
			}
		}
		out = append(out, values...)
	}
	return out
}

// part is an alternative of a variant.
type part struct {
	key   string // the value of `type`
	props []property
	doc   string
	name  string // of the component; "" without
}

// parts are the alternatives of schemas that are objects with a `type` each; nil
// where they are not.
func (o *openapi) parts(s *openapi3.Schema, refs openapi3.SchemaRefs, path, word string) []part {
	var out []part
	seen := map[string]bool{}
	for i, r := range refs {
		at := path + "/" + word + "/" + count(int64(i))
		if r == nil || r.Value == nil {
			return nil
		}
		if r.Ref != "" {
			at = r.Ref
		}
		props, ok := o.flatten(r.Value, at, nil)
		if !ok {
			return nil
		}
		keys := mapped(s, r)
		if len(keys) == 0 {
			keys = typeValues(props)
		}
		component, _ := strings.CutPrefix(r.Ref, componentSchemas)
		if len(keys) == 0 && s.Discriminator != nil && component != "" {
			keys = []string{component}
		}
		if len(keys) == 0 {
			return nil
		}
		for _, k := range keys {
			if k == "" || seen[k] {
				return nil
			}
			seen[k] = true
			out = append(out, part{key: k, props: props, doc: about(r.Value), name: component})
		}
	}
	return out
}

// mapped are the values that a discriminator maps to a schema, sorted.
func mapped(s *openapi3.Schema, r *openapi3.SchemaRef) []string {
	var keys []string
	if s.Discriminator == nil || r.Ref == "" {
		return nil
	}
	for k, m := range s.Discriminator.Mapping {
		if m.Ref == r.Ref || componentSchemas+m.Ref == r.Ref {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	return keys
}

// typeValues are the values that a schema allows its own member `type`.
func typeValues(props []property) []string {
	i := slices.IndexFunc(props, func(p property) bool { return p.name == "type" })
	if i < 0 || props[i].ref == nil || props[i].ref.Value == nil {
		return nil
	}
	var out []string
	v := props[i].ref.Value
	values := v.Enum
	if v.Const != nil {
		values = []any{v.Const}
	}
	for _, v := range values {
		text, ok := v.(string)
		if !ok {
			return nil
		}
		out = append(out, text)
	}
	return out
}

func (o *openapi) variant(s *openapi3.Schema, parts []part, name, path string, nesting int, c *component) typ {
	d := o.declare(name, s, path, c)
	d.variant = true
	for _, p := range parts {
		a := alternative{name: o.m.names.pick(upper(p.key, "Value"), cut(d.name+upper(p.key, "Value"))), doc: p.doc}
		if a.name != p.key {
			a.json = p.key
		}
		a.fields = o.fields(p.props, a.name, "type", nesting)
		d.alternatives = append(d.alternatives, a)
	}
	return typ{text: d.name, decl: d}
}
