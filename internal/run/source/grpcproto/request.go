// Requests: which parameter goes to which field.

package grpcproto

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"

	"towpath.dev/internal/abi"
	"towpath.dev/internal/native"
	"towpath.dev/internal/run/source"
	"towpath.dev/internal/settings"
)

// request writes a request from the arguments of a call, or of several.
type request struct{ nodes []node }

// node writes one field, or the whole message.
type node struct {
	each     bool         // once for each call; else from the first
	constant []byte       // tag and all; or
	text     []part       // a text to be put together, for to; or
	hole     *hole        // a value for to; or
	sub      *request     // a message of the field to
	to       memberWriter // the field
	number   protowire.Number
	kind     protowire.Type // of sub
}

// part is a piece of a text: a constant, or what a hole holds.
type part struct {
	text string
	hole *hole
}

// hole is a value of a call's arguments.
type hole struct {
	param int
	path  []string
	each  bool // written {param[]}
	typ   abi.TypeID
	typed bool
	name  string // as written
}

func (h *hole) value(call []json.RawMessage) ([]byte, error) {
	if h.param >= len(call) {
		return nil, errBroken
	}
	return find(call[h.param], h.path)
}

// append writes the request for calls, which agree in what is not for each.
func (r *request) append(dst []byte, calls [][]json.RawMessage) (_ []byte, err error) {
	for i := range r.nodes {
		n := &r.nodes[i]
		times := calls[:1]
		if n.each {
			times = calls
		}
		for _, call := range times {
			if dst, err = n.append(dst, call); err != nil {
				return dst, err
			}
		}
	}
	return dst, nil
}

func (n *node) append(dst []byte, call []json.RawMessage) ([]byte, error) {
	switch {
	case n.constant != nil:
		return append(dst, n.constant...), nil
	case n.hole != nil:
		value, err := n.hole.value(call)
		if err != nil {
			return dst, err
		}
		if value == nil {
			if n.each {
				return dst, refusedf("{%s} is nothing, and the elements of a repeated field cannot be left out", n.hole.name)
			}
			return dst, nil
		}
		return n.to.write(dst, &cursor{text: value})
	case n.sub != nil:
		dst = protowire.AppendTag(dst, n.number, n.kind)
		start := len(dst)
		dst, err := n.sub.append(dst, [][]json.RawMessage{call})
		if err != nil {
			return dst, err
		}
		if n.kind == protowire.StartGroupType {
			return protowire.AppendTag(dst, n.number, protowire.EndGroupType), nil
		}
		return prefixLength(dst, start), nil
	}
	text := ""
	for _, p := range n.text {
		text += p.text
		if p.hole == nil {
			continue
		}
		value, err := p.hole.value(call)
		if err != nil {
			return dst, err
		}
		if value == nil {
			return dst, refusedf("{%s} is nothing, and stands within a text", p.hole.name)
		}
		text += textOf(value)
	}
	return n.to.write(dst, &cursor{text: []byte(native.QuoteJSON(text))})
}

// textOf is the text of a string, a number or a Bool.
func textOf(value []byte) string {
	if text, err := (&cursor{text: value}).string(); err == nil {
		return string(text)
	}
	return string(value)
}

// shared is what calls must agree in to be asked in one request.
func (r *request) shared(dst []byte, call []json.RawMessage) ([]byte, error) {
	for i := range r.nodes {
		n := &r.nodes[i]
		if n.each {
			continue
		}
		holes := []*hole{n.hole}
		for _, p := range n.text {
			holes = append(holes, p.hole)
		}
		for _, h := range holes {
			if h == nil {
				continue
			}
			value, err := h.value(call)
			if err != nil {
				return dst, err
			}
			dst = append(append(dst, value...), '\n')
		}
		if n.sub != nil {
			var err error
			if dst, err = n.sub.shared(dst, call); err != nil {
				return dst, err
			}
		}
	}
	return dst, nil
}

// request reads `request`, or maps the parameters by their names.
func (b *binder) request(t *settings.Table, md protoreflect.MessageDescriptor, batched bool) *request {
	defer func() { b.misfits(t, "request") }()
	fields := t.TextMap("request")
	if !t.Has("request") {
		return b.byName(md)
	}
	r := &request{}
	given := map[protoreflect.FieldNumber]bool{}
	table := t.Table("request")
	used := map[int]bool{}
	for _, name := range table.Keys() {
		b.place(r, table, name, strings.Split(name, "."), md, fields[name], batched, used)
		if fd := fieldNamed(md, strings.Split(name, ".")[0]); fd != nil {
			given[fd.Number()] = true
		}
	}
	for i, name := range b.op.Params() {
		if !used[i] {
			b.mistake(t, "request", "the parameter `%s` is not sent; write it into `request` as field = \"{%s}\"", name, name)
		}
	}
	b.plan.required(md, given, "request")
	return r
}

