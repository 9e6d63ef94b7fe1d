// Package jsonschema describes the JSON of an artifact's types: by a JSON
// Schema (draft 2020-12), and by an example.
//
//	schema := jsonschema.Of(&manifest.Schema, view.Input)
//	text, err := json.MarshalIndent(schema, "", "  ")
package jsonschema

import (
	"encoding/json"
	"maps"
	"regexp"
	"strings"

	"towpath.dev/internal/abi"
)

// Dialect is the value of "$schema".
const Dialect = "https://json-schema.org/draft/2020-12/schema"

// Schema is a JSON Schema; encoding/json sorts its members.
type Schema map[string]any

// Of is the schema of a type. Nominal types stand under "$defs", so that
// recursive ones end.
func Of(s *abi.Schema, id abi.TypeID) Schema {
	w := &writer{schema: s, base: "#/$defs/", names: map[abi.TypeID]string{}, defs: map[string]any{}}
	out := w.top(id)
	out["$schema"] = Dialect
	if len(w.defs) > 0 {
		out["$defs"] = w.defs
	}
	return out
}

// Components are the schemas of several types that share the nominal ones, as
// OpenAPI 3.1 has them under components.schemas.
type Components struct{ w writer }

// NewComponents begins without any.
func NewComponents(s *abi.Schema) *Components {
	return &Components{writer{schema: s, base: "#/components/schemas/", legal: notInComponents, names: map[abi.TypeID]string{}, defs: map[string]any{}}}
}

// Of is the schema of a type, nominal ones by reference.
func (c *Components) Of(id abi.TypeID) Schema { return c.w.top(id) }

// All are the nominal types that Of has met, by name.
func (c *Components) All() map[string]any { return c.w.defs }

// notInComponents is what the name of a component may not have in it.
var notInComponents = regexp.MustCompile(`[^A-Za-z0-9._-]+`)

// top is a type's schema where nothing stands around it: a view's input has no
// name to refer to.
func (w *writer) top(id abi.TypeID) Schema {
	if t := &w.schema.Types[id]; t.Kind == abi.Record && t.Module == "" {
		return w.object(t.Fields, "")
	}
	return maps.Clone(w.of(id))
}

type writer struct {
	schema *abi.Schema
	base   string                // of references to nominal types
	legal  *regexp.Regexp        // what their names may not have in them; nil: they may have anything
	names  map[abi.TypeID]string // of those in defs
	defs   map[string]any
}

// of is a type's schema where it is used: nominal types by reference.
func (w *writer) of(id abi.TypeID) Schema {
	t := &w.schema.Types[id]
	switch t.Kind {
	case abi.List:
		return Schema{"type": "array", "items": w.of(t.Elem)}
	case abi.Set:
		return Schema{"type": "array", "items": w.of(t.Elem), "uniqueItems": true}
	case abi.Map:
		if w.namesMembers(t.Key) {
			return Schema{"type": "object", "additionalProperties": w.of(t.Elem)}
		}
		return Schema{"type": "array", "items": tuple([]any{w.of(t.Key), w.of(t.Elem)})}
	case abi.Option:
		return Schema{"anyOf": []any{w.of(t.Elem), Schema{"type": "null"}}}
	case abi.Tuple:
		elems := make([]any, len(t.Fields))
		for i, f := range t.Fields {
			elems[i] = w.of(f.Type)
		}
		return tuple(elems)
	case abi.Record, abi.Variant, abi.Enum, abi.Wrapper:
		return w.nominal(id)
	}
	return basic(t.Kind)
}

func tuple(elems []any) Schema {
	if len(elems) == 0 {
		return Schema{"type": "array", "maxItems": 0} // prefixItems may not be empty
	}
	return Schema{"type": "array", "prefixItems": elems, "minItems": len(elems), "maxItems": len(elems)}
}

// namesMembers reports whether values of a type can be the names of an object's
// members.
func (w *writer) namesMembers(id abi.TypeID) bool {
	switch t := &w.schema.Types[id]; t.Kind {
	case abi.String, abi.Int, abi.Date, abi.Enum:
		return true
	case abi.Wrapper:
		return w.namesMembers(t.Elem)
	}
	return false
}

