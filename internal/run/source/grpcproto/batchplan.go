// Batches: the settings of one.

package grpcproto

import (
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	"towpath.dev/internal/abi"
	"towpath.dev/internal/run/source"
	"towpath.dev/internal/settings"
)

// batching asks many calls at once.
type batching struct {
	rpc   *rpc
	steps []*messageReader // to the message that holds the answers
	list  *messageReader   // finds them: a repeated field, or a map
	item  *answer          // within an element

	// Of answers in the order of the calls, key is nil.
	key      *answer // within an element, as the type of of
	of       *hole   // what the key is, of a call
	missing  bool    // a call that has no element has null
	repeated bool    // a call's answer is a list of all elements with its key
}

// batch reads the table `batch`:
//
//	method   as that of the operation; required
//	request  as that of the operation; "{parameter[]}" is a list of all calls', for
//	         a repeated field; "a.b" within a repeated message a makes one of them for
//	         each call; "{parameter}" must be alike, so calls that differ in it
//	         are asked apart
//	answer   where the answers stand: a repeated field in the order of the calls,
//	         or by their key, or a map; left out, the only such field
//	key      where in an element its key stands; left out, the order counts
//	of       the parameter, or member of one, whose value the key is; left out, the
//	         only "{…[]}" of the request
//	each     where in an element the answer stands; left out, the element itself, or
//	         what stands beside the key
//	missing  "none": a call without an element means null; "fail" when left out
func (b *binder) batch(t *settings.Table, single protoreflect.MethodDescriptor) *batching {
	defer t.Done()
	name := ""
	if single != nil {
		name = "Batch" + string(single.Name())
	}
	md := b.method(t, name)
	if md == nil {
		return nil
	}
	out := &batching{rpc: b.rpc(md)}
	out.rpc.request = b.batchRequest(t, md.Input(), single)
	out.missing = t.Choice("missing", "fail", "fail", "none") == "none"
	if _, nullable := source.Base(b.op.Schema, b.op.Meta.Result); out.missing && !nullable {
		b.mistake(t, "missing", "`missing` gives null, but the operation's result is %s; expected an Option there", b.plan.typeName(b.op.Meta.Result))
	}
	fd := b.answers(t, out, md.Output())
	if fd == nil || out.rpc.request == nil {
		return nil
	}
	b.keyed(t, out, fd)
	if fd.IsMap() {
		out.item = b.entry(t, fd.MapValue())
	} else {
		out.item = b.item(t, out, fd)
	}
	b.misfits(t, "answer")
	return out
}

// answers finds the field that holds the answers.
func (b *binder) answers(t *settings.Table, out *batching, md protoreflect.MessageDescriptor) protoreflect.FieldDescriptor {
	var steps []protoreflect.FieldDescriptor
	var fd protoreflect.FieldDescriptor
	if t.Has("answer") {
		if steps, fd = b.pointer(t, "answer", md); fd == nil {
			return nil
		}
	} else {
		for i := range md.Fields().Len() {
			if f := md.Fields().Get(i); f.IsList() || f.IsMap() {
				if fd != nil {
					b.mistake(t, "", "`batch`: %s has several repeated fields; say by `answer` which holds the answers, as \"/%s\"", md.FullName(), fd.Name())
					return nil
				}
				fd = f
			}
		}
		if fd == nil {
			b.mistake(t, "", "`batch`: %s has no repeated field that could hold the answers; say by `answer` where they stand", md.FullName())
			return nil
		}
	}
	if !fd.IsList() && !fd.IsMap() {
		b.mistake(t, "answer", "`answer` points to the field %s, which is %s; expected a repeated field or a map", fd.FullName(), describe(fd))
		return nil
	}
	out.steps = pathReaders(steps)
	out.list = fieldReaderOf(fd, &memberReader{kind: wireType(fd.Kind()), message: fd.Message() != nil})
	return fd
}

// keyed reads `key` and `of`.
func (b *binder) keyed(t *settings.Table, out *batching, fd protoreflect.FieldDescriptor) {
	if !t.Has("key") && !fd.IsMap() {
		if t.Has("of") {
			b.mistake(t, "of", "`of` says what a `key` is of, and there is none")
		}
		return
	}
	var holes []*hole
	out.rpc.request.holes(&holes)
	switch {
	case t.Has("of"):
		name := t.Text("of", "")
		h := &hole{name: name}
		mistake := ""
		if h.param, h.path, h.typ, h.typed, mistake = b.op.Members(name); mistake != "" {
			b.mistake(t, "of", "`of`: %s", mistake)
			return
		}
		out.of = h
	case len(holes) == 1:
		out.of = holes[0]
	default:
		b.mistake(t, "key", "the answers have a key; say by `of` which parameter it is, as of = \"%s\"", strings.Join(b.op.Params(), "\" or \""))
		return
	}
	if !out.of.typed {
		out.of.typ = untyped
	}
	if fd.IsMap() {
		if t.Has("key") {
			b.mistake(t, "key", "`key` is for elements of a list, but the field %s is a map, which has its keys itself", fd.FullName())
		}
		if read := b.plan.keyReader(out.of.typ, fd, "{"+out.of.name+"}"); read != nil {
			out.key = &answer{field: fieldReaderOf(fd.MapKey(), &memberReader{kind: wireType(fd.MapKey().Kind()), zero: true, read: read})}
		}
		return
	}
	if fd.Message() == nil {
		b.mistake(t, "key", "`key` is a place in an element, but the field %s is %s", fd.FullName(), describe(fd))
		return
	}
	steps, at := b.pointer(t, "key", fd.Message())
	if at == nil {
		return
	}
	if m := b.plan.memberReader(out.of.typ, at, "{"+out.of.name+"}", false); m != nil {
		m.zero = true
		out.key = &answer{steps: pathReaders(steps), field: fieldReaderOf(at, m)}
	}
	b.misfits(t, "key")
}