// byName maps parameters to the fields of their names, or one parameter to the
// message itself.
func (b *binder) byName(md protoreflect.MessageDescriptor) *request {
	params := b.op.Schema.Types[b.op.Meta.Args].Fields
	r := &request{}
	if len(params) == 1 && fieldNamed(md, source.JSONName(&params[0])) == nil && oneofNamed(md, source.JSONName(&params[0])) == nil {
		inner, optional := b.plan.bare(params[0].Type)
		if write, fits := b.plan.messageValueWriter(inner, md, b.op.Params()[0]); fits && !optional {
			r.nodes = append(r.nodes, node{hole: &hole{name: b.op.Params()[0]}, to: wholeWriter(write)})
			return r
		}
	}
	writers := b.plan.memberWriters(params, md, "")
	for i, name := range b.op.Params() {
		if w := writers[name]; w != nil {
			r.nodes = append(r.nodes, node{hole: &hole{param: i, name: name}, to: w})
		}
	}
	return r
}

// wholeWriter writes a message's content without a tag.
type wholeWriter valueWriter

func (w wholeWriter) write(dst []byte, c *cursor) ([]byte, error) { return w(dst, c) }

// place puts a text of `request` where its key says.
func (b *binder) place(r *request, t *settings.Table, key string, path []string, md protoreflect.MessageDescriptor, text string, batched bool, used map[int]bool) {
	fd := fieldNamed(md, path[0])
	if o := oneofNamed(md, path[0]); fd == nil && o != nil && len(path) == 1 {
		b.placeOneof(r, t, key, o, text, used)
		return
	}
	if fd == nil {
		b.mistake(t, key, "`request`: %s in %s", source.Unknown("field", path[0], fieldList(md)), md.FullName())
		return
	}
	if len(path) > 1 {
		if fd.Message() == nil || fd.IsMap() || fd.IsList() && !batched {
			b.mistake(t, key, "`request`: the field %s is %s; expected a single message before the dot", fd.FullName(), describe(fd))
			return
		}
		i := slices.IndexFunc(r.nodes, func(n node) bool { return n.number == fd.Number() })
		if i < 0 {
			i = len(r.nodes)
			r.nodes = append(r.nodes, node{sub: &request{}, number: fd.Number(), kind: wireType(fd.Kind()), each: fd.IsList()})
		}
		if sub := r.nodes[i].sub; sub != nil {
			// Within a repeated message all holes are for each call.
			b.place(sub, t, key, path[1:], fd.Message(), text, batched && !fd.IsList(), used)
		} else {
			b.mistake(t, key, "`request`: the field %s is given as a whole and in part", fd.FullName())
		}
		return
	}
	parts, ok := b.template(t, key, text)
	if !ok {
		return
	}
	each := false
	for _, p := range parts {
		if p.hole != nil {
			used[p.hole.param] = true
			each = each || p.hole.each
		}
	}
	n := node{number: fd.Number()}
	switch {
	case len(parts) == 1 && parts[0].hole != nil:
		n.hole = parts[0].hole
		n.each = each && batched
		if each && batched && !fd.IsList() {
			b.mistake(t, key, "`request`: \"{%s[]}\" is a list of all calls, but the field %s is %s; expected a repeated field", n.hole.name, fd.FullName(), describe(fd))
			return
		}
		n.to = b.holeWriter(n.hole, fd, n.each)
		if n.to == nil {
			return
		}
	case len(parts) == 1:
		if n.constant = b.constant(t, key, fd, parts[0].text); n.constant == nil {
			return
		}
	default:
		if fd.Kind() != protoreflect.StringKind || fd.IsMap() || fd.IsList() && !(each && batched) {
			b.mistake(t, key, "`request`: %q puts a text together, but the field %s is %s; expected a string", text, fd.FullName(), describe(fd))
			return
		}
		n.text, n.each = parts, each && batched
		n.to = &fieldWriter{number: fd.Number(), kind: protowire.BytesType, explicit: fd.HasPresence() || n.each, value: writeString}
	}
	r.nodes = append(r.nodes, n)
}

