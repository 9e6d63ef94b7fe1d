// Protobuf: the services of a .proto file.

package importer

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"

	"towpath.dev/internal/run/source/grpcproto"
	"towpath.dev/internal/run/source/grpcproto/protofile"
)

// protoImport is one import.
type protoImport struct {
	m        *module
	opts     Options
	messages map[protoreflect.FullName]*decl
	enums    map[protoreflect.FullName]*decl
	oneofs   map[protoreflect.FullName]*decl
}

// maxParams is how many fields of a request become parameters; one with more is a
// parameter itself.
const maxParams = 8

// Proto imports the services of a .proto file.
//
// All methods with one request and one response are imported, but for those that
// write, as their names say (see writes), unless Options.All is set or their
// idempotency_level is NO_SIDE_EFFECTS. What messages become is described at
// package grpcproto, which asks them; besides:
//
//	a field that can tell whether it is there   an Option
//	an enum's value …_UNSPECIFIED               no alternative but None
//	a response with one field                   that field
func Proto(path string, opts Options) (*Result, error) {
	file, err := protofile.Load(path, protofile.Options{Include: opts.Include, Comments: true})
	if err != nil {
		return nil, err
	}
	m, err := twice(func(m *module) error {
		p := &protoImport{m: m, opts: opts, messages: map[protoreflect.FullName]*decl{}, enums: map[protoreflect.FullName]*decl{}, oneofs: map[protoreflect.FullName]*decl{}}
		p.connection(path, file)
		for i := range file.Services().Len() {
			sd := file.Services().Get(i)
			for j := range sd.Methods().Len() {
				p.method(sd, sd.Methods().Get(j))
			}
		}
		if len(m.services) == 0 {
			return fmt.Errorf("%s: nothing in it reads; expected a service with methods that have one request and one response; --all imports those, too, that seem to write", path)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return m.finish()
}

func (p *protoImport) connection(path string, file protoreflect.FileDescriptor) {
	p.m.doc = fmt.Sprintf("The package %s.\nImported from %s.", file.Package(), filepath.Base(path))
	c := &p.m.source
	c.name = sourceName(strings.TrimSuffix(filepath.Base(path), ".proto"))
	if c.name == "" {
		c.name = "service"
	}
	c.comments = []string{
		"What binds the operations imported from " + filepath.Base(path) + ": for env/NAME.toml.",
		"Leave out the operations that no view calls.",
	}
	named := p.opts.Path
	if named == "" {
		named = filepath.ToSlash(path)
	}
	c.settings = []setting{
		{"type", `"grpc"`},
		{"url", `"http://localhost:9090" # where ` + string(file.Package()) + ` is served; https:// for TLS`},
		{"proto", tomlText(named) + " # from the project's folder"},
	}
	if len(p.opts.Include) > 0 {
		var quoted []string
		for _, dir := range p.opts.Include {
			quoted = append(quoted, tomlText(filepath.ToSlash(dir)))
		}
		c.settings = append(c.settings, setting{"include", "[" + strings.Join(quoted, ", ") + "]"})
	}
}

// writing are words that begin the names of methods that do not only read.
var writing = set("create", "update", "delete", "set", "add", "remove", "insert", "put", "patch", "post", "cancel", "send", "publish",
	"register", "upload", "write", "start", "stop", "place", "submit", "apply", "save", "store", "import", "move", "rename", "merge",
	"approve", "reject", "charge", "refund", "capture", "pay", "book", "reserve", "release", "commit", "abort", "enable", "disable",
	"grant", "revoke", "purge", "reset", "replace", "append", "push", "ack", "acknowledge", "undelete", "upsert", "modify", "clear", "run", "trigger")

// writes reports whether a method seems to do more than read.
func writes(md protoreflect.MethodDescriptor) bool {
	if options, ok := md.Options().(*descriptorpb.MethodOptions); ok && options.GetIdempotencyLevel() == descriptorpb.MethodOptions_NO_SIDE_EFFECTS {
		return false
	}
	ws := words(string(md.Name()))
	if len(ws) > 1 && strings.EqualFold(ws[0], "batch") {
		ws = ws[1:]
	}
	return len(ws) > 0 && writing[strings.ToLower(ws[0])]
}

func idempotent(md protoreflect.MethodDescriptor) bool {
	options, ok := md.Options().(*descriptorpb.MethodOptions)
	return ok && options.GetIdempotencyLevel() != descriptorpb.MethodOptions_IDEMPOTENCY_UNKNOWN
}

// comment is what a declaration's comment says.
func comment(d protoreflect.Descriptor) string {
	at := d.ParentFile().SourceLocations().ByDescriptor(d)
	if at.LeadingComments != "" {
		return at.LeadingComments
	}
	return at.TrailingComments
}

func (p *protoImport) method(sd protoreflect.ServiceDescriptor, md protoreflect.MethodDescriptor) {
	path := string(md.FullName())
	switch {
	case md.IsStreamingClient() || md.IsStreamingServer():
		p.m.warn(path, "it streams, so it was left out: an operation has one answer")
		return
	case writes(md) && !p.opts.All:
		p.m.warn(path, "its name says that it writes, so it was left out; give it idempotency_level = NO_SIDE_EFFECTS, or use --all")
		return
	}
	name := p.opts.Service
	if name == "" {
		name = upper(string(sd.Name()), "Service")
	}
	s := p.m.service(name, comment(sd))
	op := &operation{name: s.names.pick(lower(string(md.Name()), "op")), doc: comment(md), idempotent: idempotent(md)}
	op.settings = []setting{{"method", tomlText(string(sd.FullName()) + "/" + string(md.Name()))}}
	p.request(op, md.Input())
	p.response(op, md.Output())
	s.ops = append(s.ops, op)
}

// request gives an operation its parameters.
func (p *protoImport) request(op *operation, md protoreflect.MessageDescriptor) {
	known := grpcproto.Known(md)
	switch {
	case known == "()":
		return
	case known != "" || md.Fields().Len() > maxParams:
		t := typ{text: known}
		if known == "" {
			d := p.message(md)
			t = typ{text: d.name, decl: d}
		}
		name := "request"
		for md.Fields().ByName(protoreflect.Name(name)) != nil || md.Fields().ByJSONName(name) != nil || md.Oneofs().ByName(protoreflect.Name(name)) != nil {
			name += "_"
		}
		op.params = []member{{name: name, typ: t}}
		return
	}
	params := p.fields(md, upper(op.name, ""))
	explicit := false
	var pairs []string
	for _, f := range params {
		field := f.name
		if f.json != "" { // parameters have no other names
			field, explicit = f.json, true
		}
		pairs = append(pairs, fmt.Sprintf("%s = %s", tomlKey(field), tomlText("{"+f.name+"}")))
	}
	if explicit {
		op.settings = append(op.settings, setting{"request", "{ " + strings.Join(pairs, ", ") + " }"})
	}
	var lines []string
	for i := range params {
		if params[i].doc != "" {
			text, _, _ := strings.Cut(strings.TrimSpace(params[i].doc), "\n")
			lines = append(lines, "`"+params[i].name+"`: "+strings.TrimSpace(text))
		}
		if strings.HasPrefix(params[i].typ.text, "List<") {
			params[i].def = "[]"
		}
	}
	op.doc = strings.TrimSpace(op.doc + "\n" + strings.Join(lines, "\n"))
	slices.SortStableFunc(params, func(a, b member) int { // what may be left out goes last
		return min(len(a.def), 1) - min(len(b.def), 1)
	})
	op.params = params
}

// response gives an operation its result.
func (p *protoImport) response(op *operation, md protoreflect.MessageDescriptor) {
	if known := grpcproto.Known(md); known != "" {
		op.result = typ{text: known}
		return
	}
	if md.Fields().Len() == 1 {
		fd := md.Fields().Get(0)
		op.result = p.field(fd, upper(op.name, "")).typ
		op.settings = append(op.settings, setting{"answer", tomlText("/" + string(fd.Name()))})
		return
	}
	d := p.message(md)
	op.result = typ{text: d.name, decl: d}
}

// message is the record for a message.
func (p *protoImport) message(md protoreflect.MessageDescriptor) *decl {
	if d := p.messages[md.FullName()]; d != nil {
		return d
	}
	d := &decl{doc: comment(md), path: string(md.FullName())}
	p.name(d, md)
	p.messages[md.FullName()] = d
	p.m.types = append(p.m.types, d)
	d.fields = p.fields(md, d.name)
	return d
}

// name names a message or an enum: by its own name, or with that of what it is
// nested in.
func (p *protoImport) name(to *decl, d protoreflect.Descriptor) {
	own := upper(string(d.Name()), "Type")
	to.own = own
	candidates := []string{own}
	for parent := d.Parent(); parent != nil; parent = parent.Parent() {
		if _, file := parent.(protoreflect.FileDescriptor); file {
			break
		}
		own = upper(string(parent.Name()), "") + own
		candidates = append(candidates, own)
	}
	to.name = p.m.names.claim(candidates...)
}

// fields are a message's fields, a oneof as one.
func (p *protoImport) fields(md protoreflect.MessageDescriptor, owner string) []member {
	own := newNames(keywords)
	var out []member
	for i := range md.Fields().Len() {
		fd := md.Fields().Get(i)
		if o := fd.ContainingOneof(); o != nil && !o.IsSynthetic() {
			if o.Fields().Get(0) != fd {
				continue
			}
			f := member{doc: comment(o), typ: p.oneof(o, owner), def: "None"}
			f.typ.null = true
			named(&f, own, string(o.Name()), "")
			out = append(out, f)
			continue
		}
		f := p.field(fd, owner)
		named(&f, own, string(fd.Name()), fd.JSONName())
		out = append(out, f)
	}
	return out
}

// named gives a field a name that is free, and says which field it is where the
// name does not.
func named(f *member, own *names, name, json string) {
	f.name = own.pick(lower(name, "field"))
	if f.name != name && f.name != json {
		f.json = name
	}
}

// field is a field's type and documentation, without its name.
func (p *protoImport) field(fd protoreflect.FieldDescriptor, owner string) member {
	f := member{doc: comment(fd)}
	switch {
	case fd.IsMap():
		key := grpcproto.Scalar(fd.MapKey().Kind())
		if key == "Bool" {
			key = "String"
		}
		value := p.one(fd.MapValue(), owner)
		f.typ = typ{text: "Map<" + key + ", " + value.text + ">"}
	case fd.IsList():
		elem := p.one(fd, owner)
		f.typ = typ{text: "List<" + elem.text + ">", elem: &elem}
	default:
		f.typ = p.one(fd, owner)
		f.typ.null = fd.HasPresence() && fd.Cardinality() != protoreflect.Required && f.typ.text != "()" || fd.Enum() != nil && unspecified(fd.Enum())
		if f.typ.null {
			f.def = "None"
		}
	}
	return f
}

// one is the type for a single value of a field.
func (p *protoImport) one(fd protoreflect.FieldDescriptor, owner string) typ {
	if text := grpcproto.Scalar(fd.Kind()); text != "" {
		return typ{text: text}
	}
	if fd.Enum() != nil {
		return p.enum(fd.Enum())
	}
	if known := grpcproto.Known(fd.Message()); known != "" {
		return typ{text: known}
	}
	d := p.message(fd.Message())
	return typ{text: d.name, decl: d}
}

// unspecified reports whether an enum's first value says that there is none.
func unspecified(ed protoreflect.EnumDescriptor) bool {
	v := ed.Values().ByNumber(0)
	return v != nil && strings.HasSuffix(string(v.Name()), "UNSPECIFIED") && ed.Values().Len() > 1
}

func (p *protoImport) enum(ed protoreflect.EnumDescriptor) typ {
	if ed.FullName() == "google.protobuf.NullValue" {
		return jsonType
	}
	if d := p.enums[ed.FullName()]; d != nil {
		return typ{text: d.name, decl: d}
	}
	d := &decl{doc: comment(ed), variant: true, path: string(ed.FullName())}
	p.name(d, ed)
	p.enums[ed.FullName()] = d
	p.m.types = append(p.m.types, d)
	seen := map[protoreflect.EnumNumber]bool{}
	for i := range ed.Values().Len() {
		v := ed.Values().Get(i)
		if seen[v.Number()] || v.Number() == 0 && unspecified(ed) {
			continue
		}
		seen[v.Number()] = true
		short := upper(trim(v), "Value")
		a := alternative{name: p.m.names.pick(short, cut(d.name+short)), doc: comment(v)}
		if !grpcproto.Alternative(a.name, v) {
			a.json = string(v.Name())
		}
		d.alternatives = append(d.alternatives, a)
	}
	return typ{text: d.name, decl: d}
}

// trim is a value's name without its enum's before it.
func trim(v protoreflect.EnumValueDescriptor) string {
	plain := func(s string) string { return strings.ToLower(strings.ReplaceAll(s, "_", "")) }
	name, enum := string(v.Name()), plain(string(v.Parent().Name()))
	for i := range name {
		if name[i] == '_' && plain(name[:i]) == enum && i+1 < len(name) {
			return name[i+1:]
		}
	}
	return name
}

// oneof is the variant for a oneof: an alternative for each field.
func (p *protoImport) oneof(o protoreflect.OneofDescriptor, owner string) typ {
	if d := p.oneofs[o.FullName()]; d != nil {
		return typ{text: d.name, decl: d}
	}
	own := upper(string(o.Name()), "Choice")
	d := &decl{name: p.m.names.pick(own, cut(owner+own)), doc: comment(o), variant: true, path: string(o.FullName())}
	p.oneofs[o.FullName()] = d
	p.m.types = append(p.m.types, d)
	for i := range o.Fields().Len() {
		fd := o.Fields().Get(i)
		t := p.one(fd, d.name)
		short := upper(string(fd.Name()), "Value")
		a := alternative{name: p.m.names.pick(short, cut(d.name+short)), doc: comment(fd)}
		if a.name != short {
			a.json = string(fd.Name())
		}
		switch {
		case t.text == "()":
		case fd.Message() != nil && fieldOf(fd.Message(), "value"):
			a.fields = []member{{name: free(fd.Message()), typ: t}}
		default:
			a.fields, a.bare = []member{{name: "value", typ: t}}, true
		}
		d.alternatives = append(d.alternatives, a)
	}
	return typ{text: d.name, decl: d}
}

func fieldOf(md protoreflect.MessageDescriptor, name string) bool {
	return md.Fields().ByName(protoreflect.Name(name)) != nil || md.Fields().ByJSONName(name) != nil
}

// free is a name that no field of a message has, so that an alternative's field of
// that name is the message and not one of its fields.
func free(md protoreflect.MessageDescriptor) string {
	name := "content"
	for fieldOf(md, name) {
		name += "_"
	}
	return name
}
