// Operations: the settings of one, and the plan that comes of them.

package grpcproto

import (
	"slices"
	"strings"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/reflect/protoreflect"

	"towpath.dev/internal/abi"
	"towpath.dev/internal/run/source"
	"towpath.dev/internal/settings"
)

// Bind implements source.Source. The settings of an operation:
//
//	method   "shop.v1.Pricing/Lowest", or "Lowest" where one service has it;
//	         the operation's own name with a capital when left out
//	request  field = "{parameter}", "{parameter.member}", text with such in it, or
//	         a constant; "a.b" is the field b of the message a. Left out, parameters
//	         are the fields of their names, or one parameter is the message itself
//	answer   where in the response the answer stands, a JSON Pointer of field names;
//	         the whole response when left out, or its only field where that fits
//	none     codes that mean null, as ["not_found"]
//	batch    see batchOf
func (s *Source) Bind(op source.Operation) source.Caller {
	if s.file == nil { // which was said; the settings are another matter
		op.Settings.Text("method", "")
		op.Settings.Text("answer", "")
		op.Settings.Texts("none")
		op.Settings.TextMap("request")
		op.Settings.Table("batch")
		return nil
	}
	b := &binder{source: s, op: &op, t: op.Settings, plan: newPlanner(op.Schema)}
	c := &caller{source: s, nones: b.nones()}
	batch := b.t.Table("batch")
	var method protoreflect.MethodDescriptor
	if def := upperCamel(op.Meta.Name); batch == nil || b.t.Has("method") {
		method = b.method(b.t, def)
	} else if found, _ := b.methods(def); len(found) == 1 {
		method = found[0] // not to be asked, but batches may be made of its requests
	}
	if method != nil && (batch == nil || b.t.Has("method")) {
		c.single = b.rpc(method)
		c.single.request = b.request(b.t, method.Input(), false)
		c.single.answer = b.answer(b.t, "answer", method.Output(), op.Meta.Result)
	} else if batch != nil {
		// Its batch method alone answers; what else is said is still read.
		b.t.Text("answer", "")
		b.t.Table("request")
	}
	if batch != nil {
		c.batch = b.batch(batch, method)
	}
	if b.wrong {
		return nil
	}
	return c
}

// binder reads an operation's settings.
type binder struct {
	source *Source
	op     *source.Operation
	t      *settings.Table
	plan   *planner
	wrong  bool
}

func (b *binder) mistake(t *settings.Table, key, format string, args ...any) {
	b.wrong = true
	t.Errorf(key, "`%s.%s`: "+format, append([]any{b.op.Meta.Service, b.op.Meta.Name}, args...)...)
}

// misfits notes what the planner found, at a key.
func (b *binder) misfits(t *settings.Table, key string) {
	if len(b.plan.problems) > 0 {
		b.mistake(t, key, "%s", b.plan.summary())
		b.plan.problems = nil
	}
}

// rpc is a method that is asked.
func (b *binder) rpc(m protoreflect.MethodDescriptor) *rpc {
	name := string(m.Parent().FullName()) + "/" + string(m.Name())
	return &rpc{name: name, client: connect.NewClient[frame, frame](b.source.client, b.source.base+"/"+name, b.source.options...)}
}

// nones reads `none`.
func (b *binder) nones() []connect.Code {
	var out []connect.Code
	for _, text := range b.t.Texts("none") {
		var code connect.Code
		if err := code.UnmarshalText([]byte(strings.ToLower(text))); err != nil {
			b.mistake(b.t, "none", "`none` has %q; expected codes as not_found, permission_denied, failed_precondition", text)
			continue
		}
		out = append(out, code)
	}
	if len(out) > 0 {
		if _, nullable := source.Base(b.op.Schema, b.op.Meta.Result); !nullable {
			b.mistake(b.t, "none", "`none` gives null, but the operation's result is %s; expected an Option there", b.plan.typeName(b.op.Meta.Result))
		}
	}
	return out
}

// methods are those that a text names, and all.
func (b *binder) methods(text string) (found []protoreflect.MethodDescriptor, known []string) {
	service, name, full := strings.Cut(strings.TrimPrefix(text, "/"), "/")
	if !full {
		service, name = "", text
	}
	services := b.source.file.Services()
	for i := range services.Len() {
		sd := services.Get(i)
		for j := range sd.Methods().Len() {
			m := sd.Methods().Get(j)
			known = append(known, string(sd.FullName())+"/"+string(m.Name()))
			if string(m.Name()) == name && (!full || string(sd.FullName()) == service || string(sd.Name()) == service) {
				found = append(found, m)
			}
		}
	}
	if len(found) > 1 { // a service of the same name is meant
		if i := slices.IndexFunc(found, func(m protoreflect.MethodDescriptor) bool { return string(m.Parent().Name()) == b.op.Meta.Service }); i >= 0 {
			found = found[i : i+1]
		}
	}
	return found, known
}

// method reads `method`, or takes the one named def; nil after a mistake.
func (b *binder) method(t *settings.Table, def string) protoreflect.MethodDescriptor {
	text := t.Text("method", def)
	found, known := b.methods(text)
	switch {
	case len(found) == 0:
		b.mistake(t, "method", "%s in %s", source.Unknown("method", text, known), b.source.file.Path())
		return nil
	case len(found) > 1:
		b.mistake(t, "method", "several services have a method `%s`; write which, as `method = \"%s/%s\"`", text, found[0].Parent().FullName(), found[0].Name())
		return nil
	case found[0].IsStreamingClient() || found[0].IsStreamingServer():
		b.mistake(t, "method", "the method %s streams; expected one with one request and one response", found[0].FullName())
		return nil
	}
	return found[0]
}