// placeOneof puts a parameter in a oneof's place.
func (b *binder) placeOneof(r *request, t *settings.Table, key string, o protoreflect.OneofDescriptor, text string, used map[int]bool) {
	parts, ok := b.template(t, key, text)
	if !ok {
		return
	}
	if len(parts) != 1 || parts[0].hole == nil || !parts[0].hole.typed {
		b.mistake(t, key, "`request`: %q is given for the oneof %s; expected a parameter that is a variant, in braces", text, o.FullName())
		return
	}
	h := parts[0].hole
	used[h.param] = true
	if w := b.plan.oneofWriter(h.typ, o, "{"+h.name+"}"); w != nil {
		r.nodes = append(r.nodes, node{hole: h, to: w})
	}
}

// template reads "a{param.member}b"; braces stand for nothing else.
func (b *binder) template(t *settings.Table, key, text string) (parts []part, ok bool) {
	if text == "" {
		return []part{{}}, true
	}
	for rest := text; rest != ""; {
		before, after, found := strings.Cut(rest, "{")
		if before != "" {
			parts = append(parts, part{text: before})
		}
		if !found {
			break
		}
		name, behind, closed := strings.Cut(after, "}")
		if !closed {
			b.mistake(t, key, "`request`: %q has a { without its }", text)
			return nil, false
		}
		rest = behind
		h := &hole{name: strings.Replace(name, "[]", "", 1), each: strings.Contains(name, "[]")}
		mistake := ""
		if h.param, h.path, h.typ, h.typed, mistake = b.op.Members(h.name); mistake != "" {
			b.mistake(t, key, "`request`: %s", mistake)
			return nil, false
		}
		parts = append(parts, part{hole: h})
	}
	return parts, true
}

// holeWriter plans how a hole's value is written to a field, or for each call to
// an element of it.
func (b *binder) holeWriter(h *hole, fd protoreflect.FieldDescriptor, each bool) memberWriter {
	path := "{" + h.name + "}"
	typ := h.typ
	if !h.typed { // Money's members, or within Json
		if last := h.path[len(h.path)-1]; fd.Kind() == protoreflect.StringKind && (last == "amount" || last == "currency") {
			return &fieldWriter{number: fd.Number(), kind: protowire.BytesType, explicit: fd.HasPresence() || each, value: writeString}
		}
		b.plan.problem("%s lies within a Json or a Map, whose members have no types to be checked; expected a member of a record", path)
		return nil
	}
	if !each {
		if w := b.plan.fieldWriter(typ, fd, path); w != nil {
			return w
		}
		return nil
	}
	w := &fieldWriter{number: fd.Number(), kind: wireType(fd.Kind()), explicit: true, value: b.plan.valueWriter(typ, fd, path)}
	if fd.IsMap() || w.value == nil {
		return nil
	}
	return w
}

// constant is a field with a value that is always the same, as the wire has it.
func (b *binder) constant(t *settings.Table, key string, fd protoreflect.FieldDescriptor, text string) []byte {
	var value valueWriter
	quoted := native.QuoteJSON(text)
	fk := fd.Kind()
	ok := !fd.IsMap() && !fd.IsList()
	switch {
	case fk == protoreflect.StringKind:
		value = writeString
	case fk == protoreflect.BytesKind:
		value = writeBytes
	case fk == protoreflect.BoolKind:
		ok = ok && (text == "true" || text == "false")
		value = writeBool
	case fk == protoreflect.FloatKind || fk == protoreflect.DoubleKind:
		_, err := strconv.ParseFloat(text, 64)
		ok = ok && err == nil
		value = writeFloat(fk)
	case isWhole(fk):
		_, err := strconv.ParseInt(text, 10, 64)
		ok = ok && err == nil
		value, quoted = writeWhole(fk), text
	case fk == protoreflect.EnumKind:
		v := fd.Enum().Values().ByName(protoreflect.Name(text))
		if ok = ok && v != nil; ok {
			value, quoted = writeWhole(fk), strconv.Itoa(int(v.Number()))
		}
	default:
		ok = false
	}
	if ok {
		w := &fieldWriter{number: fd.Number(), kind: wireType(fk), explicit: true, value: value}
		if out, err := w.write(nil, &cursor{text: []byte(quoted)}); err == nil {
			return out
		}
	}
	b.mistake(t, key, "`request`: %q is no value of the field %s, which is %s; to send a parameter, write it in braces", text, fd.FullName(), describe(fd))
	return nil
}

func writeBool(dst []byte, c *cursor) ([]byte, error) {
	text, err := c.value()
	return protowire.AppendVarint(dst, protowire.EncodeBool(strings.Trim(string(text), `"`) == "true")), err
}