// basic is the schema of a type without parts.
func basic(k abi.Kind) Schema {
	switch k {
	case abi.Bool:
		return Schema{"type": "boolean"}
	case abi.Int:
		return Schema{"type": "integer", "minimum": json.Number("-9223372036854775808"), "maximum": json.Number("9223372036854775807")}
	case abi.Float:
		return Schema{"type": "number"}
	case abi.Decimal:
		return Schema{"title": "Decimal", "description": "An exact number of up to 34 digits, as text; a JSON number is taken too.",
			"type": []string{"string", "number"}}
	case abi.Money:
		return Schema{"title": "Money", "type": "object", "required": []string{"amount", "currency"},
			"properties": Schema{"amount": basic(abi.Decimal), "currency": Schema{"type": "string", "pattern": "^[A-Z]{3}$"}}}
	case abi.Duration:
		return Schema{"title": "Duration", "type": "string", "description": "As in Tow: \"1h30m\", \"50ms\"."}
	case abi.Instant:
		return Schema{"title": "Instant", "type": "string", "format": "date-time"}
	case abi.Date:
		return Schema{"title": "Date", "type": "string", "format": "date"}
	case abi.String:
		return Schema{"type": "string"}
	}
	return Schema{} // Json: anything
}

// nominal puts a type's schema under $defs and refers to it.
func (w *writer) nominal(id abi.TypeID) Schema {
	name, known := w.names[id]
	if !known {
		name = w.schema.Types[id].Name
		if w.legal != nil {
			name = strings.Trim(w.legal.ReplaceAllString(name, "_"), "_")
		}
		name = w.free(name)
		w.names[id] = name
		w.defs[name] = Schema{} // the name is taken while its parts are described
		w.defs[name] = w.define(&w.schema.Types[id])
	}
	return Schema{"$ref": w.base + pointer(name)}
}

// free is a name that $defs does not have yet.
func (w *writer) free(name string) string {
	for {
		if _, taken := w.defs[name]; !taken {
			return name
		}
		name += "_"
	}
}

// pointer escapes a name for the fragment of a URI that is a JSON pointer.
func pointer(name string) string {
	return strings.NewReplacer("~", "~0", "/", "~1", "%", "%25", "<", "%3C", ">", "%3E", " ", "%20", "?", "%3F", "\"", "%22").Replace(name)
}

func (w *writer) define(t *abi.Type) Schema {
	var out Schema
	switch t.Kind {
	case abi.Wrapper:
		out = w.of(t.Elem)
		if _, isRef := out["$ref"]; !isRef {
			out["title"] = t.Name
		}
	case abi.Record:
		out = w.object(t.Fields, "")
	case abi.Enum:
		names := make([]string, len(t.Ctors))
		for i, c := range t.Ctors {
			names[i] = c.JSON
		}
		out = Schema{"type": "string", "enum": names}
	default:
		alternatives := make([]any, len(t.Ctors))
		for i := range t.Ctors {
			c := &t.Ctors[i]
			alternatives[i] = describe(w.object(c.Fields, c.JSON), c.Doc)
		}
		out = Schema{"oneOf": alternatives}
	}
	return describe(out, t.Doc)
}

// describe adds a documentation, which a bare reference does without.
func describe(s Schema, doc string) Schema {
	if doc != "" {
		s["description"] = doc
	}
	return s
}

// object is the schema of fields; tag names a variant's alternative, "" none.
func (w *writer) object(fields []abi.Field, tag string) Schema {
	properties := Schema{}
	required := []string{}
	if tag != "" {
		properties["type"] = Schema{"const": tag}
		required = append(required, "type")
	}
	for _, f := range fields {
		name := memberName(f)
		p := describe(w.of(f.Type), f.Doc)
		if f.Default != "" {
			p["default"] = json.RawMessage(f.Default)
		} else if !w.mayBeAbsent(f.Type) {
			required = append(required, name)
		}
		properties[name] = p
	}
	out := Schema{"type": "object", "properties": properties}
	if len(required) > 0 {
		out["required"] = required
	}
	return out
}

func memberName(f abi.Field) string {
	if f.JSON != "" {
		return f.JSON
	}
	return f.Name
}

func (w *writer) mayBeAbsent(id abi.TypeID) bool {
	t := &w.schema.Types[id]
	return t.Kind == abi.Option || t.Kind == abi.Wrapper && w.mayBeAbsent(t.Elem)
}
