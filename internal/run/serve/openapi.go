package serve

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"

	"towpath.dev/internal/artifact"
	"towpath.dev/internal/jsonschema"
)

// openapi answers with the description of a program's views.
func (s *Server) openapi(w http.ResponseWriter, r *http.Request, name string) {
	id := requestID(r.Header)
	_, release := s.enter(w, r, id, name)
	if release == nil {
		return
	}
	defer release.leave()
	text, err := release.described()
	if err != nil {
		s.refuse(w, id, &Problem{Type: Internal, Status: http.StatusInternalServerError, Detail: err.Error()})
		return
	}
	w.Header()["Content-Type"] = jsonType
	_, _ = w.Write(text)
}

// describe is the text of OpenAPI, made when it is first asked for.
func (r *Release) describe(name string) func() ([]byte, error) {
	return sync.OnceValues(func() ([]byte, error) {
		text, err := json.MarshalIndent(OpenAPI(name, r.Engine.Manifest()), "", "  ")
		return append(text, '\n'), err
	})
}

type object = map[string]any

// OpenAPI describes a program's views as OpenAPI 3.1 does.
func OpenAPI(name string, m *artifact.Manifest) any {
	schemas := jsonschema.NewComponents(&m.Schema)
	paths := object{}
	for i := range m.Views {
		v := &m.Views[i]
		path := object{"post": operation(schemas, m, v)}
		if flat, ok := parameters(&m.Schema, v.Input); ok {
			path["get"] = flatOperation(schemas, m, v, flat)
		}
		paths["/v1/"+name+"/"+v.QualifiedName()] = path
	}
	components := schemas.All()
	components["Problem"] = problemSchema()
	return object{
		"openapi": "3.1.0", "jsonSchemaDialect": jsonschema.Dialect,
		"info":  object{"title": name, "version": m.SourceHash[:12], "description": "The views of the program " + name + ", served by Towpath."},
		"paths": paths,
		"components": object{
			"schemas":         components,
			"securitySchemes": object{"token": object{"type": "http", "scheme": "bearer"}},
		},
		"security": []any{object{}, object{"token": []string{}}},
	}
}

// operation describes a view that is posted to.
func operation(schemas *jsonschema.Components, m *artifact.Manifest, v *artifact.View) object {
	op := described(schemas, v, v.QualifiedName())
	op["requestBody"] = object{"required": true, "content": object{"application/json": object{"schema": schemas.Of(v.Input)}}}
	return op
}

// flatOperation describes it with its parameters in the query.
func flatOperation(schemas *jsonschema.Components, m *artifact.Manifest, v *artifact.View, flat []parameter) object {
	op := described(schemas, v, v.QualifiedName()+".get")
	list := []any{}
	for i, f := range m.Schema.Types[v.Input].Fields {
		p := object{"name": flat[i].name, "in": "query", "required": !flat[i].option && !flat[i].list && f.Default == "", "schema": schemas.Of(f.Type)}
		if f.Doc != "" {
			p["description"] = f.Doc
		}
		list = append(list, p)
	}
	op["parameters"] = list
	return op
}

func described(schemas *jsonschema.Components, v *artifact.View, id string) object {
	summary, _, _ := strings.Cut(v.Doc, "\n")
	problem := object{"application/problem+json": object{"schema": object{"$ref": "#/components/schemas/Problem"}}}
	responses := object{
		"200":     object{"description": "The answer.", "content": object{"application/json": object{"schema": schemas.Of(v.Result)}}},
		"default": object{"description": "Why there is no answer.", "content": problem},
	}
	op := object{"operationId": strings.NewReplacer("/", ".").Replace(id), "tags": []string{v.Module}, "responses": responses}
	if summary != "" {
		op["summary"] = summary
	}
	if v.Doc != "" {
		op["description"] = v.Doc
	}
	if v.WithinNS > 0 {
		op["x-towpath-within-ms"] = json.Number(fmt.Sprint(float64(v.WithinNS) / 1e6))
	}
	return op
}

func problemSchema() object {
	text := object{"type": "string"}
	number := object{"type": "integer"}
	return object{
		"type": "object", "description": "A problem document, RFC 9457.", "required": []string{"type", "title", "status", "detail", "request"},
		"properties": object{
			"type": object{"type": "string", "format": "uri"}, "title": text, "status": number, "detail": text,
			"request": object{"type": "string", "description": "The request's id."},
			"path":    object{"type": "string", "description": "Where in the input: $.offers[3].price"}, "expected": text, "found": text,
			"operation": object{"type": "string", "description": "The call that failed."},
			"fault":     text, "file": text, "line": number, "column": number,
			"stack": object{"type": "array", "items": text},
		},
	}
}
