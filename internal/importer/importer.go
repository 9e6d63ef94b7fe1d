// Package importer writes Tow declarations from descriptions of services that
// exist already: OpenAPI documents and .proto files.
//
//	res, err := importer.OpenAPI("shop.yaml", text, importer.Options{})
//	os.WriteFile("market/shop.tow", res.Tow, 0o644) // types and services
//	os.Stdout.Write(res.Env)                        // what binds them, for env/NAME.toml
//	for _, w := range res.Warnings { … }            // what could not be said in Tow
//
// What is written is formatted and passes the compiler; the same document gives
// the same text. Only what operations need is declared. See [OpenAPI] and [Proto]
// for what becomes of what.
package importer

import (
	"embed"
	"fmt"

	"towpath.dev/internal/lang/compile"
	"towpath.dev/internal/lang/format"
	"towpath.dev/internal/lang/span"
)

// Options of an import. The zero Options work.
type Options struct {
	// All imports operations by POST too, though nothing says that they only read.
	All bool
	// Service is the one service that has all operations; "" means one for each
	// tag, or for each service of a .proto file.
	Service string
	// Include are folders in which a .proto file's imports are looked for.
	Include []string
	// Path is how the environment names the .proto file; "" means the path it was
	// read from.
	Path string
}

// Result is what became of a document.
type Result struct {
	Tow      []byte // a module
	Env      []byte // TOML that binds its services
	Warnings []Warning
	// Types, Services and Operations count the declarations.
	Types, Services, Operations int
}

// Warning is something that Tow cannot say, and what was written instead.
type Warning struct {
	Path    string // in the document: "#/components/schemas/Pet", or a .proto file's name of it
	Message string
}

func (w Warning) String() string { return w.Path + ": " + w.Message }

// module is what is written.
type module struct {
	doc      string // of the file
	types    []*decl
	services []*service
	names    *names // of types, constructors and services: one space for all
	warnings []Warning
	source   connection
}

func newModule() *module { return &module{names: newNames(upperTaken)} }

// twice makes a module in two rounds: the names that the first gave to types that
// have names of their own are kept for them in the second, lest an alternative
// that comes earlier takes them.
func twice(round func(*module) error) (*module, error) {
	first := newModule()
	if err := round(first); err != nil {
		return nil, err
	}
	second := newModule()
	for _, d := range first.types {
		if d.own != "" && !second.names.taken[d.own] {
			second.names.kept[d.own] = true
		}
	}
	return second, round(second)
}

func (m *module) warn(path, format string, args ...any) {
	m.warnings = append(m.warnings, Warning{path, fmt.Sprintf(format, args...)})
}

// decl is the declaration of a record or a variant.
type decl struct {
	name, doc    string
	variant      bool
	fields       []member      // of a record
	alternatives []alternative // of a variant
	path         string        // in the document
	own          string        // the name that the document gives it; "" without
}

// isEnum reports whether no alternative has fields.
func (d *decl) isEnum() bool {
	for _, a := range d.alternatives {
		if len(a.fields) > 0 {
			return false
		}
	}
	return d.variant
}

// member is a field or a parameter.
type member struct {
	name, json, doc string // json is "" where it is the name
	typ             typ
	def             string // an expression; "" without
}

type alternative struct {
	name, json, doc string
	fields          []member
	bare            bool // its one field has no name
}

// typ is a type where it is used.
type typ struct {
	text string // without a ? at its end
	null bool   // an Option of it
	decl *decl  // where it is a nominal type of the module
	elem *typ   // of a List
}

func (t typ) String() string {
	if t.null {
		return t.text + "?"
	}
	return t.text
}

var jsonType = typ{text: "Json"}

// service is a service with its operations.
type service struct {
	wanted    string // the name it would have if that were free
	name, doc string
	ops       []*operation
	names     *names // of its operations
}

type operation struct {
	name, doc  string
	params     []member
	result     typ
	idempotent bool
	settings   []setting
}

// setting is a line of an operation's table; its value is TOML.
type setting struct{ key, value string }

// finish writes the module and its environment.
func (m *module) finish() (*Result, error) {
	m.endless()
	res := &Result{Env: m.environment(), Warnings: m.warnings, Types: len(m.types), Services: len(m.services)}
	for _, s := range m.services {
		res.Operations += len(s.ops)
	}
	text := m.text()
	formatted, problems := format.Source(span.NewFile("imported.tow", text))
	if problems.HasErrors() {
		return nil, fmt.Errorf("what was written is no Tow, which is a mistake of the importer: %v", problems.All[0].Message)
	}
	checked, err := compile.Check(embed.FS{}, compile.Options{Overlay: map[string][]byte{"imported.tow": formatted}})
	if err != nil {
		return nil, err
	}
	if checked.Diags.HasErrors() {
		d := checked.Diags.All[0]
		return nil, fmt.Errorf("what was written does not pass the compiler, which is a mistake of the importer: %s: %s", d.At, d.Message)
	}
	res.Tow = formatted
	return res, nil
}

// endless makes fields optional without which no value of a type would end: a
// record that holds itself.
func (m *module) endless() {
	ends := map[*decl]bool{}
	settle := func() {
		for changed := true; changed; {
			changed = false
			for _, d := range m.types {
				if !ends[d] && d.ends(ends) {
					ends[d], changed = true, true
				}
			}
		}
	}
	for settle(); len(ends) < len(m.types); settle() {
		for _, d := range m.types {
			if ends[d] {
				continue
			}
			for _, fields := range d.all() {
				for i := range fields {
					if t := &fields[i].typ; t.decl != nil && !t.null && !ends[t.decl] {
						t.null = true
						fields[i].def = ""
						m.warn(d.path, "no value of %s would ever end, as each holds another one; `%s` became an Option", d.name, fields[i].name)
					}
				}
			}
			break
		}
	}
}

// all are the fields of a record, or those of each alternative.
func (d *decl) all() [][]member {
	if !d.variant {
		return [][]member{d.fields}
	}
	var out [][]member
	for i := range d.alternatives {
		out = append(out, d.alternatives[i].fields)
	}
	return out
}

// ends reports whether a value can be built of values of types that end.
func (d *decl) ends(known map[*decl]bool) bool {
	for _, fields := range d.all() {
		ok := true
		for _, f := range fields {
			ok = ok && (f.typ.decl == nil || f.typ.null || known[f.typ.decl])
		}
		if ok {
			return true
		}
	}
	return false
}
