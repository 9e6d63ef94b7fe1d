// OpenAPI: a document's operations that read.

package importer

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// openapi is one import.
type openapi struct {
	m          *module
	doc        *openapi3.T
	opts       Options
	components map[string]*component
	enums      map[string]*decl // by their values
	open       []string         // references that are being followed
}

// OpenAPI imports an OpenAPI document, version 3.0 or 3.1, in YAML or JSON. The
// name is for messages.
//
// Operations by GET are imported, those by POST where they read: marked with
// x-tow-read: true, or called or addressed as a search (see reads), or with
// Options.All. Types are those of their parameters and answers:
//
//	object                         a record; with additionalProperties alone a Map
//	string with enum, const        a variant, its alternatives named after the values
//	oneOf or anyOf with `type`     a variant
//	oneOf with null, nullable      an Option, as is what is not required; with a
//	                               default it has that
//	allOf                          a record of all properties
//	array                          a List
//	integer; number                Int; Float, or Decimal where its format is decimal
//	string by its format           Date, Instant; Decimal for decimal, int64 and the like
//	anything else                  Json
//
// What lies outside the document is not read: references to other files are an
// error. What Tow cannot say is a warning.
func OpenAPI(name string, text []byte, opts Options) (*Result, error) {
	loader := openapi3.NewLoader()
	loader.IncludeOrigin = true
	loader.ReadFromURIFunc = func(_ *openapi3.Loader, at *url.URL) ([]byte, error) {
		return nil, fmt.Errorf("it refers to %s; put all into one file first, as by \"redocly bundle\"", at)
	}
	doc, err := loader.LoadFromData(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, brief(err))
	}
	if !strings.HasPrefix(doc.OpenAPI, "3.") {
		found := "it does not say its version by `openapi`"
		if doc.OpenAPI != "" {
			found = "its version is " + doc.OpenAPI
		} else if doc.Extensions["swagger"] != nil {
			found = "it is Swagger 2.0; convert it first"
		}
		return nil, fmt.Errorf("%s: %s; expected an OpenAPI document of version 3.0 or 3.1", name, found)
	}
	m, err := twice(func(m *module) error {
		o := &openapi{m: m, doc: doc, opts: opts, components: map[string]*component{}, enums: map[string]*decl{}}
		o.connection(filepath.Base(name))
		o.operations()
		if len(m.services) == 0 {
			return fmt.Errorf("%s: nothing in it reads; expected operations by GET, or such by POST with x-tow-read: true or the flag --all", name)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return m.finish()
}

// brief is an error without the library's own words before it.
func brief(err error) error {
	text := err.Error()
	if i := strings.Index(text, "failed to unmarshal data:"); i >= 0 {
		if _, yaml, ok := strings.Cut(text, "yaml error:"); ok {
			return errors.New(strings.TrimSpace(yaml))
		}
	}
	return err
}

// connection is what the document is about, and where it says that the service is.
func (o *openapi) connection(file string) {
	title, about := "", ""
	if o.doc.Info != nil {
		title, about = o.doc.Info.Title, o.doc.Info.Description
		if o.doc.Info.Version != "" {
			about = "Version " + o.doc.Info.Version + ".\n" + about
		}
	}
	o.m.doc = strings.TrimSpace(fmt.Sprintf("%s\nImported from %s.\n%s", title, file, about))
	c := &o.m.source
	if c.name = sourceName(title); c.name == "" {
		c.name = "api"
	}
	c.comments = []string{
		"What binds the operations imported from " + file + ": for env/NAME.toml.",
		"Leave out the operations that no view calls.",
	}
	c.settings = []setting{{"type", `"http"`}}
	for i, s := range o.doc.Servers {
		if s == nil {
			continue
		}
		at := s.URL
		for name, v := range s.Variables {
			if v != nil {
				at = strings.ReplaceAll(at, "{"+name+"}", v.Default)
			}
		}
		if u, err := url.Parse(at); err != nil || u.Host == "" {
			at = "http://localhost:8080/" + strings.TrimPrefix(at, "/")
		}
		if i == 0 {
			c.settings = append(c.settings, setting{"url", tomlText(strings.TrimSuffix(at, "/"))})
		} else {
			c.notes = append(c.notes, "url = "+tomlText(at)+" # "+s.Description)
		}
	}
	if len(c.settings) == 1 {
		c.settings = append(c.settings, setting{"url", `"http://localhost:8080" # the document does not say where the service is`})
	}
	c.notes = append(c.notes, o.credentials()...)
}

// sourceName is a title as a source is called.
func sourceName(title string) string {
	ws := words(strings.ToLower(title))
	ws = slices.DeleteFunc(ws, func(w string) bool { return w == "api" || w == "the" || w == "service" || w == "rest" })
	if len(ws) > 3 {
		ws = ws[:3]
	}
	return strings.Join(ws, "-")
}

// credentials are the headers that the document wants, as comments.
func (o *openapi) credentials() []string {
	if o.doc.Components == nil {
		return nil
	}
	variable := strings.ToUpper(strings.ReplaceAll(o.m.source.name, "-", "_"))
	var out []string
	var schemes []string
	for name := range o.doc.Components.SecuritySchemes {
		schemes = append(schemes, name)
	}
	slices.Sort(schemes)
	for _, name := range schemes {
		ref := o.doc.Components.SecuritySchemes[name]
		if ref == nil || ref.Value == nil {
			continue
		}
		switch s := ref.Value; {
		case s.Type == "apiKey" && s.In == "header":
			out = append(out, fmt.Sprintf(`headers = { %s = "${env:%s_KEY}" }`, tomlKey(s.Name), variable))
		case s.Type == "apiKey" && s.In == "query":
			out = append(out, fmt.Sprintf("every request needs %s=KEY in its query: write it behind a ? in `url`", s.Name))
		case s.Type == "http" && strings.EqualFold(s.Scheme, "basic"):
			out = append(out, fmt.Sprintf(`url may hold user and password: https://${env:%s_USER}:${env:%[1]s_PASSWORD}@…`, variable))
		case s.Type == "http", s.Type == "oauth2", s.Type == "openIdConnect":
			out = append(out, fmt.Sprintf(`headers = { authorization = "Bearer ${env:%s_TOKEN}" }`, variable))
		}
	}
	return slices.Compact(out)
}

// operations imports all that read, in the order of the document.
func (o *openapi) operations() {
	if o.doc.Paths == nil {
		return
	}
	paths := o.doc.Paths.Map()
	var order []string
	for p := range paths {
		order = append(order, p)
	}
	line := func(p string) int {
		if item := paths[p]; item != nil && item.Origin != nil && item.Origin.Key != nil {
			return item.Origin.Key.Line
		}
		return 0
	}
	slices.SortFunc(order, func(a, b string) int {
		if line(a) != line(b) {
			return line(a) - line(b)
		}
		return strings.Compare(a, b)
	})
	for _, p := range order {
		item := paths[p]
		if item == nil {
			continue
		}
		at := "#/paths/" + escape(p)
		if item.Get != nil && item.Get.Extensions["x-tow-read"] != false {
			o.operation(p, item, item.Get, http.MethodGet, at+"/get")
		}
		if item.Post != nil {
			if o.opts.All || reads(p, item.Post) {
				o.operation(p, item, item.Post, http.MethodPost, at+"/post")
			} else {
				o.m.warn(at+"/post", "nothing says that it only reads, so it was left out; mark it with x-tow-read: true, or use --all")
			}
		}
	}
}

// asking are words that begin the names of operations that only read.
var asking = set("search", "query", "find", "lookup", "list", "get", "fetch", "filter", "match", "quote", "estimate", "calculate", "evaluate", "score", "rank", "predict", "check", "batchget")

// reads reports whether an operation by POST is one that only reads: by its mark,
// else by the first word of its operationId or the last of its path.
func reads(path string, op *openapi3.Operation) bool {
	if mark, ok := op.Extensions["x-tow-read"].(bool); ok {
		return mark
	}
	if ws := words(op.OperationID); len(ws) > 0 {
		return asking[strings.ToLower(ws[0])] || len(ws) > 1 && asking[strings.ToLower(ws[0]+ws[1])]
	}
	ws := words(path[strings.LastIndexAny(path, "/:")+1:])
	return len(ws) > 0 && !strings.HasSuffix(path, "}") && asking[strings.ToLower(strings.Join(ws, ""))]
}

// service is the one that an operation belongs to, by its first tag.
func (o *openapi) service(op *openapi3.Operation) *service {
	name, doc := o.opts.Service, ""
	if name == "" && len(op.Tags) > 0 {
		name = upper(op.Tags[0], "Service")
		for _, tag := range o.doc.Tags {
			if tag != nil && tag.Name == op.Tags[0] {
				doc = tag.Description
			}
		}
	}
	if name == "" {
		name = "Api"
		if o.doc.Info != nil {
			name = upper(o.doc.Info.Title, "Api")
		}
	}
	return o.m.service(name, doc)
}

// service is the service made for a name.
func (m *module) service(name, doc string) *service {
	for _, s := range m.services {
		if s.wanted == name {
			return s
		}
	}
	s := &service{wanted: name, name: m.names.pick(name, name+"Service"), doc: doc, names: newNames(keywords)}
	m.services = append(m.services, s)
	return s
}

// answerOf is the response that an operation gives when all is well.
func answerOf(op *openapi3.Operation) (status string, schema *openapi3.SchemaRef, found bool) {
	if op.Responses == nil {
		return "", nil, false
	}
	all := op.Responses.Map()
	var order []string
	for s := range all {
		if s == "default" || strings.HasPrefix(s, "2") {
			order = append(order, s)
		}
	}
	slices.Sort(order) // "200", "2XX", "default"
	for _, s := range order {
		if r := all[s]; r != nil && r.Value != nil {
			if schema, found := jsonContent(r.Value.Content); found {
				return s, schema, true
			}
		}
	}
	return "", nil, false
}

// jsonContent is the schema of a content that is JSON.
func jsonContent(content openapi3.Content) (schema *openapi3.SchemaRef, found bool) {
	var kinds []string
	for kind := range content {
		base, _, _ := strings.Cut(strings.ToLower(kind), ";")
		base = strings.TrimSpace(base)
		if base == "application/json" || strings.HasSuffix(base, "+json") || base == "*/*" || base == "application/*" {
			kinds = append(kinds, kind)
		}
	}
	if len(kinds) == 0 {
		return nil, false
	}
	slices.SortFunc(kinds, func(a, b string) int { // what is plainest first
		if len(a) != len(b) && strings.HasPrefix(a, "application/json") != strings.HasPrefix(b, "application/json") {
			if strings.HasPrefix(a, "application/json") {
				return -1
			}
			return 1
		}
		return strings.Compare(a, b)
	})
	if media := content[kinds[0]]; media != nil {
		return media.Schema, true
	}
	return nil, true
}