// item plans how an element is read as an answer. Where the result is a list and
// the element is one of its elements, those of a key are gathered.
func (b *binder) item(t *settings.Table, out *batching, fd protoreflect.FieldDescriptor) *answer {
	result := b.op.Meta.Result
	if t.Has("each") {
		if fd.Message() == nil {
			b.mistake(t, "each", "`each` is a place in an element, but the field %s is %s", fd.FullName(), describe(fd))
			return nil
		}
		steps, at := b.pointer(t, "each", fd.Message())
		if at == nil {
			return nil
		}
		defer b.misfits(t, "each")
		return b.answerField(steps, at, result)
	}
	inner := b.bare(result)
	if inner != untyped && out.key != nil {
		if r := &b.op.Schema.Types[inner]; r.Kind == abi.List || r.Kind == abi.Set {
			out.repeated, result = true, r.Elem
		}
	}
	path := b.resultPath()
	if fd.Message() != nil && out.key != nil {
		if only := b.besideKey(t, fd.Message(), result); only != nil {
			return b.answerField(nil, only, result)
		}
	}
	if read := b.plan.valueReader(result, fd, path, false); read != nil {
		if fd.Message() != nil {
			return &answer{read: read}
		}
		return &answer{field: elementReader(fd, read)}
	}
	return nil
}

// entry plans how the value of a map's entry is read as an answer.
func (b *binder) entry(t *settings.Table, fd protoreflect.FieldDescriptor) *answer {
	if t.Has("each") {
		if fd.Message() == nil {
			b.mistake(t, "each", "`each` is a place in an element, but the field %s is %s", fd.FullName(), describe(fd))
			return nil
		}
		steps, at := b.pointer(t, "each", fd.Message())
		if at == nil {
			return nil
		}
		defer b.misfits(t, "each")
		return b.answerField(append([]protoreflect.FieldDescriptor{fd}, steps...), at, b.op.Meta.Result)
	}
	m := b.plan.memberReader(b.op.Meta.Result, fd, b.resultPath(), false)
	if m == nil {
		return nil
	}
	m.zero = true
	return &answer{field: fieldReaderOf(fd, m)}
}

// besideKey is the field beside the key in an element of two, where the result is
// no record.
func (b *binder) besideKey(t *settings.Table, md protoreflect.MessageDescriptor, result abi.TypeID) protoreflect.FieldDescriptor {
	inner := b.bare(result)
	key := fieldNamed(md, strings.TrimPrefix(t.Text("key", ""), "/"))
	if md.Fields().Len() != 2 || key == nil || inner == untyped {
		return nil
	}
	if r := &b.op.Schema.Types[inner]; r.Kind == abi.Record {
		for i := range r.Fields {
			if fieldNamed(md, source.JSONName(&r.Fields[i])) != nil {
				return nil
			}
		}
	}
	if md.Fields().Get(0) == key {
		return md.Fields().Get(1)
	}
	return md.Fields().Get(0)
}

// elementReader reads a scalar that stands alone, as an element; see together.
func elementReader(fd protoreflect.FieldDescriptor, read valueReader) *messageReader {
	r := &messageReader{index: map[protoreflect.FieldNumber]int{1: 0}, slots: []slotPlan{{kind: wireType(fd.Kind())}}, alone: true}
	r.members = []memberReader{{kind: wireType(fd.Kind()), zero: true, read: read}}
	return r
}

// batchRequest reads the batch's `request`. Without one, the only repeated field
// that holds requests of the single method has one for each call.
func (b *binder) batchRequest(t *settings.Table, md protoreflect.MessageDescriptor, single protoreflect.MethodDescriptor) *request {
	if t.Has("request") {
		r := b.request(t, md, true)
		if r != nil && !b.wrong && !r.hasEach() {
			b.mistake(t, "request", "`batch`: no field is given by all calls; write a parameter of them as field = \"{%s[]}\"", strings.Join(b.op.Params(), "[]}\" or \"{"))
		}
		return r
	}
	for i := range md.Fields().Len() {
		fd := md.Fields().Get(i)
		if single == nil || !fd.IsList() || fd.Message() == nil || fd.Message().FullName() != single.Input().FullName() {
			continue
		}
		sub := b.request(b.t, fd.Message(), false)
		return &request{nodes: []node{{each: true, sub: sub, number: fd.Number(), kind: wireType(fd.Kind())}}}
	}
	b.mistake(t, "", "`batch` needs its `request`, which says where the calls go in %s, as request = { %s = \"{%s[]}\" }", md.FullName(), firstList(md), strings.Join(append(b.op.Params(), "…")[:1], ""))
	return nil
}

func firstList(md protoreflect.MessageDescriptor) string {
	for i := range md.Fields().Len() {
		if fd := md.Fields().Get(i); fd.IsList() {
			return string(fd.Name())
		}
	}
	return "ids"
}

func (r *request) hasEach() bool {
	for i := range r.nodes {
		if r.nodes[i].each {
			return true
		}
	}
	return false
}

// holes are those that are for each call.
func (r *request) holes(out *[]*hole) {
	for i := range r.nodes {
		n := &r.nodes[i]
		if !n.each {
			continue
		}
		if n.hole != nil {
			*out = append(*out, n.hole)
		}
		if n.sub != nil {
			for j := range n.sub.nodes {
				if h := n.sub.nodes[j].hole; h != nil {
					*out = append(*out, h)
				}
			}
		}
	}
}