// answer reads a JSON Pointer and plans how what it points to is read.
func (b *binder) answer(t *settings.Table, key string, md protoreflect.MessageDescriptor, result abi.TypeID) *answer {
	defer func() { b.misfits(t, key) }()
	if !t.Has(key) {
		if fd := b.onlyField(md, result); fd != nil {
			return b.answerField(nil, fd, result)
		}
		read, fits := b.plan.messageValue(b.bare(result), md, b.resultPath())
		if !fits {
			b.plan.problem("the result is %s, but the response is %s; expected %s, or an `answer` that points to a field: %s", b.plan.typeName(result), md.FullName(), wantedMessage(md), fieldNames(md))
		}
		return &answer{read: read}
	}
	steps, fd := b.pointer(t, key, md)
	if fd == nil {
		return nil
	}
	return b.answerField(steps, fd, result)
}

func (b *binder) resultPath() string { return b.op.Meta.Name + "()" }

func (b *binder) bare(id abi.TypeID) abi.TypeID {
	inner, _ := b.plan.bare(id)
	return inner
}

// onlyField is the field that stands for a response that has but one: unless the
// result is the response itself.
func (b *binder) onlyField(md protoreflect.MessageDescriptor, result abi.TypeID) protoreflect.FieldDescriptor {
	inner := b.bare(result)
	if md.Fields().Len() != 1 || isWrapper(md) || isJSON(md) || inner == untyped {
		return nil
	}
	fd := md.Fields().Get(0)
	if t := &b.op.Schema.Types[inner]; t.Kind == abi.Record {
		for i := range t.Fields {
			if fieldNamed(md, source.JSONName(&t.Fields[i])) == fd {
				return nil
			}
		}
	}
	if b.plan.wellKnown(inner, md) != nil {
		return nil
	}
	return fd
}

// pointer reads a JSON Pointer into a message: the fields above the last, which
// are single messages, and the last.
func (b *binder) pointer(t *settings.Table, key string, md protoreflect.MessageDescriptor) (steps []protoreflect.FieldDescriptor, last protoreflect.FieldDescriptor) {
	text := t.Text(key, "")
	names, rooted := strings.CutPrefix(text, "/")
	if !rooted {
		b.mistake(t, key, "`%s` is %q; expected a JSON Pointer as \"/price\"", key, text)
		return nil, nil
	}
	for _, name := range strings.Split(names, "/") {
		if last != nil {
			if last.IsList() || last.IsMap() || last.Message() == nil {
				b.mistake(t, key, "`%s` goes into the field %s, which is %s; expected a single message there", key, last.FullName(), describe(last))
				return nil, nil
			}
			steps = append(steps, last)
			md = last.Message()
		}
		if last = fieldNamed(md, name); last == nil {
			b.mistake(t, key, "`%s`: %s in %s", key, source.Unknown("field", name, fieldList(md)), md.FullName())
			return nil, nil
		}
	}
	return steps, last
}

func fieldList(md protoreflect.MessageDescriptor) []string {
	var out []string
	for i := range md.Fields().Len() {
		out = append(out, string(md.Fields().Get(i).Name()))
	}
	return out
}

// answerField plans an answer that is a field of the response.
func (b *binder) answerField(steps []protoreflect.FieldDescriptor, fd protoreflect.FieldDescriptor, result abi.TypeID) *answer {
	_, optional := b.plan.bare(result)
	m := b.plan.memberReader(result, fd, b.resultPath(), optional)
	if m == nil {
		return nil
	}
	return &answer{steps: pathReaders(steps), field: fieldReaderOf(fd, m)}
}

// pathReaders are readers that find each field of a path.
func pathReaders(steps []protoreflect.FieldDescriptor) []*messageReader {
	var out []*messageReader
	for _, fd := range steps {
		out = append(out, fieldReaderOf(fd, &memberReader{message: true}))
	}
	return out
}

// fieldReaderOf is a reader of a message that finds one field of it.
func fieldReaderOf(fd protoreflect.FieldDescriptor, m *memberReader) *messageReader {
	r := newMessageReader(fd.ContainingMessage())
	r.alone = true
	m.slot = r.slot(fd)
	r.members = []memberReader{*m}
	return r
}

// upperCamel is a name as Tow's constructors and protobuf's methods have it.
func upperCamel(name string) string {
	var out []byte
	up := true
	for i := range len(name) {
		c := name[i]
		switch {
		case c == '_':
			up = true
			continue
		case up && c >= 'a' && c <= 'z':
			c -= 'a' - 'A'
		case !up && c >= 'A' && c <= 'Z' && strings.ToUpper(name) == name:
			c += 'a' - 'A'
		}
		up = false
		out = append(out, c)
	}
	return string(out)
}

// trimEnum is the name of an enum's value without the enum's own before it.
func trimEnum(v protoreflect.EnumValueDescriptor) string {
	enum := plain(string(v.Parent().Name()))
	name := string(v.Name())
	for i := range name {
		if plain(name[:i]) == enum && name[i] == '_' {
			return name[i+1:]
		}
	}
	return name
}
